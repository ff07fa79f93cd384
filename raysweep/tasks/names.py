"""Names and answers that results could not tell apart. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from raysweep.tasks.task import RESERVED
from raysweep.tasks.text import compared, seen


def name_mistake(name: str) -> str:
    """What is wrong with the name of a group or a subset, if something is."""
    if not compared(name):
        return "has no name"
    if compared(name) in RESERVED:
        return f"is called {name!r}, as results call all rows; rename it"
    return ""


@lru_cache(maxsize=1024)
def answers_mistake(answers: Sequence[str]) -> str:
    """What is wrong with the candidate answers of a row, if something is."""
    known: dict[str, str] = {}
    for answer in answers:
        text = seen(answer)
        if not text:
            return f"the answer {answer!r} is empty or blank; give it a text"
        first = known.setdefault(text, answer)
        if first is not answer:
            return (
                f"the answers {first!r} and {answer!r} look the same; two labels have the same "
                "answer, give each one of its own"
            )
    return ""
