"""Mutated command lines of all entries, up to the moment before something would start."""

from __future__ import annotations

import contextlib
import io
import os
import random
import runpy
import sys
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any
from unittest import mock

from raysweep.cli import curvature as curvature_command
from raysweep.cli import sweep as command
from raysweep.errors import InputError
from tests.mutations.outcome import Case

SWEEPS = ("lr_sweep", "order_sweep", "replay_sweep", "curvature_sweep", "optuna_sweep", "sweep")
SECONDS = 40.0  # of computing: rows are read and plans are made
PATHS = (
    *("", " ", "~nobody/x", "a\0b", "x" * 300, "/".join(["x" * 200] * 30), "/dev/zero"),
    *("/dev/null", "/", "nowhere", "pipe", "file", "loop", "folder", "\udcff", "nope://x"),
    *("s3:///", "://", ".", "file:///nowhere", "a\nb", "[/red]", "~", "file/below", "é" * 200),
    "/proc/self/mem",
)
NUMBERS = (
    *("", "0", "-1", "1", "2", "2.0", "1e3", "nan", "inf", "-inf", "1e-321", "1e400", "x", "0x10"),
    *("9" * 30, "9" * 5000, "9223372036854775807", "9223372036854775808", "1_0", "١", "true", " 1"),
)
SEEDS = (*NUMBERS, "0,1,2", "0,0", "1,", ",", "0-4", "0,1,-2", "3,9223372036854775808", "0..100000")
TASKS = (
    *("bbq,arc_easy", "bbq", "bbq,bbq", "bbq,", ",", "", "nosuch,bbq", "toxigen,nowhere.yaml"),
    *("toxigen,pipe.yaml", "toxigen,~nobody/x.yaml", "a\0.yaml,bbq", "x" * 300 + ".yaml,bbq"),
    *("toxigen,csqa,bbq", "folder.yaml,bbq", "toxigen,[/red]"),
)
SPACES = (*PATHS, "lr", "replay", "overnight/lr", "nosuch", "../lr", "lr.yaml", "pipe.yaml")
OPTIONS: dict[str, dict[str, Sequence[str]]] = {
    "sweep": {
        "--space": SPACES,
        "--model": PATHS,
        "--data": PATHS,
        "--judge": PATHS,
        "--storage": PATHS,
        "--seeds": SEEDS,
        "--tasks": TASKS,
        "--num-workers": NUMBERS,
        "--num-test": NUMBERS,
        "--num-steps": NUMBERS,
        "--wait-for-workers": NUMBERS,
        "--gpus": (),
        "--resume": (),
        "--nosuch": (),
        "--no-dashboard": (),
        "--help": (),
    },
    "plan": {
        "--model": PATHS,
        "--data": PATHS,
        "--storage": PATHS,
        "--num-workers": NUMBERS,
        "--num-test": NUMBERS,
        "--num-steps": NUMBERS,
        "--utilisation": NUMBERS,
        "--tokens-per-second": NUMBERS,
        "--startup-seconds": NUMBERS,
        "--price": NUMBERS,
        "--gpu": ("h100", "x", ""),
        "--json": (),
        "--outline": (),
        "--nosuch": (),
    },
    "curvature": {
        "--task": TASKS,
        "--data": PATHS,
        "--num-samples": NUMBERS,
        "--seed": NUMBERS,
        "--reduction": NUMBERS,
        "--solver": NUMBERS,
        "--operator": NUMBERS,
        "--plot": PATHS,
        "--tolerance": NUMBERS,
        "--max-products": NUMBERS,
        "--sequence-limit": NUMBERS,
        "--batch-size": NUMBERS,
        "--device": NUMBERS,
    },
    "tasks": {
        "--data": PATHS,
        "--show": TASKS,
        "--validate": PATHS,
        "--space": SPACES,
        "--index": NUMBERS,
        "--seed": NUMBERS,
        "--model": PATHS,
    },
    "query": {"--format": ("table", "csv", "json", "x", ""), "--nosuch": ()},
    "analysis": {"--out": PATHS, "--learning-rates": (*NUMBERS, "1e-5,1e-5", ",")},
    "judge": {"--out": PATHS},
}


class _StartError(BaseException):
    """Everything was accepted: the next thing would be to start."""


def make(source: random.Random, folder: Path) -> Case:
    """An entry with one to three odd options."""
    entry = source.choice((*SWEEPS, *SWEEPS, "plan", "plan", "curvature", "tasks", "query"))
    entry = source.choice((entry, entry, entry, entry, "analysis", "judge"))
    room = "sweep" if entry in SWEEPS else entry
    arguments = list(_positional(room, source))
    for name in source.sample(
        list(OPTIONS[room]), k=min(source.choice((1, 1, 2)), len(OPTIONS[room]))
    ):
        values = OPTIONS[room][name]
        arguments += [name, source.choice(values)] if values else [name]
    if room == "curvature" and "--task" not in arguments:
        arguments += ["--task", "toxigen"]
    if room == "judge" and "--out" not in arguments:
        arguments += ["--out", "out"]
    if room == "plan":
        arguments.append("--outline")
    furnish(folder)
    shown = " ".join(repr(one[:60]) if not one.isprintable() else one[:60] for one in arguments)
    return Case(f"{entry} {shown}", lambda: run(entry, arguments, folder), SECONDS)


def _positional(room: str, source: random.Random) -> Iterator[str]:
    if room in ("sweep", "plan"):
        yield source.choice(("lr", "lr", "lr", source.choice(SPACES)))
    elif room == "curvature":
        yield source.choice(("tiny", "tiny", source.choice(PATHS)))
    elif room in ("query", "analysis", "judge"):
        yield source.choice(PATHS)
        if room == "query" and source.random() < 0.5:
            yield source.choice(("SELECT 1", "DROP TABLE x", "", "\0", "SELECT", "'", "x" * 5000))


def furnish(folder: Path) -> None:
    """What the odd paths mean: a pipe, a file, a folder, a link to itself."""
    for name in ("pipe", "pipe.yaml"):
        if not (folder / name).exists():
            os.mkfifo(folder / name)
    (folder / "file").write_text("x")
    for name in ("folder", "folder.yaml"):
        (folder / name).mkdir(exist_ok=True)
    if not (folder / "loop").is_symlink():
        (folder / "loop").symlink_to("loop")


def run(entry: str, arguments: Sequence[str], folder: Path) -> str:
    """Runs an entry in this process; what is wrong with how it ended.

    Raises:
        InputError: it ended with one line and exit code 2.
    """
    out, err, code = io.StringIO(), io.StringIO(), 0

    def start(*_: Any, **__: Any) -> None:
        raise _StartError

    module = entry if entry in ("analysis", "raysweep") else f"raysweep.{entry}"
    with contextlib.ExitStack() as stack:
        for target, name in ((command, "run_plan"), (curvature_command, "load_hessian")):
            stack.enter_context(mock.patch.object(target, name, start))
        stack.enter_context(mock.patch.object(sys, "argv", [entry, *arguments]))
        stack.enter_context(contextlib.chdir(folder))
        stack.enter_context(warnings.catch_warnings())
        warnings.filterwarnings("ignore", category=RuntimeWarning, module="runpy")
        stack.enter_context(contextlib.redirect_stdout(out))
        stack.enter_context(contextlib.redirect_stderr(err))
        try:
            runpy.run_module(module, run_name="__main__", alter_sys=False)
        except _StartError:
            return ""
        except SystemExit as ending:
            code = ending.code if isinstance(ending.code, int) else int(bool(ending.code))
    return _verdict(code, err.getvalue())


def _verdict(code: int, err: str) -> str:
    lines = err.strip().splitlines()
    if code == 0:
        return "" if not lines else f"exit code 0, and on stderr: {lines[0]}"
    if code == 2 and len(lines) == 1 and lines[0].startswith("error: "):
        raise InputError("command", lines[0].removeprefix("error: "), "one line")
    return f"exit code {code}: {err[-300:]}"
