"""Chains written once and meant many times: ``{a,b}`` stands for each of its parts.

    ["{toxigen,bbq}", "{arc_easy,csqa}", "stage1@{0,5,100}%"]

is 2 x 2 x 3 chains. ``stage1`` is the task of the chain's first stage. A share of 0 % that comes
from braces leaves its part out, and a stage without parts is no stage.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence

BRACES = re.compile(r"\{([^{}]*)\}")
REFERENCE = re.compile(r"^stage([1-9]\d*)(?=@|$)")
NO_SHARE = re.compile(r"@0+(\.0*)?%$")

Written = Sequence[str | Sequence[str]]
Chain = tuple[tuple[str, ...], ...]


def expand(chain: Written) -> list[Chain]:
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


def _resolved(choice: Sequence[Sequence[str | None]]) -> Chain:
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
