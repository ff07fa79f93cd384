"""The report says what was done and what was found, and outcomes are kept."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from tests.faults.campaign import Campaign
from tests.faults.outcome import Outcome
from tests.faults.report import report

GOOD = Outcome("kill-a", "training", "SIGKILL", [None, 0], 1, 768, seconds=61.2, day="2026-01-02")
BAD = Outcome("kill-b", "a | b", "SIGKILL", [1], problems=["steps: 1 rows lost"], day="2026-01-05")
SKIPPED = Outcome("disk-full", "m", "d", skipped="no mounts here", day="2026-01-03")


def test_report() -> None:
    names = ["kill-a", "kill-b", "disk-full", "kill-c"]
    text = report([GOOD, BAD, SKIPPED], names, seed=7)
    assert "2026-01-02 to 2026-01-05; seed 7; " in text
    assert "CPU cores" in text
    assert "**1 of 3 cases passed.**" in text
    assert "Not run: kill-c." in text
    assert "| kill-a | training | SIGKILL | - 0 | 1 | 768 | 61 | 2026-01-02 | passed |" in text
    assert "a \\| b" in text
    assert "**failed**: steps: 1 rows lost |" in text
    assert "skipped: no mounts here |" in text


def test_rows_of_cases_that_were_not_run_again_stay() -> None:
    names = ["kill-a", "kill-b", "disk-full"]
    first = report([GOOD, BAD], names, seed=7)
    better = replace(BAD, problems=[], day="2026-02-01")
    second = report([better, SKIPPED], names, seed=7, earlier=first)
    assert "| kill-a | training | SIGKILL | - 0 | 1 | 768 | 61 | 2026-01-02 | passed |" in second
    assert second.count("| kill-b |") == 1
    assert "| 2026-02-01 | passed |" in second
    assert "**2 of 3 cases passed.**" in second
    assert "Not run" not in second
    assert report([], names, seed=7, earlier=second).count("\n| ") == second.count("\n| ")


def test_a_case_that_is_done_is_not_run_again(tmp_path: Path) -> None:
    calls = []

    def case(campaign: Campaign, name: str) -> Outcome:
        calls.append(name)
        return Outcome(name, "m", "d", [None, 0])

    first = Campaign(tmp_path, 0).run("made-up", case)
    assert Campaign(tmp_path, 0).run("made-up", case) == first
    assert calls == ["made-up"]
