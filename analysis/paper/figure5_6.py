"""Figures 5 and 6: forgetting by the first and by the second learning rate (section 4.4).

A panel for each value of the other learning rate, and a curve for each chain of two whole tasks:
above those with the safety task first, as in the paper, below those with the capability task first.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rich.console import Group

from raysweep.tasks.task import Kind

from ..data.load import Pair, forgetting_by_seed
from ..data.rate_curves import Rate, RateCurve, rate_curves
from ..drawing.colours import SEQUENCE
from ..drawing.rate_panels import Style, listing, panels, picture, selected
from ..effects import rate_effect
from ..exhibit import Exhibit, Missing, Reading

MARKERS, LINES = "os^DvPX", ("-", "--", ":")
TITLE = "forgetting of the first task by {rate}"


def figure5(reading: Reading) -> Exhibit | Missing:
    """By the first learning rate."""
    return _exhibit(reading, Rate.FIRST)


def figure6(reading: Reading) -> Exhibit | Missing:
    """By the second learning rate."""
    return _exhibit(reading, Rate.SECOND)


def _exhibit(reading: Reading, rate: Rate) -> Exhibit | Missing:
    curves = rate_curves(reading.of(forgetting_by_seed), rate)
    found = [
        panel
        for kind in (Kind.SAFETY, Kind.CAPABILITY)
        for panel in panels(f"{kind} first", [c for c in curves if c.chain.first.kind is kind])
    ]
    if not found:
        return Missing(f"no pair of tasks was trained at two {rate.label}s, all else equal")
    chosen, remark = selected(reading, found)
    if not chosen:
        return Missing("no such panel has the wanted learning rates")
    title = TITLE.format(rate=rate.label)
    heading = f"Figure {5 + rate}: {title} (points); larger is worse"
    text = Group(listing(heading, chosen), rate_effect.display(rate, curves))
    return Exhibit(
        text, lambda: picture(f"Forgetting by {rate.label}", chosen, _styles(curves)), remark=remark
    )


def _styles(curves: Sequence[RateCurve]) -> Mapping[RateCurve, Style]:
    """A colour and a marker for each two tasks in one order."""
    tasks = list(dict.fromkeys(_tasks(curve.chain) for curve in curves))
    found = {}
    for curve in curves:
        number = tasks.index(_tasks(curve.chain))
        turn, place = divmod(number, len(SEQUENCE))
        line = LINES[turn % len(LINES)]
        found[curve] = Style(curve.chain.title, SEQUENCE[place], MARKERS[place], line)
    return found


def _tasks(chain: Pair) -> tuple[str, str]:
    return chain.first.name, chain.second.name
