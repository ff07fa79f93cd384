"""Bootstrap intervals against what is known of them in closed form."""

from __future__ import annotations

import numpy as np
import pytest

from analysis.bootstrap import biased_interval


def interval(losses: np.ndarray, members: np.ndarray) -> tuple[float, float]:
    found = biased_interval(losses, members)
    assert found
    return found


def test_interval_of_many_rows_is_that_of_the_normal_distribution() -> None:
    """The influence of a row on the difference of means has a known variance."""
    rng = np.random.default_rng(1)
    losses = rng.integers(-1, 2, 4000).astype(float)
    members = np.arange(4000) < 1000
    share = members.mean()
    influence = np.where(members, (losses - losses[members].mean()) / share, 0.0)
    influence -= losses - losses.mean()
    error = influence.std() / len(losses) ** 0.5
    value = losses[members].mean() - losses.mean()
    assert biased_interval(losses, members) == pytest.approx(
        (value - 1.96 * error, value + 1.96 * error), abs=0.12 * error
    )


def test_a_group_that_forgets_like_all_has_zero_inside_and_another_has_not() -> None:
    losses = np.tile([1.0, 0.0], 200)
    low, high = interval(losses, np.arange(400) < 100)
    assert low < 0 < high
    losses[:100] = 1.0
    low, high = interval(losses, np.arange(400) < 100)
    assert 0 < low < 1 - losses.mean() < high


def test_the_group_of_all_rows_is_never_biased() -> None:
    losses = np.array([1.0, 0.0, -1.0, 1.0])
    assert biased_interval(losses, np.ones(4, dtype=bool)) == (0, 0)


@pytest.mark.parametrize("number", [0, 1, 2])
@pytest.mark.filterwarnings("error")
def test_a_group_of_hardly_any_rows_has_no_interval(number: int) -> None:
    assert biased_interval(np.zeros(26), np.arange(26) < number) is None


def test_the_same_rows_give_the_same_interval() -> None:
    losses, members = np.tile([1.0, 0.0, 0.0, 1.0, -1.0], 20), np.arange(100) < 30
    assert biased_interval(losses, members) == biased_interval(losses, members)
