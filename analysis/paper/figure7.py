"""Figure 7: how much replay brings a forgotten first task back (the paper's section 5).

    (a) forgetting of the first task after the last stage, by the share of its data that is replayed
    (b) the same by the number of replay steps on all of its data

and beside each the accuracy of the second task, which replay may cost. Task by task, and with what
the second task forgets, Figures 11 to 14 show the same curves.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from matplotlib.figure import Figure

from raysweep.statistics.ratio import Ratio

from ..data.mean import MISSING, Mean, fixed, shown
from ..data.replays import FORGOTTEN, NO_REPLAY, Curve, Point, Replay, Seeds, replays
from ..data.setting import titles
from ..drawing.booktabs import Booktabs, Column
from ..drawing.line_panels import Line, LinePanel, about_seeds, draw_lines
from ..exhibit import Exhibit, Missing, Reading

COLUMNS = (
    Column("Chain"),
    Column("Replay", is_number=True),
    Column("seeds", is_number=True),
    Column("accuracy", "First task", "First task", is_number=True),
    Column("forgetting", "First task", "First task", is_number=True),
    Column("recovered_%", "First task", "First task", is_number=True),
    Column("accuracy", "Second task", "Second task", is_number=True),
    Column("forgetting", "Second task", "Second task", is_number=True),
)
TITLE = "Figure 7: both tasks after replay (accuracy %, forgetting in points)"
NOTES = (
    "After the last stage; no replay, 0, is the chain of the first two. Mean ± sample standard "
    "deviation over seeds.",
    "Recovered: 1 - forgetting after replay / forgetting without, cut at 0 and 100 (< and > mark "
    "what lies beyond), with its 95 % interval (Fieller, seeds as pairs); no bounds: what was "
    f"forgotten cannot be told from 0. {MISSING} where less than {FORGOTTEN:g} point was "
    "forgotten, and for what was not measured.",
)


def exhibit(reading: Reading) -> Exhibit | Missing:
    """The curves of all kinds of replay."""
    curves = reading.of(replays)
    if not curves:
        return Missing(NO_REPLAY)
    table = listing(curves)
    return Exhibit(table, lambda: picture(curves), table.texts())


def listing(curves: Sequence[Curve]) -> Booktabs:
    """The numbers of this figure and of Figures 11 to 14."""
    labels = labelled(curves)
    sections = tuple(
        tuple(_cells(label, curve, point) for point in curve.points)
        for label, curve in zip(labels, curves, strict=True)
    )
    return Booktabs(TITLE, COLUMNS, sections, NOTES)


def picture(curves: Sequence[Curve]) -> Figure:
    """A row for each kind of replay: forgetting of the first task, accuracy of the second."""
    rows = [
        [
            LinePanel(
                f"{letter}forgetting of the first task",
                replay.value,
                "forgetting (points)",
                tuple(_line(label, curve, lambda p: p.forgetting) for label, curve in same),
                is_forgetting=True,
            ),
            LinePanel(
                "what that costs: accuracy of the second task",
                replay.value,
                "accuracy (%)",
                tuple(_line(label, curve, lambda p: p.second_accuracy) for label, curve in same),
            ),
        ]
        for letter, replay, same in by_replay(curves, labelled(curves))
    ]
    caption = "; ".join(about_points([panel for row in rows for panel in row]))
    return draw_lines(rows, "Replay brings a forgotten task back", caption, scale="col")


def _line(label: str, curve: Curve, of: Callable[[Point], Seeds]) -> Line:
    """Colour tells of the first task, the marker of what follows: nine pairs take three of each."""
    style = label.removeprefix(curve.first.title)
    return Line(label, curve.first.title, style, means_of(curve, of))


def labelled(curves: Sequence[Curve]) -> list[str]:
    """Their chains, with as much of their settings as tells them from the others of their kind."""
    found: dict[int, str] = {}
    for kind in Replay:
        places = [place for place, curve in enumerate(curves) if curve.replay is kind]
        marks = titles([curves[place].setting for place in places])
        found |= {p: curves[p].title + mark for p, mark in zip(places, marks, strict=True)}
    return [found[place] for place in range(len(curves))]


def by_replay(
    curves: Sequence[Curve], labels: Sequence[str]
) -> Iterator[tuple[str, Replay, list[tuple[str, Curve]]]]:
    """The curves of each kind with their labels, and the kind's letter, such as "(a) "."""
    kinds = [kind for kind in Replay if any(curve.replay is kind for curve in curves)]
    for letter, kind in zip("abc", kinds, strict=False):
        same = [(lb, one) for lb, one in zip(labels, curves, strict=True) if one.replay is kind]
        yield f"({letter}) " if len(kinds) > 1 else "", kind, same


def about_points(panels: Sequence[LinePanel]) -> list[str]:
    """What points and error bars are, and what there is at 0."""
    seeds = about_seeds([mean for panel in panels for mean in panel.means])
    has_none = any(0 in line.means for panel in panels for line in panel.lines)
    return [seeds, "0: the chain of the first two stages"] if has_none else [seeds]


def means_of(curve: Curve, of: Callable[[Point], Seeds]) -> dict[float, Mean]:
    """A quantity by amount, where it was measured."""
    means = {point.amount: of(point).mean for point in curve.points}
    return {amount: mean for amount, mean in means.items() if mean is not None}


def _cells(label: str, curve: Curve, point: Point) -> tuple[str, ...]:
    forgetting = point.forgetting.mean
    return (
        label,
        f"{point.amount:g}{' steps' if curve.replay is Replay.STEPS else ' %'}",
        str(forgetting.num_seeds if forgetting else 0),
        shown(point.accuracy.mean),
        shown(forgetting),
        _recovered(curve.recovered(point)),
        shown(point.second_accuracy.mean),
        shown(None if curve.replay is Replay.MIXED else point.second_forgetting.mean),
    )


def _recovered(share: Ratio | None) -> str:
    if share is None:
        return MISSING
    if share.is_unbounded:
        return f"{_bounded(share.value)} (no bounds)"
    if share.interval is None:
        return _bounded(share.value)
    value, low, high = map(_bounded, (share.value, *share.interval))
    return value if low == high else f"{value} ({low} to {high})"


def _bounded(share: float) -> str:
    """In percent; marked where it lies outside of 0 to 100."""
    return "< 0" if share < 0 else "> 100" if share > 1 else fixed(100 * share)
