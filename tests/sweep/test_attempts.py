"""What is told and kept of attempts that have failed."""

from __future__ import annotations

import logging
from pathlib import Path
from types import SimpleNamespace

import pytest

from raysweep.store.storage import Storage
from raysweep.sweep.attempts import keep_errors, silence_tune

TEXT = """Failure # 1 (occurred at 2026-11-28_12-24-00)
Traceback (most recent call last):
  File "trial.py", line 149, in look
raysweep.sweep.stall.StalledError: its workers have made no progress for 0.75 minutes

"""


def trial(file: Path | None) -> SimpleNamespace:
    return SimpleNamespace(config={"trial": "a-1"}, error_file=file and str(file))


def test_the_innermost_message_is_told_and_all_is_kept(tmp_path: Path) -> None:
    file = tmp_path / "error.txt"
    file.write_text(TEXT)
    folder = Storage.open(tmp_path / "sweep")
    reason, place = keep_errors(folder, trial(file))
    assert reason == "its workers have made no progress for 0.75 minutes"
    assert place == f"{folder.uri}/errors/a-1.txt"
    assert Path(place).read_text() == TEXT
    file.write_text(TEXT + "KeyError: 'raysweep.x: y'\n")
    assert keep_errors(folder, trial(file))[0] == "KeyError: 'raysweep.x: y'"
    assert Path(place).read_text().endswith("y'\n")


def test_a_storage_that_takes_nothing_hides_no_reason(tmp_path: Path) -> None:
    file = tmp_path / "error.txt"
    file.write_text(TEXT)
    tmp_path.joinpath("sweep").write_text("a file where the folder would be")
    reason, place = keep_errors(Storage.open(tmp_path).sub("sweep"), trial(file))
    assert reason == "its workers have made no progress for 0.75 minutes"
    assert place == ""


def test_without_a_file_that_is_said(tmp_path: Path) -> None:
    folder = Storage.open(tmp_path)
    assert keep_errors(folder, trial(None)) == ("ended without a reason", "")
    assert keep_errors(folder, trial(tmp_path / "none")) == ("ended without a reason", "")


def test_tune_is_silent_about_failed_attempts_only(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("TUNE_PRINT_ALL_TRIAL_ERRORS", "1")
    silence_tune()
    logger = logging.getLogger("ray.tune.tune")
    with caplog.at_level(logging.ERROR, "ray.tune.tune"):
        logger.addHandler(caplog.handler)
        logger.error("Trials did not complete: [run_trial_1]")
        logger.error("Something else")
        logger.removeHandler(caplog.handler)
    assert {record.getMessage() for record in caplog.records} == {"Something else"}
