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
from decimal import Decimal
from typing import Annotated, Any, ClassVar

from pydantic import Field, GetCoreSchemaHandler, TypeAdapter, model_validator
from pydantic_core import core_schema

from raysweep.settings.base import Settings
from raysweep.settings.identity import Key, part_of

THEN, AND = " -> ", " + "


class Part(Settings):
    """A share of one task's training set within a stage's mixture."""

    all_settings: ClassVar = part_of(Key.SWEEP)

    task: str
    fraction: float = Field(1.0, ge=0.99e-9, le=1, strict=True)  # 1e-7 % is a bit less than 1e-9

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
        if self.fraction == 1:
            return self.task
        percent = Decimal(f"{self.fraction * 100:.15g}")  # as exactly as it was written
        return f"{self.task}@{percent:f}%"


class Mixture(tuple[Part, ...]):
    """What a stage is trained on: shares of tasks, each task once. Its text: ``csqa + bbq@5%``."""

    def __str__(self) -> str:
        return AND.join(map(str, self))

    @property
    def full_tasks(self) -> tuple[str, ...]:
        """The tasks whose whole training set is used."""
        return tuple(part.task for part in self if part.fraction == 1)

    @classmethod
    def __get_pydantic_core_schema__(
        cls, source: Any, handler: GetCoreSchemaHandler
    ) -> core_schema.CoreSchema:
        parts = handler(Annotated[tuple[Part, ...], Field(min_length=1)])
        return core_schema.no_info_after_validator_function(cls._each_task_once, parts)

    @classmethod
    def _each_task_once(cls, parts: tuple[Part, ...]) -> Mixture:
        mixture, tasks = cls(parts), [part.task for part in parts]
        if twice := next((task for task in tasks if tasks.count(task) > 1), None):
            problem = f"the mixture {mixture} has {twice!r} twice: the same rows"
            raise ValueError(f"{problem}; give each task one share")
        return mixture


class Chain(tuple[Mixture, ...]):
    """What the stages of a trial are trained on, in order. Its text: ``bbq -> csqa + bbq@5%``."""

    def __str__(self) -> str:
        return THEN.join(map(str, self))

    @property
    def tasks(self) -> tuple[str, ...]:
        """All tasks, each once, in the order of their first stage."""
        return tuple(dict.fromkeys(part.task for mixture in self for part in mixture))

    @property
    def first_task(self) -> str:
        """The task whose forgetting the chain is about."""
        return self[0][0].task

    def learned_at(self, task: str) -> int | None:
        """The number, from 1, of the first stage on all of a task's training set."""
        stages = enumerate(self, start=1)
        return next((number for number, mixture in stages if task in mixture.full_tasks), None)

    @classmethod
    def parse(cls, text: str) -> Chain:
        """The chain of a text, as results have it; the inverse of `str`.

        Raises:
            pydantic.ValidationError: it is the text of none.
        """
        stages = [stage.split(AND) for stage in text.split(THEN)]
        return TypeAdapter(cls).validate_python(stages)

    @classmethod
    def __get_pydantic_core_schema__(
        cls, source: Any, handler: GetCoreSchemaHandler
    ) -> core_schema.CoreSchema:
        stages = handler(Annotated[tuple[Mixture, ...], Field(min_length=1)])
        return core_schema.no_info_after_validator_function(cls, stages)


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
    return list(dict.fromkeys(map(_resolved, itertools.product(*options))))


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
