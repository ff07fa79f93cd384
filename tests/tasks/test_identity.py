"""When rows, groups, labels and answers are the same: in any Unicode form, order and format."""

from __future__ import annotations

import dataclasses
import datetime
import decimal
import json
import os
import random
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from raysweep.errors import InputError
from raysweep.space.space import load_space
from raysweep.tasks.census import account, take_census
from raysweep.tasks.custom import TaskSpec, read_task
from raysweep.tasks.files import csv_rows, json_lines, json_list, parquet_rows
from raysweep.tasks.loading import load_examples
from raysweep.tasks.names import task_mistake
from raysweep.tasks.paper.toxigen_v1 import TASK as TOXIGEN_V1
from raysweep.tasks.registry import TASKS
from raysweep.tasks.settings import DataSettings
from raysweep.tasks.splits import Splits, load_splits
from raysweep.tasks.task import Example, Task
from raysweep.tasks.text import compared, seen

COMPOSED, DECOMPOSED = "caf\u00e9", "cafe\u0301"
SPEC: dict[str, Any] = {
    "name": "own",
    "kind": "safety",
    "files": {"pool": "rows.jsonl"},
    "question": "{q}",
    "label": "y",
    "answers": {"a": "Yes.", "b": "No."},
    "group": "g",
}
Row = dict[str, Any]


def plain(number: int, **changes: Any) -> Row:
    return {"q": f"text {number}", "y": "ab"[number % 2], "g": "women", **changes}


def write(folder: Path, rows: Sequence[Row], **changes: Any) -> Path:
    lines = (json.dumps(row, ensure_ascii=False) for row in rows)
    (folder / "rows.jsonl").write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    spec = {key: value for key, value in {**SPEC, **changes}.items() if value is not None}
    (folder / "own.yaml").write_text(yaml.safe_dump(spec, allow_unicode=True, sort_keys=False))
    return folder / "own.yaml"


def build(path: Path) -> Task:
    return TaskSpec.model_validate(read_task(path)).build()


def splits_of(folder: Path, rows: Sequence[Row], **changes: Any) -> Splits:
    return load_splits(build(write(folder, rows, **changes)), DataSettings())


def everything(splits: Splits) -> list[Example]:
    return [*splits.train, *splits.validation, *splits.test]


def refusal(folder: Path, rows: Sequence[Row], **changes: Any) -> str:
    with pytest.raises(InputError) as caught:
        splits_of(folder, rows, **changes)
    assert "\n" not in str(caught.value)
    return str(caught.value)


FILLING = [plain(number) for number in range(20)]


def test_one_text_in_two_unicode_forms_is_one_row_in_any_order(tmp_path: Path) -> None:
    twins = [plain(100, q=f"A {COMPOSED}?"), plain(100, q=f"A  {DECOMPOSED}?", g="men")]
    found = []
    for order in (twins, twins[::-1]):
        splits = splits_of(tmp_path, [*order, *FILLING])
        (row,) = [e for e in everything(splits) if compared(e.question) == f"A {COMPOSED}?"]
        assert row.groups == ("men", "women")
        found.append(splits.digests)
    assert found[0] == found[1]


def test_what_is_shown_stays_as_the_file_says(tmp_path: Path) -> None:
    splits = splits_of(tmp_path, [plain(100, q=f"A  {DECOMPOSED}\u00a0!"), *FILLING])
    assert f"A  {DECOMPOSED}\u00a0!" in {example.question for example in everything(splits)}


def test_labels_groups_subsets_and_ids_are_compared_in_one_form(tmp_path: Path) -> None:
    rows = [
        plain(n, y=(COMPOSED, "b")[n % 2], g=(COMPOSED, f" {DECOMPOSED} ")[n % 3 == 0], s=s, i=n)
        for n, s in enumerate([COMPOSED, DECOMPOSED] * 15)
    ]
    answers = {DECOMPOSED: "Yes.", "b": "No."}
    changes = {"answers": answers, "subset": "s", "subsets": [DECOMPOSED], "id": "i"}
    splits = splits_of(tmp_path, rows, **changes)
    assert len(everything(splits)) == 30
    assert {example.groups for example in everything(splits)} == {(COMPOSED,)}
    assert {example.subset for example in everything(splits)} == {DECOMPOSED}
    rows[3]["i"], rows[7]["i"] = COMPOSED, DECOMPOSED
    assert "stands at" in refusal(tmp_path, rows, **changes)


@pytest.mark.parametrize(
    ("answers", "expected"),
    [
        ({"a": "\u00a0", "b": "No."}, "is empty or blank"),
        ({"a": "\u200b", "b": "No."}, "is empty or blank"),
        ({"a": "Yes.", "b": " Yes. "}, "two labels have the same answer"),
        ({"a": COMPOSED, "b": DECOMPOSED}, "two labels have the same answer"),
        ({"a": "Yes\u200b.", "b": "Yes."}, "two labels have the same answer"),
        ({"a": "ﬁne", "b": "fine"}, "two labels have the same answer"),
        ({"a": "Ｙes", "b": "Yes"}, "two labels have the same answer"),
        ({COMPOSED: "Yes.", DECOMPOSED: "No."}, "two labels differ in white space or Unicode"),
        ({"a": "Yes.", " a": "No."}, "two labels differ in white space or Unicode"),
    ],
)
def test_answers_and_labels_that_nobody_can_tell_apart(
    tmp_path: Path, answers: dict[str, str], expected: str
) -> None:
    message = refusal(tmp_path, FILLING, answers=answers)
    assert message.startswith(f"{tmp_path}/own.yaml: answers")
    assert expected in message


@pytest.mark.parametrize("answers", [("Yes.", "Yes. "), ("", "No."), (COMPOSED, DECOMPOSED)])
def test_answers_of_a_packages_task_are_checked_too(answers: tuple[str, str]) -> None:
    task = dataclasses.replace(
        build_from(FILLING),
        parse=lambda row: Example("1", "", "", "text", answers, 0, answers[0]),
    )
    with pytest.raises(InputError, match=r"^row 1: the answer.*(blank|look the same)"):
        load_examples(task, "")


def build_from(rows: Sequence[Row], **changes: Any) -> Task:
    release = {"pool": [(f"row {n}", row) for n, row in enumerate(rows, start=1)]}
    task = TaskSpec.model_validate({**SPEC, **changes}).build()
    return dataclasses.replace(task, read_own=lambda: release)


@pytest.mark.parametrize("group", ["overall", " overall ", "all", "  ", "nan", "NaT", ""])
def test_groups_that_cannot_be_told_from_all_rows(tmp_path: Path, group: str) -> None:
    message = refusal(tmp_path, [*FILLING, plain(30, g=["men", group])])
    assert message.startswith(f"{tmp_path}/rows.jsonl:21: field g")


def test_groups_that_differ_in_case_are_two_and_told() -> None:
    rows = [plain(number, g=("Women", "women")[number % 2]) for number in range(30)]
    task = build_from(rows)
    assert {e.groups for e in load_examples(task, "").examples["pool"]} == {("Women",), ("women",)}
    lines = account(take_census(task, DataSettings()))
    assert "  'Women' and 'women' differ in case only: they are 2 groups" in lines


def test_packages_names_are_checked() -> None:
    task = TASKS["bbq"]
    wrong: list[tuple[dict[str, Any], str]] = [
        ({"name": "a -> b"}, "the name 'a -> b' is not of"),
        ({"groups": ("x", "overall")}, "a group is called 'overall'"),
        ({"subsets": ("all",)}, "a subset is called 'all'"),
        ({"labels": ("A", "A ", "C")}, "a label is listed twice"),
    ]
    for changes, expected in wrong:
        assert expected in task_mistake(dataclasses.replace(task, **changes))
    assert not any(map(task_mistake, TASKS.values()))


def test_two_tasks_of_one_title(tmp_path: Path) -> None:
    write(tmp_path, FILLING, title="BBQ")
    space = {"name": "x", "tasks": ["own.yaml"], "chains": [["bbq", "own"]]}
    (tmp_path / "space.yaml").write_text(yaml.safe_dump(space))
    with pytest.raises(InputError, match="bbq and own have the same title 'BBQ'; change one"):
        load_space(tmp_path / "space.yaml")


LISTINGS = st.lists(
    st.tuples(st.integers(0, 5), st.sampled_from(("women", "men", "elders"))),
    min_size=1,
    max_size=30,
)


@settings(max_examples=60, deadline=None)
@given(listed=LISTINGS, seed=st.integers(0, 9))
def test_a_text_has_every_group_it_is_listed_with(listed: list[tuple[int, str]], seed: int) -> None:
    rows = [plain(100 + number, g=group) for number, group in listed]
    expected: dict[str, set[str]] = {}
    for row in rows:
        expected.setdefault(row["q"], set()).add(row["g"])
    wide = [plain(100 + int(q.split()[1]) - 100, g=sorted(g)) for q, g in expected.items()]
    shuffled = [*rows, *FILLING]
    random.Random(seed).shuffle(shuffled)
    long = load_splits(build_from(shuffled), DataSettings())
    assert long.digests == load_splits(build_from([*FILLING, *wide]), DataSettings()).digests
    assert len(everything(long)) + sum(long.drops.values()) == len(shuffled), "none goes missing"


def test_rows_with_an_id_may_be_in_long_format_too() -> None:
    rows = [plain(number, i=number) for number in range(20)]
    again = {**rows[4], "g": "men"}
    splits = load_splits(build_from([*rows, again], id="i"), DataSettings())
    assert {e.id: e.groups for e in everything(splits)}["4"] == ("men", "women")
    for wrong in ({**rows[4], "q": "other", "g": "men"}, {**rows[4]}):
        with pytest.raises(InputError, match="row 21: the id '4' stands at row 5 already"):
            load_splits(build_from([*rows, wrong], id="i"), DataSettings())


def test_a_text_in_two_subsets_contradicts_itself() -> None:
    rows = [plain(number, s="easy") for number in range(20)]
    twins = [plain(50, s="easy"), plain(50, s="hard")]
    task = build_from([*rows, *twins], subset="s", subsets=("easy", "hard"))
    splits = load_splits(task, DataSettings())
    assert "text 50" not in {example.question for example in everything(splits)}
    assert splits.drops["pool", "same text in different subsets"] == 1
    assert sum(splits.drops.values()) == 2


def annotated(number: int, group: str, toxic: float = 5) -> Row:
    return {
        "text": f"statement {number}",
        "target_group": group,
        "toxicity_ai": toxic,
        "toxicity_human": toxic,
    }


def test_the_first_toxigen_release_keeps_groups_across_lines_and_files() -> None:
    train = [annotated(n, "women", 1 + 4 * (n % 2)) for n in range(8)]
    test = [annotated(n, "jewish", 1 + 4 * (n % 2)) for n in range(8, 16)]
    train += [annotated(3, "black"), annotated(9, "muslim")]  # 9 is a row of the test file
    for part in (train, train[::-1]):
        release = {"train": [(f"a:{n}", r) for n, r in enumerate(part)], "test": [("b", test[0])]}
        release["test"] = [(f"b:{n}", row) for n, row in enumerate(test)]
        task = dataclasses.replace(TOXIGEN_V1, read_own=partial(dict, release))
        splits = load_splits(task, DataSettings(num_train=5, num_validation=0))
        groups = {e.question: e.groups for e in (*splits.train, *splits.test)}
        chosen = {e.question for e in splits.train}
        assert groups.get("statement 3", ("black", "women")) == ("black", "women")
        assert groups["statement 9"] == ("jewish", "muslim")
        assert ("statement 9" in chosen) == (len(splits.test) == 7)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (float("nan"), "field age = 'nan' is no number"),
        (float("inf"), "field age = 'inf' is no number"),
        (None, "field age is null"),
        ("nan", "field age = 'nan' is a missing value"),
        ("NaN", "field age = 'NaN' is a missing value"),
        ("NaT", "field age = 'NaT' is a missing value"),
        ("<NA>", "field age = '<NA>' is a missing value"),
        ("", "is empty within"),
        ("  ", "is empty within"),
        ([1], "is no text or number"),
        ({"a": 1}, "is no text or number"),
    ],
)
def test_values_that_are_none(tmp_path: Path, value: Any, expected: str) -> None:
    rows = [plain(n, age=31.0 + n) for n in range(20)]
    message = refusal(tmp_path, [*rows, plain(20, age=value)], question="{q} aged {age}")
    assert message.startswith(f"{tmp_path}/rows.jsonl:21: field age")
    assert expected in message
    for column in ("label", "id"):
        message = refusal(tmp_path, [*rows, plain(20, age=value)], **{column: "age"})
        assert "rows.jsonl:21: field age" in message or column == "label"


PARQUET = [
    (pa.array([1.5, float("nan")]), "is no number"),
    (pa.array([1.5, None]), "is null"),
    (pa.array([datetime.date(2026, 1, 1)] * 2), "is no text or number"),
    (pa.array([datetime.datetime(2026, 1, 1), None]), "is no text or number"),
    (pa.array([decimal.Decimal("1.5")] * 2), "is no text or number"),
    (pa.array([b"bytes"] * 2), "is no text or number"),
    (pa.array([[1], [2]]), "is no text or number"),
    (pa.array([{"a": 1}] * 2), "is no text or number"),
    (pa.array([datetime.timedelta(1)] * 2), "is no text or number"),
]


@pytest.mark.parametrize(("column", "expected"), PARQUET, ids=[str(c.type) for c, _ in PARQUET])
def test_values_of_parquet_that_are_no_text(tmp_path: Path, column: Any, expected: str) -> None:
    names = {"q": ["one", "two"], "y": ["a", "b"], "g": ["x", "y"], "age": column}
    pq.write_table(pa.table(names), tmp_path / "rows.parquet")
    path = write(tmp_path, [], files={"pool": "rows.parquet"}, question="{q} aged {age}")
    with pytest.raises(InputError, match=rf"rows.parquet row [12]: field age .*{expected}"):
        load_splits(build(path), DataSettings())


def test_empty_cells_of_csv(tmp_path: Path) -> None:
    path = write(tmp_path, [], files={"pool": "rows.csv"}, question="{q} aged {age}")
    (tmp_path / "rows.csv").write_text("q,y,g,age\none,a,x,31\ntwo,b,,\n")
    with pytest.raises(InputError, match=r"rows\.csv:3: field age .*is empty within"):
        load_splits(build(path), DataSettings())
    path = write(tmp_path, [], files={"pool": "rows.csv"})
    rows = load_examples(build(path), "").examples["pool"]
    assert [example.groups for example in rows] == [("x",), ()], "an empty cell is no group"


def test_columns_and_keys_that_stand_twice(tmp_path: Path) -> None:
    path = tmp_path / "rows"
    path.write_text("q,y,q\n1,a,2\n")
    with pytest.raises(InputError, match=r"rows:1: the column 'q' stands there twice"):
        list(csv_rows(path))
    path.write_text('{"q": 1}\n{"q": 1, "y": {"a": 1, "a": 2}}\n')
    with pytest.raises(InputError, match=r"rows:2: .*the key 'a' stands there twice"):
        list(json_lines(path))
    path.write_text('[{"q": 1},\n{"q": 1, "q": 2}]')
    with pytest.raises(InputError, match=r"rows:2: .*the key 'q' stands there twice"):
        list(json_list(path))
    pq.write_table(pa.Table.from_arrays([pa.array([1]), pa.array([2])], names=["q", "q"]), path)
    with pytest.raises(InputError, match=r"the column 'q' stands there twice"):
        list(parquet_rows(path))


def test_the_index_of_a_data_frame_is_a_column_without_a_name(tmp_path: Path) -> None:
    (tmp_path / "rows").write_text(",q\n0,one\n")
    assert [row for _, row in csv_rows(tmp_path / "rows")] == [{"": "0", "q": "one"}]


def test_folders_and_pipes_are_no_files(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.jsonl")
    (tmp_path / "folder.jsonl").mkdir()
    for name in ("pipe.jsonl", "folder.jsonl"):
        with pytest.raises(InputError, match="is a folder or a pipe; give a file"):
            list(json_lines(tmp_path / name))
    with pytest.raises(InputError, match="cannot be read"):
        list(json_lines(tmp_path / "a\0b.jsonl"))
    with pytest.raises(InputError, match="cannot be read"):
        list(json_lines(tmp_path / ("x" * 5000)))


def test_texts_that_look_alike() -> None:
    assert compared(f"  {DECOMPOSED}\n\tx ") == f"{COMPOSED} x"
    assert compared("A") != compared("a")
    assert compared("ﬁ") != compared("fi"), (
        "rows are the same in NFC, answers look the same in NFKC"
    )
    assert seen("Ｙes\u200b ") == seen("Yes")
