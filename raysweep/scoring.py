"""Predictions, and the accuracies counted from them. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from raysweep.forgetting import Accuracy
from raysweep.tasks import ALL, OVERALL, Task


@dataclass(frozen=True)
class Prediction:
    """What a model answered to one example.

    Attributes:
        answer: the right label; "safe" for a generative task.
        prediction: the label given; the whole response for a generative task.
        log_probabilities: of each whole candidate answer, natural logarithm; empty for generation.
    """

    example_id: str
    groups: tuple[str, ...]
    subset: str
    answer: str
    prediction: str
    correct: bool
    log_probabilities: tuple[float, ...] = ()


@dataclass(frozen=True)
class Score:
    """Accuracy of a group (or overall) in a subset (or all of the task)."""

    group: str
    subset: str
    accuracy: Accuracy
    constant_prediction: bool


def tally(task: Task, predictions: Sequence[Prediction]) -> list[Score]:
    """Scores of all rows, of every subset, and of every group that occurs, in a fixed order.

    A row with several groups counts for each of them, and once overall.
    """
    present = {group for prediction in predictions for group in prediction.groups}
    scores = []
    for group in (OVERALL, *sorted(present)):
        members = [p for p in predictions if group == OVERALL or group in p.groups]
        for subset in (ALL, *task.subsets):
            rows = [p for p in members if subset in (ALL, p.subset)]
            scores.append(_score(group, subset, rows))
    return scores


def by_group(scores: Iterable[Score]) -> dict[str, Accuracy]:
    """Accuracy of each group over the whole task, `OVERALL` included."""
    return {score.group: score.accuracy for score in scores if score.subset == ALL}


def _score(group: str, subset: str, rows: Sequence[Prediction]) -> Score:
    constant = len(rows) > 1 and len({row.prediction for row in rows}) == 1
    num_correct = sum(row.correct for row in rows)
    return Score(group, subset, Accuracy(num_correct, len(rows)), constant)
