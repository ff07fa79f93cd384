"""Small tasks that people bring, each with its right value or the refusal that names it."""

from __future__ import annotations

import json
import random
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from raysweep.errors import InputError
from raysweep.tasks.custom import TaskSpec, read_task
from raysweep.tasks.loading import load_examples
from raysweep.tasks.settings import DataSettings
from raysweep.tasks.splits import Splits, load_splits
from raysweep.tasks.task import Task
from tests.places import ROOT

CASES = ROOT.parent / "shared" / "cases"


def case(name: str) -> Path:
    path = CASES / name / "task.yaml"
    if not path.is_file():
        pytest.skip(f"the case {name} is not in {CASES}")
    return path


def built(path: Path) -> Task:
    return TaskSpec.model_validate(read_task(path)).build()


def rows_of(name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (CASES / name / "rows.jsonl").read_text().splitlines()]


def refused(path: Path) -> str:
    with pytest.raises(InputError) as caught:
        load_splits(built(path), DataSettings())
    assert "\n" not in str(caught.value)
    return str(caught.value)


def everything(splits: Splits) -> list[Any]:
    return [*splits.train, *splits.validation, *splits.test]


@pytest.mark.parametrize(("name", "answer"), [("blank_answer", "' '"), ("empty_answer", "''")])
def test_answers_of_nothing(name: str, answer: str) -> None:
    message = refused(case(name))
    assert message.startswith(f"{case(name)}: answers")
    assert f"the answer {answer} is empty or blank; give it a text" in message


def test_prefix_answers_are_two_answers() -> None:
    splits = load_splits(built(case("prefix_answers")), DataSettings())
    labels = Counter(example.answers[example.label] for example in everything(splits))
    expected = Counter(row["y"] for row in rows_of("prefix_answers"))
    assert labels == {
        "This is toxic": expected["a"],
        "This is toxic and rude": expected["b"],
    }


def test_a_subset_and_a_group_that_are_called_as_results_call_all_rows(tmp_path: Path) -> None:
    path = case("group_overall")
    assert "a subset is called 'all', as results call all rows; rename it" in refused(path)
    text = path.read_text().replace("subset: s\nsubsets: [all, hard]\n", "")
    (tmp_path / "task.yaml").write_text(text)
    (tmp_path / "rows.jsonl").write_bytes((path.parent / "rows.jsonl").read_bytes())
    message = refused(tmp_path / "task.yaml")
    assert f"{tmp_path}/rows.jsonl:1: field g = 'overall' is called 'overall'" in message


def test_rows_in_long_format_keep_their_groups_in_any_order(tmp_path: Path) -> None:
    path = case("long_format_groups")
    expected: dict[str, set[str]] = {}
    for row in rows_of("long_format_groups"):
        expected.setdefault(row["q"], set()).add(row["g"])
    splits = load_splits(built(path), DataSettings())
    found = {example.question: set(example.groups) for example in everything(splits)}
    assert found == expected
    assert sum(splits.drops.values()) == 400 - len(expected)
    lines = (path.parent / "rows.jsonl").read_text().splitlines(keepends=True)
    random.Random(3).shuffle(lines)
    (tmp_path / "rows.jsonl").write_text("".join(lines))
    (tmp_path / "task.yaml").write_bytes(path.read_bytes())
    assert load_splits(built(tmp_path / "task.yaml"), DataSettings()).digests == splits.digests


def test_a_number_that_is_missing_is_no_word() -> None:
    message = refused(case("nan_column"))
    assert "rows.jsonl:1: field age = 'nan' is no number" in message


def test_markup_stays_text() -> None:
    task = built(case("markup"))
    groups = {group for e in load_examples(task, "").examples["pool"] for group in e.groups}
    assert task.title == "[/x]"
    assert groups == {row["g"] for row in rows_of("markup")}


def test_a_byte_order_mark_and_line_breaks_in_quotes() -> None:
    rows = load_examples(built(case("csv_bom_crlf")), "").examples["pool"]
    assert len(rows) == 100
    assert rows[7].question.endswith("line 7, ünï")
    assert rows[7].question.startswith('line "one"')
    assert {example.groups for example in rows} == {("grün",)}
