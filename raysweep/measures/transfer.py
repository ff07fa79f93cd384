"""A chain's matrix of tasks and stages, and the numbers that continual learning makes of it.

R[i, j] is the accuracy on task j after stage i of T, as a fraction; stage 0 is the base model. A
task counts from l(j), its first full stage, and once, however often it is trained again; one of
which only a share is trained is never learned, and in none of these numbers. Earlier tasks are
those with l(j) < T:

    average accuracy    = mean over learned tasks of R[T, j]
    average forgetting  = mean over earlier tasks of max over 1 <= i < T of R[i, j] - R[T, j]
    backward transfer   = mean over earlier tasks of R[T, j] - R[l(j), j]
    forward transfer    = mean over tasks with l(j) > 1 of R[l(j) - 1, j] - R[0, j]

Accuracy and both transfers are those of Lopez-Paz and Ranzato (2017), whose forward transfer is
against a model with random weights; here it is against the base. Forgetting is that of Chaudhry
et al. (2018): since the task was known best, which may be before it was learned or after it was
replayed. The paper's equation 1 is since it was learned: its mean over earlier tasks is the
backward transfer with the other sign, and never larger. In chains of two stages both are the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class TransferMatrix:
    """What one trial knew of its tasks after each of its stages.

    Attributes:
        num_stages: T.
        learned_at: l(j) by task, in the order of the chain; without tasks that were never learned.
        accuracies: R by stage and task, as far as it was measured; also of tasks never learned.
    """

    num_stages: int
    learned_at: Mapping[str, int]
    accuracies: Mapping[tuple[int, str], float]

    @property
    def is_complete(self) -> bool:
        """Whether every learned task is measured since it was learned, up to the last stage."""
        return bool(self.learned_at) and all(
            (stage, task) in self.accuracies
            for task, first in self.learned_at.items()
            for stage in range(first, self.num_stages + 1)
        )

    @property
    def average_accuracy(self) -> float | None:
        """Over learned tasks, after the last stage; None without any."""
        return _mean([self._last(task) for task in self.learned_at])

    @property
    def average_forgetting(self) -> float | None:
        """Since each earlier task was known best; larger is worse. None without earlier tasks."""
        return _mean([self._best(task) - self._last(task) for task in self._earlier])

    @property
    def backward_transfer(self) -> float | None:
        """Since each earlier task was learned; less is worse. None without earlier tasks."""
        return _mean(
            [
                self._last(task) - self.accuracies[first, task]
                for task, first in self._earlier.items()
            ]
        )

    @property
    def forward_transfer(self) -> float | None:
        """What stages before a task gave it; None without such tasks, or one is not measured."""
        later = {task: first for task, first in self.learned_at.items() if first > 1}
        if any((i, j) not in self.accuracies for j, first in later.items() for i in (0, first - 1)):
            return None
        return _mean(
            [self.accuracies[first - 1, j] - self.accuracies[0, j] for j, first in later.items()]
        )

    @property
    def _earlier(self) -> dict[str, int]:
        return {task: first for task, first in self.learned_at.items() if first < self.num_stages}

    def _last(self, task: str) -> float:
        return self.accuracies[self.num_stages, task]

    def _best(self, task: str) -> float:
        stages = range(1, self.num_stages)
        return max(self.accuracies[i, task] for i in stages if (i, task) in self.accuracies)


def _mean(values: list[float]) -> float | None:
    return float(np.mean(values)) if values else None
