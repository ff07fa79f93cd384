"""A seeded part of the campaign: rates within four standard errors of what they should be."""

from __future__ import annotations

from math import sqrt

import pytest

from tests.levels.campaign import LEVEL, promised, run
from tests.levels.report import report
from tests.levels.worlds import FEW_TEMPLATES, NULL, PLANTED, World

NUMBER = 40
SHORT = [world for world in NULL if world not in FEW_TEMPLATES] + [FEW_TEMPLATES[3]]


@pytest.mark.parametrize("world", SHORT, ids=lambda world: world.name)
def test_tests_keep_their_level_where_groups_make_no_difference(world: World) -> None:
    tally = run(world, NUMBER, seed=9000, workers=1)
    error = sqrt(LEVEL * (1 - LEVEL) / NUMBER)
    assert tally.group_error < LEVEL + 2 * error
    assert tally.family_error < LEVEL + 4 * error
    if world.is_calm:
        for name in ("maximum", "standardised", "omnibus"):
            assert tally.permutation(name).mean() == pytest.approx(0.5, abs=4 * 0.29 / sqrt(NUMBER))


@pytest.mark.parametrize("world", [PLANTED[1], PLANTED[-1]], ids=lambda world: world.name)
def test_a_planted_effect_is_found_as_often_as_promised(world: World) -> None:
    tally = run(world, NUMBER, seed=9000, workers=1)
    expected = promised(world)
    assert tally.power == pytest.approx(expected, abs=4 * sqrt(expected * (1 - expected) / NUMBER))
    text = report([], [tally], 9000)
    assert f"| {world.name} | {NUMBER} |" in text
