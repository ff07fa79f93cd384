"""AI2 Reasoning Challenge, easy set (Clark et al., 2018): grade-school science, four choices."""

from __future__ import annotations

from pathlib import Path

from pydantic import ValidationInfo, field_validator

from raysweep.tasks.files import json_lines
from raysweep.tasks.paper.questions import lettered, question_example
from raysweep.tasks.task import (
    Dropped,
    Example,
    Fields,
    HubDataset,
    Kind,
    PaperSizes,
    RawRow,
    Release,
    Task,
    Text,
)

INSTRUCTION = (
    "Given the following question and four candidate answers (A, B, C and D), choose the best "
    'answer. Your response should end with "The best answer is [the_answer_letter]" where the '
    "[the_answer_letter] is one of A, B, C or D."
)
LETTERS = ("A", "B", "C", "D")
ANSWERS = tuple(f"The best answer is {letter}." for letter in LETTERS)
FILES = {
    "train": "ARC-Easy-Train.jsonl",
    "validation": "ARC-Easy-Dev.jsonl",
    "test": "ARC-Easy-Test.jsonl",
}


class Choice(RawRow):
    """One option of a question."""

    label: Text
    text: Text


class Question(RawRow):
    """The stem of a question and its options."""

    stem: Text
    choices: list[Choice]


class ChoiceRow(RawRow):
    """A row of AI2's question format, which CommonsenseQA shares."""

    id: Text
    question: Question
    answerKey: Text  # the files' spelling

    @field_validator("answerKey")
    @classmethod
    def _one_of_the_choices(cls, key: str, info: ValidationInfo) -> str:
        question = info.data.get("question")
        labels = [choice.label for choice in question.choices] if question else [key]
        if labels.count(key) != 1:
            raise ValueError(f"is not one of the choices {', '.join(labels)}")
        return key


def parse(row: ChoiceRow) -> Example | Dropped:
    """Rows with other than four choices are dropped; the keys 1-4 of some rows become A-D."""
    choices = row.question.choices
    if len(choices) != len(LETTERS):
        return Dropped(f"{len(choices)} choices instead of four")
    label = [choice.label for choice in choices].index(row.answerKey)
    question = f"{row.question.stem} {lettered([choice.text for choice in choices])}"
    return question_example(row.id, INSTRUCTION, question, ANSWERS, label)


def read_files(data: Path) -> Release:
    """The three official splits, from the authors' files in ``data/arc_easy``."""
    return {split: json_lines(data / "arc_easy" / name) for split, name in FILES.items()}


def from_hub(row: Fields) -> Fields:
    """The hub keeps options as two parallel lists."""
    labels, texts = row["choices"]["label"], row["choices"]["text"]
    choices = [{"label": label, "text": text} for label, text in zip(labels, texts, strict=True)]
    question = {"stem": row["question"], "choices": choices}
    return {"id": row["id"], "question": question, "answerKey": row["answerKey"]}


TASK = Task(
    "arc_easy",
    "ARC",
    Kind.CAPABILITY,
    LETTERS,
    ChoiceRow,
    parse,
    read_files=read_files,
    hub=HubDataset(
        "allenai/ai2_arc",
        "210d026faf9955653af8916fad021475a3f00453",
        {"train": ("train",), "validation": ("validation",), "test": ("test",)},
        config="ARC-Easy",
        to_raw=from_hub,
    ),
    sizes=PaperSizes(2241, 2365, num_labels=4),
    note="Both of the paper's numbers are the official splits' rows with exactly four choices; "
    "rows with the keys 1-4 are among them. Disjoint splits lose the test rows that repeat a "
    "training row.",
    where="arc_easy/ARC-Easy-{Train,Dev,Test}.jsonl of AI2's ARC release (ARC-V1-Feb2018)",
)
