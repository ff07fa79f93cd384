"""The benchmark of whole sweeps: the script does what the sweep's plan says."""

from __future__ import annotations

import json

import pytest

from benchmarks.end_to_end import described, largest_difference, space_of
from benchmarks.plain_trial import run_trial
from raysweep.model.checkpoint import find_checkpoint
from raysweep.plan.plan import make_plan
from raysweep.space.space import check_space


def test_a_plain_trial_scores_every_task_after_every_stage() -> None:
    space = space_of("replay", num_steps=1, num_test=26)
    plan = make_plan(check_space(space, "test"), find_checkpoint("tiny"))
    assert (plan.num_stages_asked, plan.num_stages_distinct) == (22, 10)
    trial = next(one for one in plan.trials if str(one.chain).endswith("toxigen@5%"))
    words = json.loads(json.dumps(described(plan, trial, is_scored_by_raysweep=False)))
    assert [stage["parts"] for stage in words["stages"]] == [
        [["toxigen", 1.0]],
        [["arc_easy", 1.0]],
        [["toxigen", 0.05]],
    ]
    accuracies = run_trial(words)
    assert [set(scored) for scored in accuracies] == [{"toxigen", "arc_easy"}] * 4
    counts = [26 * accuracy for scored in accuracies for accuracy in scored.values()]
    assert counts == pytest.approx([round(count) for count in counts])
    assert len(set(counts)) > 1
    assert run_trial({**words, "is_scored_by_raysweep": True}) == accuracies


def test_the_largest_difference_wants_the_same_accuracies() -> None:
    one = {"a": [{"x": 0.5}, {"x": 0.75}], "b": [{"y": 1.0}]}
    other = {"a": [{"x": 0.5}, {"x": 0.5}], "b": [{"y": 0.875}]}
    assert largest_difference(one, other) == 0.25
    with pytest.raises(ValueError, match="'b', 0, 'y'"):
        largest_difference(one, {"a": one["a"]})
