"""One case: a real sweep that is told to end at a moment, and what is looked at then."""

from __future__ import annotations

import json
import time
from dataclasses import asdict, dataclass, field
from datetime import date
from pathlib import Path

from raysweep.process.ending import HURRIED_SECONDS, LIMIT_SECONDS, REMEDY
from raysweep.store.storage import Storage
from tests.endings.moments import Moment, draw
from tests.faults.runs import Run, RunError
from tests.faults.tables import differences, load_tables

SPACE = """
name: endings
chains: [[toxigen, csqa2], [toxigen, csqa]]
data: {num_train: 130, num_test: 26}
stage: {num_steps: 2, learning_rate: 1.0e-3, sequence_limit: 512}
curvature: {enabled: false}
workers: {num_workers: 1, zero_stage: 0}
"""
COMMAND = ("raysweep.sweep", "space.yaml", "--storage", "storage")
SIGTERM_BIT = 1 << 14  # in the mask of caught signals: Python by itself catches SIGINT alone
FINISH_EVERY = 8  # of the cases that are run again to their end
LINGER_SECONDS = 5.0  # after the command's end, for its processes to have gone
SLACK_SECONDS = 8.0  # of a busy machine
LAST_STAGE, TABLE = "stage 2 ", "learning rates"
OVER = "Workers computed"  # the last line of a sweep that has ended by itself


@dataclass
class Outcome:
    """What one case showed.

    Attributes:
        code: the exit code; None where the moment never came.
        seconds: from the first signal to the command's end.
        finished: what the same command gave after that, where it was run again.
    """

    number: int
    moment: str
    way: str
    code: int | None = None
    seconds: float = 0.0
    has_table: bool = False
    finished: str = ""
    problems: list[str] = field(default_factory=list)
    day: str = field(default_factory=lambda: date.today().isoformat())


class Sweep(Run):
    """A run that is sent signals, as by a terminal: all processes of its group."""

    def wait_for(self, moment: Moment) -> None:
        """Returns at the moment.

        Raises:
            RunError: the command has ended before.
        """
        while not self._has_come(moment.sign):
            self._go_on_waiting(f"the moment never came ({moment})")
        until = time.monotonic() + moment.delay
        while time.monotonic() < until and self._process.poll() is None:
            time.sleep(0.02)
        self._look()

    def send(self, moment: Moment) -> float:
        """Sends the signals; the time of the last one."""
        for gap, number in zip((0.0, *moment.gaps), moment.signals, strict=True):
            time.sleep(gap)
            if self._process.poll() is None:
                self._process.send_signal(number)
        return time.monotonic()

    @property
    def ended(self) -> float:
        """When the command had ended."""
        return self._ended

    def finish(self, linger: float = LINGER_SECONDS) -> tuple[int, list[str]]:
        """As of any run; notes when the command ended."""
        while self._process.poll() is None:
            self._go_on_waiting("the command did not end")
        self._ended = time.monotonic()
        return super().finish(linger)

    def _has_come(self, sign: str) -> bool:
        if sign:
            return sign in self.output
        status = Path(f"/proc/{self._process.pid}/status").read_text()
        (caught,) = [line.split()[1] for line in status.splitlines() if line.startswith("SigCgt")]
        return bool(int(caught, 16) & SIGTERM_BIT)


@dataclass(frozen=True)
class Campaign:
    """Where cases run, and the seed of their moments."""

    work: Path
    seed: int

    def run(self, number: int) -> Outcome:
        """Runs a case, or returns what an earlier run of the campaign has found."""
        place = self.work / f"{number}.json"
        if place.exists():
            return Outcome(**json.loads(place.read_text()))
        outcome = self.interrupt(number, draw(self.seed, number))
        place.write_text(json.dumps(asdict(outcome), indent=1))
        return outcome

    def interrupt(self, number: int, moment: Moment) -> Outcome:
        """Runs a sweep, tells it to end, and looks at how it does."""
        outcome = Outcome(number, str(moment), moment.way)
        folder = self._folder(f"case-{number}")
        run = Sweep(folder, COMMAND)
        try:
            run.wait_for(moment)
        except RunError as error:
            outcome.problems.append(str(error))
            return outcome
        first = time.monotonic()
        last = run.send(moment)
        outcome.code, left = run.finish(LINGER_SECONDS)
        outcome.seconds = run.ended - first
        self._judge(outcome, moment, run, left, run.ended - last)
        if number % FINISH_EVERY == 0:
            self._finish(outcome, folder)
        return outcome

    def _judge(
        self, outcome: Outcome, moment: Moment, run: Sweep, left: list[str], since_last: float
    ) -> None:
        problems, output = outcome.problems, run.output
        outcome.has_table = TABLE in output
        if OVER in output and REMEDY not in output and outcome.code in (0, 128 - moment.code):
            outcome.finished = "was over"  # and Ray, as it ends, leaves SIGTERM to the system
        elif outcome.code != moment.code:
            problems.append(f"exit code {outcome.code}, not {moment.code}: {run.last_words}")
        if "Traceback" in output or "Exception ignored" in output:
            problems.append("a traceback")
        if LAST_STAGE in output and not outcome.has_table:
            problems.append("no table, though there are results")
        remedy = REMEDY if "Sweep " in output else "Interrupted."
        if remedy not in output and not outcome.finished:
            problems.append(f"no remedy: {run.last_words}")
        if left:
            problems.append(f"left behind: {', '.join(sorted(left))}")
        is_hurried = len(moment.signals) > 1
        limit = HURRIED_SECONDS if is_hurried else LIMIT_SECONDS
        if (since_last if is_hurried else outcome.seconds) > limit + SLACK_SECONDS:
            problems.append(f"took {outcome.seconds:.0f} s")

    def _finish(self, outcome: Outcome, folder: Path) -> None:
        run = Run(folder, COMMAND)
        code, left = run.finish()
        if code or left:
            outcome.problems.append(f"run again: exit code {code}, left {left}: {run.last_words}")
            return
        expected = load_tables(self._undisturbed())
        outcome.problems += differences(expected, load_tables(run.results))
        outcome.finished = "all rows equal"

    def _undisturbed(self) -> Storage:
        """The results of an undisturbed run, which is made once."""
        place = self.work / "undisturbed.txt"
        if not place.exists():
            run = Run(self._folder("undisturbed"), COMMAND)
            code, left = run.finish()
            if code or left:
                raise RunError(f"undisturbed: exit code {code}, left {left}\n{run.output}")
            place.write_text(run.results.uri)
        return Storage.open(place.read_text())

    def _folder(self, name: str) -> Path:
        folder = self.work / name
        if folder.exists():  # of a case that was cut off
            folder.rename(self.work / f"{name}-{time.time_ns()}")
        folder.mkdir(parents=True)
        (folder / "space.yaml").write_text(SPACE)
        return folder
