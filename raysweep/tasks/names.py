"""Names and answers that results could not tell apart."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import lru_cache

from raysweep.tasks.task import RESERVED, Task
from raysweep.tasks.text import compared, seen

NAME = re.compile("[a-z][a-z0-9_]{,39}")
"""Of tasks: chains, files and columns are named by them."""


def name_mistake(name: str) -> str:
    """What is wrong with the name of a group or a subset, if something is."""
    if not compared(name):
        return "has no name"
    if compared(name) in RESERVED:
        return f"is called {name!r}, as results call all rows; rename it"
    return ""


def task_mistake(task: Task) -> str:
    """What is wrong with the names that a task has, if something is."""
    if not NAME.fullmatch(task.name):
        return f"the name {task.name!r} is not of lower-case letters, digits and _, up to 40"
    for what, names in (("group", task.groups), ("subset", task.subsets)):
        if problem := next(filter(None, map(name_mistake, names)), ""):
            return f"a {what} {problem}"
    for what, names in (("label", task.labels), ("subset", task.subsets)):
        if len({compared(name) for name in names}) < len(names):
            return f"a {what} is listed twice"
    return ""


def titles_mistake(tasks: Iterable[Task]) -> str:
    """What is wrong with titles, by which tables and figures tell tasks apart, if something is."""
    known: dict[str, str] = {}
    for task in tasks:
        first = known.setdefault(compared(task.title), task.name)
        if first != task.name:
            return f"{first} and {task.name} have the same title {task.title!r}; change one"
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
