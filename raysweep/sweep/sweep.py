"""A sweep: all trials of a plan through Ray Tune, on a running cluster or a local one."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import ray.tune
from ray.tune.search import Searcher
from rich.console import Console

from raysweep.cost.weights_room import check_budget
from raysweep.plan.plan import Plan
from raysweep.plan.remaining import remaining
from raysweep.plan.scouts import Findings
from raysweep.plan.start_order import schedule
from raysweep.plan.trials import Trial
from raysweep.process.ending import ENDING
from raysweep.store.storage import Storage
from raysweep.store.store import DamagedEntryError, Store
from raysweep.sweep.attempts import keep_errors, silence_tune
from raysweep.sweep.cluster import losing_the_cluster, num_fitting
from raysweep.sweep.coordinator_client import CoordinatorClient
from raysweep.sweep.driver import DRIVER_RESOURCES, MAX_DAMAGES, NamedLane, run_trial
from raysweep.sweep.driver_watch import DriverWatch
from raysweep.sweep.eta import Estimator
from raysweep.sweep.halving import ChainHalving
from raysweep.sweep.lane import LaneSettings, start_lanes
from raysweep.sweep.monitor import Monitor
from raysweep.sweep.not_restored import NotRestored
from raysweep.sweep.outcome import Outcome, chain_seconds
from raysweep.sweep.searchers import PROPOSAL, ListedTrials, ProposedTrials
from raysweep.sweep.tune_settings import TRIAL, tune_settings
from raysweep.sweep.work_clock import WorkClock
from raysweep.worker.job import Job, jobs_of

if TYPE_CHECKING:
    from raysweep.sweep.study import Study


def run_sweep(
    plan: Plan, storage: Storage, console: Console, num_at_once: int | None = None
) -> Outcome:
    """Runs every trial of the plan and waits for them; finished work in the store is not redone.

    Scouts run first, and the trials that follow from what they find next. A signal ends it early.

    Args:
        plan: whose workers are decided: see `cost.shape`.
        num_at_once: trials that have workers at the same time, at most; None for as many as there
            are resources for.
    """
    sweep = _Sweep(plan, storage, console, num_at_once)
    with ENDING.awaited(), losing_the_cluster():
        sweep.run()
    return sweep.outcome()


class _Sweep:
    """One run of a plan, from its first trial to its last."""

    def __init__(
        self, plan: Plan, storage: Storage, console: Console, num_at_once: int | None
    ) -> None:
        assert plan.space.workers.shape == "given"
        self._plan, self._storage, self._console = plan, storage, console
        self._folder = storage.sub("sweeps", plan.sweep)
        self._trials: dict[str, Trial] = {}
        fitting = num_fitting(plan.space.workers)
        self._num_running = min(fitting, num_at_once or fitting, max(1, len(plan.trials)))
        check_budget(plan, self._num_running)
        budget, is_known = plan.space.weights.budget_gb, plan.space.search.method != "optuna"
        counted = plan.all_trials if is_known and budget is not None else ()
        needed = {trial.id: [stage.key for stage in trial.stages] for trial in counted}
        self._coordinator = CoordinatorClient.start(storage.uri, budget, needed)
        self._jobs = jobs_of(plan, storage)
        self._lanes: list[NamedLane] = []
        self._halving: ChainHalving | None = None
        self._study: Study | None = None
        self._ends = _Ends(self._trials, self._folder)
        self._started = time.monotonic()

    def run(self) -> None:
        """Runs scouts and trials."""
        settings = LaneSettings(
            f"{self._plan.sweep}-lane",
            f"{self._storage.uri}/ray",
            self._plan.space.workers,
            self._coordinator,
        )
        self._lanes += start_lanes(self._num_running, settings)
        store = Store(self._storage.sub("store"))
        unfinished = (t for t in self._plan.scouts or self._plan.trials if remaining(store, t))
        for (_, lane), _ in zip(self._lanes, unfinished, strict=False):
            lane.warm.remote()  # while Tune starts
        plan = self._scout() if self._plan.scouts else self._plan
        if plan.space.search.method == "optuna":
            self._run_study()
        elif plan.trials:
            self._run_listed(plan.trials)

    def outcome(self) -> Outcome:
        """What has become of it by now."""
        stopped = self._halving.stopped if self._halving else {}
        done = {*self._ends.finished, *self._ends.failures, *stopped}
        if self._study:
            trials = self._study.finished_trials()
        else:
            scouts = {trial.id for trial in self._plan.scouts}
            # Of those that have not begun, earlier runs may have left results.
            others = self._plan.trials if ENDING.is_requested else ()
            known = {trial.id: trial for trial in others} | self._trials
            trials = tuple(t for t in known.values() if t.id not in scouts)
        elapsed = time.monotonic() - self._started
        of_stages = self._coordinator.stage_seconds()
        longest = max((chain_seconds(trial, of_stages) for trial in trials), default=0.0)
        return Outcome(
            folder=self._folder,
            trials=trials,
            failures=self._ends.failures,
            stopped={name: int(result["stage"]) for name, result in stopped.items()},
            unfinished=tuple(name for name in self._trials if name not in done),
            seconds=self._coordinator.seconds(),
            capacity_seconds=elapsed * self._num_running * self._plan.space.workers.num_workers,
            elapsed_seconds=elapsed,
            chain_seconds=longest,
            least_seconds=max(longest, sum(of_stages.values()) / self._num_running),
            study=self._study,
            is_interrupted=ENDING.is_requested,
        )

    def _scout(self) -> Plan:
        """Runs the scouts, again where what one has left proves to be damaged; what follows."""
        for _ in range(MAX_DAMAGES):
            self._run_listed(self._plan.scouts)
            try:
                return self._decide()
            except DamagedEntryError as error:
                self._console.print(f"damaged: {error}", highlight=False, markup=False)
        return self._decide()

    def _decide(self) -> Plan:
        """The plan that follows from what the scouts have found."""
        found = [s for s in self._plan.scouts if s.id in self._ends.finished]
        findings = Findings(tuple(self._jobs(scout).records().finding() for scout in found))
        plan = self._plan.decided(findings)
        if len(found) < len(self._plan.scouts) - len(self._ends.failures):
            return replace(plan, trials=())  # interrupted
        for finding in findings.all:
            self._console.print(f"Scouted {finding}", highlight=False)
        self._console.print(f"{len(plan.trials)} trials follow.")
        return plan

    def _run_listed(self, trials: Sequence[Trial]) -> None:
        """Runs trials that are known beforehand."""
        # With a budget of weights one branch of the stage tree after the other, else all at once.
        has_budget = self._plan.space.weights.budget_gb is not None
        ordered = trials if has_budget else schedule(trials)
        known = {trial.id: trial for trial in trials}
        self._trials.update(known)
        jobs = self._jobs
        self._tune(
            ListedTrials(ordered, self._configure),
            lambda config: jobs(known[config[TRIAL]]),
            len(trials),
            sum(len(trial.stages) + 1 for trial in trials),
        )

    def _run_study(self) -> None:
        """Runs the trials that Optuna proposes."""
        from raysweep.sweep.study import Study

        self._study = study = Study(self._plan, self._folder)
        proposals, jobs = study.proposals, self._jobs

        def configure(trial: Trial) -> dict[str, Any]:
            self._trials[trial.id] = trial
            return self._configure(trial)

        def has_ended(name: str, metrics: Mapping[str, Any]) -> bool:
            is_stopped = self._halving is not None and name in self._halving.stopped
            return is_stopped or metrics.get("stage") == len(self._trials[name].stages)

        if study.num_left:
            longest = max(len(chain) for chain in self._plan.space.chains)
            self._tune(
                ProposedTrials(study, configure, has_ended),
                lambda config: jobs(proposals.trial(config[PROPOSAL])),
                study.num_left,
                study.num_left * (longest + 1),
            )

    def _configure(self, trial: Trial) -> dict[str, Any]:
        return tune_settings(trial, self._plan.space)

    def _tune(
        self,
        searcher: Searcher,
        find: Callable[[Mapping[str, Any]], Job],
        num_trials: int,
        num_units: int,
    ) -> None:
        """Runs trials through Tune, and notes how they ended.

        Args:
            find: the job of a trial, by its configuration; goes to the drivers.
        """
        stopping = self._plan.space.stopping
        if stopping and not self._halving:
            self._halving = ChainHalving(stopping, self._trials, self._coordinator)
        workers = self._plan.space.workers
        work = Estimator(len(self._lanes), num_trials, workers.num_workers)
        clock = WorkClock(self._trials, work, Store(self._storage.sub("store")))
        monitor = Monitor(
            self._trials,
            num_units,
            clock,
            self._plan.space.find_tasks(),
            self._coordinator,
            self._release,
            self._folder,
            self._console,
        )
        silence_tune()
        # Tune keeps files of its own, from which nothing is resumed, and reads the trials' errors
        # back from them: they must not lie on a disk that may be what has filled up.
        watch = DriverWatch(self._coordinator, workers.stall_minutes)
        with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as own, monitor, watch:
            ray.tune.Tuner(
                ray.tune.with_resources(
                    # Beside the configuration, which loggers and analyses show to people.
                    ray.tune.with_parameters(
                        run_trial, find=find, coordinator=self._coordinator, lanes=self._lanes
                    ),
                    DRIVER_RESOURCES,
                ),
                tune_config=ray.tune.TuneConfig(
                    search_alg=searcher,
                    scheduler=self._halving,
                    num_samples=num_trials,
                    # Those that have workers, and one more that is ready to take them over.
                    max_concurrent_trials=workers.max_concurrent_trials or self._num_running + 1,
                    reuse_actors=True,
                    # Tune would name its folders after all settings, with arrows and commas.
                    trial_dirname_creator=lambda trial: f"{trial.config[TRIAL]}-{trial.trial_id}",
                ),
                run_config=ray.tune.RunConfig(
                    name=self._plan.sweep,
                    storage_path=own,
                    verbose=0,
                    callbacks=[monitor, self._ends],
                    failure_config=ray.tune.FailureConfig(max_failures=workers.max_failures),
                ),
            ).fit()

    def _release(self, name: str) -> None:
        """Frees what a trial holds whose attempt has ended, one way or the other."""
        self._coordinator.end(name)
        for _, lane in self._lanes:
            lane.drop.remote(name)


class _Ends(NotRestored, ray.tune.Callback):
    """Notes how trials end, when they do: of a run that is cut off Tune returns nothing.

    Attributes:
        finished: trials that have reported their last stage.
        failures: the reason by trial.
    """

    def __init__(self, trials: Mapping[str, Trial], folder: Storage) -> None:
        self._trials, self._folder = trials, folder
        self.finished: set[str] = set()
        self.failures: dict[str, str] = {}

    def on_trial_error(self, iteration: int, trials: list[Any], trial: Any, **_: Any) -> None:
        """Called by Tune when a trial has failed for good."""
        reason, place = keep_errors(self._folder, trial)
        whole = f" (whole error: {place})" if place else ""
        self.failures[trial.config[TRIAL]] = f"{reason}{whole}"

    def on_trial_complete(self, iteration: int, trials: list[Any], trial: Any, **_: Any) -> None:
        """Called by Tune when a trial has ended or was stopped."""
        name, metrics = trial.config[TRIAL], trial.last_result or {}
        if "failure" in metrics:
            self.failures[name] = str(metrics["failure"])
        elif metrics.get("stage") == len(self._trials[name].stages):
            self.finished.add(name)
