"""What a worker has dealings with beside the store: the words of a sweep's processes."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Protocol


class Doing(StrEnum):
    """What a trial does, in words that go before what it is done to."""

    STARTING = "start-up"
    WAITING = "waiting for"
    TRAINING = "training"
    EVALUATING = "evaluating"
    CURVATURE = "measuring curvature of"
    CHANGE = "measuring the change of"


class Work(StrEnum):
    """Kinds of work whose time is told apart."""

    TRAINING = "training"
    EVALUATING = "evaluating"
    CURVATURE = "measuring curvature"


@dataclass(frozen=True)
class Activity:
    """What a trial does now.

    Attributes:
        what: is trained on, measured or waited for; a trial that is waited for by its id.
        stage: its number; 0 is the base model.
        fraction: how far it is.
    """

    doing: Doing
    what: str = ""
    stage: int = 0
    fraction: float = 0.0

    def __str__(self) -> str:
        return f"{self.doing} {self.what}".strip()


class Surroundings(Protocol):
    """A worker's way to the sweep. All but `report` and `advance` are for rank 0 alone."""

    def advance(self, *_: object) -> None:
        """After every piece of work, by all: one that lives and does not advance is replaced."""

    def report(self, metrics: dict[str, Any]) -> None:
        """After each stage, and within one if trials are compared there; called by all.

        The metrics are those of rank 0, the others report nothing; the results hold them already.
        """

    def tell(self, activity: Activity) -> None:
        """Now and then: what is done."""

    def claim(self, key: str) -> bool:
        """Before anything of a stage is made: whether it is this trial's to make."""

    def release(self, key: str) -> None:
        """When all of a stage is made."""

    def make_room(self, key: str, num_bytes: int) -> None:
        """Before the weights of a stage are published.

        Raises:
            NoRoomError: the budget has none.
        """

    def spend(self, work: Work, seconds: float, stage_key: str) -> None:
        """After a piece of work for a stage: how long it took."""
