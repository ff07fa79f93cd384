"""Forgetting of the first task by one stage's learning rate, all else equal (section 4.4, 9.2)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum

from raysweep.statistics.between import Replicate

from .load import Pair, sort_key
from .mean import Mean, mean_of
from .setting import Setting


class Rate(IntEnum):
    """Which of a pair's two learning rates is varied: its place in the chain."""

    FIRST = 0
    SECOND = 1

    @property
    def other(self) -> Rate:
        """The one that is held."""
        return Rate(1 - self)

    @property
    def label(self) -> str:
        """What an axis says."""
        return f"{self.name.lower()} learning rate"


@dataclass(frozen=True)
class Held:
    """What the points of a curve have in common besides their tasks.

    Attributes:
        rate: the other stage's learning rate.
        others: every other hyperparameter, as in a setting.
    """

    rate: float
    others: tuple[tuple[str, str], ...] = ()

    @property
    def setting(self) -> Setting:
        """With the one rate alone."""
        return Setting((self.rate,), self.others)


@dataclass(frozen=True)
class RateCurve:
    """A chain of two tasks at two or more learning rates of one of its stages.

    Attributes:
        chain: at its smallest rate.
        points: by learning rate, in ascending order, the forgetting in points of each seed.
    """

    rate: Rate
    chain: Pair
    held: Held
    points: Mapping[float, Mapping[Replicate, float]] = field(hash=False)

    @property
    def ends(self) -> tuple[float, float]:
        """The smallest and the largest learning rate."""
        return min(self.points), max(self.points)

    @property
    def differences(self) -> dict[Replicate, float]:
        """Forgetting at the largest rate less that at the smallest, by seed."""
        least, most = (self.points[end] for end in self.ends)
        return {seed: most[seed] - least[seed] for seed in sorted(least.keys() & most.keys())}

    @property
    def means(self) -> dict[float, Mean]:
        """Over seeds, with the sample standard deviation."""
        return {rate: mean_of(seeds.values()) for rate, seeds in self.points.items()}


def rate_curves(
    by_seed: Mapping[Pair, Mapping[Replicate, float]], rate: Rate
) -> tuple[RateCurve, ...]:
    """All curves, in Table 1's order of pairs and then by what is held.

    Args:
        by_seed: forgetting of the first task in points, as of `forgetting_by_seed`.
    """
    found: dict[tuple[object, ...], dict[float, Pair]] = {}
    for chain in by_seed:
        if len(chain.setting.learning_rates) == len(Rate):
            held = _held(chain, rate)
            alike = found.setdefault((chain.first, chain.second, held), {})
            alike[chain.setting.learning_rates[rate]] = chain
    curves = [
        RateCurve(
            rate,
            chains[min(chains)],
            _held(chains[min(chains)], rate),
            {value: by_seed[chains[value]] for value in sorted(chains)},
        )
        for chains in found.values()
        if len(chains) > 1
    ]
    return tuple(sorted(curves, key=_position))


def _held(chain: Pair, rate: Rate) -> Held:
    return Held(chain.setting.learning_rates[rate.other], chain.setting.others)


def _position(curve: RateCurve) -> tuple[object, ...]:
    chain = curve.chain
    return chain.first.kind != "safety", sort_key(chain), curve.held.setting.position
