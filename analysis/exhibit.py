"""A table or a figure of a sweep: what is printed, drawn and written of it, or why it is not."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from matplotlib.figure import Figure
from rich.console import RenderableType

from raysweep.store.storage import Storage

T = TypeVar("T")


@dataclass(frozen=True)
class Exhibit:
    """What there is to show.

    Attributes:
        text: printed in the terminal: the numbers.
        draw: makes the picture.
        files: what else is written, by the ending of its name, such as "csv".
        remark: printed after the names of its files; may be empty.
    """

    text: RenderableType | None
    draw: Callable[[], Figure]
    files: Mapping[str, str] = field(default_factory=dict)
    remark: str = ""


@dataclass(frozen=True)
class Missing:
    """Why there is nothing to show: which chains or measurements it needs."""

    reason: str


class Reading:
    """The results of a sweep, each part of them read once.

    Attributes:
        rates: learning rates of both stages; panels are shown of these only, if any.
    """

    def __init__(self, results: Storage, rates: tuple[tuple[float, ...], ...] = ()) -> None:
        self.results = results
        self.rates = rates
        self._found: dict[object, object] = {}

    def wants(self, rates: Sequence[float | None]) -> bool:
        """Whether panels of these learning rates are to be shown; None stands for any."""
        return not self.rates or any(_agree(rates, one) for one in self.rates)

    def of(self, part: Callable[[Storage], T]) -> T:
        """What a function makes of the results."""
        if part not in self._found:
            self._found[part] = part(self.results)
        return self._found[part]  # type: ignore[return-value]


def _agree(rates: Sequence[float | None], wanted: Sequence[float]) -> bool:
    pairs = zip(rates, wanted, strict=False)
    alike = (one is None or math.isclose(one, two) for one, two in pairs)
    return len(rates) == len(wanted) and all(alike)


Show = Callable[[Reading], Exhibit | Missing]
