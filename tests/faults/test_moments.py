"""What the seed draws, and that every moment names a function that there is."""

from __future__ import annotations

import functools
import importlib
import json

import pytest

from tests.faults.cases import CASES
from tests.faults.moments import GROUP_KILLS, IN_DRIVER, VARIABLE, Fault, Moment, as_variable


def test_the_seed_decides() -> None:
    draws = [
        [moment.draw(seed).occurrence for moment in GROUP_KILLS.values()] for seed in (0, 0, 1)
    ]
    assert draws[0] == draws[1] != draws[2]


@pytest.mark.parametrize("name", GROUP_KILLS)
def test_draws_stay_in_range_and_come_everywhere(name: str) -> None:
    moment = GROUP_KILLS[name]
    drawn = {moment.draw(seed).occurrence for seed in range(500)}
    assert drawn == set(range(moment.calls[0], moment.calls[1] + 1))


@pytest.mark.parametrize("moment", [*GROUP_KILLS.values(), IN_DRIVER], ids=lambda one: one.phase)
def test_the_function_is_there(moment: Moment) -> None:
    module, _, path = moment.target.partition(":")
    assert callable(functools.reduce(getattr, path.split("."), importlib.import_module(module)))


def test_ten_moments_and_the_other_cases() -> None:
    assert len(GROUP_KILLS) == 10
    assert CASES.keys() > GROUP_KILLS.keys()


def test_faults_travel_as_they_are() -> None:
    fault = Fault("p", "m:f", "after", "x", 3, folder="/f")
    (travelled,) = json.loads(as_variable([fault])[VARIABLE])
    assert Fault(**travelled) == fault
