"""What a task is: a dataset with its prompt template, its answers, its scoring and its groups."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

Row = Mapping[str, Any]
OVERALL = "overall"
ALL = "all"


class Kind(StrEnum):
    """The paper's two families of tasks (section 3.2)."""

    CAPABILITY = "capability"
    SAFETY = "safety"


@dataclass(frozen=True)
class Example:
    """One row of a task, formatted.

    The prompt is ``instruction``, ``context`` and ``question``, each on a line of its own (empty
    parts left out); the answer follows on the next line. The paper does not show its line breaks:
    these are ours. Only ``context`` may be shortened when a row exceeds the sequence limit.

    Attributes:
        id: unique within the task.
        answers: every candidate answer, whole, in the order of the task's labels; empty for a
            generative task, whose responses are judged instead.
        label: index of the right answer in ``answers``; 0 for a generative task.
        target: the text that training teaches, ``answers[label]`` for a restricted answer.
        groups: the demographic groups that the row speaks of; may be empty.
        subset: a part of the task that is scored apart as well (BBQ's context condition), or "all".
    """

    id: str
    instruction: str
    context: str
    question: str
    answers: tuple[str, ...]
    label: int
    target: str
    groups: tuple[str, ...] = ()
    subset: str = ALL

    @property
    def prompt(self) -> str:
        """Everything before the answer, ending with a line break."""
        parts = (self.instruction, self.context, self.question)
        return "".join(f"{part}\n" for part in parts if part)

    @property
    def stratum(self) -> tuple[str, ...]:
        """The cell of group x subset x label that stratified sampling keeps in balance."""
        return ("+".join(self.groups), self.subset, str(self.label))

    @property
    def content_digest(self) -> str:
        """sha256 of the normalised text of the prompt: equal for rows with the same content."""
        return hashlib.sha256(normalise(f"{self.context}\n{self.question}").encode()).hexdigest()


@dataclass(frozen=True)
class Task:
    """A task and everything that is particular to it.

    Attributes:
        name: the identifier in search spaces and results.
        title: the paper's short name (Table 1).
        labels: the names of the possible answers, in the order of ``Example.answers``; empty for
            a generative task.
        parse: turns one row of the dataset's own schema into an example; None drops the row.
        read_split: reads the rows of a split ("train", "validation", "test") from a folder of the
            authors' raw files; None where no reader exists. A split named "pool" holds rows that
            have no official split.
    """

    name: str
    title: str
    kind: Kind
    labels: tuple[str, ...]
    parse: Callable[[Row], Example | None]
    groups: tuple[str, ...] = ()
    subsets: tuple[str, ...] = ()
    read_split: Callable[[Path], dict[str, list[Row]]] | None = None

    @property
    def is_generative(self) -> bool:
        """Whether responses are generated and judged, rather than scored among given answers."""
        return not self.labels

    @property
    def chance(self) -> float | None:
        """Accuracy of a uniformly random answer; None for a generative task."""
        return 1 / len(self.labels) if self.labels else None


def normalise(text: str) -> str:
    """Folds case, Unicode form, white space and punctuation away."""
    folded = unicodedata.normalize("NFKC", text).casefold()
    return re.sub(r"[\W_]+", " ", folded).strip()


def lettered(options: Sequence[str]) -> str:
    """``A. first. B. second.``: the paper's way of listing options (section 8.2)."""
    return " ".join(
        f"{letter}. {option.strip().rstrip('.')}."
        for letter, option in zip("ABCDE", options, strict=False)
    )
