"""Watching a command: its end, its time and its memory."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from benchmarks import entries


def test_a_run_is_timed_and_its_memory_counted(tmp_path: Path) -> None:
    measured = entries.run(["raysweep.plan", "order"], tmp_path)
    assert measured.code == 0
    assert measured.seconds > 0.1
    assert measured.peak > 10 * 2**20
    assert "stages" in (tmp_path / "output.txt").read_text()


def test_a_failed_run_has_its_code_and_last_words(tmp_path: Path) -> None:
    measured = entries.run(["raysweep.plan", "no_such_space"], tmp_path)
    assert measured.code == 2
    assert "no_such_space" in measured.last


def test_an_unknown_entry_is_refused() -> None:
    app = typer.Typer()
    app.command()(entries.main)
    result = CliRunner().invoke(app, ["lrr"])
    assert result.exit_code == 2
    assert "lrr: no such entry" in result.output


@pytest.mark.parametrize("name", entries.ENTRIES)
def test_entries_name_modules_that_exist(name: str) -> None:
    assert find_spec(entries.ENTRIES[name].split()[0])
