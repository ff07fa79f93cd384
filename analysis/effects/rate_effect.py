"""The effect of a learning rate on forgetting, all else equal (the paper's section 4.4).

For each first task

    forgetting at the largest learning rate of a stage - that at the smallest

in points, paired by seed. A seed's difference is the mean over the tasks that follow and over what
is held, such as the other stage's rate. Larger: a larger learning rate forgets more.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence

import numpy as np
from rich import box
from rich.console import Group
from rich.table import Table
from rich.text import Text

from raysweep.statistics.between import Replicate, independent
from raysweep.statistics.differences import Difference, corrected, pooled
from raysweep.tasks.task import Kind

from ..data.rate_curves import Rate, RateCurve
from .order_effect import COLUMNS, cells, warnings

TITLE = "Effect of the {rate}: forgetting at its largest value - that at its smallest (points)"
EXPLANATION = (
    "Paired by seed; a seed's difference is the mean over the curves: what follows and what is "
    "held. Mean ± the task's own deviation over seeds; interval and p by a t test whose deviation "
    "between seeds is pooled over the first tasks of a kind. Holm: over these."
)


def rate_effects(curves: Iterable[RateCurve], kind: Kind) -> dict[str, Difference]:
    """By first task of a kind; the p-values are corrected for these tasks."""
    found: defaultdict[str, defaultdict[Replicate, list[float]]]
    found = defaultdict(lambda: defaultdict(list))
    for curve in curves:
        if curve.chain.first.kind is kind:
            for seed, points in curve.differences.items():
                found[curve.chain.first.name][seed].append(points)
    samples = {
        task: independent({one: float(np.mean(values)) for one, values in seeds.items()})
        for task, seeds in found.items()
    }
    return corrected(pooled(samples))


def display(rate: Rate, curves: Sequence[RateCurve]) -> Group:
    """The numbers, for a rich console."""
    table = Table(box=box.SIMPLE_HEAD, show_edge=False)
    table.add_column("first task", overflow="fold")
    for name in ("from", "to", "curves", *COLUMNS):
        table.add_column(name, justify="right")
    effects = [one for kind in (Kind.SAFETY, Kind.CAPABILITY) for one in _of(curves, kind)]
    for own, one in effects:
        least, most = (_listed(curve.ends[end] for curve in own) for end in (0, 1))
        title = Text(own[0].chain.first.title)
        table.add_row(title, least, most, str(len(own)), str(one.num), *cells(one))
    notes = [EXPLANATION, *warnings(one for _, one in effects)]
    title = Text(TITLE.format(rate=rate.label), "bold")
    return Group("", title, table, *(Text(note, "dim") for note in notes))


def _of(curves: Sequence[RateCurve], kind: Kind) -> list[tuple[list[RateCurve], Difference]]:
    """Each effect with the curves that it is of."""
    return [
        ([curve for curve in curves if curve.chain.first.name == task], one)
        for task, one in rate_effects(curves, kind).items()
    ]


def _listed(rates: Iterable[float]) -> str:
    """One number, or all that occur (a sweep that is still running)."""
    return ", ".join(f"{rate:g}" for rate in sorted(set(rates)))
