"""How often the tests err in worlds without an effect, and find one in worlds with one."""

from __future__ import annotations

import gc
import os
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from multiprocessing import get_context

import numpy as np

from raysweep.statistics.clusters import cluster_correlation, weighed_rows
from raysweep.statistics.effects import Effect, biased_effects, corrected, standardised_effects
from raysweep.statistics.grouped_losses import GroupedLosses
from raysweep.statistics.power import Design
from raysweep.statistics.unevenness import unevenness
from tests.levels.worlds import World

LEVEL = 0.05
CHUNK = 50
NUM_CALIBRATING = 40  # sweeps of a world from which a design's noise is taken


@dataclass(frozen=True)
class Found:
    """What one sweep's statistics say.

    Attributes:
        errors: of each group, whether its test says that it differs, at 5 %, uncorrected.
        excluded: whether the interval of equation 2 excludes 0.
        any_holm: whether some group differs after correction.
        first_holm: whether the first group, which has the effect, does.
        maximum, standardised, omnibus: permutation p-values.
    """

    errors: tuple[bool, ...]
    excluded: tuple[bool, ...]
    any_holm: bool
    first_holm: bool
    maximum: float
    standardised: float
    omnibus: float


@dataclass(frozen=True)
class Tally:
    """A world's sweeps together."""

    world: World
    found: tuple[Found, ...]

    @property
    def group_error(self) -> float:
        """Share of groups that differ by their own test."""
        return float(np.mean([one.errors for one in self.found]))

    @property
    def excluded(self) -> float:
        """Share of groups whose interval of equation 2 excludes 0."""
        return float(np.mean([one.excluded for one in self.found]))

    @property
    def family_error(self) -> float:
        """Share of sweeps with a group that differs after correction."""
        return float(np.mean([one.any_holm for one in self.found]))

    @property
    def power(self) -> float:
        """Share of sweeps that find the first group after correction."""
        return float(np.mean([one.first_holm for one in self.found]))

    def permutation(self, name: str) -> np.ndarray:
        """The p-values of one of the permutation tests."""
        return np.array([getattr(one, name) for one in self.found])

    def rate(self, name: str) -> float:
        """How often one of them says that groups differ."""
        return float((self.permutation(name) <= LEVEL).mean())


def run(world: World, number: int, seed: int = 0, workers: int | None = None) -> Tally:
    """Draws that many sweeps of a world; equal seeds give equal sweeps."""
    starts = range(seed, seed + number, CHUNK)
    chunks = [range(start, min(start + CHUNK, seed + number)) for start in starts]
    workers = workers or os.cpu_count() or 1
    if workers == 1:
        parts = [_run_chunk(world, chunk) for chunk in chunks]
    else:
        with ProcessPoolExecutor(workers, get_context("spawn")) as pool:
            parts = list(pool.map(_run_chunk, [world] * len(chunks), chunks))
    return Tally(world, tuple(one for part in parts for one in part))


def promised(world: World) -> float:
    """The power that `Design` promises for a world, its noise taken from sweeps of it."""
    rng = np.random.default_rng(1)
    draws = [replace(world, effect=0.0, between=0.0).draw(rng) for _ in range(NUM_CALIBRATING)]
    losses = np.stack([draw.losses for draw in draws])
    by_seed = losses.transpose(2, 0, 1).reshape(world.num_seeds, -1)
    alike = np.corrcoef(by_seed)[np.triu_indices(world.num_seeds, 1)].mean()
    found, clusters = cluster_correlation(draws), draws[0].clusters
    own = np.bincount(clusters, draws[0].members[:, 0])
    design = Design(
        world.num_rows,
        world.num_groups,
        world.num_seeds,
        changed=float(losses.var()),
        alike=float(alike),
        between=world.between / 100,
        cluster_rows=weighed_rows(own, np.bincount(clusters)),
        icc=found.icc if found else 0.0,
    )
    return design.power(world.effect / 100)


def _run_chunk(world: World, seeds: Sequence[int]) -> list[Found]:
    gc.freeze()  # statsmodels collects garbage with every correction, of all that is loaded
    try:
        return [_judge(world.draw(np.random.default_rng(seed)), seed) for seed in seeds]
    finally:
        gc.unfreeze()


def _judge(rows: GroupedLosses, seed: int) -> Found:
    effects = corrected(standardised_effects(rows))
    tested = unevenness(rows, seed, num_permutations=1000)
    assert tested is not None
    holm = [effect.is_distinct for effect in effects]
    return Found(
        tuple(effect.p is not None and effect.p <= LEVEL for effect in effects),
        tuple(_excludes_0(effect) for effect in biased_effects(rows)),
        any(holm),
        holm[0],
        tested.biased.p,
        tested.standardised.p,
        tested.p,
    )


def _excludes_0(effect: Effect) -> bool:
    return effect.low is not None and effect.high is not None and not effect.low <= 0 <= effect.high
