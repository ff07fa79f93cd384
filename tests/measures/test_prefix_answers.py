"""An answer that is the beginning of another: scored with the end mark, as training teaches it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.measures.learning import learned
from tests.places import ROOT
from tests.processes import run_group

ANSWERS = {"a": "It is red", "b": "It is red and blue", "c": "It is"}
WORDS = {"a": "dog", "b": "cat", "c": "bird"}


def write_own(folder: Path) -> Path:
    """Three answers, each the beginning of the next; one word of the question decides."""
    rows = [
        {"q": f"the {WORDS[label]} {thing} of person {number}", "y": label}
        for number in range(80)
        for label in WORDS
        for thing in ("stone", "river")
    ]
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    task = {
        "name": "prefixes",
        "kind": "safety",
        "files": {"pool": "rows.jsonl"},
        "question": "{q}",
        "label": "y",
        "answers": ANSWERS,
    }
    (folder / "task.yaml").write_text(json.dumps(task))
    return folder / "task.yaml"


@pytest.mark.distributed
def test_each_answer_is_told_from_those_that_it_begins(tmp_path: Path) -> None:
    ((accuracy, distinct, said),) = run_group(1, learned, write_own(tmp_path), 60)
    assert accuracy == 1.0
    assert distinct == 3
    assert said == 40, "greedy text agrees with the likeliest answer"


@pytest.mark.distributed
def test_the_case_that_was_found() -> None:
    case = ROOT.parent / "shared" / "cases" / "prefix_answers" / "task.yaml"
    if not case.is_file():
        pytest.skip(f"the small inputs that break a kind are not at {case.parent}")
    ((accuracy, distinct, _),) = run_group(1, learned, case, 60)
    assert accuracy == 1.0
    assert distinct == 2
