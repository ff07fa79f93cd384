"""Tasks of one's own: from a YAML file, and from an installed package."""

from __future__ import annotations

import dataclasses
import json
import re
import sys
from collections import Counter
from collections.abc import Iterator
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from raysweep.errors import InputError
from raysweep.settings import plugins
from raysweep.space.space import load_space
from raysweep.tasks.custom import TaskSpec, read_task
from raysweep.tasks.loading import load_examples
from raysweep.tasks.registry import TASKS, known_tasks
from raysweep.tasks.settings import DataSettings
from raysweep.tasks.splits import load_splits
from raysweep.tasks.task import Task
from raysweep.testing import TaskContract
from tests.documents import make_loops
from tests.tasks.junk import mutated
from tests.tasks.own_task import ROWS, SPEC, made_up, write_task
from tests.tasks.releases import write_csv, write_hub_copy, write_lines


def build(folder: Path, **changes: Any) -> Task:
    return TaskSpec.model_validate(read_task(write_task(folder, **changes))).build()


def test_rows_become_examples(tmp_path: Path) -> None:
    write_lines(tmp_path / "train.jsonl", ROWS[:40])
    write_lines(tmp_path / "test.jsonl", ROWS[40:])
    task = build(tmp_path)
    splits = load_splits(task, DataSettings(source="hub", num_train=30))
    assert (len(splits.train), len(splits.validation), len(splits.test)) == (30, 10, 20)
    example = next(e for e in splits.train if e.context.startswith("x = 3\n"))
    assert example.prompt == (
        "Is the change risky? Answer yes or no.\nx = 3\nprint(x)\nLanguage: c\n"
    )
    assert (example.target, example.label) == ("It is risky.", 0)
    assert (example.groups, example.subset) == (("all hands", "team1"), "large")
    assert (task.title, task.chance, task.subsets) == ("Risk", 0.5, ("small", "large"))


def test_rows_made_from_templates_say_from_which(tmp_path: Path) -> None:
    """It is kept beside the row and decides nothing: the sets and their digests are the same."""
    rows = [{**row, "made_from": number % 7} for number, row in enumerate(ROWS)]
    write_lines(tmp_path / "all.jsonl", rows)
    plain = load_splits(build(tmp_path, files={"pool": "all.jsonl"}), DataSettings())
    task = build(tmp_path, files={"pool": "all.jsonl"}, cluster="made_from")
    splits = load_splits(task, DataSettings())
    assert splits.digests == plain.digests
    assert {example.cluster for example in splits.test} <= {str(number) for number in range(7)}
    assert {example.cluster for example in plain.test} == {""}
    write_lines(tmp_path / "all.jsonl", [*rows, {**rows[0], "made_from": None}])
    with pytest.raises(InputError, match="made_from"):
        load_examples(task, "hub")


@pytest.mark.parametrize("ending", ["jsonl", "json", "csv", "parquet"])
def test_every_kind_of_file_and_pools(tmp_path: Path, ending: str) -> None:
    rows = [{**row, "risky": str(row["risky"]).lower(), "teams": "one"} for row in ROWS]
    path = tmp_path / f"all.{ending}"
    if ending == "jsonl":
        write_lines(path, rows)
    elif ending == "json":
        path.write_text(json.dumps(rows))
    elif ending == "csv":
        write_csv(path, rows)
    else:
        pq.write_table(pa.Table.from_pylist(rows), path)
    task = build(tmp_path, files={"pool": path.name})
    splits = load_splits(task, DataSettings(num_train=30))
    assert (len(splits.train), len(splits.validation), len(splits.test)) == (30, 6, 24)
    assert Counter(e.groups for e in splits.train) == {("one",): 30}
    labels = Counter(e.stratum for e in splits.train), Counter(e.stratum for e in splits.test)
    assert labels[0].keys() == labels[1].keys(), "no cell is used up by training"


def test_rows_from_the_hub(tmp_path: Path) -> None:
    write_hub_copy(tmp_path / "hub", "part", {"learn": ROWS[:40], "exam": ROWS[40:]})
    hub = {
        "repository": str(tmp_path / "hub"),
        "revision": "0123456789abcdef",
        "config": "part",
        "splits": {"train": "learn", "test": "exam"},
    }
    task = build(tmp_path, files=None, hub=hub)
    loaded = load_examples(task, "anywhere")
    assert loaded.num_read == {"train": 40, "test": 20}


class TestTaskOfYaml(TaskContract):
    """With a context, groups and subsets."""

    @pytest.fixture
    def task(self) -> Task:
        return TaskSpec.model_validate(SPEC).build()

    @pytest.fixture
    def rows(self) -> list[dict[str, Any]]:
        return ROWS


@settings(max_examples=200, deadline=None)
@given(data=st.data())
def test_a_mutated_row_is_an_example_or_blamed(data: st.DataObject) -> None:
    row = data.draw(mutated(ROWS[0]))
    task = TaskSpec.model_validate(SPEC).build()
    release = {"train": [("file:1", ROWS[1]), ("file:2", row)]}
    message, loaded = "", None
    try:
        loaded = load_examples(dataclasses.replace(task, read_own=lambda: release), "")
    except InputError as error:
        message = str(error)
    if loaded is None:
        assert re.match(r"file:2: field \w", message), message
        assert "\n" not in message
        message.encode()
    else:
        assert len(loaded.examples["train"]) == 2


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"name": "My Task"}, "name = 'My Task'; string should match"),
        ({"kind": "fun"}, "kind = 'fun'; should be 'capability' or 'safety'"),
        ({"files": None}, "give either files or hub"),
        ({"files": {"train": "a.jsonl"}}, "the splits must be train and test"),
        ({"files": {"pool": "a.jsonl", "test": "b.jsonl"}}, "or pool alone"),
        ({"files": {"pool": "a.txt"}}, "a.txt' is of no known kind; use .jsonl"),
        ({"files": {"dev": "a.jsonl"}}, "files.dev"),
        ({"question": "{lang"}, "question = '{lang'; is no template"),
        ({"question": "{}"}, "{} is no plain column name"),
        ({"question": "{a.__class__}"}, "is no plain column name"),
        ({"question": "{a!r}"}, "is no plain column name"),
        ({"answers": {True: "Yes.", False: "No."}}, "quote them"),
        ({"answers": {"a": "A."}}, "answers"),
        ({"subsets": None}, "give the column subset together with its values"),
        ({"answers": {"true": "Yes.", "false": "Yes."}}, "two labels have the same answer"),
        ({"question": "Is it?", "context": ""}, "neither question nor context names a column"),
        ({"answers": {1: True, 0: False}}, "quote them"),
        ({"anwsers": {}}, "anwsers = {}; unknown key (did you mean 'answers'?)"),
    ],
)
def test_a_mistake_in_the_file_names_key_and_remedy(
    tmp_path: Path, changes: dict[str, Any], expected: str
) -> None:
    with pytest.raises(InputError) as caught:
        read_task(write_task(tmp_path, **changes))
    assert str(caught.value).startswith(str(tmp_path / "risk.yaml"))
    assert expected in str(caught.value)
    assert "\n" not in str(caught.value)


def test_code_that_differs_in_a_sign_is_not_the_same(tmp_path: Path) -> None:
    rows = [
        {**made_up(number), "code": f"{number} {sign} 1", "risky": sign == "-"}
        for number in range(60)
        for sign in "+-"
    ]
    write_lines(tmp_path / "all.jsonl", [*rows, {**rows[0], "code": f"  {rows[0]['code']}"}])
    splits = load_splits(build(tmp_path, files={"pool": "all.jsonl"}), DataSettings(num_train=50))
    assert splits.drops == {("pool", "repeats another row"): 1}


def test_pools_of_which_nothing_is_left(tmp_path: Path) -> None:
    both = [{**ROWS[0], "risky": risky} for risky in (True, False)]
    write_lines(tmp_path / "all.jsonl", both)
    task = build(tmp_path, files={"pool": "all.jsonl"})
    with pytest.raises(InputError, match=r"0 rows to train on .* 2 of pool: same text with diff"):
        load_splits(task, DataSettings())
    (tmp_path / "all.csv").write_text("code,language,risky,teams,size\n")
    task = build(tmp_path, files={"pool": "all.csv"})
    with pytest.raises(InputError, match="'risk': has no rows in pool"):
        load_splits(task, DataSettings())


def test_columns_and_labels_as_other_programs_write_them(tmp_path: Path) -> None:
    rows = [{**row, "risky": str(row["risky"]), "teams": "one"} for row in ROWS]
    write_csv(tmp_path / "all.csv", rows)
    splits = load_splits(build(tmp_path, files={"pool": "all.csv"}), DataSettings())
    everything = (*splits.train, *splits.validation, *splits.test)
    assert Counter(e.label for e in everything) == {0: 20, 1: 40}
    numbers = [{**row, "risky": float(row["risky"])} for row in ROWS]
    write_lines(tmp_path / "all.jsonl", numbers)
    answers = {1: "It is risky.", 0: "It is safe."}
    assert load_splits(
        build(tmp_path, files={"pool": "all.jsonl"}, answers=answers), DataSettings()
    ).train
    wrong = build(tmp_path, files={"pool": "all.csv"}, group="team")
    with pytest.raises(InputError, match=r"field team is not there; the row has .*'teams'"):
        load_splits(wrong, DataSettings())


def test_a_file_that_is_none(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file"):
        read_task(tmp_path / "none.yaml")
    (tmp_path / "bad.yaml").write_text("- a\n")
    with pytest.raises(InputError, match="holds no mapping"):
        read_task(tmp_path / "bad.yaml")


def test_a_search_space_brings_its_own_tasks(tmp_path: Path) -> None:
    write_lines(tmp_path / "train.jsonl", ROWS[:40])
    write_lines(tmp_path / "test.jsonl", ROWS[40:])
    write_task(tmp_path)
    content: dict[str, object] = {
        "name": "own",
        "tasks": ["risk.yaml"],
        "chains": [["toxigen", "risk"]],
    }
    (tmp_path / "space.yaml").write_text(yaml.safe_dump(content))
    space = load_space(tmp_path / "space.yaml")
    assert list(space.find_tasks()) == ["toxigen", "risk"]
    assert len(load_splits(space.find_tasks()["risk"], space.data.drawn(0)).test) == 20
    wrong: list[tuple[dict[str, object], str]] = [
        ({"tasks": ["none.yaml"]}, r"none\.yaml: no such file"),
        ({"tasks": []}, "unknown task; tasks: .*"),
        ({"tasks": [{**SPEC, "name": "bbq"}]}, "task name 'bbq' is taken"),
        ({"chains": [["rsk"]]}, r"did you mean 'risk'\?"),
        ({"data": {"sources": {"rsk": "tiny"}}}, "data.sources = 'rsk'; unknown task"),
    ]
    for changes, expected in wrong:
        (tmp_path / "space.yaml").write_text(yaml.safe_dump({**content, **changes}))
        with pytest.raises(InputError, match=expected):
            load_space(tmp_path / "space.yaml")


def test_answers_may_be_keyed_by_yes_and_no_without_quotes(tmp_path: Path) -> None:
    keys = "name: risk\nkind: capability\nfiles: {pool: all.jsonl}\n"
    keys += "question: '{code}'\nlabel: risky\n"
    (tmp_path / "task.yaml").write_text(f"{keys}answers: {{yes: Risky., no: Fine.}}\n")
    assert read_task(tmp_path / "task.yaml")["answers"] == {"yes": "Risky.", "no": "Fine."}
    (tmp_path / "task.yaml").write_text(f"{keys}answers: {{a: yes, b: no}}\n")
    assert read_task(tmp_path / "task.yaml")["answers"] == {"a": "yes", "b": "no"}
    (tmp_path / "task.yaml").write_text(f"{keys}answers: {{true: Risky., false: Fine.}}\n")
    with pytest.raises(InputError, match="true and false are truth values; quote them"):
        read_task(tmp_path / "task.yaml")


def test_the_documented_example_works(tmp_path: Path) -> None:
    task = TaskSpec.model_validate(read_task(make_loops(tmp_path))).build()
    splits = load_splits(task, DataSettings(num_train=100))
    assert len(splits.train) == 100
    assert len(splits.test) >= 50
    assert {e.label for e in splits.train} == set(range(len(task.labels)))


@pytest.fixture
def fresh_registry() -> Iterator[None]:
    known_tasks.cache_clear()
    yield
    known_tasks.cache_clear()


def install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, code: str, target: str) -> None:
    (tmp_path / "their_tasks.py").write_text(code)
    monkeypatch.syspath_prepend(tmp_path)
    sys.modules.pop("their_tasks", None)
    point = EntryPoint("haiku", f"their_tasks:{target}", "raysweep.tasks")
    monkeypatch.setattr(plugins, "entry_points", lambda group: [point])


CODE = """
from raysweep.tasks.task import Example, Kind, RawRow, Task, Text

class Row(RawRow):
    poem: Text
    good: bool

def parse(row):
    answers = ("Good.", "Bad.")
    label = 0 if row.good else 1
    return Example(row.poem, "", "", row.poem, answers, label, answers[label])

def read():
    return {"pool": [(f"poem {n}", {"poem": f"poem {n}", "good": n % 2 == 0}) for n in range(20)]}

HAIKU = Task("haiku", "HK", Kind.CAPABILITY, ("good", "bad"), Row, parse, read_own=read)
TAKEN = Task("bbq", "HK", Kind.CAPABILITY, ("good", "bad"), Row, parse, read_own=read)
NO_TASK = "haiku"
"""


@pytest.mark.usefixtures("fresh_registry")
def test_an_installed_package_adds_a_task(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    install(monkeypatch, tmp_path, CODE, "HAIKU")
    assert list(known_tasks()) == [*TASKS, "haiku"]
    splits = load_splits(known_tasks()["haiku"], DataSettings(num_train=10))
    assert Counter(e.label for e in splits.train) == {0: 5, 1: 5}


@pytest.mark.usefixtures("fresh_registry")
@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ("TAKEN", "the task name 'bbq' is taken"),
        ("NO_TASK", "is no raysweep.tasks.task.Task"),
        ("MISSING", "cannot be loaded"),
    ],
)
def test_a_package_that_does_it_wrong_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, target: str, expected: str
) -> None:
    install(monkeypatch, tmp_path, CODE, target)
    with pytest.raises(InputError, match=f"entry point 'haiku' .*{expected}"):
        known_tasks()
