"""What a sweep shows while it runs: a progress bar with an ETA, and a line per finished stage."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from ray.tune import Callback
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

from raysweep.plan.names import full_name
from raysweep.plan.trials import Trial
from raysweep.process.notes import repeat
from raysweep.store.storage import Storage
from raysweep.sweep.attempts import keep_errors
from raysweep.sweep.coordinator_client import CoordinatorClient
from raysweep.sweep.not_restored import NotRestored
from raysweep.sweep.tune_settings import TRIAL
from raysweep.sweep.work_clock import NOT_WORKING, WorkClock, as_clock, shown_left
from raysweep.tasks.task import Task
from raysweep.worker.surroundings import Activity, Doing

QUIET_SECONDS = 15.0  # between progress lines where the output is no terminal


class Monitor(NotRestored, Callback):
    """Shows a sweep's progress; one unit is a model of a trial, trained or found, and measured.

    A trial has one model more than stages: the base model.

    Args:
        trials: by id; others may be added while the sweep runs.
        num_units: how many there will be.
        clock: estimates the time that is left.
        release: frees what an attempt at a trial still holds, called when it has ended.
        folder: of the sweep, where it is kept why attempts have ended.

    The time that is left is that of the work the store lacks: see `eta`.
    """

    def __init__(
        self,
        trials: Mapping[str, Trial],
        num_units: int,
        clock: WorkClock,
        tasks: Mapping[str, Task],
        coordinator: CoordinatorClient,
        release: Callable[[str], None],
        folder: Storage,
        console: Console,
    ) -> None:
        self._trials, self._tasks = trials, tasks
        self._coordinator, self._release = coordinator, release
        self._folder, self._console = folder, console
        self._stages_done: Counter[str] = Counter()
        self._ended = set[str]()
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TaskProgressColumn(),
            TextColumn("elapsed"),
            TimeElapsedColumn(),
            TextColumn("{task.fields[left]}"),
            console=console,
            disable=not console.is_terminal,
        )
        self._task = self._progress.add_task("start-up", total=num_units, left=shown_left(None))
        self._started = time.monotonic()
        self._clock = clock
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
        for note in self._coordinator.take_notes():
            repeat(note)

    def on_trial_result(
        self, iteration: int, trials: list[Any], trial: Any, result: Mapping[str, Any], **_: Any
    ) -> None:
        """Called by Tune when a trial has finished a stage."""
        name = trial.config[TRIAL]
        if "stage" in result and result["stage"] >= self._stages_done[name]:
            self._stages_done[name] = int(result["stage"]) + 1
            self._clock.finish(self._trials[name], int(result["stage"]))
            self._console.print(
                _stage_line(self._trials[name], self._tasks, result), highlight=False
            )

    def on_trial_error(self, iteration: int, trials: list[Any], trial: Any, **_: Any) -> None:
        """Called by Tune when a trial has failed for good."""
        self._end(trial.config[TRIAL], "[red]failed[/] ")

    def on_trial_complete(self, iteration: int, trials: list[Any], trial: Any, **_: Any) -> None:
        """Called by Tune when a trial has ended or was stopped."""
        name, result = trial.config[TRIAL], trial.last_result or {}
        if "failure" in result:
            self._end(name, "[red]failed[/] ")
        elif self._stages_done[name] <= len(self._trials[name].stages):
            self._end(name, "[yellow]stopped[/]")
        else:
            self._end(name, "")

    def on_trial_recover(self, iteration: int, trials: list[Any], trial: Any, **_: Any) -> None:
        """Called by Tune when a trial whose driver has died is about to start again."""
        self._release(trial.config[TRIAL])
        reason = keep_errors(self._folder, trial)[0]
        named = self._name(trial.config[TRIAL])
        self._console.print(f"[yellow]again[/]  {named}: {escape(reason)}", highlight=False)

    def _end(self, name: str, how: str) -> None:
        """Notes that a trial needs no more work, and says how it ended if that is news."""
        self._release(name)
        if how and name not in self._ended:
            self._console.print(f"{how} {self._name(name)}", highlight=False)
        self._ended.add(name)
        self._clock.end(self._trials[name])
        self._stages_done[name] = len(self._trials[name].stages) + 1

    def _name(self, name: str) -> str:
        """What a person is told of a trial, by its id; other words stay as they are."""
        return full_name(self._trials[name]) if name in self._trials else name

    def _watch(self) -> None:
        shown = time.monotonic()
        while not self._stopped.wait(1.0):
            notes, activities, spent = self._coordinator.glance()
            for note in notes:
                repeat(note)
            fraction, activity = self._current(activities)
            left = shown_left(self._clock.left(activities, spent, time.monotonic()))
            self._progress.update(self._task, completed=fraction, description=activity, left=left)
            if not self._console.is_terminal and time.monotonic() - shown > QUIET_SECONDS:
                shown = time.monotonic()
                self._console.print(self._plain_line(fraction, left, activity), highlight=False)

    def _current(self, activities: Mapping[str, Activity]) -> tuple[float, str]:
        """Units done, counting parts of stages, and what is being done now."""
        done = float(sum(self._stages_done.values()))
        running = []
        for name, now in activities.items():
            if now.stage >= self._stages_done[name] and name not in self._ended:
                is_measuring = now.doing not in (Doing.TRAINING, *NOT_WORKING)
                done += 0.5 if is_measuring else now.fraction / 2
                words = replace(now, what=self._name(now.what))
                running.append(f"{self._name(name)} stage {now.stage}: {words}")
        return done, "; ".join(running) or "start-up"

    def _plain_line(self, fraction: float, left: str, activity: str) -> str:
        total = self._progress.tasks[0].total or 1
        elapsed = time.monotonic() - self._started
        done = f"{fraction:.1f} of {total:.0f} models, elapsed {as_clock(elapsed)}"
        return f"  {done}, {left}: {activity}"


def _stage_line(trial: Trial, tasks: Mapping[str, Task], result: Mapping[str, Any]) -> str:
    stage = int(result["stage"])
    label = trial.stages[stage - 1].label if stage else "base model"
    parts = [f"[bold]{full_name(trial)}[/] stage {stage} ({label})"]
    parts += [_accuracy(tasks[n], result) for n in trial.tasks if f"accuracy_{n}" in result]
    if result.get("validation_accuracy") is not None:
        parts.append(f"validation {100 * result['validation_accuracy']:.1f} %")
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
