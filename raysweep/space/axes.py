"""Axes of a search space: the values that a setting may take, and how they are drawn."""

from __future__ import annotations

import math
import random
from collections.abc import Mapping
from typing import Any, ClassVar, Self

from pydantic import Field, model_validator

from raysweep.settings.base import Settings
from raysweep.settings.bounds import Real
from raysweep.settings.identity import NO_KEY


class _Axis(Settings):
    """What a setting may be: the one field of each kind says it."""

    all_settings: ClassVar = NO_KEY  # the search space keeps them as they are written

    @property
    def examples(self) -> tuple[Any, ...]:
        """All values, or the bounds: they stand for all others when the setting is checked."""
        (values,) = dict(self).values()
        return tuple(values)


class _Values(_Axis):
    """Some values."""

    def draw(self, source: random.Random) -> Any:
        """One value, each as likely."""
        return self.examples[int(source.random() * len(self.examples))]


class Grid(_Values):
    """Every value is tried: ``{grid: [1.0e-5, 2.0e-5]}``; a random search draws one of them."""

    grid: tuple[Any, ...] = Field(min_length=1)


class Choice(_Values):
    """One of the values is drawn for each sample: ``{choice: [8, 16]}``."""

    choice: tuple[Any, ...] = Field(min_length=1)


class _Range(_Axis):
    """All between two finite bounds, the smaller one first."""

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        low, high = self.examples
        if not low < high:
            raise ValueError(f"the bounds {low:g}, {high:g} are not in ascending order")
        return self


class Uniform(_Range):
    """A number between two bounds is drawn for each sample: ``{uniform: [0.0, 0.2]}``."""

    uniform: tuple[Real, Real]

    def draw(self, source: random.Random) -> float:
        """One value."""
        return source.uniform(*self.uniform)


class LogUniform(_Range):
    """A number whose logarithm is uniform: ``{loguniform: [1.0e-6, 1.0e-4]}``."""

    loguniform: tuple[Real, Real]

    @model_validator(mode="after")
    def _positive(self) -> Self:
        if self.loguniform[0] <= 0:
            raise ValueError("loguniform needs positive bounds")
        return self

    def draw(self, source: random.Random) -> float:
        """One value."""
        return math.exp(source.uniform(*map(math.log, self.loguniform)))


Axis = Grid | Choice | Uniform | LogUniform
KINDS: dict[str, type[Axis]] = {
    "grid": Grid,
    "choice": Choice,
    "uniform": Uniform,
    "loguniform": LogUniform,
}


def axis_kind(value: Mapping[str, Any]) -> type[Axis]:
    """The kind of axis that a mapping describes; a grid where that is unclear."""
    return next((kind for name, kind in KINDS.items() if name in value), Grid)


def as_axis(value: Any) -> Axis:
    """The axis of a setting; a plain value is a grid of one.

    Raises:
        pydantic.ValidationError: a mapping that describes no axis.
    """
    if isinstance(value, Mapping):
        return axis_kind(value).model_validate(value)
    return Grid(grid=(value,))
