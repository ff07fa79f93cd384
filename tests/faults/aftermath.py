"""After the disturbance: the command is run again, the store and the rows are looked at."""

from __future__ import annotations

from pathlib import Path

from tests.faults.campaign import COMMAND, Campaign
from tests.faults.outcome import Outcome
from tests.faults.runs import Run

MAX_RUNS = 3  # after the disturbed one
STORE = Path("storage", "store")
KINDS = ("weights", "stages", "evaluations", "curvature", "changes")
Published = dict[Path, bytes]


def finish(outcome: Outcome, run: Run) -> int:
    """Waits for a run's end and puts down how it ended."""
    code, left = run.finish()
    outcome.codes.append(code)
    if left:
        outcome.problems.append(f"left behind: {', '.join(sorted(left))}")
    return code


def run_again(
    campaign: Campaign, outcome: Outcome, folder: Path, published: Published | None = None
) -> None:
    """Runs the command until it exits with 0, compares its rows and looks into the store."""
    published = published_in(folder) if published is None else published
    for _ in range(MAX_RUNS):
        run = Run(folder, COMMAND)
        if finish(outcome, run) == 0:
            campaign.compare(outcome, run)
            break
    else:
        outcome.problems.append(f"unfinished after {MAX_RUNS} more runs: {run.last_words}")
    look_into_store(outcome, folder, published)


def published_in(folder: Path) -> Published:
    """The manifests in a store."""
    manifests = (path for kind in KINDS for path in (folder / STORE / kind).glob("*/manifest.json"))
    return {path: path.read_bytes() for path in manifests}


def look_into_store(outcome: Outcome, folder: Path, published: Published) -> None:
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
