"""The cases of the campaign: what is done to a sweep, and whether its results are the same after.

A case disturbs a run, runs the same command again until it exits with 0, and compares all rows with
those of an undisturbed run in a store of its own.
"""

from __future__ import annotations

import json
import random
import signal
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from datetime import date
from functools import partial
from pathlib import Path

from raysweep.store.storage import Storage
from tests.faults.harm import (
    cannot_mount,
    delete,
    delete_folder,
    disk,
    fill,
    flip_bit,
    mount,
    truncate,
)
from tests.faults.moments import (
    CURVATURE,
    FIRST_COLLECTIVE,
    GROUP_KILLS,
    LEAVE,
    LOAD,
    NUM_STEPS,
    NUM_WORKERS,
    PLACE,
    PLACED,
    PUBLISH,
    QUEUE,
    STAGE_1,
    STAGE_2,
    START,
    Moment,
)
from tests.faults.runs import Run, RunError
from tests.faults.tables import differences, load_tables, num_rows

SPACE = f"""
name: faults
chains: [[toxigen, csqa2], [toxigen, {{other_task}}]]
data: {{{{num_train: 130, num_test: 52}}}}
stage: {{{{num_steps: {NUM_STEPS}, learning_rate: 1.0e-3, sequence_limit: 512}}}}
curvature: {{{{num_samples: 8, max_products: 15}}}}
workers:
  num_workers: {NUM_WORKERS}
  max_failures: {{max_failures}}
  stall_minutes: {{stall_minutes}}
"""
COMMAND = ("raysweep.sweep", "space.yaml", "--storage", "storage")
MAX_RUNS = 3  # after the disturbed one
SMALL, LARGE = "5m", "100m"  # of the disk that fills up: room for one stage, and for all
IN_DRIVER = Moment("a worker group starts", "raysweep.sweep.driver:_run_group", "before", (1, 1))
IN_COORDINATOR = Moment(
    "a worker group starts", "raysweep.sweep.coordinator:Coordinator.begin", "before", (1, 1)
)
STALL_MINUTES = 0.75  # of cases that stop a process; the others have the default's half an hour
STORE = Path("storage", "store")
KINDS = ("weights", "stages", "evaluations", "curvature", "changes")
FAILED = 1  # exit code of a sweep some of whose trials have failed
Published = dict[Path, bytes]


@dataclass
class Outcome:
    """What one case showed.

    Attributes:
        codes: the exit code of each run, the disturbed one first; None where it was killed.
        num_again: stages of which more than one attempt has left files in the store.
        problems: sentences; none when the case is passed.
        skipped: why the case could not be tried here.
    """

    name: str
    moment: str
    disturbance: str
    codes: list[int | None] = field(default_factory=list)
    num_again: int = 0
    num_rows: int = 0
    problems: list[str] = field(default_factory=list)
    skipped: str = ""
    seconds: float = 0.0
    day: str = field(default_factory=lambda: date.today().isoformat())

    def save(self, folder: Path) -> None:
        """Writes it as JSON, at once."""
        temporary = folder / f".{self.name}.json"
        temporary.write_text(json.dumps(asdict(self), indent=1))
        temporary.replace(folder / f"{self.name}.json")


@dataclass(frozen=True)
class Campaign:
    """Where cases run, and the seed of what they draw."""

    work: Path
    seed: int

    def run(self, name: str) -> Outcome:
        """Runs a case, or returns what an earlier run has found."""
        if self.is_done(name):
            return Outcome(**json.loads((self.work / f"{name}.json").read_text()))
        started = time.monotonic()
        outcome = CASES[name](self, name)
        outcome.seconds = time.monotonic() - started
        outcome.save(self.work)
        return outcome

    def is_done(self, name: str) -> bool:
        """Whether the case has been run to its end."""
        return (self.work / f"{name}.json").exists()

    def folder(
        self,
        name: str,
        other_task: str = "csqa",
        max_failures: int = 2,
        stall_minutes: float = 30,
    ) -> Path:
        """A new folder with the search space; one of an interrupted case is put out of the way."""
        folder = self.work / name
        if folder.exists():
            folder.rename(self.work / f"{name}-{time.time_ns()}")
        folder.mkdir(parents=True)
        space = SPACE.format(
            other_task=other_task, max_failures=max_failures, stall_minutes=stall_minutes
        )
        (folder / "space.yaml").write_text(space)
        return folder

    def compare(self, outcome: Outcome, run: Run, other_task: str = "csqa") -> None:
        """Puts down what differs between a finished run and an undisturbed one."""
        expected, found = load_tables(self.undisturbed(other_task)), load_tables(run.results)
        outcome.num_rows += num_rows(expected)
        outcome.problems += differences(expected, found)

    def undisturbed(self, other_task: str = "csqa") -> Storage:
        """The results of an undisturbed run, which is made once."""
        place = self.work / f"undisturbed-{other_task}.txt"
        if not place.exists():
            run = Run(self.folder(f"undisturbed-{other_task}", other_task), COMMAND)
            code, left = run.finish()
            if code or left:
                raise RunError(f"undisturbed: exit code {code}, left {left}\n{run.output}")
            place.write_text(run.results.uri)
        return Storage.open(place.read_text())


def kill_group(campaign: Campaign, name: str, moment: Moment) -> Outcome:
    """All processes are killed at once; the command is run again."""
    outcome, folder = _killed(campaign, name, moment)
    _run_again(campaign, outcome, folder)
    return outcome


def harm_one(
    campaign: Campaign,
    name: str,
    moment: Moment,
    how: signal.Signals,
    whom: str,
    note: Moment | None = None,
) -> Outcome:
    """One process is killed or stopped; the sweep goes on by itself.

    Args:
        whom: the process that has come to the moment, in words.
        note: a call of another process, the victim, while the first one waits at the moment.
    """
    fault = moment.draw(campaign.seed)
    faults = [fault] + ([replace(note.draw(0), action="note")] if note else [])
    outcome = Outcome(name, str(fault), f"{how.name} to {whom}")
    stall = STALL_MINUTES if how == signal.SIGSTOP else 30
    folder = campaign.folder(name, stall_minutes=stall)
    run = Run(folder, COMMAND, faults)
    victim = run.wait_for_moment()
    published = _published(folder)
    if note:
        victim = run.wait_for_moment(1)
    victim.send_signal(how)
    run.let_go()
    if _finish(outcome, run) == 0:
        campaign.compare(outcome, run)
    else:
        outcome.problems.append("the sweep did not survive")
    _look_into_store(outcome, folder, published)
    return outcome


def kill_ray(campaign: Campaign, name: str, part: str) -> Outcome:
    """A process of the local cluster is killed; the command ends, and is run again."""
    fault = STAGE_2.draw(campaign.seed)
    outcome, folder = Outcome(name, str(fault), f"SIGKILL to {part}"), campaign.folder(name)
    run = Run(folder, COMMAND, [fault])
    run.wait_for_moment()
    published = _published(folder)
    for victim in run.named(part):
        if victim.name() == part:
            victim.kill()
    run.let_go()
    if _finish(outcome, run) != FAILED:
        outcome.problems.append("the end of the cluster was not reported")
    _run_again(campaign, outcome, folder, published)
    return outcome


def kill_driver(campaign: Campaign, name: str, moment: Moment) -> Outcome:
    """The driver of the trial that has workers is killed; the command is run again."""
    fault = moment.draw(campaign.seed)
    outcome, folder = Outcome(name, str(fault), "SIGKILL to the driver"), campaign.folder(name)
    run = Run(folder, COMMAND, [fault, replace(IN_DRIVER.draw(0), action="note")])
    run.wait_for_moment()
    published = _published(folder)
    run.wait_for_moment(1).kill()
    run.let_go()
    code = _finish(outcome, run)
    if code not in (0, FAILED):
        outcome.problems.append("neither survived nor reported as failed")
    if code:
        _run_again(campaign, outcome, folder, published)
    else:
        campaign.compare(outcome, run)
        _look_into_store(outcome, folder, published)
    return outcome


def damage(campaign: Campaign, name: str, pattern: str, spoil: Callable[[Path], None]) -> Outcome:
    """A file of the store is damaged after a kill, before the command is run again."""
    outcome, folder = _killed(campaign, name, STAGE_2)
    victims = sorted(path for kind in KINDS for path in (folder / STORE / kind).glob(pattern))
    victim = random.Random(f"{campaign.seed} {name}").choice(victims)
    place = victim.relative_to(folder / STORE)
    entry = folder / STORE / place.parts[0] / place.parts[1]
    before = entry.joinpath("manifest.json").read_bytes()
    outcome.disturbance += f"; {victim.name} of {place.parts[0]} {spoil.__doc__}"
    published = {
        path: text for path, text in _published(folder).items() if entry not in path.parents
    }
    spoil(victim)
    _run_again(campaign, outcome, folder, published)
    if not list(entry.glob("damaged-*.json")):
        outcome.problems.append("the damage was not detected")
    if entry.joinpath("manifest.json").read_bytes() == before:
        outcome.problems.append("the damaged entry is still in use")
    return outcome


def fill_disk(campaign: Campaign, name: str) -> Outcome:
    """The disk of the storage is too small; it is made larger, and the command is run again."""
    outcome = Outcome(name, "weights of a later stage", f"a disk of {SMALL}, then of {LARGE}")
    outcome.skipped = cannot_mount()
    if outcome.skipped:
        return outcome
    folder = campaign.folder(name, max_failures=0)
    with disk(folder / "storage", SMALL):
        run = Run(folder, COMMAND)
        published = _fails_for_space(outcome, folder, run)
        mount(folder / "storage", f"remount,size={LARGE}")
        _run_again(campaign, outcome, folder, published)
    return outcome


def fill_disk_to_the_last_byte(campaign: Campaign, name: str) -> Outcome:
    """Another program takes all that is left of the disk, and gives it back after the failure."""
    fault = STAGE_2.draw(campaign.seed)
    outcome = Outcome(name, str(fault), "not a byte left on the disk")
    outcome.skipped = cannot_mount()
    if outcome.skipped:
        return outcome
    folder = campaign.folder(name)
    filler = folder / "storage" / "filler"
    with disk(folder / "storage", LARGE):
        run = Run(folder, COMMAND, [fault])
        run.wait_for_moment()
        fill(filler)
        run.let_go()
        published = _fails_for_space(outcome, folder, run)
        filler.unlink()
        _run_again(campaign, outcome, folder, published)
    return outcome


def share_store(campaign: Campaign, name: str) -> Outcome:
    """Two sweeps with a Ray cluster each, and first stages in common, on one store at once."""
    outcome = Outcome(name, "from the start", "a second sweep on the same store")
    folder, runs = campaign.folder(name), {}
    for other_task in ("csqa", "arc_easy"):
        place = campaign.folder(f"{name}/{other_task}", other_task)
        runs[other_task] = Run(place, (*COMMAND[:-1], str(folder / "storage")))
    for other_task, run in runs.items():
        if _finish(outcome, run) == 0:
            campaign.compare(outcome, run, other_task)
        else:
            outcome.problems.append(f"the sweep with {other_task} failed: {run.last_words}")
    _look_into_store(outcome, folder, {})
    return outcome


Case = Callable[[Campaign, str], Outcome]
CASES: dict[str, Case] = {
    **{name: partial(kill_group, moment=moment) for name, moment in GROUP_KILLS.items()},
    **{
        f"{'kill' if how == signal.SIGKILL else 'stop'}-{whom}-{when}": partial(
            harm_one, moment=moment, how=how, whom=f"one {whom}"
        )
        for how in (signal.SIGKILL, signal.SIGSTOP)
        for whom, when, moment in (
            ("worker", "joining", START),
            ("worker", "first-collective", FIRST_COLLECTIVE),
            ("worker", "loading", LOAD),
            ("worker", "training", STAGE_2),
            ("worker", "publishing", PUBLISH),
            ("worker", "curvature", CURVATURE),
            ("worker", "leaving", LEAVE),
            ("controller", "placing", PLACE),
            ("controller", "placed", PLACED),
            ("controller", "reporting", QUEUE),
        )
    },
    **{
        f"{'kill' if how == signal.SIGKILL else 'stop'}-coordinator": partial(
            harm_one, moment=STAGE_2, how=how, whom="the coordinator", note=IN_COORDINATOR
        )
        for how in (signal.SIGKILL, signal.SIGSTOP)
    },
    "stop-driver": partial(
        harm_one, moment=STAGE_2, how=signal.SIGSTOP, whom="the driver", note=IN_DRIVER
    ),
    "kill-raylet": partial(kill_ray, part="raylet"),
    "kill-gcs": partial(kill_ray, part="gcs_server"),
    "kill-driver-start": partial(kill_driver, moment=START),
    "kill-driver-stage-1": partial(kill_driver, moment=STAGE_1),
    "kill-driver-stage-2": partial(kill_driver, moment=STAGE_2),
    "damage-weights": partial(damage, pattern="*/*/model.safetensors", spoil=flip_bit),
    "damage-step-log": partial(damage, pattern="*/*/steps.arrow", spoil=truncate),
    "damage-predictions": partial(damage, pattern="*/*/predictions.arrow", spoil=truncate),
    "damage-manifest": partial(damage, pattern="*/manifest.json", spoil=truncate),
    "delete-weights": partial(damage, pattern="*/*/model.safetensors", spoil=delete),
    "delete-step-log": partial(damage, pattern="*/*/steps.arrow", spoil=delete),
    "delete-attempt": partial(damage, pattern="*/*/predictions.arrow", spoil=delete_folder),
    "disk-full": fill_disk,
    "disk-full-to-the-last-byte": fill_disk_to_the_last_byte,
    "two-sweeps": share_store,
}


def _fails_for_space(outcome: Outcome, folder: Path, run: Run) -> Published:
    """Waits for a run that must fail with a clear reason; returns what it has published."""
    code = _finish(outcome, run)
    reasons = [line for line in run.output.splitlines() if line.startswith("Trial ")]
    if code != FAILED or not any("No space left on device" in line for line in reasons):
        outcome.problems.append(f"a full disk is not reported: exit code {code}, {reasons}")
    return _published(folder)


def _killed(campaign: Campaign, name: str, moment: Moment) -> tuple[Outcome, Path]:
    """A run of which every process was killed at a moment."""
    fault = moment.draw(campaign.seed)
    outcome, folder = Outcome(name, str(fault), "SIGKILL to every process"), campaign.folder(name)
    run = Run(folder, COMMAND, [fault])
    run.wait_for_moment()
    run.kill_all()
    outcome.codes.append(None)
    return outcome, folder


def _run_again(
    campaign: Campaign, outcome: Outcome, folder: Path, published: Published | None = None
) -> None:
    """Runs the command until it exits with 0, compares its rows and looks into the store."""
    published = _published(folder) if published is None else published
    for _ in range(MAX_RUNS):
        run = Run(folder, COMMAND)
        if _finish(outcome, run) == 0:
            campaign.compare(outcome, run)
            break
    else:
        outcome.problems.append(f"unfinished after {MAX_RUNS} more runs: {run.last_words}")
    _look_into_store(outcome, folder, published)


def _finish(outcome: Outcome, run: Run) -> int:
    """Waits for a run's end and puts down how it ended."""
    code, left = run.finish()
    outcome.codes.append(code)
    if left:
        outcome.problems.append(f"left behind: {', '.join(sorted(left))}")
    return code


def _published(folder: Path) -> Published:
    """The manifests in a store."""
    manifests = (path for kind in KINDS for path in (folder / STORE / kind).glob("*/manifest.json"))
    return {path: path.read_bytes() for path in manifests}


def _look_into_store(outcome: Outcome, folder: Path, published: Published) -> None:
    """Checks that what was published before is as it was, and counts stages made again.

    Weights may have been dropped when nothing needed them any more.
    """
    for path, content in published.items():
        if path.exists() and path.read_bytes() == content:
            continue
        if path.exists() or path.parents[1].name != "weights":
            outcome.problems.append(f"finished work was touched: {path.relative_to(folder)}")
    keys = [key for kind in ("weights", "stages") for key in (folder / STORE / kind).glob("*")]
    again = {key.name for key in keys if sum(path.is_dir() for path in key.iterdir()) > 1}
    outcome.num_again = len(again)
