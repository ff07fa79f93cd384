"""The paper's section 3.2 against numbers worked out by hand."""

import math

import pytest

from raysweep.measures.forgetting import Accuracy, group_forgetting, overall_forgetting, worst_group

# Two groups of 50 and 40 rows; five rows belong to both, so overall has 85.
BEFORE = {"x": Accuracy(40, 50), "y": Accuracy(30, 40)}
AFTER = {"x": Accuracy(20, 50), "y": Accuracy(27, 40)}
OVERALL = overall_forgetting(Accuracy(68, 85), Accuracy(51, 85))


def test_overall_forgetting_is_the_drop_in_accuracy() -> None:
    assert OVERALL.forgetting == pytest.approx(0.8 - 0.6)
    assert OVERALL.relative == pytest.approx(0.2 / 0.8)
    assert OVERALL.biased is None


def test_group_forgetting_and_biased_forgetting() -> None:
    groups = group_forgetting(BEFORE, AFTER, OVERALL)
    assert groups["x"].forgetting == pytest.approx(0.8 - 0.4)
    assert groups["y"].forgetting == pytest.approx(0.75 - 0.675)
    assert groups["x"].relative == pytest.approx(0.5)
    assert groups["y"].relative == pytest.approx(0.1)
    assert groups["x"].biased == pytest.approx(0.4 - 0.2)
    assert groups["y"].biased == pytest.approx(0.075 - 0.2)
    assert worst_group(groups) == "x"


def test_a_gain_is_negative_forgetting() -> None:
    assert overall_forgetting(Accuracy(5, 10), Accuracy(7, 10)).forgetting == pytest.approx(-0.2)


def test_relative_forgetting_of_nothing_known_is_undefined() -> None:
    result = overall_forgetting(Accuracy(0, 10), Accuracy(0, 10))
    assert result.forgetting == 0
    assert result.relative is None


def test_no_examples_give_no_number_rather_than_a_wrong_one() -> None:
    groups = group_forgetting({"x": Accuracy(0, 0)}, {"x": Accuracy(0, 0)}, OVERALL)
    assert groups["x"].forgetting is None
    assert groups["x"].biased is None
    assert worst_group(groups) is None


def test_a_group_that_disappears_is_an_error() -> None:
    with pytest.raises(KeyError):
        group_forgetting(BEFORE, {"x": Accuracy(1, 2)}, OVERALL)


def test_worst_group_of_equals_is_the_first_by_name() -> None:
    same = group_forgetting(
        {"b": Accuracy(4, 8), "a": Accuracy(4, 8)},
        {"b": Accuracy(2, 8), "a": Accuracy(2, 8)},
        OVERALL,
    )
    assert worst_group(same) == "a"


def test_a_group_with_few_rows_is_not_called_worst() -> None:
    groups = group_forgetting(BEFORE, AFTER, OVERALL)
    assert worst_group(groups, min_rows=50) == "x"
    few = {
        **groups,
        "z": group_forgetting({"z": Accuracy(9, 9)}, {"z": Accuracy(0, 9)}, OVERALL)["z"],
    }
    assert worst_group(few) == "z"
    assert worst_group(few, min_rows=10) == "x"


@pytest.mark.parametrize("counts", [(-1, 3), (4, 3)])
def test_impossible_counts_are_refused(counts: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="correct of"):
        Accuracy(*counts)


def test_values_are_finite() -> None:
    assert math.isfinite(OVERALL.forgetting or 0)
