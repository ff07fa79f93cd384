"""How a sweep ended."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from raysweep.plan.plan import Plan
from raysweep.plan.trials import Trial
from raysweep.store.storage import Storage
from raysweep.worker.surroundings import Work

if TYPE_CHECKING:
    from raysweep.sweep.study import Study


@dataclass(frozen=True)
class Outcome:
    """How a sweep ended.

    Attributes:
        folder: the results.
        trials: those that there are results of, or may be; without the scouts.
        failures: the reason by trial, for those that failed.
        stopped: after how many stages, by trial, for those that were stopped early.
        unfinished: trials that were neither finished nor failed, after an interruption.
        seconds: worker-seconds by activity.
        capacity_seconds: worker-seconds that the sweep could have used.
        elapsed_seconds: from the first trial to the last.
        chain_seconds: the critical path: the longest work that one trial depended on.
        least_seconds: no order of it takes less: the critical path, or all work spread evenly.
        study: of an Optuna search.
        is_interrupted: whether it was told to end, or had to because Ray was lost.
    """

    folder: Storage
    trials: tuple[Trial, ...]
    failures: Mapping[str, str] = field(default_factory=dict)
    stopped: Mapping[str, int] = field(default_factory=dict)
    unfinished: tuple[str, ...] = ()
    seconds: Mapping[Work, float] = field(default_factory=dict)
    capacity_seconds: float = 0.0
    elapsed_seconds: float = 0.0
    chain_seconds: float = 0.0
    least_seconds: float = 0.0
    study: Study | None = None
    is_interrupted: bool = False

    @property
    def is_unfinished(self) -> bool:
        """Whether the same command has something left to do."""
        is_study_open = self.study is not None and self.study.num_left > len(self.failures)
        return self.is_interrupted or bool(self.unfinished) or is_study_open


def before_the_first_trial(plan: Plan, folder: Storage) -> Outcome:
    """Of a sweep that was interrupted before it began: what earlier runs have left.

    Args:
        folder: of the sweep.
    """
    if plan.space.search.method != "optuna":
        return Outcome(folder, plan.trials, is_interrupted=True)
    from raysweep.sweep.study import Study

    study = Study(plan, folder)
    return Outcome(folder, study.finished_trials(), study=study, is_interrupted=True)


def chain_seconds(trial: Trial, of_stages: Mapping[str, float]) -> float:
    """How long a trial's stages have taken, one after the other, whoever has made them.

    Args:
        of_stages: by key; the base model's measurements by its digest.
    """
    keys = [trial.stages[0].parent, *(stage.key for stage in trial.stages)]
    return sum(of_stages.get(key, 0.0) for key in keys)
