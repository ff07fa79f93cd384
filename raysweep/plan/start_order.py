"""In which order trials start, so that shared stages are trained early and nobody waits."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from raysweep.plan.trials import Trial


def schedule(trials: Sequence[Trial]) -> list[Trial]:
    """Trials in the order in which they should start.

    The stage tree is dealt branch by branch: first one trial of every distinct first stage, then a
    second of each, and so on, and within a branch likewise over its second stages. Of several
    branches the one with the longest path (in examples trained on) goes first.
    """
    return _dealt(list(trials), 0)


def _dealt(trials: list[Trial], depth: int) -> list[Trial]:
    if depth >= max(len(trial.stages) for trial in trials):
        return trials
    branches: dict[str, list[Trial]] = {}
    for trial in trials:
        key = trial.stages[depth].key if depth < len(trial.stages) else trial.id
        branches.setdefault(key, []).append(trial)
    dealt = [_dealt(branch, depth + 1) for branch in branches.values()]
    dealt.sort(key=lambda branch: max(map(_length, branch)), reverse=True)
    return list(_in_turn(dealt))


def _in_turn(branches: Sequence[Sequence[Trial]]) -> Iterator[Trial]:
    """One trial of each branch, then another of each that has one left, and so on."""
    left = [iter(branch) for branch in branches]
    while left:
        turn, left = left, []
        for branch in turn:
            if trial := next(branch, None):
                yield trial
                left.append(branch)


def _length(trial: Trial) -> int:
    """Examples that the trial's stages train on."""
    return sum(
        stage.hyperparameters.num_steps * stage.hyperparameters.global_batch_size
        for stage in trial.stages
    )
