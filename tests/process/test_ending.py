"""Signals at every moment of a command, in small processes of their own."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from tests.processes import next_line

ROOT = Path(__file__).parents[2]
CODES = {signal.SIGINT: 130, signal.SIGTERM: 143, signal.SIGHUP: 129}
PREAMBLE = """
import os, signal, subprocess, sys, threading, time
from raysweep.process import ending
from raysweep.cli.console import command_line
ending.LIMIT_SECONDS, ending.HURRIED_SECONDS, ending.REPEAT_SECONDS = 6.0, 1.0, 1.0

def ready():
    print("ready", flush=True)
    time.sleep(60)
"""
# What a command does when the signal comes, and what it still prints.
SITUATIONS = {
    "waiting": ("with command_line(): ready()", ""),
    "amid imports": ("ending.ENDING.begin(); ready()", ""),
    "the exception is lost in a destructor": (
        """
class Lost:
    def __del__(self): ready()
with command_line():
    Lost()
    time.sleep(60)
""",
        "",
    ),
    "the exception is lost in a callback of a fork": (
        """
with command_line():
    os.register_at_fork(after_in_parent=ready)
    subprocess.run(["true"], preexec_fn=lambda: None)
    time.sleep(60)
""",
        "",
    ),
    "a library makes another exception of it": (
        """
with command_line():
    try: ready()
    except KeyboardInterrupt: raise ImportError("half imported") from None
""",
        "",
    ),
    "a library has taken the signals": (
        """
with command_line():
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(15))
    ready()
""",
        "",
    ),
    "the end is told": (
        """
with command_line():
    with ending.ENDING.awaited(): ready()
    print("table")
""",
        "table",
    ),
    "the end hangs": (
        """
with command_line():
    with ending.ENDING.awaited(): ready()
    print("table", flush=True)
    time.sleep(60)
""",
        "table",
    ),
    "while the end is told": (
        """
with command_line():
    with ending.ENDING.awaited(): pass
    print("ready", flush=True)
    time.sleep(1)
    print("table")
""",
        "table",
    ),
    "there are processes, also orphans": (
        """
with command_line():
    subprocess.Popen(["sh", "-c", "trap '' INT TERM; sleep 77 & sleep 77"])
    subprocess.run(["setsid", "sh", "-c", "sleep 77 & true"])
    time.sleep(0.5)
    ready()
""",
        "",
    ),
}


def start(
    code: str, stdin: int | None = None, preexec_fn: Callable[[], object] | None = None
) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", PREAMBLE + code],
        env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": ""},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        stdin=stdin,
        preexec_fn=preexec_fn,
    )


@pytest.mark.parametrize("number", CODES, ids=lambda one: one.name)
@pytest.mark.parametrize("situation", SITUATIONS)
def test_a_signal_ends_a_command_in_one_line(situation: str, number: signal.Signals) -> None:
    code, told = SITUATIONS[situation]
    process = start(code)
    assert next_line(process) == "ready\n"
    below = psutil.Process(process.pid).children(recursive=True)
    process.send_signal(number)
    output, errors = process.communicate(timeout=40)
    assert process.returncode == CODES[number], errors
    assert errors == "Interrupted.\n"
    assert output.strip() == told
    assert not [one for one in below if one.is_running() and one.status() != "zombie"]


def test_a_second_signal_hurries_the_end() -> None:
    process = start(SITUATIONS["the end hangs"][0].replace("ready()", "ready()", 1))
    assert next_line(process) == "ready\n"
    started = time.monotonic()
    process.send_signal(signal.SIGINT)
    assert next_line(process) == "table\n"
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=40)
    assert (process.returncode, errors) == (130, "Interrupted.\n")
    assert time.monotonic() - started < 5.5, "the limit of one signal is 6 seconds here"


def test_many_signals_at_once_are_one() -> None:
    process = start(SITUATIONS["the end is told"][0])
    assert next_line(process) == "ready\n"
    for _ in range(20):
        process.send_signal(signal.SIGINT)
    output, errors = process.communicate(timeout=40)
    assert process.returncode == 130
    assert "Traceback" not in errors
    assert errors == "Interrupted.\n"
    assert output in ("table\n", "")


def test_what_was_ignored_from_the_start_stays_so() -> None:
    """As by nohup."""
    code = (
        "with command_line():\n    print('ready', flush=True); time.sleep(1.5)\n    print('done')"
    )
    process = start(code, preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN))
    assert next_line(process) == "ready\n"
    process.send_signal(signal.SIGHUP)
    output, errors = process.communicate(timeout=40)
    assert (process.returncode, output, errors) == (0, "done\n", "")


def test_a_request_is_an_end_with_another_code() -> None:
    process = start(
        """
with command_line():
    with ending.ENDING.awaited():
        threading.Timer(0.5, ending.ENDING.request, (1, "Lost.")).start()
        time.sleep(60)
    print("table")
"""
    )
    output, errors = process.communicate(timeout=40)
    assert (process.returncode, output, errors) == (1, "table\n", "Lost. Interrupted.\n")


def test_other_ends_stay_as_they_are() -> None:
    for code in ("sys.exit(7)", "os._exit(7)"):
        process = start(f"with command_line(): {code}")
        assert process.communicate(timeout=40) == ("", "")
        assert process.returncode == 7
    process = start("with command_line(): raise ValueError('ours')")
    assert "ValueError: ours" in process.communicate(timeout=40)[1]


def test_a_forked_process_has_the_usual_signals() -> None:
    process = start(
        """
with command_line():
    child = os.fork()
    if not child: time.sleep(60)
    time.sleep(0.5)
    os.kill(child, signal.SIGTERM)
    print(os.waitpid(child, 0)[1], ending.ENDING.is_requested)
"""
    )
    assert process.communicate(timeout=40)[0] == f"{signal.SIGTERM.value} False\n"


@pytest.mark.parametrize(
    ("outlives", "code"), [("False", 128 + signal.SIGPIPE), ("True", 0)], ids=["query", "sweep"]
)
@pytest.mark.parametrize("is_late", [True, False], ids=["at the end", "amid"])
def test_a_closed_pipe_is_quiet(tmp_path: Path, outlives: str, code: int, is_late: bool) -> None:
    lines = 1 if is_late else 100_000
    process = start(
        f"""
with command_line(outlives_output={outlives}):
    sys.stdin.readline()
    for _ in range({lines}): print("a line")
    open({str(tmp_path / "done")!r}, "w")
""",
        stdin=subprocess.PIPE,
    )
    assert process.stdout
    assert process.stdin
    assert process.stderr
    process.stdout.close()
    process.stdin.write("go\n")
    process.stdin.close()
    errors = process.stderr.read()
    assert (process.wait(timeout=40), errors) == (code, "")
    assert (tmp_path / "done").exists() == (is_late or outlives == "True")


def test_a_terminal_that_is_closed_is_no_traceback_and_no_hang(tmp_path: Path) -> None:
    """SIGHUP comes from the system, and every write fails from then on."""
    ours, theirs = pty.openpty()
    code = f"""
import traceback
with command_line(outlives_output=True):
    try:
        with ending.ENDING.awaited(): ready()
        for _ in range(1000): print("table", flush=True)
        print("error", file=sys.stderr, flush=True)
        open({str(tmp_path / "done")!r}, "w")
    except BaseException:
        traceback.print_exc(file=open({str(tmp_path / "trace")!r}, "w"))
"""
    process = subprocess.Popen(
        [sys.executable, "-c", f"import fcntl, termios\nfcntl.ioctl(0, termios.TIOCSCTTY, 0)\n"
         f"{PREAMBLE}{code}"],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdin=theirs, stdout=theirs, stderr=theirs,
        start_new_session=True,
    )  # fmt: skip
    os.close(theirs)
    assert os.read(ours, 5) == b"ready"
    os.close(ours)
    assert process.wait(timeout=40) == 129
    assert (tmp_path / "done").exists()
    assert not (tmp_path / "trace").exists()


COMMANDS = {
    "raysweep.lr_sweep": (),
    "raysweep.sweep": ("lr",),
    "raysweep.query": ("nowhere",),
    "raysweep.plan": ("replay",),
    "raysweep.tasks": (),
    "raysweep.judge": ("nowhere", "--out", "judge"),
    "raysweep.curvature": ("tiny",),
    "raysweep.tiny.pretrain": ("--out", "base"),
    "analysis": ("nowhere",),
    "raysweep": ("plan", "replay"),
    "raysweep.cli.notebook": ("space.json", "--storage", "nowhere"),
}
SIGTERM_BIT = 1 << 14  # in the mask of caught signals: Python by itself catches SIGINT alone


def run_command(module: str, folder: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-u", "-m", module, *COMMANDS[module]],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def has_begun(process: subprocess.Popen[str]) -> bool:
    """Whether the command has taken over the signals."""
    status = Path(f"/proc/{process.pid}/status").read_text()
    (caught,) = [line.split()[1] for line in status.splitlines() if line.startswith("SigCgt")]
    return bool(int(caught, 16) & SIGTERM_BIT)


@pytest.mark.parametrize("delay", [0.0, 0.3])
@pytest.mark.parametrize("module", COMMANDS)
def test_every_command_ends_in_one_line_amid_its_imports(
    tmp_path: Path, module: str, delay: float
) -> None:
    process = run_command(module, tmp_path)
    while not has_begun(process):
        assert process.poll() is None
        time.sleep(0.005)
    time.sleep(delay)
    process.send_signal(signal.SIGINT)
    output, errors = process.communicate(timeout=60)
    assert (process.returncode, output) == (130, "")
    assert errors.startswith("Interrupted.")
    assert len(errors.splitlines()) == 1


def test_the_script_ends_in_one_line_amid_its_imports(tmp_path: Path) -> None:
    """As pip writes it; the first thing that it imports of ours is the package."""
    script = tmp_path / "raysweep"
    script.write_text("import sys\nfrom raysweep.cli.app import main\nsys.exit(main())\n")
    process = subprocess.Popen(
        [sys.executable, str(script), "plan", "replay"],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    while not has_begun(process):
        assert process.poll() is None
        time.sleep(0.005)
    process.send_signal(signal.SIGINT)
    assert process.communicate(timeout=60) == ("", "Interrupted.\n")
    assert process.returncode == 130


def test_a_pretraining_that_is_interrupted_amid_its_steps(tmp_path: Path) -> None:
    process = run_command("raysweep.tiny.pretrain", tmp_path)
    while not (tmp_path / "base").exists():  # made when all is imported
        assert process.poll() is None
        time.sleep(0.05)
    time.sleep(2)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert (process.returncode, errors.strip()) == (130, "Interrupted.")


def test_help_into_a_closed_pipe(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "raysweep.query", "--help"],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout
    assert process.stderr
    process.stdout.close()
    assert process.stderr.read() == ""
    assert process.wait(timeout=60) == 128 + signal.SIGPIPE
