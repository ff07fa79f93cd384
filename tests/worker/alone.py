"""A worker's surroundings where nobody listens."""

from __future__ import annotations

from typing import Any

from raysweep.worker.surroundings import Activity, Work


class Alone:
    """The surroundings of a worker whom nobody listens to."""

    def advance(self, *_: object) -> None: ...
    def report(self, metrics: dict[str, Any]) -> None: ...
    def tell(self, activity: Activity) -> None: ...
    def claim(self, key: str) -> bool:
        return True

    def release(self, key: str) -> None: ...
    def make_room(self, key: str, num_bytes: int) -> None: ...
    def spend(self, work: Work, seconds: float, stage_key: str) -> None: ...
