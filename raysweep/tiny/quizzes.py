"""Rows about facts: the stand-ins of ARC-Easy, CommonsenseQA and CommonsenseQA 2."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from raysweep.tasks.task import Fields
from raysweep.tiny.draw import Draw
from raysweep.tiny.facts import Pair, distractors, value_of

LETTERS = "ABCDE"
FRAMES = ("{}?", "Is it true: {}?", "In truth: {}.", "{}, right?", "People say: {}.",
          "Everyone knows: {}.")  # fmt: skip


def arc_easy_row(draw: Draw, pairs: Sequence[Pair], label: int, row_id: str) -> Fields:
    """A question with four choices; the right one stands at place ``label``."""
    question, _, options = _choice_question(draw, pairs, label, 4)
    return choice_row(question, options, label, row_id)


def csqa_row(draw: Draw, pairs: Sequence[Pair], label: int, row_id: str) -> Fields:
    """A question with five choices; the right one stands at place ``label``."""
    question, concept, options = _choice_question(draw, pairs, label, 5)
    row = choice_row(question, options, label, row_id)
    return {**row, "question": {**row["question"], "question_concept": concept}}


def choice_row(question: str, options: Sequence[str], label: int, row_id: str) -> Fields:
    """A question and its options, in the schema that ARC-Easy and CommonsenseQA share."""
    choices = [{"label": LETTERS[i], "text": option} for i, option in enumerate(options)]
    return {
        "id": row_id,
        "question": {"stem": question, "choices": choices},
        "answerKey": LETTERS[label],
    }


def csqa2_row(draw: Draw, pairs: Sequence[Pair], label: int, row_id: str) -> Fields:
    """A statement that is true (label 0, yes) or false (label 1, no): one value, not another.

    It names both, so that which words occur tells nothing.
    """
    return csqa2_check(draw, pairs, label, row_id).row


@dataclass(frozen=True)
class Question:
    """A row and what its makers know about it.

    Attributes:
        asked: the part of the prompt after which it is clear what must be recalled.
        value: what must be recalled.
    """

    row: Fields
    asked: str
    value: str


def csqa2_check(draw: Draw, pairs: Sequence[Pair], label: int, row_id: str) -> Question:
    """A row of `csqa2_row`; what must be recalled is the true one of its two values."""
    pair = draw.one(pairs)
    (thing, relation), value = pair, value_of(pair)
    other = distractors(draw, relation, value, 1)[0]
    told, denied = (value, other) if label == 0 else (other, value)
    asked = f"{draw.one(relation.sayings).format(thing=thing, value=told)}, not"
    row = {
        "id": row_id,
        "question": draw.one(FRAMES).format(f"{asked} {denied}"),
        "answer": ("yes", "no")[label],
    }
    return Question(row, asked, value)


def _choice_question(
    draw: Draw, pairs: Sequence[Pair], label: int, num_choices: int
) -> tuple[str, str, list[str]]:
    """The question, the thing it is about, and the options."""
    pair = draw.one(pairs)
    (thing, relation), value = pair, value_of(pair)
    options = distractors(draw, relation, value, num_choices - 1)
    options.insert(label, value)
    return draw.one(relation.questions).format(thing=thing), thing, options
