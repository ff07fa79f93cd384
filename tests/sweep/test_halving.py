"""Successive halving within chains, with Tune's own bookkeeping and no cluster."""

from __future__ import annotations

from collections.abc import Collection, Set
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

from ray.tune.schedulers import TrialScheduler

from raysweep.space.search import StoppingSettings
from raysweep.sweep.coordinator_client import CoordinatorClient
from raysweep.sweep.halving import ChainHalving
from tests.plans import plan

GO, STOP = TrialScheduler.CONTINUE, TrialScheduler.STOP
MADE = plan(stages={1: {"learning_rate": {"grid": [1e-3, 2e-3, 3e-3, 4e-3]}}})


@dataclass(frozen=True)
class Awaited(CoordinatorClient):
    """Some trials for which others wait, without an actor."""

    names: Set[str]

    def is_awaited(self, trial: str) -> bool:
        return trial in self.names


class Sweep:
    """Feeds results to the scheduler, as Tune does."""

    def __init__(self, awaited: Collection[str] = (), **settings: Any) -> None:
        self.awaited = set(awaited)
        self.trials = {trial.id: trial for trial in MADE.trials}
        stopping = StoppingSettings(**{"metric": "loss", "mode": "min", **settings})
        self.halving = ChainHalving(stopping, self.trials, Awaited(None, self.awaited))
        self.tune = {
            name: SimpleNamespace(trial_id=name, config={"trial": name}) for name in self.trials
        }
        for trial in self.tune.values():
            self.halving.on_trial_add(None, trial)
        chains = sorted({trial.chain for trial in self.trials.values()}, key=str)
        self.first, self.second = (
            [name for name, trial in self.trials.items() if trial.chain == chain]
            for chain in chains
        )

    def report(self, name: str, stage: int, value: float | None, steps: int = 0) -> str:
        result = {"stage": stage, "loss": value, "steps_trained": steps}
        return self.halving.on_trial_result(None, self.tune[name], result)


def test_the_worse_of_a_chain_are_stopped_after_a_stage() -> None:
    sweep = Sweep(reduction_factor=2)
    one, two, three, four = sweep.first
    assert sweep.report(one, 1, 1.0) == GO
    assert sweep.report(two, 1, 0.5) == GO
    assert sweep.report(three, 1, 2.0) == STOP
    assert sweep.report(four, 1, 0.4) == GO
    assert set(sweep.halving.stopped) == {three}


def test_other_chains_and_the_base_model_do_not_count() -> None:
    sweep = Sweep(reduction_factor=2)
    assert sweep.report(sweep.first[0], 1, 0.1) == GO
    assert sweep.report(sweep.second[0], 1, 5.0) == GO, "the first of its chain"
    assert sweep.report(sweep.first[1], 0, 9.0) == GO, "not trained yet"
    assert sweep.report(sweep.first[1], 1, None) == GO, "nothing to compare"


def test_a_finished_trial_is_not_stopped() -> None:
    sweep = Sweep(reduction_factor=2)
    for name, value in zip(sweep.first, (0.1, 0.2, 0.3), strict=False):
        assert sweep.report(name, 2, value) == GO


def test_who_is_waited_for_is_stopped_later() -> None:
    sweep = Sweep(reduction_factor=2, every_steps=5)
    one, two, *_ = sweep.first
    assert sweep.report(one, 0, 0.1, steps=5) == GO
    sweep.awaited.add(two)
    assert sweep.report(two, 0, 3.0, steps=5) == GO, "others wait for its stage"
    assert sweep.report(two, 0, 3.0, steps=6) == GO
    sweep.awaited.clear()
    assert sweep.report(two, 0, 3.0, steps=7) == STOP


def test_steps_are_compared_rung_by_rung() -> None:
    sweep = Sweep(reduction_factor=2, every_steps=5)
    one, two, three, _ = sweep.first
    assert sweep.report(one, 0, 1.0, steps=5) == GO
    assert sweep.report(one, 0, 0.2, steps=10) == GO
    assert sweep.report(two, 0, 0.5, steps=5) == GO
    assert sweep.report(two, 0, 0.6, steps=10) == STOP, "worse than the first at its tenth step"
    assert sweep.report(three, 0, 0.9, steps=5) == STOP


def test_a_grace_of_two_stages() -> None:
    three = plan(chains=[["toxigen", "csqa2", "csqa"]], stages=MADE.space.stages)
    halving = ChainHalving(
        StoppingSettings(metric="loss", mode="min", grace_stages=2, reduction_factor=2),
        {trial.id: trial for trial in three.trials},
        Awaited(None, set()),
    )
    tune = [SimpleNamespace(trial_id=t.id, config={"trial": t.id}) for t in three.trials]
    for trial in tune:
        halving.on_trial_add(None, trial)

    def report(number: int, stage: int, value: float) -> str:
        result = {"stage": stage, "loss": value, "steps_trained": 0}
        return halving.on_trial_result(None, tune[number], result)

    assert [report(0, 1, 0.1), report(1, 1, 9.0)] == [GO, GO]
    assert [report(0, 2, 0.1), report(1, 2, 9.0)] == [GO, STOP]
