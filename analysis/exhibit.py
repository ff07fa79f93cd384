"""A table or a figure of a sweep: what is printed, drawn and written of it, or why it is not."""

from __future__ import annotations

from collections.abc import Callable, Mapping
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
        rates: learning rates of both stages; panels by chain are shown of these only, if any.
    """

    def __init__(self, results: Storage, rates: tuple[tuple[float, ...], ...] = ()) -> None:
        self.results = results
        self.rates = rates
        self._found: dict[object, object] = {}

    def of(self, part: Callable[[Storage], T]) -> T:
        """What a function makes of the results."""
        if part not in self._found:
            self._found[part] = part(self.results)
        return self._found[part]  # type: ignore[return-value]


Show = Callable[[Reading], Exhibit | Missing]
