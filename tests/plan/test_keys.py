"""Keys of trained stages stay what they were: what is in a store is found again."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from raysweep.digest import digest_json
from raysweep.model.checkpoint import find_checkpoint
from raysweep.plan.plan import Plan, make_plan
from raysweep.plan.trials import Measurement, Trial
from raysweep.space.packaged import packaged_space
from raysweep.space.space import load_space
from raysweep.store.store import EntryKind

# Digests over the sorted keys of stages, curvatures and changes, before evaluations had a version
# of their own; those of evaluations then, which must differ.
RECORDED = {
    "lr": ("20437e92da84242d", "2b50c2ce0149433d", "368829cbc4c8d449", "2ff45be86de438db"),
    "order": ("c8d2ad861f502368", "606611da53f76ad5", "beab46237eca5b30", "88a79ad3ab9d622b"),
    "replay_mixed": (
        *("872561382984fc68", "4f53cda18c2baa0c", "4f53cda18c2baa0c"),
        "0af0e8f594b15bb8",
    ),
    "curvature": ("efffca1d6db792f8", "e2a96ee62c3136a8", "4f53cda18c2baa0c", "5a7c2913da5c4870"),
    "best_first": ("fa294b6754c7b416", "4f53cda18c2baa0c", "4f53cda18c2baa0c", "2af8522445b25d62"),
}

# Of 2026-11-28: the sweep's name, and digests over its evaluations' keys and its trials' ids.
NAMED = {
    "lr": ("lr-265782aa", "6c12cfa40dc41aa1", "0cdcc7c2e895f061"),
    "order": ("order-7f9aa343", "ef565cd69de1dc72", "fa37bd47d4632cbf"),
    "replay_mixed": ("replay-mixed-8b7e21a3", "c0a6eef0fe60108b", "59c97308ab7a3448"),
    "curvature": ("curvature-ad886e5f", "8f665c5df2644ec5", "2eb94a1398d3349b"),
    "best_first": ("best_first-2d684cbf", "d8d8fd0a067f8d17", "e89c497278811fa7"),
    "optuna": ("optuna-12d8496d", "c9e838459e5a36c6", "e62891018c0e0d0d"),
    "halving": ("halving-74179192", "5d29e37fa6c87419", "7e4b041dcae6c314"),
    "curvature_order": ("curvature_order-21bdc966", "d6faf1b7df9523f3", "27cd23b136b3baeb"),
}


def planned(name: str, **changes: object) -> Plan:
    space = load_space(packaged_space(name), changes)
    return make_plan(space, find_checkpoint(space.model))


def digest(keys: Iterable[str]) -> str:
    return digest_json(sorted(set(keys)))[:16]


def stage_keys(plan: Plan) -> set[str]:
    return {stage.key for trial in plan.all_trials for stage in trial.stages}


def evaluation_keys(trial: Trial) -> list[str]:
    return [one.key for one in trial.measurements if one.kind == EntryKind.EVALUATION]


def keys_of(measurements: Iterable[Measurement]) -> set[str]:
    return {one.key for one in measurements}


@pytest.mark.parametrize("name", RECORDED)
def test_no_trained_stage_and_no_curvature_is_lost(name: str) -> None:
    plan = planned(name)
    trials = plan.all_trials
    stages, curvatures, changes, evaluations = RECORDED[name]
    assert digest(stage_keys(plan)) == stages
    assert digest(one.key for t in trials for one in t.curvatures) == curvatures
    assert digest(one.key for t in trials for one in t.changes) == changes
    assert digest(key for t in trials for key in evaluation_keys(t)) != evaluations


@pytest.mark.parametrize("name", NAMED)
def test_sweeps_trials_and_evaluations_are_found_again(name: str) -> None:
    plan = planned(name)
    trials = plan.all_trials
    evaluations = digest(key for trial in trials for key in evaluation_keys(trial))
    assert (plan.sweep, evaluations, digest(trial.id for trial in trials)) == NAMED[name]


def test_how_finely_a_path_is_looked_at_is_part_of_a_changes_key_alone() -> None:
    as_written, eight, none = (
        planned("lr", curvature={} if k is None else {"path_points": k}) for k in (None, 8, 0)
    )
    for kind in EntryKind:
        keys = [
            {one for trial in made.all_trials for one in trial.entries if one[0] == kind}
            for made in (as_written, eight, none)
        ]
        assert keys[0] == keys[1]
        assert (keys[0] == keys[2]) == (kind != EntryKind.CHANGE), kind
    searched = [planned("optuna", curvature={"path_points": k}).sweep for k in (0, 8)]
    assert searched[0] == searched[1] == NAMED["optuna"][0], "it decides no trial"


def test_a_second_radius_adds_keys_and_changes_none() -> None:
    as_written, without, with_content = (
        planned("curvature", curvature={} if content is None else {"content": content})
        for content in (None, False, True)
    )
    assert as_written.sweep == without.sweep == NAMED["curvature"][0]
    before, after = (
        {entry for trial in made.all_trials for entry in trial.entries}
        for made in (without, with_content)
    )
    assert before < after
    assert {kind for kind, _ in after - before} == {EntryKind.CURVATURE}


@pytest.mark.parametrize("name", ["optuna", "curvature_order", "curvature"])
def test_how_a_curvature_is_computed_renames_nothing(name: str) -> None:
    """Operators give the same to rounding, and a limit gives nothing."""
    limited = planned(name, curvature={"operator": "replica", "max_parameters": 10**7})
    as_written = planned(name)
    assert limited.sweep == as_written.sweep
    assert [t.id for t in limited.all_trials] == [t.id for t in as_written.all_trials]
    curvatures = [
        {key for t in p.all_trials for key in keys_of(t.curvatures)} for p in (limited, as_written)
    ]
    assert curvatures[0] == curvatures[1]


@pytest.mark.parametrize(
    ("version", "changes_what"),
    [
        ("TRAINING", {"stages", "evaluations", "curvatures", "changes"}),
        ("EVALUATION", {"evaluations"}),
        ("CURVATURE", {"curvatures"}),
        ("CHANGE", {"changes"}),
    ],
)
def test_a_version_costs_what_it_is_about_and_what_follows_from_it(
    version: str, changes_what: set[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def keys() -> dict[str, set[str]]:
        plan = planned("lr")
        trials = plan.trials
        return {
            "stages": stage_keys(plan),
            # the base model's evaluations do not follow from any training
            "evaluations": keys_of(e for t in trials for e in t.evaluations if e.stage_number),
            "curvatures": keys_of(one for t in trials for one in t.curvatures),
            "changes": keys_of(one for t in trials for one in t.changes),
        }

    before = keys()
    monkeypatch.setattr(f"raysweep.plan.versions.{version}", 99)
    after = keys()
    assert {name for name in before if not before[name] & after[name]} == changes_what
    assert {name for name in before if before[name] == after[name]} == set(before) - changes_what


def test_a_beginning_mark_that_is_left_out_is_another_training() -> None:
    with_mark, without = planned("lr"), planned("lr", beginning_mark=False)
    assert [plan.encoder and plan.encoder.beginning for plan in (with_mark, without)] == [(1,), ()]
    assert not stage_keys(with_mark) & stage_keys(without)
    assert stage_keys(with_mark) == stage_keys(planned("lr", beginning_mark=True))
