"""Which group effect a design could find: the power of the corrected test of `effects`.

The test compares a group's biased forgetting b with its error; with b truly there, b / error has a
noncentral t distribution (Cohen, 1988). All groups are tested, so the level is divided by their
number (the first step of Holm's correction, which is Bonferroni's).

Rows from one template tell less than rows of their own: the variance of their mean is larger by the
design effect 1 + (m - 1) icc (Kish, 1965), with m rows of a template and the correlation icc of two
of them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from scipy import stats
from scipy.optimize import brentq

from raysweep.statistics.clusters import ICC

LEVEL = 0.05
POWER = 0.8
MOST = 100_000  # rows or seeds that are looked at
CERTAIN = 20  # standard errors


@dataclass(frozen=True)
class Design:
    """What a chain's measurement consists of, and what is taken for its noise.

    Attributes:
        num_rows: test rows of the group.
        num_groups: all of its size.
        num_seeds: trainings of the chain.
        num_tests: for which p-values are corrected; those of the groups where None.
        cluster_rows: rows of a template, see `clusters.weighed_rows`; 1 where each has its own.
        icc: correlation of two rows of a template in their mean loss over the seeds.
        changed: share of rows whose answer turns from right to wrong or the reverse.
        alike: correlation of a row's loss between two seeds.
        between: standard deviation of a group's effect between seeds, a fraction.
    """

    num_rows: int
    num_groups: int
    num_seeds: int
    changed: float = 0.25
    alike: float = 0.5
    between: float = 0.02
    num_tests: int | None = None
    cluster_rows: float = 1
    icc: float = ICC

    @property
    def effect(self) -> float:
        """Design effect: how many of its rows tell as much as one independent row."""
        return 1 + (self.cluster_rows - 1) * self.icc

    @property
    def error(self) -> float:
        """Standard error of a group's biased forgetting, a fraction."""
        return float(np.sqrt(self._by_rows + self._between * self._left / self.num_seeds))

    @property
    def freedom(self) -> float:
        """Satterthwaite's degrees of freedom of that error."""
        noise = self.changed * (1 - self.alike) * self._of_rows
        by_seeds = (self._between * self._left + noise) / self.num_seeds
        below = self._by_rows**2 / max(self.num_rows / self.effect - 1, 1)
        if self.num_seeds > 1:
            below += by_seeds**2 / max((self.num_seeds - 1) * (self.num_groups - 1), 1)
        return self.error**4 / below

    def power(self, effect: float) -> float:
        """Probability of finding a group whose biased forgetting is truly ``effect``.

        To find it with the wrong sign is not counted.
        """
        level = LEVEL / (self.num_tests or self.num_groups)
        limit = float(stats.t.ppf(1 - level / 2, self.freedom))
        shift = abs(effect) / self.error
        if shift > limit + CERTAIN:  # far out, scipy's noncentral t is nan
            return 1.0
        return float(stats.nct.sf(limit, self.freedom, shift))

    @property
    def _between(self) -> float:
        return self.between**2 if self.num_seeds > 1 else 0.0  # one seed cannot tell it

    @property
    def _of_rows(self) -> float:
        """1 / n of the group less 1 / n of all: the overall moves with the group."""
        return self.effect * (1 - 1 / self.num_groups) / self.num_rows

    @property
    def _by_rows(self) -> float:
        noise = self.alike + (1 - self.alike) / self.num_seeds
        return self.changed * noise * self._of_rows

    @property
    def _left(self) -> float:
        return 1 - 1 / self.num_groups


def detectable(design: Design, power: float = POWER) -> float:
    """The smallest biased forgetting that the design finds with that power, a fraction."""
    most = 1000 * design.error
    return float(brentq(lambda effect: design.power(effect) - power, 1e-9, most))


def rows_needed(design: Design, effect: float, power: float = POWER) -> int | None:
    """Test rows per group, of as large templates, to find an effect; None if none is enough."""
    return _least(lambda number: replace(design, num_rows=number), effect, power)


def seeds_needed(design: Design, effect: float, power: float = POWER) -> int | None:
    """Seeds, from 2, to find an effect; None if no number is enough."""
    return _least(lambda number: replace(design, num_seeds=number), effect, power)


def _least(design: Callable[[int], Design], effect: float, power: float) -> int | None:
    """By bisection: power grows with the number."""
    low, high = 2, MOST
    if design(high).power(effect) < power:
        return None
    while low < high:
        middle = (low + high) // 2
        enough = design(middle).power(effect) >= power
        low, high = (low, middle) if enough else (middle + 1, high)
    return low
