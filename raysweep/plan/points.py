"""Points of the search: which values the settings take, drawn or one after the other.

A point gives each stage of a chain its hyperparameters. An axis under ``stage`` moves all stages
together, one under ``stages`` its own stage only.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from raysweep.space.axes import Axis, as_axis
from raysweep.space.space import SearchSpace
from raysweep.training.settings import Hyperparameters

Point = tuple[Hyperparameters, ...]
"""The hyperparameters of each stage of a chain."""


def axes_of(space: SearchSpace, length: int) -> dict[str, Axis]:
    """The axes of a chain of that many stages, by key: ``stage.num_steps``,
    ``stages.2.learning_rate``; a setting that is not swept is an axis of one value.
    """
    own = {f"stages.{n}": space.stages.get(n, {}) for n in range(1, length + 1)}
    return {
        f"{owner}.{name}": as_axis(value)
        for owner, values in {"stage": space.stage, **own}.items()
        for name, value in values.items()
    }


def points(space: SearchSpace, length: int) -> Iterator[Point]:
    """All points of a grid, or those that are drawn."""
    axes, search = axes_of(space, length), space.search
    combinations: Iterable[tuple[Any, ...]]
    if search.num_samples is None:
        combinations = itertools.product(*(axis.examples for axis in axes.values()))
    else:
        source, draws = random.Random(search.seed), range(search.num_samples)
        combinations = (tuple(axis.draw(source) for axis in axes.values()) for _ in draws)
    made: dict[tuple[Any, ...], Hyperparameters] = {}
    for values in combinations:
        yield as_point(dict(zip(axes, values, strict=True)), length, made)


def as_point(
    values: Mapping[str, Any], length: int, made: dict[tuple[Any, ...], Hyperparameters]
) -> Point:
    """The point at which the axes have these values.

    Args:
        made: hyperparameters by their values, kept between calls: many stages have the same.
    """
    return tuple(_hyperparameters(values, number, made) for number in range(1, length + 1))


def _hyperparameters(
    values: Mapping[str, Any], number: int, made: dict[tuple[Any, ...], Hyperparameters]
) -> Hyperparameters:
    """Those of one stage: what holds for all stages, overridden by its own."""
    settings = {
        key.removeprefix(prefix): value
        for prefix in ("stage.", f"stages.{number}.")
        for key, value in values.items()
        if key.startswith(prefix)
    }
    known = tuple(settings.items())
    if known not in made:
        made[known] = Hyperparameters.model_validate(settings)
    return made[known]
