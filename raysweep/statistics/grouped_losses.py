"""The rows that biased forgetting is made of: what each lost, its groups and its right answer."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

FEW_ROWS = 30
"""Groups with fewer rows are marked wherever they are shown."""
MIN_ROWS = 10
"""Groups with fewer rows are never called worst: their accuracy moves by over 10 points a row."""


@dataclass(frozen=True)
class Row:
    """A test row of a task, apart from what models made of it.

    Attributes:
        groups: that it speaks of; may be empty.
        stratum: within which labels of groups are exchangeable when groups make no difference: the
            right answer and, for BBQ, the context condition.
        cluster: the template that it was made from; empty for a row of its own.
    """

    groups: tuple[str, ...]
    stratum: Hashable
    cluster: str = ""


@dataclass(frozen=True, eq=False)
class GroupedLosses:
    """What rows have lost between two measurements, for one or several seeds.

    Attributes:
        losses: shape [rows, seeds]: 1 if the row was right before and wrong after, -1 for the
            reverse, else 0; nan where the seed has not scored the row.
        groups: names, sorted.
        members: bool, shape [rows, groups].
        strata: from 0, shape [rows].
        clusters: from 0, shape [rows].
        draws: of each seed a number of the draw of its data, equal for equal draws; empty where all
            have the same. Those of other draws have trained on other rows, and may have scored
            others.
    """

    losses: np.ndarray
    groups: tuple[str, ...]
    members: np.ndarray
    strata: np.ndarray
    clusters: np.ndarray
    draws: Sequence[int] = ()

    @classmethod
    def of(
        cls,
        rows: Mapping[str, Row],
        seeds: Sequence[Mapping[str, float]],
        draws: Sequence[Hashable] = (),
    ) -> GroupedLosses:
        """From rows by their ids, whose order makes no difference.

        Args:
            seeds: of each seed, the loss of each row that it has scored.
            draws: of each seed what tells its data draw from others; empty if all have the same.

        Raises:
            KeyError: a seed has scored a row that is not among the rows.
        """
        rows = dict(sorted(rows.items()))
        place = {name: number for number, name in enumerate(rows)}
        losses = np.full((len(rows), len(seeds)), np.nan)
        for number, seed in enumerate(seeds):
            losses[[place[name] for name in seed], number] = list(seed.values())
        groups = tuple(sorted({group for row in rows.values() for group in row.groups}))
        members = np.array(
            [[group in row.groups for group in groups] for row in rows.values()], dtype=bool
        ).reshape(len(rows), len(groups))
        clusters = [row.cluster or ("", name) for name, row in rows.items()]
        strata = [row.stratum for row in rows.values()]
        numbers = tuple(numbered(draws).tolist())
        return cls(losses, groups, members, numbered(strata), numbered(clusters), numbers)

    @cached_property
    def present(self) -> np.ndarray:
        """Whether a seed has scored a row, float, shape [rows, seeds]."""
        return np.asarray(~np.isnan(self.losses), dtype=float)

    @cached_property
    def filled(self) -> np.ndarray:
        """The losses, 0 where there is none."""
        return np.asarray(np.nan_to_num(self.losses))

    @cached_property
    def sizes(self) -> np.ndarray:
        """Rows of each group that some seed has scored, shape [groups]."""
        scored = self.present.any(axis=1)
        return np.asarray(self.members[scored].sum(axis=0))

    @cached_property
    def is_eligible(self) -> np.ndarray:
        """Which groups have rows enough to be called worst, bool, shape [groups]."""
        return self.sizes >= MIN_ROWS

    @property
    def num_seeds(self) -> int:
        """How often the chain was trained."""
        return int(self.losses.shape[1])

    @property
    def draw_numbers(self) -> np.ndarray:
        """Of each seed its data draw, shape [seeds]."""
        return np.array(self.draws or [0] * self.num_seeds)

    @cached_property
    def is_clustered(self) -> bool:
        """Whether some rows come from one template."""
        return bool(self.clusters.max(initial=-1) + 1 < len(self.clusters))

    @cached_property
    def cell_sums(self) -> tuple[np.ndarray, np.ndarray]:
        """Sums of losses and numbers of rows by stratum, group and seed.

        The last group is that of all rows: shapes [strata, groups + 1, seeds].
        """
        everyone = np.ones((len(self.losses), 1))
        members = np.concatenate([self.members.astype(float), everyone], axis=1)
        num_strata = int(self.strata.max(initial=-1)) + 1
        sums = np.zeros((num_strata, members.shape[1], self.num_seeds))
        counts = np.zeros_like(sums)
        for stratum in range(num_strata):
            inside = self.strata == stratum
            sums[stratum] = members[inside].T @ self.filled[inside]
            counts[stratum] = members[inside].T @ self.present[inside]
        return sums, counts

    @property
    def forgetting(self) -> np.ndarray:
        """Mean loss of each group and seed (equation 1), [groups, seeds]."""
        sums, counts = (part.sum(axis=0) for part in self.cell_sums)
        return ratio(sums, counts)[:-1]

    @cached_property
    def biased(self) -> np.ndarray:
        """Equation 2 of each group and seed: its mean loss - that of all rows, [groups, seeds].

        nan where a seed has scored no row of the group.
        """
        sums, counts = (part.sum(axis=0) for part in self.cell_sums)
        means = ratio(sums, counts)
        return np.asarray(means[:-1] - means[-1])

    @cached_property
    def standardised(self) -> np.ndarray:
        """Biased forgetting if all groups had the answers in the same shares, [groups, seeds].

        Direct standardisation: with the means m of the losses and the share W of the strata s,

            sum over s of W_s (m_gs - m_s) / sum over s of W_s

        over those strata that the group has rows in. 0 for a model that only looks at the answer.
        """
        sums, counts = self.cell_sums
        means = ratio(sums, counts)
        gaps = np.nan_to_num(means[:, :-1] - means[:, -1:])
        found = (self.standard_weights * gaps).sum(axis=0)
        return np.where(counts[:, :-1].sum(axis=0) > 0, found, np.nan)

    @cached_property
    def weights(self) -> np.ndarray:
        """Share of each stratum among all rows, shape [strata, seeds]."""
        counts = self.cell_sums[1][:, -1]
        return np.asarray(counts / np.maximum(counts.sum(axis=0), 1))

    @cached_property
    def mixed_weights(self) -> np.ndarray:
        """Share of each stratum among a group's rows, shape [strata, groups, seeds]."""
        counts = self.cell_sums[1][:, :-1]
        return np.asarray(counts / np.maximum(counts.sum(axis=0), 1))

    @cached_property
    def standard_weights(self) -> np.ndarray:
        """Share of each stratum among all rows of those that a group has rows in, as above."""
        weights = self.weights[:, None] * (self.cell_sums[1][:, :-1] > 0)
        total = weights.sum(axis=0)
        return np.asarray(weights / np.where(total > 0, total, 1))

    @cached_property
    def residuals(self) -> np.ndarray:
        """What a row lost beyond its stratum's mean, 0 where nothing is known, [rows, seeds]."""
        sums, counts = self.cell_sums
        means = np.nan_to_num(ratio(sums[:, -1], counts[:, -1]))
        return np.asarray((self.filled - means[self.strata]) * self.present)

    def shares(self, weights: np.ndarray, group: int) -> np.ndarray:
        """How much a row's loss counts in a group's difference from all rows, [rows, seeds].

        With the weight w of its stratum and numbers n of rows: w / n_g if it is the group's, less
        w / n.

        Args:
            weights: of strata, groups and seeds: `mixed_weights` or `standard_weights`.
        """
        counts = np.maximum(self.cell_sums[1], 1)
        own = (weights[:, group] / counts[:, group])[self.strata] * self.members[:, [group]]
        everyone = (weights[:, group] / counts[:, -1])[self.strata]
        return np.asarray((own - everyone) * self.present)

    @cached_property
    def expected(self) -> np.ndarray:
        """Equation 2 if groups made no difference: what their mix of answers gives, as `biased`."""
        sums, counts = self.cell_sums
        means = np.nan_to_num(ratio(sums[:, -1:], counts[:, -1:]))
        mixed = ratio((means * counts).sum(axis=0), counts.sum(axis=0))
        return np.asarray(mixed[:-1] - mixed[-1])


def over_seeds(values: np.ndarray) -> np.ndarray:
    """The mean over the last axis, of the seeds that have a value; nan where none has."""
    known = ~np.isnan(values)
    return ratio(np.where(known, values, 0.0).sum(axis=-1), known.sum(axis=-1))


def ratio(above: np.ndarray, below: np.ndarray) -> np.ndarray:
    """Their quotient; nan where there is nothing below."""
    above, below = np.broadcast_arrays(above, below)
    return np.asarray(np.divide(above, below, out=np.full(above.shape, np.nan), where=below > 0))


def numbered(values: Iterable[Hashable]) -> np.ndarray:
    """Equal values have equal numbers, from 0 in the order of their first occurrence."""
    numbers: dict[Hashable, int] = {}
    return np.array([numbers.setdefault(value, len(numbers)) for value in values], dtype=int)
