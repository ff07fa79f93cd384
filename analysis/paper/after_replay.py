"""Figures 11 to 14: each task's accuracy and forgetting after replay, in full (section 9.4).

    11  accuracy of the first task, which is replayed (the paper's safety task)
    12  its forgetting
    13  accuracy of the second task (the paper's capability task)
    14  what of it the third stage forgets

A column of panels for each task that is shown, a line for each task that it was trained with, one
scale in all panels; rows for shares, (a), and steps, (b).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from matplotlib.figure import Figure

from raysweep.statistics.association import EQUAL_DIGITS
from raysweep.tasks.task import Kind

from ..data.load import MeasuredTask, task_position
from ..data.mean import mean_of
from ..data.replays import NO_REPLAY, Curve, Point, Replay, Seeds, replays
from ..drawing.line_panels import Line, LinePanel, draw_lines
from ..exhibit import Exhibit, Missing, Reading, Show
from .figure7 import about_points, by_replay, labelled, means_of

NUMBERS = "numbers: under Figure 7"


@dataclass(frozen=True)
class Quantity:
    """What one of the figures shows.

    Attributes:
        place: of the task in the chain, 0 or 1.
        of: it, at a point.
        is_forgetting: else it is an accuracy.
    """

    place: int
    of: Callable[[Point], Seeds]
    is_forgetting: bool

    @property
    def up(self) -> str:
        """The axis's label."""
        return "forgetting (points)" if self.is_forgetting else "accuracy (%)"

    def task(self, curve: Curve) -> MeasuredTask:
        """Whose it is."""
        return (curve.first, curve.second)[self.place]

    def other(self, curve: Curve) -> MeasuredTask:
        """The other one of the chain."""
        return (curve.second, curve.first)[self.place]

    def shows(self, curve: Curve) -> bool:
        """Whether the curve has it; nothing follows a second stage that replay is mixed into."""
        is_last = self.place == 1 and curve.replay is Replay.MIXED
        return not (is_last and self.is_forgetting) and any(self.of(p).values for p in curve.points)


FIRST_ACCURACY = Quantity(0, lambda point: point.accuracy, is_forgetting=False)
FIRST_FORGETTING = Quantity(0, lambda point: point.forgetting, is_forgetting=True)
SECOND_ACCURACY = Quantity(1, lambda point: point.second_accuracy, is_forgetting=False)
SECOND_FORGETTING = Quantity(1, lambda point: point.second_forgetting, is_forgetting=True)


def after_replay(quantity: Quantity) -> Show:
    """The figure of one quantity."""

    def exhibit(reading: Reading) -> Exhibit | Missing:
        curves = reading.of(replays)
        found = [curve for curve in curves if quantity.shows(curve)]
        if not found:
            return Missing("no third stage replays the first task" if curves else NO_REPLAY)
        return Exhibit(None, lambda: picture(found, quantity), remark=NUMBERS)

    return exhibit


def picture(curves: Sequence[Curve], quantity: Quantity) -> Figure:
    """Of curves that have the quantity."""
    tasks = sorted({quantity.task(curve) for curve in curves}, key=task_position)
    rows = [
        [_panel(letter, replay, task, same, quantity) for task in tasks]
        for letter, replay, same in by_replay(curves, labelled(curves))
    ]
    panels = [panel for row in rows for panel in row if panel]
    parts = about_points(panels) + ["larger is worse"] * quantity.is_forgetting
    return draw_lines(rows, _title(curves, quantity), "; ".join(parts))


def _panel(
    letter: str,
    replay: Replay,
    task: MeasuredTask,
    curves: Sequence[tuple[str, Curve]],
    quantity: Quantity,
) -> LinePanel | None:
    own = [(label, curve) for label, curve in curves if quantity.task(curve) == task]
    own.sort(key=lambda one: task_position(quantity.other(one[1])))
    if not own:
        return None
    lines = []
    for label, curve in own:
        other, mark = quantity.other(curve).title, label.removeprefix(curve.title)
        beside = f"{other} first" if quantity.place else f"then {other}"
        lines.append(Line(beside + mark, other, other + mark, means_of(curve, quantity.of)))
    title, up = letter + task.title, quantity.up
    if quantity.is_forgetting:
        return LinePanel(title, replay.value, up, tuple(lines), is_forgetting=True)
    chance = own[0][1].chances[quantity.place]
    learned = None if quantity.place else _learned([curve for _, curve in own])
    return LinePanel(title, replay.value, up, tuple(lines), chance, learned)


def _learned(curves: Sequence[Curve]) -> float | None:
    """The first task's accuracy right after its own stage, if that is the same in all of them."""
    accuracies = {
        round(mean_of(point.learned.values()).value, EQUAL_DIGITS)
        for curve in curves
        for point in curve.points
    }
    return accuracies.pop() if len(accuracies) == 1 else None


def _title(curves: Sequence[Curve], quantity: Quantity) -> str:
    kinds = {quantity.task(curve).kind for curve in curves}
    named = {curve.first.kind for curve in curves} == {Kind.SAFETY} and len(kinds) == 1
    what = "forgetting" if quantity.is_forgetting else "accuracy"
    role = next(iter(kinds)).value if named else ("first", "second")[quantity.place]
    return f"{what.capitalize()} of the {role} task after replay"
