"""Rank 0 decides, all follow: calls that every worker of a group makes together.

Rank 0 alone looks into the store and writes to it. What it finds there decides what all do next,
so it is told to all of them: a rank that looked for itself might see another store, and the group
would part. What is called collective here must be called by all; one that does not leaves the
others waiting.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TypeVar

import torch.distributed as dist

from raysweep.store.store import DamagedEntryError

Answer = TypeVar("Answer")


def is_first() -> bool:
    """Whether this is rank 0."""
    return dist.get_rank() == 0


def is_first_on_host() -> bool:
    """Whether this is the first worker on its host."""
    return int(os.environ.get("LOCAL_RANK", "0")) == 0


def decided(ask: Callable[[], Answer]) -> Answer:
    """What rank 0 answers, on every rank; the others do not ask."""
    answer = [ask() if is_first() else None]
    dist.broadcast_object_list(answer)
    return answer[0]  # type: ignore[return-value]  # rank 0's, which has asked


def found(look: Callable[[], Answer]) -> Answer | None:
    """What rank 0 reads in the store; None elsewhere.

    Raises:
        DamagedEntryError: on every rank, where rank 0 has found damage.
    """
    answer, problem = None, ""
    if is_first():
        try:
            answer = look()
        except DamagedEntryError as error:
            problem = str(error)
    raise_together(problem)
    return answer


def raise_together(problem: str) -> None:
    """Ends all ranks alike where one of them has found damage.

    Raises:
        DamagedEntryError: on every rank, if any gives a problem.
    """
    problems = [""] * dist.get_world_size()
    dist.all_gather_object(problems, problem)
    if first := next(filter(None, problems), ""):
        raise DamagedEntryError(first)
