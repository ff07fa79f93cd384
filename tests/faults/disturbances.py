"""What is done to a sweep: kills and stops, damage to its store, a full disk, a second sweep.

A case disturbs a run, runs the same command again until it exits with 0, and compares all rows with
those of an undisturbed run in a store of its own.
"""

from __future__ import annotations

import random
import signal
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from tests.faults.aftermath import (
    KINDS,
    STORE,
    Published,
    finish,
    look_into_store,
    published_in,
    run_again,
)
from tests.faults.campaign import COMMAND, Campaign
from tests.faults.harm import cannot_mount, disk, fill, mount
from tests.faults.moments import IN_DRIVER, STAGE_2, Moment
from tests.faults.outcome import Outcome
from tests.faults.runs import Run

SMALL, LARGE = "5m", "100m"  # of the disk that fills up: room for one stage, and for all
STALL_MINUTES = 0.75  # of cases that stop a process; the others have the default's half an hour
FAILED = 1  # exit code of a sweep some of whose trials have failed


def kill_group(campaign: Campaign, name: str, moment: Moment) -> Outcome:
    """All processes are killed at once; the command is run again."""
    outcome, folder = _killed(campaign, name, moment)
    run_again(campaign, outcome, folder)
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
    published = published_in(folder)
    if note:
        victim = run.wait_for_moment(1)
    victim.send_signal(how)
    run.let_go()
    if finish(outcome, run) == 0:
        campaign.compare(outcome, run)
    else:
        outcome.problems.append("the sweep did not survive")
    look_into_store(outcome, folder, published)
    return outcome


def kill_ray(campaign: Campaign, name: str, part: str) -> Outcome:
    """A process of the local cluster is killed; the command ends, and is run again."""
    fault = STAGE_2.draw(campaign.seed)
    outcome, folder = Outcome(name, str(fault), f"SIGKILL to {part}"), campaign.folder(name)
    run = Run(folder, COMMAND, [fault])
    run.wait_for_moment()
    published = published_in(folder)
    for victim in run.named(part):
        if victim.name() == part:
            victim.kill()
    run.let_go()
    if finish(outcome, run) != FAILED:
        outcome.problems.append("the end of the cluster was not reported")
    run_again(campaign, outcome, folder, published)
    return outcome


def kill_driver(campaign: Campaign, name: str, moment: Moment) -> Outcome:
    """The driver of the trial that has workers is killed; the command is run again."""
    fault = moment.draw(campaign.seed)
    outcome, folder = Outcome(name, str(fault), "SIGKILL to the driver"), campaign.folder(name)
    run = Run(folder, COMMAND, [fault, replace(IN_DRIVER.draw(0), action="note")])
    run.wait_for_moment()
    published = published_in(folder)
    run.wait_for_moment(1).kill()
    run.let_go()
    code = finish(outcome, run)
    if code not in (0, FAILED):
        outcome.problems.append("neither survived nor reported as failed")
    if code:
        run_again(campaign, outcome, folder, published)
    else:
        campaign.compare(outcome, run)
        look_into_store(outcome, folder, published)
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
        path: text for path, text in published_in(folder).items() if entry not in path.parents
    }
    spoil(victim)
    run_again(campaign, outcome, folder, published)
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
        run_again(campaign, outcome, folder, published)
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
        run_again(campaign, outcome, folder, published)
    return outcome


def share_store(campaign: Campaign, name: str) -> Outcome:
    """Two sweeps with a Ray cluster each, and first stages in common, on one store at once."""
    outcome = Outcome(name, "from the start", "a second sweep on the same store")
    folder, runs = campaign.folder(name), {}
    for other_task in ("csqa", "arc_easy"):
        place = campaign.folder(f"{name}/{other_task}", other_task)
        runs[other_task] = Run(place, (*COMMAND[:-1], str(folder / "storage")))
    for other_task, run in runs.items():
        if finish(outcome, run) == 0:
            campaign.compare(outcome, run, other_task)
        else:
            outcome.problems.append(f"the sweep with {other_task} failed: {run.last_words}")
    look_into_store(outcome, folder, {})
    return outcome


def _fails_for_space(outcome: Outcome, folder: Path, run: Run) -> Published:
    """Waits for a run that must fail with a clear reason; returns what it has published."""
    code = finish(outcome, run)
    reasons = [line for line in run.output.splitlines() if line.startswith("Trial ")]
    if code != FAILED or not any("No space left on device" in line for line in reasons):
        outcome.problems.append(f"a full disk is not reported: exit code {code}, {reasons}")
    return published_in(folder)


def _killed(campaign: Campaign, name: str, moment: Moment) -> tuple[Outcome, Path]:
    """A run of which every process was killed at a moment."""
    fault = moment.draw(campaign.seed)
    outcome, folder = Outcome(name, str(fault), "SIGKILL to every process"), campaign.folder(name)
    run = Run(folder, COMMAND, [fault])
    run.wait_for_moment()
    run.kill_all()
    outcome.codes.append(None)
    return outcome, folder
