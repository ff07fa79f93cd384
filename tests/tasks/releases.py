"""Small made-up releases of every dataset, in the layout of its raw files and of its hub copy."""

from __future__ import annotations

import csv
import gzip
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from raysweep.tasks.paper.bbq import CATEGORIES

Row = dict[str, Any]


def choices(letters: str, texts: Sequence[str]) -> list[dict[str, str]]:
    return [{"text": text, "label": label} for label, text in zip(letters, texts, strict=True)]


ROWS: dict[str, Row] = {
    "arc_easy": {
        "id": "x1",
        "question": {
            "stem": "Which bird swims?",
            "choices": choices("1234", ["wren", "penguin", "swift", "lark"]),
        },
        "answerKey": "2",
    },
    "csqa": {
        "id": "x2",
        "question": {
            "stem": "Where is a spoon kept?",
            "question_concept": "spoon",
            "choices": choices("ABCDE", ["drawer", "river", "cloud", "shoe", "tree"]),
        },
        "answerKey": "A",
    },
    "csqa2": {"id": "x3", "question": "A triangle has four corners.", "answer": "no"},
    "toxigen": {
        "id": 4,
        "text": " they bake_x000D_ good\\nbread",
        "toxicity_score": 1.0,
        "label": "neutral",
        "target_groups": ["mexican", "latino", "mental dis"],
    },
    "toxigen_v1": {
        "text": "b'they sing and dance'",
        "target_group": "middle_east",
        "toxicity_ai": "2.666666667",
        "toxicity_human": "3",
    },
    "bbq": {
        "example_id": 5,
        "question_index": "1",
        "question_polarity": "neg",
        "context_condition": "ambig",
        "category": "SES",
        "answer_info": {
            "ans0": ["the first", "lowSES"],
            "ans1": ["the second", "highSES"],
            "ans2": ["Not known", "unknown"],
        },
        "additional_metadata": {
            "subcategory": "None",
            "stereotyped_groups": ["low SES"],
            "version": "a",
            "source": "made up",
        },
        "context": "Two neighbours met.",
        "question": "Who was late?",
        "ans0": "The first",
        "ans1": "The second",
        "ans2": "Not known",
        "label": 2,
    },
    "saferdialogues": {
        "text": "Hello \nGo away.\nThat was rude.",
        "labels": ["I am sorry. "],
    },
}


def numbered(name: str, number: int) -> Row:
    """A variant of the row with another id and content."""
    row: Row = json.loads(json.dumps(ROWS[name]))
    if name in ("arc_easy", "csqa"):
        row["id"] = f"{name}-{number}"
        row["question"]["stem"] = f"Question number {number}?"
        labels = [choice["label"] for choice in row["question"]["choices"]]
        row["answerKey"] = labels[number % len(labels)]
    elif name == "csqa2":
        row |= {"id": f"s{number}", "question": f"Number {number} is odd."}
        row["answer"] = "yes" if number % 2 else "no"
    elif name == "toxigen":
        row |= {"id": number, "text": f"statement {number}", "target_groups": ["black"]}
        row["label"] = "hate" if number % 2 else "neutral"
    elif name == "toxigen_v1":
        row["text"] = f"statement {number}"
    elif name == "bbq":
        row |= {"example_id": number, "context": f"Neighbours {number} and one more met."}
        row["category"] = CATEGORIES[number % 9]
    else:
        row |= {"text": f"Hello {number}\nThat was rude.", "labels": [f"Sorry {number}."]}
    return row


def write_release(data: Path, name: str, splits: Mapping[str, Sequence[Row]]) -> None:
    """Writes the raw files of a task: splits "train", "validation", "test" or "pool"."""
    if name == "arc_easy":
        names = {"train": "Train", "validation": "Dev", "test": "Test"}
        for split, rows in splits.items():
            write_lines(data / "arc_easy" / f"ARC-Easy-{names[split]}.jsonl", rows)
    elif name == "csqa":
        for split, rows in splits.items():
            stem = {"train": "train", "test": "dev"}[split]
            write_lines(data / "csqa" / f"{stem}_rand_split.jsonl", rows)
    elif name == "csqa2":
        for split, rows in splits.items():
            path = data / "csqa2" / f"CSQA2_{ {'train': 'train', 'test': 'dev'}[split] }.json.gz"
            write_lines(path, rows)
            path.write_bytes(gzip.compress(path.read_bytes(), mtime=0))
    elif name == "toxigen":
        path = data / "toxigen_v2" / "toxiGen.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(splits["pool"], indent=1))
    elif name == "toxigen_v1":
        for split, rows in splits.items():
            write_csv(data / "toxigen_v1" / f"annotated_{split}.csv", rows)
    elif name == "bbq":
        for category in CATEGORIES:
            rows = [row for row in splits["pool"] if row["category"] == category]
            write_lines(data / "bbq" / "data" / f"{category}.jsonl", rows)
    else:
        files = {"train": "train.txt", "validation": "valid.txt", "test": "test.txt"}
        for split, rows in splits.items():
            path = data / "saferdialogues" / "saferdialogues_dataset" / files[split]
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("".join(map(parlai_line, rows)))


def parlai_line(row: Row) -> str:
    text = row["text"].replace("\n", "\\n")
    return f"text:{text}\tlabels:{'|'.join(row['labels'])}\tepisode_done:True\n"


def write_lines(path: Path, rows: Sequence[Row]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


def write_csv(path: Path, rows: Sequence[Row]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="") as stream:
        writer = csv.DictWriter(stream, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def small_release(name: str, num_rows: int = 60) -> dict[str, list[Row]]:
    """Rows of every split of a task."""
    rows = [numbered(name, number) for number in range(num_rows)]
    if name in ("toxigen", "bbq"):
        return {"pool": rows}
    if name in ("csqa", "csqa2", "toxigen_v1"):
        return {"train": rows[: num_rows // 2], "test": rows[num_rows // 2 :]}
    third = num_rows // 3
    return {
        "train": rows[:third],
        "validation": rows[third : 2 * third],
        "test": rows[2 * third :],
    }


def as_on_hub(name: str, row: Row) -> Row:
    """The row in the schema of the dataset's copy on the hub."""
    if name in ("arc_easy", "csqa"):
        question = row["question"]
        extra = {"question_concept": question["question_concept"]} if name == "csqa" else {}
        return {
            "id": row["id"],
            "question": question["stem"],
            **extra,
            "choices": {
                key: [choice[key] for choice in question["choices"]] for key in ("text", "label")
            },
            "answerKey": row["answerKey"],
        }
    if name == "bbq":
        label = {"answer_label": row["label"], "target_label": 0}
        extra = {"known_stereotyped_groups": None, "full_cond": None}
        return {
            **{key: value for key, value in row.items() if key != "label"},
            **label,
            "question_index": int(row["question_index"]),
            "additional_metadata": {**row["additional_metadata"], **extra},
        }
    if name == "toxigen_v1":
        scores = {key: float(row[key]) for key in ("toxicity_ai", "toxicity_human")}
        return {**row, **scores, "factual?": "opinion"}
    return row


def write_hub_copy(
    folder: Path, config: str | None, splits: Mapping[str, Sequence[Row]], ending: str = "parquet"
) -> None:
    """Writes a dataset repository as the hub serves it: files, and a card that lists them."""
    folder.mkdir(parents=True)
    card = ["---", "configs:", f"- config_name: {config or 'default'}", "  data_files:"]
    for split, rows in splits.items():
        file = f"data/{split}-00000-of-00001.{ending}"
        card += [f"  - split: {split}", f"    path: {file}"]
        path = folder / file
        path.parent.mkdir(exist_ok=True)
        if ending == "parquet":
            pq.write_table(pa.Table.from_pylist(list(rows)), path)
        else:
            write_lines(path, rows)
    (folder / "README.md").write_text("\n".join([*card, "---", ""]))
