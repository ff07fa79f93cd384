"""A worker's place in its group."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Seat:
    """Where a worker sits.

    Attributes:
        host: this host's address, at which the others reach it.
        device: the index of its GPU; None on CPUs.
        stall_minutes: after which workers that make no progress are ended, by who watches them.
    """

    rank: int
    world: int
    local_rank: int
    local_world: int
    host: str
    device: int | None
    stall_minutes: float
