"""What Tune runs next: the trials that are listed, or those that an Optuna study proposes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from ray.tune.search import Searcher

from raysweep.plan.trials import Trial
from raysweep.sweep.not_restored import NotRestored

if TYPE_CHECKING:
    from raysweep.sweep.study import Proposal, Study

PROPOSAL = "proposal"
"""In Tune's configuration of a trial: what Optuna has proposed, by the search space's names."""
Configure = Callable[[Trial], dict[str, Any]]


class _Searcher(NotRestored, Searcher):
    """Resumed by the store, never by Tune."""

    def save(self, checkpoint_path: str) -> None:
        """Nothing."""

    def restore(self, checkpoint_path: str) -> None:
        """Nothing."""


class ListedTrials(_Searcher):
    """Hands trials to Tune one after the other.

    A grid of Tune's own would cross each setting with all others; a trial's belong together.

    Args:
        configure: Tune's configuration of a trial.
    """

    def __init__(self, trials: Iterable[Trial], configure: Configure) -> None:
        super().__init__()
        self._left, self._configure = iter(trials), configure

    def suggest(self, trial_id: str) -> dict[str, Any] | str:
        """Called by Tune for the next trial."""
        trial = next(self._left, None)
        return self._configure(trial) if trial else Searcher.FINISHED

    def on_trial_complete(
        self, trial_id: str, result: Mapping[str, Any] | None = None, error: bool = False
    ) -> None:
        """Nothing follows from how a trial has ended."""


class ProposedTrials(_Searcher):
    """Hands the trials of a study to Tune, and their results to the study.

    Args:
        configure: Tune's configuration of a trial, beside what was proposed.
        has_ended: whether a trial of that name came to its own end with these metrics, or was
            stopped for good; one that was interrupted stays open.
    """

    def __init__(
        self,
        study: Study,
        configure: Configure,
        has_ended: Callable[[str, Mapping[str, Any]], bool],
    ) -> None:
        super().__init__()
        self._study, self._configure, self._has_ended = study, configure, has_ended
        self._open: dict[str, Proposal] = {}

    def suggest(self, trial_id: str) -> dict[str, Any]:
        """Called by Tune for the next trial."""
        proposal = self._study.propose()
        self._open[trial_id] = proposal
        return self._configure(proposal.trial) | {PROPOSAL: dict(proposal.params)}

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
