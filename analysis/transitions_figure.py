"""The figure of `transitions`: bars of rows lost and gained, of whole tasks and by group."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from raysweep.statistics.grouped_losses import FEW_ROWS

from .case_panels import Case, Style, draw_cases, left_out
from .exhibit import Exhibit, Missing, Reading
from .row_changes import NOTHING, RowChanges, about_rows, lacking, reaches, row_changes
from .trained_chain import is_wanted
from .transitions import DISTINCT, FEW, Flow, TaskTransitions, Transition, display, of_rows

LOST, GAINED, NET = "#d55e00", "#0072b2", "black"
TITLE = "Right to wrong, and wrong to right, after later stages"


def exhibit(reading: Reading) -> Exhibit | Missing:
    """Bars by chain and group; printed are whole tasks, the files have the groups as well."""
    rows = reading.of(row_changes)
    if not rows:
        return Missing(NOTHING)
    found = of_rows(rows)
    wanted = [
        (task, one)
        for task, one in zip(found, rows, strict=True)
        if is_wanted(one.chain, reading.rates)
    ]
    if not wanted:
        return Missing("no chain begins with these learning rates")
    tasks, of_tasks = [task for task, _ in wanted], [one for _, one in wanted]
    return Exhibit(
        display(found, with_groups=False),
        lambda: picture(tasks, of_tasks),
        display(found, with_groups=True).texts(),
        "; ".join([*left_out([_case(task) for task in tasks]), *lacking(reading)]),
    )


def picture(found: Sequence[TaskTransitions], rows: Sequence[RowChanges]) -> Figure:
    """The figure of at least one task."""
    style = Style(TITLE, _caption(found, rows), "gained ← % of test rows → lost", _draw)
    return draw_cases([_case(one) for one in found], style)


def _case(one: TaskTransitions) -> Case[Transition]:
    groups = tuple((_name(each), each) for each in one.groups)
    star = DISTINCT if one.whole.is_distinct else ""
    return Case(one.label, (f"{star} {one.label}", one.whole), groups)


def _name(one: Transition) -> str:
    star, few = DISTINCT if one.is_distinct else "", FEW if one.is_small else ""
    return f"{star} {one.group.replace('_', ' ')} ({one.num_rows:,}{few})"


def _caption(found: Sequence[TaskTransitions], rows: Sequence[RowChanges]) -> str:
    parts = [
        "between the task's first full stage and the chain's last stage",
        f"whiskers: 95 % Wilson interval over {about_rows(rows)}",
    ]
    if any(one.num_seeds > 1 for one in found):
        parts.append("bars: mean over seeds; dots: each seed")
    cells = [cell for one in found for cell in (one.whole, *one.groups)]
    if any(cell.is_distinct for cell in cells):
        test = "McNemar's exact test, of seeds or templates the sign test of their net changes"
        parts.append(
            f"{DISTINCT} more lost than gained or the reverse, p <= .05 by {test}, corrected for "
            "all groups and chains (Holm)"
        )
    if any(one.groups for one in found):
        parts.append("in brackets: test rows of the group")
    if any(cell.is_small for cell in cells):
        parts.append(f"{FEW} fewer than {FEW_ROWS} rows")
    return "; ".join(parts)


def _draw(axes: Axes, rows: Sequence[Transition]) -> None:
    _draw_bars(axes, [row.lost for row in rows], 1, LOST, "right to wrong")
    _draw_bars(axes, [row.gained for row in rows], -1, GAINED, "wrong to right")
    net = [row.forgetting.value for row in rows]
    axes.plot(net, range(len(rows)), "D", color=NET, markersize=4, label="difference: forgetting")
    axes.axvline(0, color="0.3", linewidth=0.8)
    axes.xaxis.set_major_formatter(lambda value, _: f"{abs(value):g}")


def _draw_bars(axes: Axes, flows: Sequence[Flow], side: int, colour: str, label: str) -> None:
    values = [side * 100 * flow.share.value for flow in flows]
    ends = reaches([flow.share for flow in flows])
    axes.barh(
        range(len(flows)),
        values,
        xerr=ends if side > 0 else ends[::-1],
        color=colour,
        alpha=0.75,
        height=0.7,
        label=label,
        error_kw={"elinewidth": 0.9, "capsize": 2, "ecolor": "0.25"},
    )
    points = [
        (side * 100 * value, place)
        for place, flow in enumerate(flows)
        for value in (flow.by_seed if len(flow.by_seed) > 1 else ())
    ]
    if points:
        x, y = zip(*points, strict=True)
        axes.plot(x, y, "o", color="white", markeredgecolor=colour, markersize=3, linestyle="none")
