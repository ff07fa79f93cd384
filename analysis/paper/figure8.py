"""Figure 8: both orders of a pair by learning rate (the paper's section 9.2).

    (a) forgetting of the first task by the first learning rate
    (b) the same by the second one

A panel for each value of the other learning rate that both orders were trained at. Colours are
those of Figure 2, by which task is first; the paper has them the other way round.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence

from rich.console import Group
from rich.text import Text

from raysweep.statistics.between import Replicate
from raysweep.tasks.task import Kind

from ..data.load import Pair, forgetting_by_seed
from ..data.rate_curves import Rate, RateCurve, rate_curves
from ..drawing.colours import OF_KIND
from ..drawing.rate_panels import Panel, Style, panels, picture, selected
from ..effects import order_by_rate
from ..effects.order_by_rate import orders_by_rate
from ..exhibit import Exhibit, Missing, Reading

MARKERS = {Kind.SAFETY: "o", Kind.CAPABILITY: "s"}
TITLE = "forgetting of the first task in both orders"


def figure8(by_seed: Mapping[Pair, Mapping[Replicate, float]]) -> tuple[Panel, ...]:
    """All panels with both orders, pair by pair: by the first, then by the second rate.

    Args:
        by_seed: forgetting of the first task in points, as of `forgetting_by_seed`.
    """
    found = [
        panel
        for rate in Rate
        for block, curves in _pairs(rate_curves(by_seed, rate)).items()
        for panel in panels(f"({'ab'[rate]}) {block}", curves)
        if len(panel.curves) > 1
    ]
    blocks = list(dict.fromkeys(panel.block[4:] for panel in found))
    return tuple(sorted(found, key=lambda panel: blocks.index(panel.block[4:])))


def exhibit(reading: Reading) -> Exhibit | Missing:
    """The panels of the wanted learning rates, with the effect of order at each rate."""
    by_seed = reading.of(forgetting_by_seed)
    found = figure8(by_seed)
    if not found:
        return Missing("no pair was trained in both orders at two learning rates, all else equal")
    chosen, remark = selected(reading, found)
    if not chosen:
        return Missing("no such panel has the wanted learning rates")
    effects = {rate: orders_by_rate(by_seed, rate) for rate in Rate}
    heading = Text("Figure 8: both orders by learning rate; points as in Figures 5 and 6", "bold")
    text = Group(heading, order_by_rate.display(effects))
    return Exhibit(
        text, lambda: picture(TITLE.capitalize(), chosen, _styles(chosen)), remark=remark
    )


def _pairs(curves: Sequence[RateCurve]) -> Mapping[str, list[RateCurve]]:
    """Curves of the same two tasks, in either order."""
    found: defaultdict[str, list[RateCurve]] = defaultdict(list)
    for curve in curves:
        found[f"{curve.chain.safety.title}, {curve.chain.capability.title}"].append(curve)
    return found


def _styles(found: Sequence[Panel]) -> Mapping[RateCurve, Style]:
    kinds = {curve: curve.chain.first.kind for panel in found for curve in panel.curves}
    return {
        curve: Style(curve.chain.title, OF_KIND[kind], MARKERS[kind])
        for curve, kind in kinds.items()
    }
