"""Ends hopeless trials early: Tune's asynchronous successive halving, within each chain."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from ray.tune.schedulers import AsyncHyperBandScheduler, FIFOScheduler, TrialScheduler

from raysweep.plan.trials import Trial
from raysweep.space.chains import Chain
from raysweep.space.search import StoppingSettings
from raysweep.sweep.coordinator_client import CoordinatorClient
from raysweep.sweep.not_restored import NotRestored
from raysweep.sweep.tune_settings import TRIAL

RUNG = "rung"
GO_ON, STOP = str(TrialScheduler.CONTINUE), str(TrialScheduler.STOP)


class ChainHalving(NotRestored, FIFOScheduler):
    """Compares trials of the same chain, by the stage or the step that they have come to.

    A trial that makes a stage for which others wait goes on, and is compared again at its next
    result. Trials that were stopped are named in `stopped`.

    Args:
        trials: by id; others may be added while the sweep runs.
        coordinator: knows who waits for whom.
    """

    def __init__(
        self,
        settings: StoppingSettings,
        trials: Mapping[str, Trial],
        coordinator: CoordinatorClient,
    ) -> None:
        super().__init__()
        self._settings, self._trials, self._coordinator = settings, trials, coordinator
        self._chains: dict[Chain, AsyncHyperBandScheduler] = {}
        self._condemned: set[str] = set()
        self.stopped: dict[str, Mapping[str, Any]] = {}

    def on_trial_add(self, tune_controller: Any, trial: Any) -> None:
        """Called by Tune for every new trial."""
        self._of(trial).on_trial_add(tune_controller, trial)

    def on_trial_result(self, tune_controller: Any, trial: Any, result: Mapping[str, Any]) -> str:
        """Called by Tune for every report; whether the trial goes on."""
        name = trial.config[TRIAL]
        is_last = result.get("stage") == len(self._trials[name].stages)
        if is_last or not self._is_comparable(result):
            return GO_ON
        verdict = self._of(trial).on_trial_result(tune_controller, trial, self._placed(result))
        if verdict == STOP:
            self._condemned.add(name)
        if name not in self._condemned or self._coordinator.is_awaited(name):
            return GO_ON
        self.stopped[name] = dict(result)
        return STOP

    def on_trial_complete(
        self, tune_controller: Any, trial: Any, result: Mapping[str, Any]
    ) -> None:
        """Called by Tune when a trial has ended."""
        if self._is_comparable(result):
            self._of(trial).on_trial_complete(tune_controller, trial, self._placed(result))

    def on_trial_remove(self, tune_controller: Any, trial: Any) -> None:
        """Called by Tune when a trial goes before it has run."""
        self._of(trial).on_trial_remove(tune_controller, trial)

    def _of(self, trial: Any) -> AsyncHyperBandScheduler:
        """What compares the trials of a trial's chain."""
        planned = self._trials[trial.config[TRIAL]]
        if planned.chain not in self._chains:
            self._chains[planned.chain] = self._scheduler_for(planned)
        return self._chains[planned.chain]

    def _scheduler_for(self, trial: Trial) -> AsyncHyperBandScheduler:
        settings = self._settings
        factor = settings.reduction_factor
        if settings.every_steps:
            first = settings.every_steps
            last = float(sum(stage.hyperparameters.num_steps for stage in trial.stages))
        else:
            # Tune puts its rungs at the powers of the reduction factor r, wherever trials are. So
            # the end of stage k is told to stand at r^(k - 1), and each stage end is a rung of its
            # own: with r = 3 and three stages at 1, 3 and 9.
            first, last = 1, factor ** len(trial.stages)
        return AsyncHyperBandScheduler(
            time_attr=RUNG,
            metric=settings.metric,
            mode=settings.mode,
            grace_period=first,
            max_t=max(first, math.ceil(last)),
            reduction_factor=factor,
            stop_last_trials=False,
        )

    def _placed(self, result: Mapping[str, Any]) -> dict[str, Any]:
        """The result with its place among the rungs."""
        if self._settings.every_steps:
            return {**result, RUNG: result["steps_trained"]}
        above = result["stage"] - self._settings.grace_stages
        return {**result, RUNG: self._settings.reduction_factor**above}

    def _is_comparable(self, result: Mapping[str, Any]) -> bool:
        if result.get(self._settings.metric) is None:
            return False
        if self._settings.every_steps:
            return bool(result["steps_trained"] > 0)
        return bool(result["stage"] >= self._settings.grace_stages)
