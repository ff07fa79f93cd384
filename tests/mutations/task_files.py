"""Mutated task files and rows. Every row must be an example with its file's own answer, or told."""

from __future__ import annotations

import json
import random
from pathlib import Path

import yaml

from raysweep.tasks.custom import TaskSpec, read_task
from raysweep.tasks.loading import load_examples
from raysweep.tasks.settings import DataSettings
from raysweep.tasks.splits import load_splits
from tests.mutations.outcome import Case
from tests.mutations.values import mutate_text, mutate_tree, write_tree

NUM_ROWS = 60
SPEC = """name: loops
kind: capability
files: {pool: rows.jsonl}
instruction: Does the program end?
question: "{code}"
label: ends
answers: {yes: "Yes, it ends.", no: "No, it runs for ever."}
group: counting
"""
ODD = (
    *("NaN", "Infinity", "-Infinity", "null", '""', '" "', "1e400", "9" * 5000, "true", "[]", "{}"),
    *('["up"]', '["up", null]', '"\\ud800"', '"\\u0000"', '"overall"', '"all"', "1", "1.0", "0.5"),
    *('"YES"', '"yes "', '"' + "x" * 20_000 + '"', '"[/red]"', '"caf\\u0065\\u0301"', "[" * 9000),
)


def rows(source: random.Random) -> list[dict[str, str]]:
    """Programs that end or do not."""
    made = []
    for number in range(NUM_ROWS):
        ends, up = number % 2 == 0, source.random() < 0.5
        code = f"i = {number}\nwhile i < {source.randrange(200)}:\n    i += {1 if ends else 0}"
        made.append({"code": code, "ends": "yes" if ends else "no", "counting": "ud"[up]})
    return made


def make(source: random.Random, folder: Path) -> Case:
    """A good task with a mutation of its YAML or of its rows."""
    lines = [json.dumps(row) for row in rows(source)]
    spec, raw = SPEC.encode(), "\n".join(lines).encode()
    kind = source.choice(("settings", "settings", "text", "value", "row text", "repeat"))
    number = source.randrange(NUM_ROWS)
    if kind == "settings":
        tree = yaml.load(SPEC, yaml.BaseLoader)
        quoted = json.loads(json.dumps(tree), object_hook=_quoted)
        what, changed = mutate_tree(quoted, source)
        spec = write_tree(changed).encode()
    elif kind == "text":
        what, spec = mutate_text(SPEC, source)
    elif kind == "value":
        column, value = source.choice(("code", "ends", "counting")), source.choice(ODD)
        row = json.loads(lines[number])
        parts = [
            f"{json.dumps(key)}: {value if key == column else json.dumps(one)}"
            for key, one in row.items()
        ]
        lines[number] = "{" + ", ".join(parts) + "}"
        what, raw = f"row {number + 1}: {column} = {value[:40]}", "\n".join(lines).encode()
    elif kind == "row text":
        what, raw = mutate_text("\n".join(lines), source)
    else:
        other = source.randrange(NUM_ROWS)
        row = {**json.loads(lines[number]), "ends": json.loads(lines[other])["ends"]}
        lines[other] = json.dumps(row)
        what, raw = f"row {other + 1} repeats row {number + 1}", "\n".join(lines).encode()
    (folder / "task.yaml").write_bytes(spec)
    (folder / "rows.jsonl").write_bytes(raw)
    return Case(f"{kind}: {what}", lambda: check(folder), 10.0)


def _quoted(tree: dict[str, object]) -> dict[str, object]:
    return {
        key: json.dumps(value) if isinstance(value, str) else value for key, value in tree.items()
    }


def check(folder: Path) -> str:
    """Loads a task and draws its sets; what is wrong with them, where they are accepted."""
    task = TaskSpec.model_validate(read_task(folder / "task.yaml")).build()
    loaded = load_examples(task, "tiny")
    splits = load_splits(task, DataSettings())
    spec = yaml.load((folder / "task.yaml").read_text("utf-8-sig"), yaml.BaseLoader)
    written = (folder / "rows.jsonl").read_text("utf-8-sig").split("\n")
    given = [json.loads(line) for line in written if line.strip()]
    (examples,) = loaded.examples.values()
    if len(examples) + sum(loaded.drops.values()) != len(given):
        return f"{len(given)} rows became {len(examples)} examples"
    answers = {str(key): value for key, value in spec["answers"].items()}
    for row, example in zip(given, examples, strict=True):
        label = row[spec["label"]]
        expected = answers.get(json.dumps(label) if not isinstance(label, str) else label.strip())
        if expected is not None and example.target != expected:
            return f"{label!r} is answered {example.target!r} instead of {expected!r}"
        if "nan" in example.prompt.lower() and "nan" not in json.dumps(row).lower():
            return "a prompt says nan"
    ids = [
        example.id for part in (splits.train, splits.validation, splits.test) for example in part
    ]
    return "" if len(set(ids)) == len(ids) else "a row is in two sets"
