"""A case of the campaign, and what it draws and reports."""

from __future__ import annotations

import json
import signal
from collections import Counter
from pathlib import Path

import pytest

from tests.endings import cases
from tests.endings.cases import Campaign, Outcome
from tests.endings.moments import SIGNS, Moment, draw
from tests.endings.report import report


def test_a_seed_draws_the_same_moments_of_all_kinds() -> None:
    moments = [draw(0, number) for number in range(30)]
    assert moments == [draw(0, number) for number in range(30)]
    assert moments != [draw(1, number) for number in range(30)]
    signs = Counter(moment.sign for moment in moments)
    assert signs.keys() == {"", *SIGNS}
    assert min(signs.values()) >= 3
    assert {moment.signals[0] for moment in moments} == {
        signal.SIGINT,
        signal.SIGTERM,
        signal.SIGHUP,
    }
    assert {len(moment.signals) for moment in moments} == {1, 2, 5}
    assert all(len(moment.gaps) == len(moment.signals) - 1 for moment in moments)


def test_report() -> None:
    good = Outcome(0, "1.0 s after the start", "SIGINT", 130, 2.34, day="2026-01-02")
    bad = Outcome(1, "m", "SIGTERM", 1, problems=["exit code 1, not 143: a | b"], day="2026-01-03")
    text = report([good, bad], number=3, seed=7)
    assert "2026-01-02 to 2026-01-03; seed 7; " in text
    assert "**1 of 3 passed**, 2 were run." in text
    assert "| 0 | 1.0 s after the start | SIGINT | 130 | 2.3 | - | - | passed |" in text
    assert "exit code 1, not 143: a \\| b |" in text


def test_a_case_that_is_done_is_not_run_again(tmp_path: Path) -> None:
    (tmp_path / "4.json").write_text(json.dumps({"number": 4, "moment": "m", "way": "SIGINT"}))
    assert Campaign(tmp_path, 0).run(4) == Outcome(4, "m", "SIGINT", day=Outcome(0, "", "").day)


@pytest.mark.ray
def test_a_sweep_that_is_interrupted_while_workers_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before the first result: Tune knows next to nothing of its trials then."""
    monkeypatch.setattr(cases, "FINISH_EVERY", 10**9)
    moment = Moment("Started a Ray cluster", 4.0, (signal.SIGTERM, signal.SIGINT), (0.5,))
    outcome = Campaign(tmp_path, 0).interrupt(1, moment)
    assert outcome.problems == []
