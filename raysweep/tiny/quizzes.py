"""Rows about facts: the stand-ins of ARC-Easy, CommonsenseQA and CommonsenseQA 2."""

from __future__ import annotations

from collections.abc import Sequence

from raysweep.tasks import Row
from raysweep.tiny.draw import Draw
from raysweep.tiny.facts import FACTS, Relation, distractors
from raysweep.tiny.lexicon import THINGS

LETTERS = "ABCDE"
FRAMES = ("{}?", "Is it true: {}?", "In truth: {}.", "{}, do they not?", "People say: {}.",
          "Everyone knows: {}.")  # fmt: skip


def arc_easy_row(draw: Draw, relations: Sequence[Relation], label: int, row_id: str) -> Row:
    """A question with four choices; the right one stands at place ``label``."""
    question, _, choices = _choice_question(draw, relations, label, 4)
    return {
        "id": row_id,
        "question": {"stem": question, "choices": choices},
        "answerKey": LETTERS[label],
    }


def csqa_row(draw: Draw, relations: Sequence[Relation], label: int, row_id: str) -> Row:
    """A question with five choices; the right one stands at place ``label``."""
    question, concept, choices = _choice_question(draw, relations, label, 5)
    return {
        "id": row_id,
        "question": {"question_concept": concept, "choices": choices, "stem": question},
        "answerKey": LETTERS[label],
    }


def csqa2_row(draw: Draw, relations: Sequence[Relation], label: int, row_id: str) -> Row:
    """A statement that is true (label 0, yes) or false (label 1, no)."""
    return csqa2_check(draw, relations, label, row_id)[0]


def csqa2_check(
    draw: Draw, relations: Sequence[Relation], label: int, row_id: str
) -> tuple[Row, str]:
    """A statement to check, and the value that would make it true."""
    relation, thing = draw.one(relations), draw.one(THINGS)
    value = FACTS[thing, relation.name]
    told = value if label == 0 else distractors(draw, relation, value, 1)[0]
    saying = draw.one(relation.sayings).format(thing=thing, value=told)
    row = {
        "id": row_id,
        "question": draw.one(FRAMES).format(saying),
        "answer": ("yes", "no")[label],
    }
    return row, value


def _choice_question(
    draw: Draw, relations: Sequence[Relation], label: int, num_choices: int
) -> tuple[str, str, list[dict[str, str]]]:
    """The question, the thing it is about, and the choices."""
    relation, thing = draw.one(relations), draw.one(THINGS)
    value = FACTS[thing, relation.name]
    options = distractors(draw, relation, value, num_choices - 1)
    options.insert(label, value)
    question = draw.one(relation.questions).format(thing=thing)
    choices = [{"label": LETTERS[i], "text": option} for i, option in enumerate(options)]
    return question, thing, choices
