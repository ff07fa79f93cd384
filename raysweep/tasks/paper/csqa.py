"""CommonsenseQA (Talmor et al., 2019): common sense, five choices."""

from __future__ import annotations

from pathlib import Path

from pydantic import field_validator

from raysweep.tasks.files import json_lines
from raysweep.tasks.paper.arc_easy import ChoiceRow, Question, from_hub
from raysweep.tasks.paper.questions import question_example
from raysweep.tasks.task import Example, HubDataset, Kind, PaperSizes, Release, Task

INSTRUCTION = (
    "Given the following question and candidate answers (A, B, C, D and E), choose the best "
    'answer. Your response should end with "The best answer is [the_answer_letter]" where the '
    "[the_answer_letter] is one of A, B, C, D or E."
)
LETTERS = ("A", "B", "C", "D", "E")
ANSWERS = tuple(f"The best answer is {letter}." for letter in LETTERS)
FILES = {"train": "train_rand_split.jsonl", "test": "dev_rand_split.jsonl"}


class FiveChoiceRow(ChoiceRow):
    """A row with the options A to E, in this order."""

    @field_validator("question")
    @classmethod
    def _five_letters(cls, question: Question) -> Question:
        labels = tuple(choice.label for choice in question.choices)
        if labels != LETTERS:
            raise ValueError(f"has the choices {', '.join(labels)} instead of A to E")
        return question


def parse(row: FiveChoiceRow) -> Example:
    """The options are listed without full stops, as in the paper's example."""
    options = " ".join(f"{choice.label}. {choice.text}" for choice in row.question.choices)
    label = LETTERS.index(row.answerKey)
    question = f"{row.question.stem} {options}"
    return question_example(row.id, INSTRUCTION, question, ANSWERS, label)


def read_files(data: Path) -> Release:
    """The random split's files in ``data/csqa``; its test answers are not public."""
    return {split: json_lines(data / "csqa" / name) for split, name in FILES.items()}


TASK = Task(
    "csqa",
    "CQA",
    Kind.CAPABILITY,
    LETTERS,
    FiveChoiceRow,
    parse,
    read_files=read_files,
    hub=HubDataset(
        "tau/commonsense_qa",
        "94630fe30dad47192a8546eb75f094926d47e155",
        {"train": ("train",), "test": ("validation",)},
        to_raw=from_hub,
    ),
    sizes=PaperSizes(2242, 1221, num_labels=5),
    note="The paper's 1,221 test rows are the official development split: the answers of the "
    "official test split are not public. Validation rows come from the rest of the training "
    "split. Some rows have two options with the same text; the letter decides.",
    where="csqa/{train,dev}_rand_split.jsonl from the authors' page (tau-nlp.org/commonsenseqa)",
)
