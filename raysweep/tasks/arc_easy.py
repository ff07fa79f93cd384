"""AI2 Reasoning Challenge, easy set (Clark et al., 2018): grade-school science, four choices."""

from __future__ import annotations

from pathlib import Path

from raysweep.tasks._rows import read_json_lines
from raysweep.tasks.task import Example, Kind, Row, Task, lettered

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


def parse(row: Row) -> Example | None:
    """Rows with other than four choices are dropped; the keys 1-4 of some rows become A-D."""
    choices = row["question"]["choices"]
    if len(choices) != len(LETTERS):
        return None
    label = [choice["label"] for choice in choices].index(row["answerKey"])
    return Example(
        id=str(row["id"]),
        instruction=INSTRUCTION,
        context="",
        question=f"{row['question']['stem']} {lettered([choice['text'] for choice in choices])}",
        answers=ANSWERS,
        label=label,
        target=ANSWERS[label],
    )


def read_split(data: Path) -> dict[str, list[Row]]:
    """The three official splits, from the authors' files in ``data/arc_easy``."""
    return {split: read_json_lines(data / "arc_easy" / name) for split, name in FILES.items()}


TASK = Task("arc_easy", "ARC", Kind.CAPABILITY, LETTERS, parse, read_split=read_split)
