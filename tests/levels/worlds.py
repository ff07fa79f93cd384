"""Planted worlds: losses of rows as trainings would give them, without any model."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.stats import norm

from raysweep.statistics.grouped_losses import GroupedLosses

BEFORE = 0.9  # accuracy


@dataclass(frozen=True)
class World:
    """What is planted.

    Attributes:
        after: accuracy after the later stage, of a group without an effect.
        between: standard deviation of a group's effect between seeds, in points.
        uneven_answers: whether the right answers' shares differ between groups, 28 to 54 % as in
            ToxiGen's test rows, while one of both answers is lost more.
        template_rows: rows that one template makes; its rows are lost together in part.
        uneven_templates: whether those of the last group make four times as many as the first's.
        mixed_templates: whether a group's own make from few to three times as many rows.
        collapse: whether every row gets the same answer after the later stage.
        effect: biased forgetting of one group, in points.
        num_draws: of the data, with each of which there are so many seeds.
        shared: of a draw's test rows the share that all draws have; the others are its own. Ignored
            for a single draw.
        between_draws: standard deviation of a group's effect between draws, in points.
    """

    name: str
    num_seeds: int = 3
    num_groups: int = 13
    num_rows: int = 100
    after: float = 0.75
    between: float = 0.0
    uneven_answers: bool = False
    template_rows: int = 1
    uneven_templates: bool = False
    mixed_templates: bool = False
    collapse: bool = False
    effect: float = 0.0
    num_draws: int = 1
    shared: float = 0.0
    between_draws: float = 0.0

    @property
    def is_calm(self) -> bool:
        """Whether groups deviate neither between seeds nor between draws."""
        return not (self.between or self.between_draws)

    def draw(self, rng: np.random.Generator) -> GroupedLosses:
        """One sweep's losses."""
        draws = np.repeat(np.arange(self.num_draws), self.num_seeds)
        groups = np.tile(np.repeat(np.arange(self.num_groups), self.num_rows), self.num_draws)
        shares = np.linspace(0.28, 0.54, self.num_groups) if self.uneven_answers else 0.5
        answers = (rng.random(len(groups)) < np.broadcast_to(shares, self.num_groups)[groups]) * 1
        templates = self._templates(groups)
        places = np.arange(len(groups)) % self.num_rows  # within a group and draw
        lasting = rng.standard_normal(len(groups))
        if self.template_rows > 1:
            of_template = rng.standard_normal(templates[-1] + 1)[templates]
            lasting = np.sqrt(0.5) * lasting + np.sqrt(0.5) * of_template
        others = 1 - self.effect / 100 * np.eye(self.num_groups)[0]  # of the first group
        drop = (1 - others) * self.num_groups / (self.num_groups - 1)
        deviations = rng.standard_normal((self.num_groups, len(draws))) * self.between / 100
        if self.num_draws > 1:
            of_draws = rng.standard_normal((self.num_groups, self.num_draws)) / 100
            deviations += (of_draws * self.between_draws)[:, draws]
        by_answer = 0.1 * (answers - 0.5) if self.uneven_answers else 0.0
        losses = np.zeros((len(groups), len(draws)))
        for seed in range(len(draws)):
            before = self._answers(rng, lasting, np.full(len(groups), BEFORE))
            chance = self.after - drop[groups] - deviations[groups, seed] + by_answer
            after = answers == 1 if self.collapse else self._answers(rng, lasting, chance)
            losses[:, seed] = before.astype(float) - after
        scored = self._scored(places)
        losses[~scored[:, draws]] = np.nan
        kept = scored.any(axis=1)
        return GroupedLosses(
            losses[kept],
            tuple(f"group {number:02}" for number in range(self.num_groups)),
            np.eye(self.num_groups, dtype=bool)[groups][kept],
            answers[kept],
            np.unique(templates[kept], return_inverse=True)[1],
            tuple(draws.tolist()) if self.num_draws > 1 else (),
        )

    def _scored(self, places: np.ndarray) -> np.ndarray:
        """Which draws have a row in their test sets, shape [rows, draws].

        There are as many rows as all draws have together, draw after draw. What all of them share
        are those of the first; the places of these in the others' are left out.
        """
        owners = np.repeat(np.arange(self.num_draws), len(places) // self.num_draws)
        is_shared = places < self.shared * self.num_rows
        own = (owners[:, None] == np.arange(self.num_draws)) & ~is_shared[:, None]
        return np.asarray(own | (is_shared & (owners == 0))[:, None])

    def _templates(self, groups: np.ndarray) -> np.ndarray:
        """Each row's, from 0."""
        sizes = np.full(self.num_groups, self.template_rows)
        if self.uneven_templates:
            sizes = np.linspace(self.template_rows / 2, 2 * self.template_rows, self.num_groups)
        places = np.arange(len(groups)) % self.num_rows
        if self.mixed_templates:  # the nth of them has rows as n squared
            places = self.num_rows * np.cbrt(places / self.num_rows)
        templates = (1000 * groups + places // sizes[groups]).astype(int)
        return np.unique(templates, return_inverse=True)[1]

    @staticmethod
    def _answers(rng: np.random.Generator, lasting: np.ndarray, accuracy: np.ndarray) -> np.ndarray:
        """Which rows are right: half of a row's difficulty is its own, half is the training's."""
        difficulty = np.sqrt(0.5) * lasting + np.sqrt(0.5) * rng.standard_normal(len(lasting))
        return np.asarray(difficulty < norm.ppf(np.clip(accuracy, 1e-3, 1 - 1e-3)))


FEW_TEMPLATES = tuple(
    World(
        f"{number} templates a group{', of mixed sizes' if mixed else ''}",
        num_groups=9,
        num_rows=300,
        template_rows=300 // number,
        mixed_templates=mixed,
    )
    for number in (10, 15, 30)
    for mixed in (False, True)
)
"""Some of the worlds in which groups make no difference."""
NULL = (
    *(World(f"{between} points between seeds", between=between) for between in (0, 2, 5, 10)),
    World("one seed", num_seeds=1),
    World("five seeds, 5 points between", num_seeds=5, between=5),
    World("280 rows, 5 points between", num_rows=280, between=5),
    World("little is lost", after=0.89),
    World("uneven answers", uneven_answers=True, between=2),
    World("rows from templates", num_groups=9, num_rows=300, template_rows=10, between=2),
    World(
        "templates of other sizes",
        num_groups=9,
        num_rows=300,
        template_rows=10,
        uneven_templates=True,
    ),
    *FEW_TEMPLATES,
    World("collapse to one answer", uneven_answers=True, collapse=True),
    *(
        World(
            f"{name} rows in three draws, {between} points between",
            num_seeds=1,
            num_draws=3,
            shared=shared,
            between_draws=between,
        )
        for name, shared in (("own", 0.0), ("half of the", 0.5))
        for between in (0, 5)
    ),
    World("three seeds in three draws", num_draws=3, between=2, between_draws=5),
    World(
        "templates in three draws",
        num_seeds=1,
        num_groups=9,
        num_rows=300,
        num_draws=3,
        template_rows=10,
        between_draws=2,
    ),
)
"""Worlds in which groups make no difference."""
PLANTED = (
    *(
        World(f"{effect} points, {between} between", between=between, effect=effect)
        for between in (0, 5)
        for effect in (5, 10, 15)
    ),
    *(
        World(
            f"{effect} points, templates{' of mixed sizes' if mixed else ''}",
            num_groups=9,
            num_rows=300,
            template_rows=10,
            mixed_templates=mixed,
            effect=effect,
        )
        for mixed in (False, True)
        for effect in (6, 8)
    ),
)
"""Worlds in which the first group forgets more."""
