"""Counting accuracies from predictions."""

from raysweep.forgetting import Accuracy
from raysweep.scoring import Prediction, by_group, tally
from raysweep.tasks import TASKS


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
