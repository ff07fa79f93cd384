"""Trials with data seeds of their own: the rows that they use, their keys, and what they share."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any

import pytest

from raysweep.cli.plan import outlined_plan
from raysweep.cost.report import stage_tree
from raysweep.plan.plan import Plan
from raysweep.plan.planner import Planner
from raysweep.plan.scouts import Finding, Findings
from raysweep.plan.trials import Trial
from raysweep.space.data import Replicate
from raysweep.space.space import check_space
from raysweep.tasks.loading import Loaded, load_examples
from raysweep.tasks.registry import TASKS
from raysweep.tasks.settings import DataSettings
from raysweep.tasks.splits import load_splits
from raysweep.tasks.task import Task
from tests.plans import plan

SIZES = {"num_train": 100, "num_test": 50}
ONE_CHAIN: dict[str, Any] = {"stages": {}, "chains": [["toxigen", "csqa2", "toxigen@10%"]]}


def drawn(seed: object, shares: str = "fixed", /, **changes: object) -> Plan:
    return plan(data={**SIZES, "seed": seed, "shares": shares}, **changes)


def entries(*trials: Trial) -> set[object]:
    return {entry for trial in trials for entry in trial.entries}


def test_each_data_seed_has_the_rows_that_it_draws() -> None:
    made = drawn({"grid": [3, 0]})
    assert list(made.recipes.rows) == [3, 0]
    for seed, digests in made.recipes.rows.items():
        settings = DataSettings(**SIZES, seed=seed)
        assert digests == {name: load_splits(TASKS[name], settings).digests for name in digests}
    for first, other in zip(*(sets.values() for sets in made.recipes.rows.values()), strict=True):
        assert not set(first) & set(other)
    assert made.splits["toxigen"].digests == made.recipes.rows[3]["toxigen"]


@pytest.mark.parametrize("shares", ["fixed", "trial"])
@pytest.mark.parametrize(
    ("seed", "pairs"),
    [
        ({"grid": [0, 5]}, [(0, 0), (0, 5), (5, 0), (5, 5)]),
        ("trial", [(0, 0), (5, 5)]),
        (5, [(0, 5), (5, 5)]),
    ],
)
def test_a_trial_is_that_of_a_sweep_with_its_data_seed_alone(
    seed: object, pairs: list[tuple[int, int]], shares: str
) -> None:
    made = drawn(seed, shares, seeds=[0, 5], **ONE_CHAIN)
    found = {(trial.seed, trial.data_seed): trial for trial in made.trials}
    alone = {
        (seed, data_seed): drawn(data_seed, shares, seeds=[seed], **ONE_CHAIN).trials
        for seed, data_seed in pairs
    }
    assert {place: (trial,) for place, trial in found.items()} == alone
    assert len({trial.id for trial in found.values()}) == len(alone) == len(made.trials)
    stages = [{stage.key for stage in trial.stages} for trial in found.values()]
    assert not set.intersection(*stages)


def test_trials_of_a_data_seed_share_their_stages() -> None:
    made, single = drawn({"grid": [0, 1]}), drawn(0)
    assert made.num_stages_distinct == 2 * single.num_stages_distinct
    assert made.num_stages_asked == 2 * single.num_stages_asked
    assert entries(*made.trials) > entries(*single.trials)
    of_base = {one.key for t in made.trials for one in t.evaluations if not one.stage_number}
    assert len(of_base) == 2 * 2, "each task's test rows of each draw"


def test_one_data_seed_is_no_axis() -> None:
    """Neither names nor keys know whether it stood in a list."""
    for changes in ({}, {"search": {"first_stage": "best"}, "seeds": [7]}):
        plain = drawn(7, **changes)
        for form in ({"grid": [7]}, *(["trial"] if "seeds" in changes else [])):
            made = drawn(form, **changes)
            assert (made.sweep, made.all_trials) == (plain.sweep, plain.all_trials)


def test_searches_with_several_draws_are_searches_of_their_own() -> None:
    """Where the trials are not known beforehand: which seeds meet which data is in the name."""
    best: dict[str, Any] = {"search": {"first_stage": "best"}, "seeds": [0, 1]}
    made = [drawn(form, **best) for form in (0, 1, {"grid": [0, 1]}, {"grid": [1, 0]}, "trial")]
    made.append(drawn(0, "trial", **best))
    assert len({one.sweep for one in made}) == 6


def test_a_source_is_read_once_and_the_rows_of_one_draw_are_kept(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    read = Counter[str]()

    def counting(task: Task, source: str) -> Loaded:
        read[task.name] += 1
        return load_examples(task, source)

    monkeypatch.setattr("raysweep.tasks.splits.load_examples", counting)
    made = drawn({"grid": list(range(6))})
    assert read == {"toxigen": 1, "csqa2": 1}
    assert {len(one.train) for one in made.splits.values()} == {100}


def test_shares_drawn_by_the_trial_change_the_stages_with_shares_alone() -> None:
    """And what follows from these."""
    chain = [["toxigen", "csqa2", ["csqa2", "toxigen@10%"], "toxigen"]]
    fixed, own = (
        drawn(0, shares, stages={}, chains=chain).trials[0] for shares in ("fixed", "trial")
    )
    same = [a.key == b.key for a, b in zip(fixed.stages, own.stages, strict=True)]
    assert same == [True, True, False, False]
    recipes = drawn(0, "trial", stages={}, chains=chain).recipes
    told = [recipes.of_stage(stage).get("shares") for stage in own.stages]
    assert told == [None, None, "trial", None]


def test_a_first_stage_is_chosen_for_each_seed_and_data_seed() -> None:
    rates = {1: {"learning_rate": {"grid": [1e-3, 2e-3]}}}
    best: dict[str, Any] = {"stages": rates, "search": {"first_stage": "best"}, "seeds": [0, 1]}
    made = drawn({"grid": [0, 1]}, **best)
    assert len(made.scouts) == 2 * 2 * 2 * 2, "tasks x rates x seeds x data seeds"

    def accuracy(seed: int, data_seed: int, rate: float) -> float:
        return rate if (seed, data_seed) == (1, 0) else -rate

    findings = Findings(
        tuple(
            Finding(
                stage,
                accuracy(stage.seed, stage.data_seed, stage.hyperparameters.learning_rate),
                None,
            )
            for stage in (scout.stages[0] for scout in made.scouts)
        )
    )
    rates_of = {
        (trial.seed, trial.data_seed): trial.stages[0].hyperparameters.learning_rate
        for trial in made.decided(findings).trials
    }
    assert rates_of == {(0, 0): 1e-3, (0, 1): 1e-3, (1, 0): 2e-3, (1, 1): 1e-3}
    assert "data seed 1" in str(findings.all[-1])


def test_a_plan_without_data_counts_every_draw() -> None:
    space: dict[str, Any] = {
        "name": "o",
        "model": "meta-llama/Llama-2-7b-hf",
        "chains": [["toxigen", "csqa2"]],
    }
    space |= {"workers": {"zero_stage": 3}, "stage": {"sequence_limit": 2048}}
    one, three = (
        outlined_plan(check_space({**space, "data": {"seed": seed}}, "test"))
        for seed in (0, {"grid": [0, 1, 2]})
    )
    assert (len(three.trials), three.num_stages_distinct) == (3, 3 * one.num_stages_distinct)


def test_draws_that_train_alike_and_test_otherwise_are_two_trials() -> None:
    """Of a few rows two draws may have one order: then they share stages, and no name."""
    made = drawn({"grid": [0, 1]}, **ONE_CHAIN)
    train = {name: sets[0] for name, sets in made.recipes.rows[0].items()}
    rows = {
        seed: {name: (train[name], *sets[1:]) for name, sets in digests.items()}
        for seed, digests in made.recipes.rows.items()
    }
    planner = Planner(made.space, "d1", replace(made.recipes, rows=rows))
    one, other = planner.trials()
    assert [s.key for s in one.stages] == [s.key for s in other.stages]
    assert one.id != other.id
    assert not {e.key for e in one.evaluations} & {e.key for e in other.evaluations}
    assert [trial.id for trial in planner.trials()] == [one.id, other.id]


def test_the_tree_tells_data_seeds_where_there_are_several() -> None:
    labels = [
        str(branch.label) for branch in stage_tree(drawn({"grid": [0, 4]}, **ONE_CHAIN)).children
    ]
    assert [label.rpartition(", ")[2] for label in labels] == ["data seed 0", "data seed 4"]
    assert "data seed" not in str(stage_tree(drawn(4, **ONE_CHAIN)).children[0].label)


def test_replicates_are_in_the_order_of_the_seeds() -> None:
    space = drawn({"grid": [1, 0]}, seeds=[2, 3]).space
    assert space.replicates == (Replicate(2, 1), Replicate(2, 0), Replicate(3, 1), Replicate(3, 0))
