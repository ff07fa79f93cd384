"""The limit in tokens under which each row has to fit, from the stages that meet it."""

from __future__ import annotations

import itertools

from raysweep.errors import InputError
from raysweep.model.checkpoint import Checkpoint
from raysweep.plan.points import axes_of
from raysweep.space.axes import as_axis
from raysweep.space.space import SearchSpace
from raysweep.training.settings import Hyperparameters


def smallest_limits(space: SearchSpace, checkpoint: Checkpoint) -> dict[tuple[str, str], int]:
    """Of each task's sets: each stage's own limit for what it trains on, and that of all stages of
    its chain, after which it is tested.

    A stage that may take several limits counts with the smallest.

    Raises:
        InputError: a limit is more than the model's positions.
    """
    of_length = {length: _limits(space, length) for length in set(map(len, space.chains))}
    for found in of_length.values():
        for key, limits in found:
            if max(limits) > checkpoint.max_positions:
                raise InputError(
                    key,
                    f"{max(limits)} is more than the model's {checkpoint.max_positions} positions",
                    f"set it to at most {checkpoint.max_positions}",
                )
    smallest: dict[tuple[str, str], int] = {}
    for chain in space.chains:
        limits_of = [min(limits) for _, limits in of_length[len(chain)]]
        trains_anywhere = space.search.orders != ("listed",) or space.curvature.tasks == "all"
        for stage, mixture in zip(limits_of, chain, strict=True):
            wanted = {"test": min(limits_of), "validation": limits_of[0]}
            wanted["train"] = min(limits_of) if trains_anywhere else stage
            for part, (kind, limit) in itertools.product(mixture, wanted.items()):
                smallest[part.task, kind] = min(smallest.get((part.task, kind), limit), limit)
    return smallest


def _limits(space: SearchSpace, length: int) -> list[tuple[str, tuple[int, ...]]]:
    """The key that decides each stage's limit, and the values that it may have."""
    default = as_axis(Hyperparameters().sequence_limit)
    axes, found = {"sequence_limit": default, **axes_of(space, length)}, []
    for number in range(1, length + 1):
        keys = (f"stages.{number}.sequence_limit", "stage.sequence_limit", "sequence_limit")
        key = next(one for one in keys if one in axes)
        found.append((key, tuple(map(int, axes[key].examples))))
    return found
