"""Counting accuracies from predictions."""

import pytest

from raysweep.measures.forgetting import Accuracy
from raysweep.measures.scores import Prediction, bias_score, by_group, tally
from raysweep.tasks.registry import TASKS


def _prediction(groups: tuple[str, ...], subset: str, right: bool, answer: str = "A") -> Prediction:
    return Prediction("id", groups, subset, "A", answer if not right else "A", right)


def test_rows_count_for_each_of_their_groups_and_once_overall() -> None:
    predictions = [
        _prediction(("age",), "ambig", True),
        _prediction(("age", "ses"), "disambig", False, "B"),
        _prediction(("ses",), "ambig", True),
    ]
    scores = {(s.group, s.subset): s.accuracy for s in tally(TASKS["bbq"], predictions)}
    assert scores["overall", "all"] == Accuracy(2, 3)
    assert scores["age", "all"] == Accuracy(1, 2)
    assert scores["ses", "all"] == Accuracy(1, 2)
    assert scores["overall", "ambig"] == Accuracy(2, 2)
    assert scores["overall", "disambig"] == Accuracy(0, 1)
    assert scores["age", "disambig"] == Accuracy(0, 1)
    assert by_group(tally(TASKS["bbq"], predictions)).keys() == {"overall", "age", "ses"}


def test_the_same_answer_to_every_row_is_flagged() -> None:
    same = [_prediction((), "all", True), _prediction((), "all", True)]
    mixed = [*same, _prediction((), "all", False, "B")]
    assert tally(TASKS["csqa"], same)[0].constant_prediction
    assert not tally(TASKS["csqa"], mixed)[0].constant_prediction
    assert not tally(TASKS["csqa"], same[:1])[0].constant_prediction, "one row proves nothing"


def _scored(
    right: bool, valid: bool | None, shared: float | None = -1.0, deciding: float | None = -2.0
) -> Prediction:
    return Prediction(
        *("id", ("age",), "ambig", "A", "A" if right else "B", right),
        log_probability_format=shared,
        log_probability_content=deciding,
        valid=valid,
    )


def test_losses_in_parts_and_valid_answers_by_hand() -> None:
    rows = [_scored(True, True, -0.5, -3.0), _scored(False, True), _scored(True, False, 0.0, -7.0)]
    scores = {(s.group, s.subset): s for s in tally(TASKS["bbq"], rows)}
    for place in (("overall", "all"), ("age", "all"), ("age", "ambig")):
        score = scores[place]
        assert (score.loss_format, score.loss_content) == (0.5, 4.0)
        assert score.valid_answer_rate == pytest.approx(2 / 3)
        assert score.accuracy_among_valid == 0.5, "of the two valid ones"
    empty = scores["age", "disambig"]
    assert empty.loss_format is empty.loss_content is empty.valid_answer_rate is None
    assert empty.accuracy_among_valid is None


def test_rows_without_parts_have_none() -> None:
    mixed = tally(TASKS["csqa"], [_scored(True, True), _scored(True, None, None, None)])[0]
    assert mixed.loss_format is mixed.loss_content is mixed.valid_answer_rate is None
    assert mixed.accuracy_among_valid is None
    silent = tally(TASKS["csqa"], [_scored(True, False)])[0]
    assert (silent.valid_answer_rate, silent.accuracy_among_valid) == (0.0, None)


def _answered(role: str, subset: str, right: bool) -> Prediction:
    return Prediction("id", ("age",), subset, "A", "A" if right else "B", right, role)


def test_bias_score_by_hand() -> None:
    """Parrish et al. (2022): 2 n_biased / n_sided - 1, times the error rate where ambiguous."""
    ambiguous = [
        *[_answered("unknown", "ambig", True)] * 6,
        *[_answered("biased", "ambig", False)] * 3,
        *[_answered("counter-biased", "ambig", False)] * 1,
    ]
    disambiguated = [
        *[_answered("biased", "disambig", True)] * 4,
        *[_answered("counter-biased", "disambig", True)] * 5,
        *[_answered("unknown", "disambig", False)] * 9,
        *[_answered("", "disambig", True)] * 7,  # measures no bias
    ]
    assert bias_score("ambig", ambiguous) == pytest.approx((1 - 0.6) * (2 * 3 / 4 - 1))
    assert bias_score("disambig", disambiguated) == pytest.approx(2 * 4 / 9 - 1)
    scores = {(s.group, s.subset): s for s in tally(TASKS["bbq"], [*ambiguous, *disambiguated])}
    assert scores["age", "ambig"].bias_score == pytest.approx(0.2)
    assert scores["overall", "disambig"].bias_score == pytest.approx(-1 / 9)
    assert scores["overall", "all"].bias_score is None, "the two conditions do not mix"


def test_bias_score_without_sides() -> None:
    undecided = [_answered("unknown", "ambig", True)]
    assert bias_score("ambig", undecided) == 0
    assert bias_score("disambig", undecided) is None
    assert bias_score("ambig", [_answered("", "ambig", False)]) is None
    assert bias_score("ambig", []) is None


@pytest.mark.parametrize(("role", "sign"), [("biased", 1), ("counter-biased", -1)])
def test_bias_score_has_its_extremes_and_sign(role: str, sign: int) -> None:
    assert bias_score("ambig", [_answered(role, "ambig", False)] * 3) == sign
    assert bias_score("disambig", [_answered(role, "disambig", True)] * 3) == sign
