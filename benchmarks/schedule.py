"""How well trials that share stages keep workers busy, on simulated stage durations.

    python -m benchmarks.schedule [--lanes 64]

The simulation follows the sweep's own rules: trials start in the order of
`raysweep.plan.start_order`, no more at once than there are drivers; one takes a lane when one is
free, makes its stages one after the other, gives the lane back at a stage that another trial is
making, and waits for that without workers. Lanes start once, all at the beginning, and each time
that one takes a trial its processes start; both take as long, beside a stage, as on the embedded
default, where stages are short. The makespan is compared with the lower bound

    max(longest chain, total work / lanes)

that no schedule can beat, start-up or not.
"""

from __future__ import annotations

import heapq
import itertools
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated

import typer
from rich.table import Table

from raysweep.cli.console import console, run_command
from raysweep.cli.plan import combined, outlined_plan
from raysweep.plan.start_order import schedule
from raysweep.plan.trials import Stage, Trial
from raysweep.space.chains import Mixture, Part
from raysweep.space.packaged import packaged_space
from raysweep.space.space import load_space
from raysweep.training.settings import Hyperparameters

PAPER = ("order", "lr", "replay", "replay_steps", "curvature")
NOISE = 0.2  # durations vary by as much, up or down
LANE_START, TRIAL_START = 1.5, 0.2  # a stage of 12,800 examples trains for 1.0
Durations = Mapping[str, float]


@dataclass
class Simulation:
    """One run of trials on lanes.

    Attributes:
        durations: of each stage with its measurements, by key.
        lane_start: until the lanes are there.
        trial_start: from a lane's taking a trial to its work.
        num_drivers: trials that may be under way at once, with workers or waiting.
    """

    durations: Durations
    num_lanes: int
    num_drivers: int
    lane_start: float = 0.0
    trial_start: float = 0.0
    makespan: float = 0.0
    busy: float = 0.0
    made: list[str] = field(default_factory=list)

    def run(self, trials: Sequence[Trial]) -> Simulation:
        """Plays the trials through, in the order given."""
        waiting_for_lane: list[Trial] = []
        waiting_for_stage: dict[str, list[Trial]] = {}
        to_start, free, order = list(reversed(trials)), self.num_lanes, itertools.count()
        done, running = set[str](), dict[str, Trial]()
        events: list[tuple[float, int, str]] = []
        under_way, now = 0, self.lane_start
        while to_start or under_way:
            while to_start and under_way < self.num_drivers:
                waiting_for_lane.append(to_start.pop())
                under_way += 1
            still: list[Trial] = []
            for trial in waiting_for_lane:
                stage = _next(trial, done)
                if stage is None:
                    under_way -= 1
                elif stage.key in running:
                    waiting_for_stage.setdefault(stage.key, []).append(trial)
                elif free:
                    free -= 1
                    running[stage.key] = trial
                    self._start(events, now + self.trial_start, next(order), stage.key)
                else:
                    still.append(trial)
            waiting_for_lane = still
            if to_start and under_way < self.num_drivers:
                continue
            if not events:
                break
            now, _, key = heapq.heappop(events)
            done.add(key)
            trial = running.pop(key)
            waiting_for_lane += waiting_for_stage.pop(key, [])
            stage = _next(trial, done)
            if stage and stage.key not in running:
                running[stage.key] = trial  # the same lane goes on
                self._start(events, now, next(order), stage.key)
            else:
                free += 1
                if stage:
                    waiting_for_stage.setdefault(stage.key, []).append(trial)
                else:
                    under_way -= 1
        self.makespan = now
        return self

    def _start(
        self, events: list[tuple[float, int, str]], now: float, number: int, key: str
    ) -> None:
        self.busy += self.durations[key]
        self.made.append(key)
        heapq.heappush(events, (now + self.durations[key], number, key))


def _next(trial: Trial, done: set[str]) -> Stage | None:
    return next((stage for stage in trial.stages if stage.key not in done), None)


def lower_bound(trials: Sequence[Trial], durations: Durations, num_lanes: int) -> float:
    """The longest chain, or all work spread evenly."""
    longest = max(sum(durations[stage.key] for stage in trial.stages) for trial in trials)
    return max(longest, sum(durations.values()) / num_lanes)


def draw_durations(trials: Sequence[Trial], seed: int) -> dict[str, float]:
    """One for training on 12,800 examples, a half for the measurements, and some noise."""
    source, durations = random.Random(seed), dict[str, float]()
    for trial in trials:
        for stage in trial.stages:
            settings = stage.hyperparameters
            work = 0.5 + settings.num_steps * settings.global_batch_size / 12_800
            if stage.key not in durations:
                durations[stage.key] = work * (1 + NOISE * (2 * source.random() - 1))
    return durations


def papers_programme() -> list[Trial]:
    """All search spaces of the paper together."""
    plans = [outlined_plan(load_space(packaged_space(f"paper/{name}"))) for name in PAPER]
    return list({trial.id: trial for trial in combined(plans).trials}.values())


def tree(branching: Sequence[int], num_trials: int) -> list[Trial]:
    """A generated stage tree: so many branches at each depth, cut off after so many trials."""
    leaves = itertools.islice(itertools.product(*map(range, branching)), num_trials)
    return [_chain(path) for path in leaves]


def _chain(path: tuple[int, ...]) -> Trial:
    settings = Hyperparameters(num_steps=100, global_batch_size=128)
    keys = ["/".join(map(str, path[: depth + 1])) for depth in range(len(path))]
    stages = tuple(
        Stage(number, Mixture([Part(task="bbq")]), settings, 0, 0, parent, key)
        for number, (parent, key) in enumerate(zip(["", *keys], keys, strict=False), start=1)
    )
    return Trial(keys[-1], 0, stages, ())


CASES: dict[str, Callable[[], list[Trial]]] = {
    "the paper's programme": papers_programme,
    "deep and narrow": lambda: tree((8, 2, 2, 2, 2, 2, 2, 2), 1000),
    "wide and shallow": lambda: tree((100, 10), 1000),
}


def main(
    lanes: Annotated[int, typer.Option(help="Trials that have workers at once.", min=1)] = 64,
    seed: Annotated[int, typer.Option(help="Of the durations.")] = 0,
) -> None:
    """Prints the makespan over the lower bound, in the sweep's order and in the file's."""
    table = Table(title=f"{lanes} lanes, {lanes + 1} drivers")
    for column in (
        "",
        "trials",
        "stages",
        "bound",
        "scheduled",
        "with start-up",
        "as listed",
        "busy",
    ):
        table.add_column(column, justify="left" if not column else "right")
    for name, make in CASES.items():
        trials = make()
        durations = draw_durations(trials, seed)
        bound = lower_bound(trials, durations, lanes)
        ordered = schedule(trials)
        ours = Simulation(durations, lanes, lanes + 1).run(ordered)
        started = Simulation(durations, lanes, lanes + 1, LANE_START, TRIAL_START).run(ordered)
        listed = Simulation(durations, lanes, lanes + 1).run(trials)
        table.add_row(
            name,
            f"{len(trials):,}",
            f"{len(durations):,}",
            f"{bound:.2f}",
            *(f"{one.makespan / bound:.2f}" for one in (ours, started, listed)),
            f"{100 * ours.busy / ours.makespan / lanes:.0f} %",
        )
    console().print(table)


if __name__ == "__main__":
    run_command(main)
