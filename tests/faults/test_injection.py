"""The stop at an exact call, in small processes of their own."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal

import pytest

from tests.faults.moments import Fault, as_variable, reached
from tests.faults.runs import INJECT

MODULE = """
class Store:
    def write(self, name):
        print("wrote", name, flush=True)
"""
WRITES = "import victim; store = victim.Store(); [store.write(n) for n in ('a/1', 'b/1', 'a/2')]"
FAULT = Fault("writing", "victim:Store.write", "before", "a/", 2)


@pytest.fixture(autouse=True)
def victim(tmp_path: Path) -> None:
    (tmp_path / "victim.py").write_text(MODULE)


def start(folder: Path, faults: Sequence[Fault], code: str = WRITES) -> subprocess.Popen[str]:
    environment = {
        **os.environ,
        "PYTHONPATH": f"{INJECT}{os.pathsep}{folder}",
        **as_variable([replace(fault, folder=str(folder)) for fault in faults]),
    }
    return subprocess.Popen(
        [sys.executable, "-c", code],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def wait_until_reached(folder: Path) -> int:
    deadline = time.monotonic() + 30
    while (pid := reached(folder)) is None:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return pid


@pytest.mark.parametrize(
    ("when", "done"), [("before", ["a/1", "b/1"]), ("after", ["a/1", "b/1", "a/2"])]
)
def test_a_process_stops_before_or_after_the_call(
    tmp_path: Path, when: Literal["before", "after"], done: list[str]
) -> None:
    process = start(tmp_path, [replace(FAULT, when=when)])
    assert wait_until_reached(tmp_path) == process.pid
    process.kill()
    assert process.communicate()[0].split() == [w for name in done for w in ("wrote", name)]


def test_it_goes_on_when_it_may(tmp_path: Path) -> None:
    process = start(tmp_path, [FAULT])
    wait_until_reached(tmp_path)
    (tmp_path / "go").touch()
    assert process.communicate()[0].splitlines()[-1] == "wrote a/2"
    assert process.returncode == 0


def test_calls_are_counted_over_processes(tmp_path: Path) -> None:
    first = start(tmp_path, [replace(FAULT, occurrence=4)])
    assert first.communicate()[0].count("wrote") == 3
    second = start(tmp_path, [replace(FAULT, occurrence=4)])
    assert wait_until_reached(tmp_path) == second.pid
    second.kill()
    assert second.communicate()[0].splitlines() == ["wrote a/1", "wrote b/1"]


def test_an_error_can_be_raised_instead(tmp_path: Path) -> None:
    process = start(tmp_path, [replace(FAULT, action="raise", errno=28)])
    output, errors = process.communicate()
    assert "wrote a/2" not in output
    assert "No space left on device" in errors


def test_modules_that_are_imported_early_and_processes_without_the_target(tmp_path: Path) -> None:
    early = replace(FAULT, target="pathlib:Path.replace", match="", occurrence=1, action="note")
    code = "from pathlib import Path; Path('x').write_text(''); Path('x').replace('y')"
    process = start(tmp_path, [early], f"import os; os.chdir({str(tmp_path)!r}); {code}")
    assert process.communicate()[1] == ""
    assert reached(tmp_path) == process.pid
    assert (tmp_path / "y").exists()
    other = start(tmp_path, [FAULT], "print('hello')")
    assert other.communicate() == ("hello\n", "")
