"""The point of the search space that a chain was trained at, and which parts of it to show."""

from __future__ import annotations

import json
import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from .mean import MISSING


@dataclass(frozen=True)
class Setting:
    """Hyperparameters of both stages.

    Attributes:
        learning_rates: of each stage, in the order of the chain.
        others: every other hyperparameter as (name and stage, value), such as ("num_steps2",
            "100"), sorted by name.
    """

    learning_rates: tuple[float, ...]
    others: tuple[tuple[str, str], ...] = ()

    @classmethod
    def from_row(
        cls, sweep: str | None, settings: str | None, rates: list[float] | None
    ) -> Setting:
        """From the columns of a result table; two sweeps are never averaged.

        Args:
            settings: a JSON list with the hyperparameters of each stage. Its labels of the stages
                are left out: both orders of a pair have the same setting.
        """
        others = {
            f"{name}{number}": value if isinstance(value, str) else json.dumps(value)
            for number, stage in enumerate(json.loads(settings or "[]"), start=1)
            for name, value in stage.items()
            if name not in ("stage", "learning_rate")
        }
        others["sweep"] = sweep or MISSING
        return cls(tuple(rates or ()), tuple(sorted(others.items())))

    def other(self, name: str) -> str:
        """A hyperparameter's value, or a dash."""
        return dict(self.others).get(name, MISSING)

    @property
    def position(self) -> tuple[object, ...]:
        """For sorting: by learning rates, then by the others, numbers by value."""
        return self.learning_rates, tuple((name, *_number(text)) for name, text in self.others)

    @property
    def rates(self) -> str:
        """The learning rates as ``1e-05, 2e-05``."""
        return ", ".join(f"{rate:g}" for rate in self.learning_rates) or MISSING


def standard(settings: Collection[Setting]) -> frozenset[Setting]:
    """Those with one learning rate in all stages, as in the paper; all of them where none has."""
    equal = frozenset(one for one in settings if len(set(one.learning_rates)) == 1)
    return equal or frozenset(settings)


def varying(settings: Collection[Setting]) -> tuple[str, ...]:
    """Names of the hyperparameters, learning rates aside, that are not the same everywhere."""
    names = sorted({name for setting in settings for name, _ in setting.others})
    return tuple(name for name in names if len({setting.other(name) for setting in settings}) > 1)


def titles(settings: Sequence[Setting]) -> list[str]:
    """Of each as much as tells it from the others, such as ``  (lr 1e-05, 2e-05)``; or nothing."""
    others = varying(settings)
    has_rates = len({setting.learning_rates for setting in settings}) > 1
    found = []
    for setting in settings:
        parts = [f"lr {setting.rates}"] if has_rates else []
        parts += _told(setting, others)
        found.append(f"  ({'; '.join(parts)})" if parts else "")
    return found


def _told(setting: Setting, names: Sequence[str]) -> list[str]:
    """Hyperparameters with their values; once, where it is the same in all stages that are told."""
    stages: dict[str, dict[str, str]] = {}
    for name in names:
        stages.setdefault(name.rstrip("0123456789"), {})[name] = setting.other(name)
    return [
        text
        for name, values in stages.items()
        for text in (
            [f"{name} {next(iter(values.values()))}"]
            if len(values) > 1 and len(set(values.values())) == 1
            else [f"{one} {value}" for one, value in values.items()]
        )
    ]


def _number(text: str) -> tuple[float, str]:
    try:
        return float(text), text
    except ValueError:
        return math.inf, text
