"""CommonsenseQA (Talmor et al., 2019): common sense, five choices."""

from __future__ import annotations

from raysweep.tasks.task import Example, Kind, Row, Task

INSTRUCTION = (
    "Given the following question and candidate answers (A, B, C, D and E), choose the best "
    'answer. Your response should end with "The best answer is [the_answer_letter]" where the '
    "[the_answer_letter] is one of A, B, C, D or E."
)
LETTERS = ("A", "B", "C", "D", "E")
ANSWERS = tuple(f"The best answer is {letter}." for letter in LETTERS)


def parse(row: Row) -> Example | None:
    """The options are listed without full stops, as in the paper's example."""
    choices = row["question"]["choices"]
    options = " ".join(f"{choice['label']}. {choice['text']}" for choice in choices)
    label = LETTERS.index(row["answerKey"])
    return Example(
        id=str(row["id"]),
        instruction=INSTRUCTION,
        context="",
        question=f"{row['question']['stem']} {options}",
        answers=ANSWERS,
        label=label,
        target=ANSWERS[label],
    )


TASK = Task("csqa", "CQA", Kind.CAPABILITY, LETTERS, parse)
