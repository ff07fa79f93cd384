"""What a sweep shows while it runs: a progress bar with an ETA, and a line per finished stage."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from typing import Any

import ray
from ray.tune import Callback
from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    TaskProgressColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from raysweep.plan import Plan, Trial
from raysweep.tasks import Task

QUIET_SECONDS = 15.0  # between progress lines where the output is no terminal


class ProgressBoard:
    """Where the workers of all trials write what they are doing; runs as an actor."""

    def __init__(self) -> None:
        self._activities: dict[str, tuple[int, str, float]] = {}

    def update(self, trial: str, stage: int, activity: str, fraction: float) -> None:
        """A trial's current stage, activity, and the fraction of the activity that is done."""
        self._activities[trial] = (stage, activity, fraction)

    def activities(self) -> dict[str, tuple[int, str, float]]:
        """The last word of each trial."""
        return dict(self._activities)


class Monitor(Callback):
    """Shows a sweep's progress; one unit is a model of a trial, trained or found, and measured.

    A trial has one model more than stages: the base model.

    The time that is left follows from the pace so far, so it is too long where the stages still to
    come are in the store already.
    """

    def __init__(self, plan: Plan, board: Any, console: Console) -> None:
        self._trials = {trial.id: trial for trial in plan.trials}
        self._tasks = plan.space.find_tasks()
        self._board, self._console = board, console
        self._stages_done = dict.fromkeys(self._trials, -1)
        self._failed: set[str] = set()
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TaskProgressColumn(),
            TextColumn("elapsed"),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            console=console,
            disable=not console.is_terminal,
        )
        total = sum(len(trial.stages) + 1 for trial in plan.trials)
        self._task = self._progress.add_task("starting", total=total)
        self._started = time.monotonic()
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Monitor:
        self._progress.start()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        self._thread.join()
        self._progress.stop()

    def __getstate__(self) -> dict[str, Any]:
        """Nothing: Tune pickles callbacks to restore an experiment; we resume by the store."""
        return {}

    def on_trial_result(
        self, iteration: int, trials: list[Any], trial: Any, result: Mapping[str, Any], **_: Any
    ) -> None:
        """Called by Tune when a trial has finished a stage."""
        name = trial.config["trial"]
        stage = int(result["stage"])
        if stage > self._stages_done[name]:
            self._stages_done[name] = stage
            self._console.print(
                _stage_line(self._trials[name], self._tasks, result), highlight=False
            )

    def on_trial_error(self, iteration: int, trials: list[Any], trial: Any, **_: Any) -> None:
        """Called by Tune when a trial has failed."""
        self._failed.add(trial.config["trial"])
        self._console.print(f"[red]failed[/] {trial.config['trial']}", highlight=False)

    def _watch(self) -> None:
        shown = time.monotonic()
        while not self._stopped.wait(1.0):
            fraction, activity = self._current()
            self._progress.update(self._task, completed=fraction, description=activity)
            if not self._console.is_terminal and time.monotonic() - shown > QUIET_SECONDS:
                shown = time.monotonic()
                self._console.print(self._plain_line(fraction, activity), highlight=False)

    def _current(self) -> tuple[float, str]:
        """Units done, counting parts of stages, and what is being done now."""
        done = float(sum(stage + 1 for stage in self._stages_done.values()))
        running = []
        for name, (stage, activity, fraction) in self._activities().items():
            if stage > self._stages_done[name] and name not in self._failed:
                done += fraction / 2 if activity.startswith(("training", "waiting")) else 0.5
                running.append(f"{self._trials[name].chain} stage {stage}: {activity}")
        return done, "; ".join(running) or "waiting for workers"

    def _activities(self) -> dict[str, tuple[int, str, float]]:
        try:
            return ray.get(self._board.activities.remote(), timeout=5)
        except ray.exceptions.RayError:
            return {}  # the board is busy or gone with the cluster; the sweep itself will tell

    def _plain_line(self, fraction: float, activity: str) -> str:
        total = self._progress.tasks[0].total or 1
        elapsed = time.monotonic() - self._started
        left = ""
        if fraction >= 1:
            left = f", left about {_clock(elapsed * (total - fraction) / fraction)}"
        return (
            f"  {fraction:.1f} of {total:.0f} models, elapsed {_clock(elapsed)}{left}: {activity}"
        )


def _stage_line(trial: Trial, tasks: Mapping[str, Task], result: Mapping[str, Any]) -> str:
    stage = int(result["stage"])
    label = trial.stages[stage - 1].label if stage else "base model"
    parts = [f"[bold]{trial.id}[/] stage {stage} ({label})"]
    parts += [_accuracy(tasks[name], result) for name in trial.tasks]
    if result.get("forgetting") is not None:
        parts.append(f"forgetting {100 * result['forgetting']:+.1f}")
    if stage == 1 and result.get("spectral_radius") is not None:
        parts.append(f"spectral radius {result['spectral_radius']:.4g}")
    return "  ".join(parts)


def _accuracy(task: Task, result: Mapping[str, Any]) -> str:
    value, chance = result.get(f"accuracy_{task.name}"), task.chance
    flag = "!" if result.get(f"constant_prediction_{task.name}") else ""
    shown = "-" if value is None else f"{100 * value:.1f} %{flag}"
    return f"{task.name} {shown}" + ("" if chance is None else f" (chance {100 * chance:.0f})")


def _clock(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes}:{rest:02d}"
