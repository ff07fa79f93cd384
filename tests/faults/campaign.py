"""Where the cases run, what they run, and the undisturbed run that they are compared with."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from raysweep.store.storage import Storage
from tests.faults.moments import NUM_STEPS, NUM_WORKERS
from tests.faults.outcome import Outcome
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
  zero_stage: 3
  max_failures: {{max_failures}}
  stall_minutes: {{stall_minutes}}
"""
COMMAND = ("raysweep.sweep", "space.yaml", "--storage", "storage")
Case = Callable[["Campaign", str], Outcome]


@dataclass(frozen=True)
class Campaign:
    """Where cases run, and the seed of what they draw."""

    work: Path
    seed: int

    def run(self, name: str, case: Case) -> Outcome:
        """Runs a case, or returns what an earlier run has found."""
        if self.is_done(name):
            return Outcome(**json.loads((self.work / f"{name}.json").read_text()))
        started = time.monotonic()
        outcome = case(self, name)
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
