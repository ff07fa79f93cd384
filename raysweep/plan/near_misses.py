"""Stages that a plan asks for and a store has almost: of another recipe, which is told.

Near is a stage of the same mixture that continues from the same model (first stages: from any base
model). Those that the plan asks for itself are no surprise, and are left out.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from raysweep.plan.differences import Difference, Path, differences, fields
from raysweep.plan.plan import Plan
from raysweep.plan.recipe_text import UNREADABLE, mixture_of
from raysweep.plan.recipes import Recipe
from raysweep.plan.trials import Stage, Trial
from raysweep.space.chains import Chain
from raysweep.store.contents import Contents, names_in
from raysweep.store.store import Entry, EntryKind, Store

MAX_LINES, MAX_FIELDS = 4, 3  # that are shown
MAX_COMPARED = 50  # stages of a plan
MAX_READ = 500  # manifests, before a sweep starts

Candidate = tuple[frozenset[tuple[Path, str]], Mapping[str, Any]]
"""The fields of a stage in the store, and its recipe."""


def stages_in(store: Store, most: int | None = None) -> list[Entry]:
    """All step logs in a store, or so many."""
    names = names_in(store, (EntryKind.STAGE,))[:most]
    return list(Contents.read_only(store, names).entries.values())


def near_misses_at_start(plan: Plan, store: Store) -> list[str]:
    """Those of a sweep of which no stage is in the store; of a large store a part is read."""
    names = names_in(store, (EntryKind.STAGE,))
    asked = {stage.entry for trial in plan.all_trials for stage in trial.stages}
    return near_misses(plan, stages_in(store, MAX_READ)) if asked.isdisjoint(names) else []


def near_misses(plan: Plan, stored: Collection[Entry]) -> list[str]:
    """A line for each way in which stages of a plan are missed, the smallest first."""
    if plan.space.search.method == "optuna":
        return []  # its stages are stand-ins
    asked = {stage.key for trial in plan.all_trials for stage in trial.stages}
    near = _candidates(entry for entry in stored if entry.key not in asked)
    missing = _missing(plan, {entry.key for entry in stored})
    ways = Counter[tuple[int, str]]()
    for trial, stage in list(missing.values())[:MAX_COMPARED]:
        recipe = plan.recipes.of_stage(stage)
        parent = None if stage.number == 1 else stage.parent
        if found := _nearest(recipe, near.get((str(stage.mixture), parent), [])):
            after = Chain(trial.chain[: stage.number - 1])
            model = f"{plan.space.model}{f' -> {after}' if after else ''}"
            text = f"{stage.label} after {model}: not found; {_words(found, recipe)}"
            ways[len(found), text] += 1
    shown = sorted(ways.items())[:MAX_LINES]
    lines = [f"{text}{f' ({n:,} such stages)' if n > 1 else ''}" for (_, text), n in shown]
    rest = len(missing) - sum(number for _, number in shown)
    return [*lines, f"{rest:,} more stages are not found either"] if lines and rest else lines


def _missing(plan: Plan, found: Collection[str]) -> dict[str, tuple[Trial, Stage]]:
    """By their keys: stages that are not found although all before them in a trial are."""
    firsts = (
        (trial, next((stage for stage in trial.stages if stage.key not in found), None))
        for trial in plan.all_trials
    )
    return {stage.key: (trial, stage) for trial, stage in firsts if stage}


def _candidates(entries: Iterable[Entry]) -> dict[tuple[str, str | None], list[Candidate]]:
    """By mixture and by the stage that they continue from, which is None for a base model."""
    found: dict[tuple[str, str | None], list[Candidate]] = {}
    for entry in entries:
        if entry.recipe is None:
            continue
        try:
            base, parent = entry.provenance["model"]["digest"], entry.recipe["parent"]
            place = str(mixture_of(entry.recipe)), None if parent == base else parent
        except UNREADABLE:
            continue
        candidate = frozenset(fields(entry.recipe).items()), entry.recipe
        found.setdefault(place, []).append(candidate)
    return found


def _nearest(recipe: Recipe, candidates: Iterable[Candidate]) -> tuple[Difference, ...]:
    """In which fields the nearest of the candidates differs; none where there is none."""
    own = frozenset(fields(recipe).items())
    nearest = min(candidates, key=lambda one: len(one[0] ^ own), default=None)
    return differences(nearest[1], recipe) if nearest else ()


def _words(nearest: Iterable[Difference], recipe: Recipe) -> str:
    told = [_told(one, recipe) for one in nearest]
    more = f"; and {len(told) - MAX_FIELDS} more" if len(told) > MAX_FIELDS else ""
    return f"the nearest in the store differs in {'; '.join(told[:MAX_FIELDS])}{more}"


def _told(one: Difference, recipe: Recipe) -> str:
    match one.path:
        case ("mixture", int(position), 2):
            return f"the training rows of {recipe['mixture'][position][0]}"
        case ("parent",):
            return str(one).replace("parent", "base model", 1)
        case ("format",):
            return str(one).replace("format", "format version", 1)
    return str(one)
