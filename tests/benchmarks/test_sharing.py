"""The benchmark of sharing: the unshared plan shares nothing and is otherwise the same."""

from __future__ import annotations

from benchmarks.sharing import replay_plan, unshared


def test_the_unshared_plan_has_the_same_trials_and_nothing_in_common() -> None:
    plan = replay_plan(num_steps=3, num_test=26)
    alone = unshared(plan)
    assert (plan.num_stages_asked, plan.num_stages_distinct) == (2 + 8 * 3, 2 + 8)
    assert alone.num_stages_distinct == alone.num_stages_asked == plan.num_stages_asked
    assert len({one.key for t in alone.trials for one in t.evaluations}) == 2 * (2 + 8 * 3 + 9)
    for ours, theirs in zip(plan.trials, alone.trials, strict=True):
        assert ours.id == theirs.id
        for one, other in zip(ours.stages, theirs.stages, strict=True):
            assert one.label == other.label
            assert one.hyperparameters == other.hyperparameters
        assert theirs.stages[0].parent == plan.checkpoint.digest
        assert [s.parent for s in theirs.stages[1:]] == [s.key for s in theirs.stages[:-1]]
