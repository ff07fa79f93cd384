"""Figure 4: the curvature of the first stage's minimum, and the forgetting that follows (4.3, 4.4).

    (a) the spectral radius after the first stage, by task and learning rate
    (b) forgetting of the first task against it, a point per chain
    (c) equations 3 and 4, a point per trial: what the last stage did to the first task's loss,
        against <gradient, d> + d'Hd / 2 and against the bound spectral radius x ‖d‖² / 2

In (a) there is a point per seed and a dash at their mean: on a logarithmic axis a standard
deviation may reach below zero. In (b) points are means over seeds, with the sample standard
deviation of forgetting and the lowest and the highest radius. A radius that has not converged is
a lower bound: its points are hollow in (a), and it has none in (b).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import cycle
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from rich import box
from rich.table import Table
from rich.text import Text

from raysweep.results.query import query
from raysweep.space.chains import Chain
from raysweep.store.storage import Storage
from raysweep.tasks.task import Kind

from .literal import literal
from .mean import Mean

COLOURS = {Kind.CAPABILITY: "#9db7d5", Kind.SAFETY: "#c8553d"}
SHADES = {
    Kind.CAPABILITY: ("#9db7d5", "#1f4e8c", "#2a9d8f"),
    Kind.SAFETY: ("#c8553d", "#7a1f3d", "#f0a500"),
}
"""Of the first tasks of each kind, in turn."""
MARKERS = "osD^vP*X"


@dataclass(frozen=True)
class Curvature:
    """The spectral radius after a first stage.

    Attributes:
        rate: the stage's learning rate.
        num_unconverged: of the seeds' values, how many are lower bounds only.
        seeds: the radius of each.
    """

    title: str
    kind: Kind
    rate: float
    radius: Mean
    num_unconverged: int
    seeds: tuple[float, ...]


@dataclass(frozen=True)
class ChainPoint:
    """A chain's curvature after the first stage and forgetting after the last, in points.

    Attributes:
        kind: of the first task.
        seeds: the radius of each.
    """

    chain: Chain
    kind: Kind
    rates: tuple[float, ...]
    radius: Mean
    seeds: tuple[float, ...]
    forgetting: Mean

    @property
    def first(self) -> str:
        """The first task."""
        return self.chain.first_task

    @property
    def rest(self) -> str:
        """The chain without its first task."""
        return str(Chain(self.chain[1:]))


@dataclass(frozen=True)
class Change:
    """What a stage did to the first task's loss, and what the expansion said."""

    kind: Kind
    increase: float
    predicted: float
    bound: float


@dataclass(frozen=True)
class Figure4:
    """All that the figure shows."""

    curvatures: tuple[Curvature, ...]
    pairs: tuple[ChainPoint, ...]
    changes: tuple[Change, ...]

    @property
    def correlation(self) -> float | None:
        """Pearson's r between the logarithm of the radius and forgetting, over chains."""
        if len(self.pairs) < 3:
            return None
        radii = np.log([pair.radius.value for pair in self.pairs])
        forgetting = [pair.forgetting.value for pair in self.pairs]
        if np.ptp(radii) == 0 or np.ptp(forgetting) == 0:
            return None
        return float(np.corrcoef(radii, forgetting)[0, 1])


FIRST = """
    first AS (
        SELECT DISTINCT stage_key, trial, seed, task, title, kind, learning_rates[1] AS rate,
               spectral_radius AS radius, converged
        FROM curvature
        WHERE stage = 1 AND stage_task = task AND coalesce(part, 'whole') = 'whole'
    )"""


def figure4(results: Storage) -> Figure4:
    """The figure's data; parts are empty where nothing was measured."""
    curvatures = f"""
        WITH {FIRST}
        SELECT title, kind, rate, avg(radius) AS mean, stddev_samp(radius) AS deviation,
               list(radius ORDER BY seed) AS radii,
               count(*) AS seeds, count(*) FILTER (NOT converged) AS unconverged
        FROM (SELECT DISTINCT * EXCLUDE trial FROM first)
        GROUP BY title, kind, rate ORDER BY kind, title, rate
    """
    pairs = f"""
        WITH {FIRST}
        SELECT chain, first.kind, learning_rates, avg(radius) AS mean,
               stddev_samp(radius) AS deviation, list(radius ORDER BY first.seed) AS radii,
               100 * avg(forgetting) AS forgetting,
               100 * stddev_samp(forgetting) AS spread, count(*) AS seeds
        FROM forgetting JOIN first USING (trial, task)
        WHERE "group" = 'overall' AND converged
              AND stage = len(learning_rates)
        GROUP BY chain, first.kind, learning_rates, settings ORDER BY chain, learning_rates
    """
    changes = """
        SELECT chain, task, kind, loss_increase, linear_term + quadratic_form AS predicted, bound
        FROM changes WHERE stage = 2 ORDER BY trial
    """
    return Figure4(
        tuple(
            Curvature(
                row["title"],
                Kind(row["kind"]),
                row["rate"],
                Mean(row["mean"], row["deviation"], row["seeds"]),
                row["unconverged"],
                tuple(row["radii"]),
            )
            for row in _rows(results, curvatures)
        ),
        tuple(
            ChainPoint(
                Chain.parse(row["chain"]),
                Kind(row["kind"]),
                tuple(row["learning_rates"]),
                Mean(row["mean"], row["deviation"], row["seeds"]),
                tuple(row["radii"]),
                Mean(row["forgetting"], row["spread"], row["seeds"]),
            )
            for row in _rows(results, pairs)
        ),
        tuple(
            Change(Kind(row["kind"]), row["loss_increase"], row["predicted"], row["bound"])
            for row in _rows(results, changes)
            if Chain.parse(row["chain"]).first_task == row["task"]
        ),
    )


def listing(found: Figure4) -> Table:
    """The spectral radii as a table."""
    table = Table(
        title="Figure 4a: spectral radius after the first stage",
        box=box.SIMPLE,
        title_justify="left",
    )
    for column in ("task", "kind", "learning rate", "spectral radius", "seeds", "not converged"):
        table.add_column(column, justify="left" if column in ("task", "kind") else "right")
    for one in found.curvatures:
        cells = (
            f"{one.rate:g}",
            _significant(one.radius),
            str(one.radius.num_seeds),
            str(one.num_unconverged),
        )
        table.add_row(Text(one.title), str(one.kind), *cells)
    return table


def picture(found: Figure4) -> Figure:
    """The parts that there is something for, side by side."""
    parts: list[Any] = [(_draw_radii, found.curvatures)]
    parts += [(_draw_pairs, found)] if found.pairs else []
    parts += [(_draw_changes, found.changes)] if found.changes else []
    width = 5.4 * len(parts) + (1.4 if found.pairs else 0)  # (b) has its legend beside it
    figure = Figure(figsize=(width, 4.4), dpi=150, layout="constrained")
    for axes, (draw_part, data) in zip(
        np.atleast_1d(figure.subplots(1, len(parts))), parts, strict=True
    ):
        draw_part(axes, data)
    return figure


def _draw_radii(axes: Axes, curvatures: Sequence[Curvature]) -> None:
    several = len({one.rate for one in curvatures}) > 1
    for place, one in enumerate(curvatures):
        axes.plot(
            [place] * len(one.seeds),
            one.seeds,
            "o",
            color=COLOURS[one.kind],
            markerfacecolor="white" if one.num_unconverged else COLOURS[one.kind],
            alpha=0.8,
        )
        if len(one.seeds) > 1:
            axes.plot(place, one.radius.value, "_", color="0.2", markersize=16)
    names = [literal(one.title) + (f"\n{one.rate:g}" if several else "") for one in curvatures]
    axes.set_xticks(range(len(names)), names, rotation=90 if len(names) > 8 else 0, size=8)
    axes.set_yscale("log")
    axes.set_ylabel("spectral radius of the Hessian")
    several_seeds = any(len(one.seeds) > 1 for one in curvatures)
    axes.set_title("(a) after the first stage" + (", by seed" if several_seeds else ""))


def _draw_pairs(axes: Axes, found: Figure4) -> None:
    colours = {
        first: SHADES[kind][place % len(SHADES[kind])]
        for kind in Kind
        for place, first in enumerate(sorted({p.first for p in found.pairs if p.kind is kind}))
    }
    markers = dict(zip(sorted({pair.rest for pair in found.pairs}), cycle(MARKERS), strict=False))
    for pair in found.pairs:
        radius = pair.radius.value
        axes.errorbar(
            radius,
            pair.forgetting.value,
            xerr=np.abs([[radius - min(pair.seeds)], [max(pair.seeds) - radius]]),
            yerr=pair.forgetting.deviation or 0.0,
            fmt=markers[pair.rest],
            color=colours[pair.first],
            linewidth=0.8,
            capsize=2,
        )
    for first, colour in colours.items():
        axes.plot([], [], "o", color=colour, label=literal(f"{first} first"))
    for rest, marker in markers.items():
        axes.plot(
            [], [], marker, color="white", markeredgecolor="0.2", label=literal(f"then {rest}")
        )
    axes.set_xscale("log")
    axes.set_xlabel("spectral radius of the Hessian")
    axes.set_ylabel("forgetting (points)")
    correlation = "" if found.correlation is None else f", r = {found.correlation:.2f}"
    axes.set_title(f"(b) forgetting against curvature{correlation}")
    axes.legend(frameon=False, loc="center left", bbox_to_anchor=(1, 0.5), fontsize=7)


def _draw_changes(axes: Axes, changes: Sequence[Change]) -> None:
    increases = [one.increase for one in changes]
    for label, marker, values in (
        ("<g, d> + d'Hd / 2", "o", [one.predicted for one in changes]),
        ("bound of equation 4", "^", [one.bound for one in changes]),
    ):
        axes.scatter(increases, values, marker=marker, label=label, alpha=0.8)
    ends = [min(increases), max(increases)]
    axes.plot(ends, ends, color="gray", linestyle="--", label="what the loss did")
    axes.set_xscale("symlog", linthresh=1e-3)
    axes.set_yscale("symlog", linthresh=1e-3)
    axes.set_xlabel("measured increase of the first task's loss")
    axes.set_ylabel("predicted")
    axes.set_title("(c) equations 3 and 4")
    axes.legend(frameon=False)


def _rows(results: Storage, sql: str) -> list[dict[str, Any]]:
    return list(query(results, sql).to_pylist())


def _significant(mean: Mean) -> str:
    """Radii differ by orders of magnitude: four digits instead of one decimal."""
    shown = f"{mean.value:.4g}"
    return shown if mean.deviation is None else f"{shown} ± {mean.deviation:.2g}"
