"""A seeded part of the campaign: nothing that people bring ends in a traceback, or never."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.mutations import run_case

NUMBERS = {"spaces": 80, "command_lines": 30, "task_files": 40, "model_folders": 30}


@pytest.mark.parametrize("kind", NUMBERS)
def test_a_mutated_input_is_refused_on_one_line_or_right(kind: str, tmp_path: Path) -> None:
    outcomes = [run_case(kind, seed, tmp_path) for seed in range(5000, 5000 + NUMBERS[kind])]
    bad = [one for one in outcomes if one.verdict not in ("clear error", "right")]
    assert not bad, "\n".join(map(str, bad))
    assert sum(one.verdict == "right" for one in outcomes) >= len(outcomes) / 20, "none is accepted"
