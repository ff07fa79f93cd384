"""Scratch folders: deleted by their makers, or by the next maker where those were killed."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from raysweep.store.host_folder import PREFIX, scratch_folder, scratch_path
from tests.processes import next_line

HOLD = """
import sys, time
from pathlib import Path
from raysweep.store.host_folder import scratch_folder
with scratch_folder(Path(sys.argv[1])) as folder:
    (folder / "weights").write_text("large")
    print("held", flush=True)
    time.sleep(100)
"""


@pytest.fixture
def held(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """A process that holds the folder "other"."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path / f"{PREFIX}other")],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert next_line(process) == "held\n"
    yield process
    process.kill()
    process.communicate()


def test_it_is_there_and_then_gone(tmp_path: Path) -> None:
    with scratch_folder(tmp_path / f"{PREFIX}mine") as folder:
        assert list(tmp_path.iterdir()) == [folder]
        assert folder.stat().st_mode & 0o777 == 0o700
    assert list(tmp_path.iterdir()) == []


def test_what_is_in_use_stays(tmp_path: Path, held: subprocess.Popen[str]) -> None:
    with scratch_folder(tmp_path / f"{PREFIX}mine"):
        assert (tmp_path / f"{PREFIX}other" / "weights").exists()


def test_what_a_killed_process_has_left_is_deleted(
    tmp_path: Path, held: subprocess.Popen[str]
) -> None:
    held.kill()
    held.wait()
    assert (tmp_path / f"{PREFIX}other" / "weights").exists()
    with scratch_folder(tmp_path / f"{PREFIX}mine") as folder:
        assert list(tmp_path.iterdir()) == [folder]


def test_links_and_files_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / "precious").mkdir()
    (tmp_path / f"{PREFIX}link").symlink_to(tmp_path / "precious")
    (tmp_path / f"{PREFIX}file").write_text("")
    with scratch_folder(tmp_path / f"{PREFIX}mine"):
        pass
    assert len(list(tmp_path.iterdir())) == 3


def test_path() -> None:
    assert scratch_path("t") == scratch_path("t") != scratch_path("u")
