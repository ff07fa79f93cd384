"""Mutated search spaces, command lines, task files and model folders: a clear error, or right."""

from __future__ import annotations

import importlib
import random
from pathlib import Path

from tests.mutations.outcome import Outcome, judge

SHARES = {"spaces": 0.4, "command_lines": 0.25, "task_files": 0.2, "model_folders": 0.15}
KINDS = tuple(SHARES)


def run_case(kind: str, seed: int, folder: Path) -> Outcome:
    """One case; its kind is the name of the module that makes it."""
    place = folder / kind
    place.mkdir(exist_ok=True)
    random.seed(seed)
    return judge(kind, seed, importlib.import_module(f"tests.mutations.{kind}").make, place)
