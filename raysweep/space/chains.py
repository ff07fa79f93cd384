"""A chain of stages: its type, its text, and the parser of that text.

Chains are written once and meant many times: ``{a,b}`` stands for each of its parts.

    ["{toxigen,bbq}", "{arc_easy,csqa}", "stage1@{0,5,100}%"]

is 2 x 2 x 3 chains. ``stage1`` is the task of the chain's first stage. A share of 0 % that comes
from braces leaves its part out, and a stage without parts is no stage.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence
from typing import Annotated, Any, ClassVar

from pydantic import AfterValidator, Field, model_validator

from raysweep.settings.base import Settings
from raysweep.settings.identity import Key, part_of


class Part(Settings):
    """A share of one task's training set within a stage's mixture."""

    all_settings: ClassVar = part_of(Key.SWEEP)

    task: str
    fraction: float = Field(1.0, ge=1e-9, le=1, strict=True)

    @model_validator(mode="before")
    @classmethod
    def _from_text(cls, value: Any) -> Any:
        if not isinstance(value, str):
            return value
        match = re.fullmatch(r"(?P<task>[^@]+?)(@(?P<percent>\d+(\.\d+)?)%)?", value.strip())
        if match is None:
            raise ValueError("write a task, or a task and its share such as 'bbq@5%'")
        percent = match["percent"]
        if percent and not 1e-7 <= float(percent) <= 100:
            raise ValueError("a share is more than 0 % (at least 1e-7 %) and at most 100 %")
        return {"task": match["task"], "fraction": float(percent) / 100 if percent else 1.0}

    def __str__(self) -> str:
        return self.task if self.fraction == 1 else f"{self.task}@{self.fraction * 100:g}%"


def _each_task_once(mixture: tuple[Part, ...]) -> tuple[Part, ...]:
    tasks = [part.task for part in mixture]
    if twice := next((task for task in tasks if tasks.count(task) > 1), None):
        written = " + ".join(map(str, mixture))
        raise ValueError(
            f"the mixture {written} has {twice!r} twice: the same rows; give each task one share"
        )
    return mixture


Mixture = Annotated[tuple[Part, ...], Field(min_length=1), AfterValidator(_each_task_once)]


BRACES = re.compile(r"\{([^{}]*)\}")
REFERENCE = re.compile(r"^stage([1-9]\d*)(?=@|$)")
NO_SHARE = re.compile(r"@0+(\.0*)?%$")

Written = Sequence[str | Sequence[str]]
Texts = tuple[tuple[str, ...], ...]


def expand(chain: Written) -> list[Texts]:
    """All chains that one written chain stands for, each stage a mixture of parts; no two alike.

    Raises:
        ValueError: a reference names no earlier stage, or nothing is left of a chain.
    """
    mixtures = [(stage,) if isinstance(stage, str) else tuple(stage) for stage in chain]
    options = [itertools.product(*map(texts, mixture)) for mixture in mixtures]
    chains = [_resolved(choice) for choice in itertools.product(*options)]
    return list(dict.fromkeys(chains))


def texts(part: str) -> list[str | None]:
    """What a part with braces stands for; None for a share of 0 %."""
    pieces = BRACES.split(part)
    choices = [
        [piece] if position % 2 == 0 else [text.strip() for text in piece.split(",")]
        for position, piece in enumerate(pieces)
    ]
    texts = ["".join(choice).strip() for choice in itertools.product(*choices)]
    return [None if len(pieces) > 1 and NO_SHARE.search(text) else text for text in texts]


def _resolved(choice: Sequence[Sequence[str | None]]) -> Texts:
    tasks: list[str] = []
    stages: list[tuple[str, ...]] = []
    for number, mixture in enumerate(choice, start=1):
        parts = tuple(_referred(part, tasks) for part in mixture if part is not None)
        if parts:
            stages.append(parts)
        elif number == 1:
            raise ValueError("the first stage has a share of 0 %; give it some data")
        tasks.append(parts[0].partition("@")[0] if parts else "")
    return tuple(stages)


def _referred(part: str, tasks: Sequence[str]) -> str:
    """The part with the task that it refers to."""
    match = REFERENCE.match(part)
    if not match:
        return part
    number = int(match[1])
    if number > len(tasks) or not tasks[number - 1]:
        raise ValueError(f"{part!r} refers to stage {number}, which is not before it")
    return tasks[number - 1] + part[match.end() :]
