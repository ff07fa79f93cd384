"""First stages: the curvature of their minimum and the forgetting that follows (section 4.3).

A point is a distinct first stage, a task with its hyperparameters: the mean over the chains that
follow and over seeds and data seeds. Chains that share a first stage share its radius: they are not
cases of their own, and correlation and line count first stages. Only chains of two whole tasks
count.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from raysweep.results.query import query
from raysweep.space.chains import Chain
from raysweep.statistics.association import Correlation, Line, correlation, line
from raysweep.statistics.between import Replicate
from raysweep.store.storage import Storage
from raysweep.tasks.task import Kind

from .mean import Mean, mean_of

FIRST = """
    first AS (
        SELECT DISTINCT stage_key, trial, seed, data_seed, task, title, kind,
               learning_rates[1] AS rate, spectral_radius AS radius, converged
        FROM curvature
        WHERE stage = 1 AND stage_task = task AND coalesce(part, 'whole') = 'whole'
    )"""
SQL = f"""
    WITH {FIRST}
    SELECT first.*, forgetting.chain, forgetting.settings, 100 * forgetting AS forgetting
    FROM forgetting JOIN first USING (trial, task)
    WHERE "group" = 'overall' AND forgetting.stage = len(forgetting.learning_rates)
    ORDER BY kind, task, rate, settings, seed, data_seed, chain
"""


@dataclass(frozen=True)
class FirstStage:
    """A task trained first, over its seeds.

    Attributes:
        task: its name; ``title`` is the paper's.
        others: its other hyperparameters, as JSON.
        radii: spectral radius by seed and data seed, converged.
        forgetting: by these, in points: the mean over the chains that follow.
        num_chains: that follow.
    """

    task: str
    title: str
    kind: Kind
    rate: float
    others: str
    radii: Mapping[Replicate, float]
    forgetting: Mapping[Replicate, float]
    num_chains: int

    @property
    def radius(self) -> Mean:
        """Mean over seeds."""
        return mean_of(self.radii.values())

    @property
    def mean_forgetting(self) -> Mean:
        """Mean over seeds, in points."""
        return mean_of(self.forgetting.values())

    @property
    def settings(self) -> tuple[float, str]:
        """What tells it from others of its task."""
        return self.rate, self.others


@dataclass(frozen=True)
class Fit:
    """How first stages' forgetting goes with their radius, or with its logarithm.

    Attributes:
        of: "radius" or "log10 radius".
        line: points of forgetting per unit of that.
        by_task: the same line with errors that are robust to what a task's first stages share; None
            where no task has several, or there are fewer than three tasks.
    """

    of: str
    correlation: Correlation | None
    line: Line | None
    by_task: Line | None


@dataclass(frozen=True)
class FirstStages:
    """All first stages that can be told of.

    Attributes:
        left_out: chains with replay, shares or mixtures.
        num_unconverged: first stages without a radius that has converged.
    """

    points: tuple[FirstStage, ...] = ()
    left_out: tuple[str, ...] = ()
    num_unconverged: int = 0

    @property
    def fits(self) -> tuple[Fit, Fit]:
        """On the radius, as in the paper, and on its logarithm."""
        radii = [point.radius.value for point in self.points]
        return self._fit("radius", radii), self._fit("log10 radius", _logarithms(radii))

    def _fit(self, of: str, x: Sequence[float]) -> Fit:
        y = [point.mean_forgetting.value for point in self.points]
        tasks = [point.task for point in self.points]
        several = len(set(tasks)) < len(tasks)
        return Fit(of, correlation(x, y), line(x, y), line(x, y, tasks) if several else None)


@dataclass
class _Found:
    """What the rows say of a first stage, before means are taken."""

    row: Mapping[str, Any]
    radii: defaultdict[Replicate, list[float]] = field(default_factory=lambda: defaultdict(list))
    forgetting: defaultdict[Replicate, list[float]] = field(
        default_factory=lambda: defaultdict(list)
    )
    chains: set[str] = field(default_factory=set)


def first_stages(results: Storage) -> FirstStages:
    """Those with a converged radius and a chain that follows; in a fixed order."""
    found: dict[tuple[object, ...], _Found] = {}
    rows = query(results, "SELECT DISTINCT chain FROM forgetting ORDER BY chain").to_pylist()
    left_out = tuple(row["chain"] for row in rows if not is_pair(Chain.parse(row["chain"])))
    for row in query(results, SQL).to_pylist():
        if row["chain"] in left_out:
            continue
        one = found.setdefault((row["task"], row["rate"], _others(row["settings"])), _Found(row))
        one.chains.add(row["chain"])
        if row["converged"]:
            replicate = row["seed"], row["data_seed"]
            one.radii[replicate].append(row["radius"])
            one.forgetting[replicate].append(row["forgetting"])
    points = tuple(_point(key, one) for key, one in found.items() if one.radii)
    return FirstStages(points, left_out, len(found) - len(points))


def is_pair(chain: Chain) -> bool:
    """Whether a chain is two whole tasks, one after the other."""
    whole = [mixture.full_tasks == (str(mixture),) for mixture in chain]
    return whole == [True, True] and len(chain.tasks) == 2


def _point(key: tuple[object, ...], found: _Found) -> FirstStage:
    row = found.row
    return FirstStage(
        task=row["task"],
        title=row["title"],
        kind=Kind(row["kind"]),
        rate=row["rate"],
        others=str(key[-1]),
        radii=_each(np.mean, found.radii),
        forgetting=_each(np.mean, found.forgetting),
        num_chains=len(found.chains),
    )


def _each(
    function: Callable[..., Any], values: Mapping[Replicate, list[float]]
) -> dict[Replicate, float]:
    return {seed: float(function(several)) for seed, several in values.items()}


def _others(settings: str | None) -> str:
    """Of the first stage: neither its label nor the learning rate."""
    first: dict[str, Any] = next(iter(json.loads(settings or "[]")), {})
    kept = {name: first[name] for name in first if name not in ("stage", "learning_rate")}
    return json.dumps(kept, sort_keys=True)


def _logarithms(radii: Sequence[float]) -> list[float]:
    with np.errstate(divide="ignore"):  # a radius of 0 is told of by no fit
        return [float(value) for value in np.log10(radii)]
