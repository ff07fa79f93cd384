from __future__ import annotations

import pytest

from analysis.data.mean import Mean, fixed, shown


@pytest.mark.parametrize(
    ("value", "text"),
    [(84.29, "84.3"), (-0.04, "0.0"), (0.0, "0.0"), (-0.06, "-0.1"), (100, "100.0")],
)
def test_one_decimal_without_negative_zero(value: float, text: str) -> None:
    assert fixed(value) == text


def test_the_spread_is_shown_for_several_seeds_only() -> None:
    assert str(Mean(84.29, None, 1)) == "84.3"
    assert str(Mean(84.29, 0.41, 3)) == "84.3 ± 0.4"
    assert shown(None) == "–"
