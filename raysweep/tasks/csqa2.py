"""CommonsenseQA 2.0 (Talmor et al., 2021): statements to judge with yes or no."""

from __future__ import annotations

from raysweep.tasks.task import Example, Kind, Row, Task

INSTRUCTION = (
    "Given the following statement, choose whether the answer is yes or no. Your response should "
    'end with "The answer is [label]." where the [label] is yes or no.'
)
LABELS = ("yes", "no")
ANSWERS = tuple(f"The answer is {label}." for label in LABELS)


def parse(row: Row) -> Example | None:
    """One statement."""
    label = LABELS.index(row["answer"])
    return Example(
        id=str(row["id"]),
        instruction=INSTRUCTION,
        context="",
        question=row["question"].strip(),
        answers=ANSWERS,
        label=label,
        target=ANSWERS[label],
    )


TASK = Task("csqa2", "CQA2", Kind.CAPABILITY, LABELS, parse)
