"""A claim of the paper, with its published number and how it is judged."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from .evidence import Evidence
from .verdicts import Judgement


@dataclass(frozen=True)
class Claim:
    """One claim.

    Attributes:
        place: section, table or figure of the paper.
        paper: what it says there.
        published: the number that it prints; None where it prints none.
        criterion: what "reproduced" means.
    """

    place: str
    text: str
    paper: str
    published: float | None
    criterion: str
    judge: Callable[[Evidence], Judgement]
