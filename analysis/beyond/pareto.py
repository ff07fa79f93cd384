"""The Pareto front of an Optuna search: its first two objectives, trial by trial."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from raysweep.results.query import query
from raysweep.store.storage import Storage

from ..exhibit import Exhibit, Missing, Reading

FRONT, OTHER = "#c8553d", "#9db7d5"


@dataclass(frozen=True)
class Objective:
    """A metric, and whether less or more of it is better ("min", "max")."""

    name: str
    mode: str

    @property
    def label(self) -> str:
        """What an axis says."""
        return f"{self.name.replace('_', ' ')} ({self.mode})"


@dataclass(frozen=True)
class Candidate:
    """A finished trial of a study.

    Attributes:
        values: one per objective.
        is_best: whether it is on the front of all objectives.
    """

    number: int
    trial: str
    values: tuple[float, ...]
    is_best: bool

    @property
    def shown(self) -> str:
        """The short id on the front, where somebody may want the trial; else its number."""
        return self.trial.rpartition("-")[2] if self.is_best else str(self.number)


@dataclass(frozen=True)
class Search:
    """The finished trials of a study, in the order in which they were proposed."""

    objectives: tuple[Objective, ...]
    candidates: tuple[Candidate, ...]


def search(results: Storage) -> Search | None:
    """What an Optuna search has found; None if the sweep is none, or nothing is finished."""
    sql = """
        SELECT number, trial, list(objective ORDER BY place) AS objectives,
               list(mode ORDER BY place) AS modes, list(value ORDER BY place) AS "values",
               bool_or(is_best) AS is_best
        FROM (SELECT *, row_number() OVER () AS place FROM study WHERE state = 'complete')
        GROUP BY number, trial ORDER BY number
    """
    rows = query(results, sql).to_pylist()
    if not rows:
        return None
    pairs = zip(rows[0]["objectives"], rows[0]["modes"], strict=True)
    candidates = (
        Candidate(row["number"], row["trial"], tuple(row["values"]), row["is_best"]) for row in rows
    )
    return Search(tuple(Objective(*pair) for pair in pairs), tuple(candidates))


def exhibit(reading: Reading) -> Exhibit | Missing:
    """The history of one objective, or the front of several."""
    found = reading.of(search)
    if not found:
        return Missing("no trial of an Optuna search is finished")
    number = f"{len(found.candidates)} trials of the search"
    return Exhibit(None, lambda: picture(found), remark=number)


def picture(found: Search) -> Figure:
    """Two objectives against each other with the front as a staircase; of one, by trial."""
    figure = Figure(figsize=(6.0, 4.2), dpi=150, layout="constrained")
    axes = figure.subplots()
    if len(found.objectives) == 1:
        _draw_history(axes, found)
    else:
        _draw_front(axes, found)
    axes.grid(alpha=0.3)
    return figure


def _draw_front(axes: Axes, found: Search) -> None:
    across, up = found.objectives[:2]
    for is_best, colour, label in ((False, OTHER, "other trials"), (True, FRONT, "Pareto front")):
        points = [one.values for one in found.candidates if one.is_best == is_best]
        if points:
            axes.scatter([p[0] for p in points], [p[1] for p in points], color=colour, label=label)
    front = sorted(one.values for one in found.candidates if one.is_best)
    if len(found.objectives) == 2:  # of more than two, a line through the front means nothing
        # What is reached at a value between two trials is what the worse of them there reaches.
        side: Literal["post", "pre"] = "post" if across.mode == "min" else "pre"
        axes.step([p[0] for p in front], [p[1] for p in front], where=side, color=FRONT)
    for one in found.candidates:
        place = (one.values[0], one.values[1])
        axes.annotate(one.shown, place, (4, 3), textcoords="offset points", size=7)
    axes.set_xlabel(across.label)
    axes.set_ylabel(up.label)
    axes.legend(frameon=False)


def _draw_history(axes: Axes, found: Search) -> None:
    (objective,) = found.objectives
    numbers = [one.number for one in found.candidates]
    values = [one.values[0] for one in found.candidates]
    axes.scatter(numbers, values, color=OTHER, label="trials")
    axes.step(
        numbers,
        _best_so_far(values, objective.mode),
        where="post",
        color=FRONT,
        label="best so far",
    )
    axes.set_xlabel("trial")
    axes.set_ylabel(objective.label)
    axes.legend(frameon=False)


def _best_so_far(values: Sequence[float], mode: str) -> list[float]:
    better = min if mode == "min" else max
    return [better(values[: count + 1]) for count in range(len(values))]
