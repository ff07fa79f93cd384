"""Figure 4: the curvature of the first stage's minimum, and the forgetting that follows (4.3, 4.4).

    (a) the spectral radius after the first stage, by task and learning rate
    (b) mean forgetting of the first task against it, a point per distinct first stage
    (c) equations 3 and 4, a point per trial: what the last stage did to the first task's loss,
        against <gradient, d> + d'Hd / 2 and the bound spectral radius x ‖d‖² / 2, which look at
        where the stage began only, and against the integral of <gradient, d> along its path

In (a) there is a point per seed and a dash at their mean. In (b) bars reach from the lowest seed to
the highest, both ways: on a logarithmic axis a standard deviation may reach below zero. A radius
that has not converged is a lower bound: its points are hollow in (a), and it has none in (b). The
radius has one scale in (a) and (b).
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import cycle
from textwrap import fill
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from rich import box
from rich.console import Group
from rich.table import Table
from rich.text import Text

from raysweep.results.query import query
from raysweep.space.chains import Chain
from raysweep.statistics.between import Replicate
from raysweep.store.storage import Storage
from raysweep.tasks.task import Kind

from ..data.first_stages import FIRST, FirstStages, Fit, first_stages
from ..data.mean import MISSING, Mean
from ..drawing.literal import literal
from ..exhibit import Exhibit, Missing, Reading

COLOURS = {Kind.CAPABILITY: "#9db7d5", Kind.SAFETY: "#c8553d"}
SHADES = {
    Kind.CAPABILITY: ("#9db7d5", "#1f4e8c", "#2a9d8f"),
    Kind.SAFETY: ("#c8553d", "#7a1f3d", "#f0a500"),
}
"""Of the first tasks of each kind, in turn."""
MARKERS = "osD^vP*X"
CHARACTERS_PER_INCH = 14.0  # of the caption, with room to spare
RADII = {
    "task": False,
    "kind": False,
    "learning rate": True,
    "spectral radius": True,
    "seeds": True,
    "not converged": True,
}
FITS = {
    "against": False,
    "first stages": True,
    "r (95 %)": True,
    "OLS slope (95 %)": True,
    "R2": True,
    "p": True,
}
"""Columns, and which of them hold numbers."""


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
class Change:
    """What a stage did to the first task's loss, and what the expansion said."""

    kind: Kind
    increase: float
    predicted: float
    along_path: float | None
    bound: float


@dataclass(frozen=True)
class Figure4:
    """All that the figure shows."""

    curvatures: tuple[Curvature, ...]
    stages: FirstStages
    changes: tuple[Change, ...]


def figure4(results: Storage) -> Figure4:
    """The figure's data; parts are empty where nothing was measured."""
    curvatures = f"""
        WITH {FIRST}
        SELECT title, kind, rate, avg(radius) AS mean, stddev_samp(radius) AS deviation,
               list(radius ORDER BY seed, data_seed) AS radii,
               count(*) AS seeds, count(*) FILTER (NOT converged) AS unconverged
        FROM (SELECT DISTINCT * EXCLUDE trial FROM first)
        GROUP BY title, kind, rate ORDER BY kind, title, rate
    """
    changes = """
        SELECT chain, task, kind, loss_increase, linear_term + quadratic_form AS predicted, bound,
               path_increase
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
        first_stages(results),
        tuple(
            Change(
                Kind(row["kind"]),
                row["loss_increase"],
                row["predicted"],
                row["path_increase"],
                row["bound"],
            )
            for row in _rows(results, changes)
            if Chain.parse(row["chain"]).first_task == row["task"]
        ),
    )


def exhibit(reading: Reading) -> Exhibit | Missing:
    """The parts that there is something for."""
    found = reading.of(figure4)
    if not found.curvatures:
        return Missing("no curvature of a first task was measured; see curvature.enabled")
    return Exhibit(listing(found), lambda: picture(found))


def listing(found: Figure4) -> Group:
    """The spectral radii, and the fits of (b), as tables."""
    table = _table("Figure 4a: spectral radius after the first stage", RADII)
    for one in found.curvatures:
        cells = (
            f"{one.rate:g}",
            _significant(one.radius),
            str(one.radius.num_seeds),
            str(one.num_unconverged),
        )
        table.add_row(Text(one.title), str(one.kind), *cells)
    if not found.stages.points:
        return Group(table)
    return Group(table, _fits(found.stages), Text(_caption(found.stages), "dim"))


def picture(found: Figure4) -> Figure:
    """The parts that there is something for, side by side."""
    has_stages = bool(found.stages.points)
    parts: list[Any] = [(_draw_radii, found.curvatures)]
    parts += [(_draw_stages, found.stages)] if has_stages else []
    parts += [(_draw_changes, found.changes)] if found.changes else []
    width = 5.4 * len(parts) + (1.4 if has_stages else 0)  # (b) has its legend beside it
    figure = Figure(figsize=(width, 4.8), dpi=150, layout="constrained")
    axes = np.atleast_1d(figure.subplots(1, len(parts)))
    for one, (draw_part, data) in zip(axes, parts, strict=True):
        draw_part(one, data)
    if has_stages:
        _share_scale(axes[0], axes[1])
        caption = fill(_caption(found.stages), int(width * CHARACTERS_PER_INCH))
        figure.supxlabel(literal(caption), fontsize=8, color="0.3")
    return figure


def _share_scale(radii: Axes, stages: Axes) -> None:
    """The radius goes up in (a) and across in (b)."""
    ends = [*radii.get_ylim(), *stages.get_xlim()]
    radii.set_ylim(min(ends), max(ends))
    stages.set_xlim(min(ends), max(ends))


def _fits(stages: FirstStages) -> Table:
    table = _table("Figure 4b: mean forgetting (points) by first stage", FITS)
    for fit in stages.fits:
        table.add_row(fit.of, *_fit_cells(fit, len(stages.points)))
        if fit.by_task:
            one = fit.by_task
            errors = f"errors by task ({one.num_clusters})"
            slope = f"{one.slope:.3g} ({one.low:.3g} to {one.high:.3g})"
            table.add_row(errors, "", "", slope, f"{one.r_squared:.2f}", f"{one.p:.3f}")
    return table


def _fit_cells(fit: Fit, num_points: int) -> tuple[str, ...]:
    if fit.correlation is None or fit.line is None:
        return (str(num_points), *[MISSING] * 4)
    r, line = fit.correlation, fit.line
    return (
        str(line.num),
        f"{r.r:.2f} ({r.low:.2f} to {r.high:.2f})",
        f"{line.slope:.3g} ({line.low:.3g} to {line.high:.3g})",
        f"{line.r_squared:.2f}",
        f"{line.p:.3f}",
    )


def _caption(stages: FirstStages) -> str:
    several = any(point.radius.num_seeds > 1 for point in stages.points)
    left_out, missing = len(stages.left_out), stages.num_unconverged
    parts = [
        "(b): a point per distinct first stage, mean over the chains of two whole tasks that follow"
        + (" and over seeds" if several else ""),
        *(["bars from the lowest seed to the highest, both ways"] if several else []),
        "chains with replay, shares or mixtures left out: " + str(left_out),
        *([f"first stages left out, radius not converged: {missing}"] if missing else []),
        "r, R2 and p count first stages; in the title, of the radius's logarithm, as it is drawn",
    ]
    return "; ".join(parts)


def _table(title: str, columns: Mapping[str, bool]) -> Table:
    """Of columns by name and whether they hold numbers."""
    table = Table(title=title, box=box.SIMPLE, title_justify="left")
    for name, is_number in columns.items():
        table.add_column(name, justify="right" if is_number else "left")
    return table


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


def _draw_stages(axes: Axes, stages: FirstStages) -> None:
    points = stages.points
    colours = {
        title: SHADES[kind][place % len(SHADES[kind])]
        for kind in Kind
        for place, title in enumerate(sorted({p.title for p in points if p.kind is kind}))
    }
    settings = list(dict.fromkeys(point.settings for point in points))
    markers = dict(zip(settings, cycle(MARKERS), strict=False))
    for point in points:
        axes.errorbar(
            point.radius.value,
            point.mean_forgetting.value,
            xerr=_reach(point.radius, point.radii),
            yerr=_reach(point.mean_forgetting, point.forgetting),
            fmt=markers[point.settings],
            color=colours[point.title],
            linewidth=0.8,
            capsize=2,
        )
    for title, colour in colours.items():
        axes.plot([], [], "o", color=colour, label=literal(f"{title} first"))
    for marker, label in _labels(markers) if len(markers) > 1 else ():
        axes.plot([], [], marker, color="white", markeredgecolor="0.2", label=literal(label))
    axes.set_xscale("log")
    axes.set_xlabel("spectral radius of the Hessian")
    axes.set_ylabel("mean forgetting (points)")
    axes.set_title(f"(b) forgetting against curvature\n{_title(stages)}", fontsize=10)
    axes.legend(frameon=False, loc="center left", bbox_to_anchor=(1, 0.5), fontsize=7)


def _title(stages: FirstStages) -> str:
    found = stages.fits[1].correlation
    if found is None:
        return f"n = {len(stages.points)}: no correlation"
    return f"r = {found.r:.2f}, n = {found.num}, p = {found.p:.3f}"


def _reach(mean: Mean, seeds: Mapping[Replicate, float]) -> np.ndarray:
    """Down to the lowest seed and up to the highest, as matplotlib wants it."""
    values = list(seeds.values())
    return np.abs([[mean.value - min(values)], [max(values) - mean.value]])


def _labels(markers: Mapping[tuple[float, str], str]) -> list[tuple[str, str]]:
    """Markers with what tells their settings apart: learning rate, and others that differ."""
    parsed = {settings: json.loads(settings[1]) for settings in markers}
    names = {name for others in parsed.values() for name in others}
    varied = [
        name
        for name in sorted(names)
        if len({json.dumps(others.get(name)) for others in parsed.values()}) > 1
    ]
    return [
        (marker, ", ".join([f"lr {key[0]:g}", *(f"{n} {parsed[key].get(n)}" for n in varied)]))
        for key, marker in markers.items()
    ]


def _draw_changes(axes: Axes, changes: Sequence[Change]) -> None:
    increases = [one.increase for one in changes]
    paths = [(one.increase, one.along_path) for one in changes if one.along_path is not None]
    for label, marker, points in (
        ("<g, d> + d'Hd / 2", "o", [(one.increase, one.predicted) for one in changes]),
        ("bound of equation 4", "^", [(one.increase, one.bound) for one in changes]),
        ("<gradient, d> along the path", "x", paths),
    ):
        if points:
            axes.scatter(*zip(*points, strict=True), marker=marker, label=label, alpha=0.8)
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
