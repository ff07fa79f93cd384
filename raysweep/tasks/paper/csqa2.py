"""CommonsenseQA 2.0 (Talmor et al., 2021): statements to judge with yes or no."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from raysweep.tasks.files import json_lines
from raysweep.tasks.paper.questions import question_example
from raysweep.tasks.task import Example, HubDataset, Kind, PaperSizes, RawRow, Release, Task, Text

INSTRUCTION = (
    "Given the following statement, choose whether the answer is yes or no. Your response should "
    'end with "The answer is [label]." where the [label] is yes or no.'
)
LABELS = ("yes", "no")
ANSWERS = tuple(f"The answer is {label}." for label in LABELS)
FILES = {"train": "CSQA2_train.json.gz", "test": "CSQA2_dev.json.gz"}


class StatementRow(RawRow):
    """A statement and whether it is true."""

    id: Text
    question: Text
    answer: Literal["yes", "no"]


def parse(row: StatementRow) -> Example:
    """One statement."""
    label = LABELS.index(row.answer)
    return question_example(row.id, INSTRUCTION, row.question, ANSWERS, label)


def read_files(data: Path) -> Release:
    """The authors' files in ``data/csqa2``: gzipped JSON Lines, whatever their names say."""
    return {split: json_lines(data / "csqa2" / name) for split, name in FILES.items()}


TASK = Task(
    "csqa2",
    "CQA2",
    Kind.CAPABILITY,
    LABELS,
    StatementRow,
    parse,
    read_files=read_files,
    hub=HubDataset(
        "tasksource/commonsense_qa_2.0",
        "23ff83b18ed76882f3af1a403a7c464b72efcd86",
        {"train": ("train",), "test": ("validation",)},
    ),
    sizes=PaperSizes(2242, 2541, num_labels=2),
    note="The paper's 2,541 test rows are the official development split: the answers of the "
    "official test split are not public. Validation rows come from the rest of the training split.",
    where="csqa2/CSQA2_{train,dev}.json.gz of github.com/allenai/csqa2",
)
