"""Ray Tune's side of an Optuna study."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ray.tune.search import Searcher

from raysweep.plan.trials import Trial
from raysweep.sweep.study import Proposal, Study


class StudySearcher(Searcher):
    """Hands the trials of a study to Tune, and their results to the study.

    Args:
        configure: what a trial's driver is given.
        has_ended: whether a trial of that name came to its own end with these metrics, or was
            stopped for good; one that was interrupted stays open.
    """

    def __init__(
        self,
        study: Study,
        configure: Callable[[Trial], dict[str, Any]],
        has_ended: Callable[[str, Mapping[str, Any]], bool],
    ) -> None:
        super().__init__()
        self._study, self._configure, self._has_ended = study, configure, has_ended
        self._open: dict[str, Proposal] = {}

    def suggest(self, trial_id: str) -> dict[str, Any]:
        """Called by Tune for the next trial."""
        proposal = self._study.propose()
        self._open[trial_id] = proposal
        return self._configure(proposal.trial)

    def on_trial_complete(
        self, trial_id: str, result: Mapping[str, Any] | None = None, error: bool = False
    ) -> None:
        """Called by Tune when a trial has ended, whatever the reason."""
        proposal = self._open.pop(trial_id, None)
        if proposal is None:
            return
        metrics = result or {}
        if error or "failure" in metrics:
            self._study.fail(proposal.number)
        elif self._has_ended(proposal.trial.id, metrics):
            self._study.tell(proposal.number, metrics)

    def __getstate__(self) -> dict[str, Any]:
        """Nothing: Tune pickles its parts to restore an experiment; the study keeps itself."""
        return {}

    def save(self, checkpoint_path: str) -> None:
        """Nothing: the study keeps itself."""

    def restore(self, checkpoint_path: str) -> None:
        """Nothing: the study keeps itself."""
