"""An Optuna study that proposes trials, and outlives an interruption.

The study's journal (Optuna's own format) is a file in the sweep's folder, replaced as a whole after
every proposal and every result. A trial that was running when the sweep was interrupted stays
RUNNING there, and is proposed first when the sweep is run again: its finished stages are in the
store. Each proposal has a sampler of its own, seeded by the study's seed and the trial's number, so
that a search of one trial at a time is the same whether or not it was interrupted.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import optuna
from optuna.samplers import BaseSampler, NSGAIISampler, RandomSampler, TPESampler
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState

from raysweep.plan.plan import Plan
from raysweep.plan.proposals import CHAIN, Proposals
from raysweep.plan.trials import Trial
from raysweep.results.tables import write_trial
from raysweep.space.axes import LogUniform, Uniform
from raysweep.store.storage import Storage

JOURNAL = "study/journal.log"
TRIAL = "trial"  # the user attribute that holds our trial's id
NUM_STARTUP_TRIALS = 5  # random ones before TPE begins; of NSGA-II the size of a generation
DIRECTIONS = {"min": StudyDirection.MINIMIZE, "max": StudyDirection.MAXIMIZE}
DONE = (TrialState.COMPLETE, TrialState.PRUNED)

optuna.logging.set_verbosity(optuna.logging.WARNING)


@dataclass(frozen=True)
class Proposal:
    """A trial to run, its number in the study, and what was chosen for it."""

    number: int
    trial: Trial
    params: Mapping[str, Any]


class Study:
    """Proposes the trials of an Optuna search.

    Args:
        folder: of the sweep.

    Attributes:
        proposals: makes trials of what Optuna chooses.
    """

    def __init__(self, plan: Plan, folder: Storage) -> None:
        assert plan.planner, "the plan was made by make_plan"
        self._space, self._folder = plan.space, folder
        self.proposals = Proposals(plan.space, plan.planner)
        self._sweep = plan.sweep
        self._temporary = tempfile.TemporaryDirectory()
        self._file = Path(self._temporary.name) / "journal.log"
        if folder.exists(JOURNAL):
            self._file.write_bytes(folder.read(JOURNAL))
        self._objectives = plan.space.search.objectives
        self._study = optuna.create_study(
            storage=JournalStorage(JournalFileBackend(str(self._file))),
            study_name=plan.sweep,
            directions=[DIRECTIONS[mode] for mode in self._objectives.values()],
            load_if_exists=True,
        )
        self._interrupted = [t for t in self._trials() if t.state == TrialState.RUNNING]

    @property
    def num_left(self) -> int:
        """Trials still to run: those that were interrupted, and those that were not proposed yet.

        A trial that has failed does not count as done.
        """
        num_done = sum(trial.state in DONE for trial in self._trials())
        return max((self._space.search.num_samples or 0) - num_done, 0)

    def propose(self) -> Proposal:
        """The next trial to run."""
        if self._interrupted:
            known = self._interrupted.pop(0)
            return Proposal(known.number, self.proposals.trial(known.params), known.params)
        number = len(self._trials())
        self._study.sampler = self._sampler(number)
        asked = self._study.ask()
        trial = self.proposals.trial(self._suggest(asked))
        asked.set_user_attr(TRIAL, trial.id)
        self._save()
        return Proposal(asked.number, trial, asked.params)

    def tell(self, number: int, metrics: Mapping[str, Any]) -> None:
        """A trial has ended: with its objectives, or without one of them as a pruned one."""
        wanted = self._objectives
        values = [float(metrics[name]) for name in wanted if metrics.get(name) is not None]
        if len(values) < len(wanted):
            self._study.tell(number, state=TrialState.PRUNED)
        else:
            self._study.tell(number, values)
        self._save()

    def fail(self, number: int) -> None:
        """A trial has failed."""
        self._study.tell(number, state=TrialState.FAIL)
        self._save()

    def finished_trials(self) -> tuple[Trial, ...]:
        """Those that have ended with results, each once, also in earlier runs of the search."""
        done = [self.proposals.trial(t.params) for t in self._trials() if t.state in DONE]
        return tuple({trial.id: trial for trial in done}.values())

    def rows(self) -> list[dict[str, Any]]:
        """The rows of the table ``study``, one per trial and objective.

        The best trials of several objectives are their Pareto front.
        """
        best = {trial.user_attrs[TRIAL] for trial in self._study.best_trials}
        return [
            {
                "sweep": self._sweep,
                "number": trial.number,
                "trial": trial.user_attrs.get(TRIAL),
                "params": json.dumps(trial.params),
                "state": trial.state.name.lower(),
                "objective": objective,
                "mode": mode,
                "value": trial.values[position] if trial.values else None,
                "is_best": trial.user_attrs.get(TRIAL) in best,
            }
            for trial in self._trials()
            for position, (objective, mode) in enumerate(self._objectives.items())
        ]

    def _trials(self) -> list[FrozenTrial]:
        return self._study.get_trials(deepcopy=False)

    def _suggest(self, asked: optuna.Trial) -> dict[str, Any]:
        """Chooses a chain if there are several, then the values of the axes that it has."""
        chains = list(self.proposals.chains)
        if len(chains) > 1:
            asked.suggest_categorical(CHAIN, chains)
        for name, axis in self.proposals.axes(asked.params).items():
            if isinstance(axis, Uniform | LogUniform):
                low, high = axis.examples
                asked.suggest_float(name, low, high, log=isinstance(axis, LogUniform))
            elif len(axis.examples) > 1:
                asked.suggest_categorical(name, list(axis.examples))
        return asked.params

    def _sampler(self, number: int) -> BaseSampler:
        search = self._space.search
        seed = (search.seed * 1_000_003 + number) % 2**32
        if search.sampler == "random":
            return RandomSampler(seed=seed)
        if search.sampler == "nsga2":
            return NSGAIISampler(population_size=NUM_STARTUP_TRIALS, seed=seed)
        return TPESampler(n_startup_trials=NUM_STARTUP_TRIALS, seed=seed)

    def _save(self) -> None:
        self._folder.write(JOURNAL, self._file.read_bytes())
        write_trial(self._folder, "study", {"study": self.rows()})
