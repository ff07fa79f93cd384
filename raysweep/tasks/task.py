"""What a task is: a dataset with its prompt template, its answers, its scoring and its groups."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, StringConstraints

from raysweep.tasks.text import compared

Fields = Mapping[str, Any]
OVERALL = "overall"
ALL = "all"
RESERVED = (OVERALL, ALL)
"""What results call all rows of a task, and all of its subsets: no group's or subset's name."""
POOL = "pool"
BIASED, COUNTER_BIASED, UNKNOWN = "biased", "counter-biased", "unknown"
"""The roles of an answer in a bias benchmark: with the stereotype, against it, undecided."""


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
        roles: of each answer, where the task measures bias: `BIASED`, `COUNTER_BIASED`, `UNKNOWN`.
        cluster: the template that the row was made from, where rows come from templates: chance in
            the choice of rows is then chance in the choice of templates.
        is_verbatim: whether texts that differ in case or punctuation differ in content, as in code.
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
    roles: tuple[str, ...] = ()
    cluster: str = ""
    is_verbatim: bool = False

    @property
    def prompt(self) -> str:
        """Everything before the answer, ending with a line break."""
        parts = (self.instruction, self.context, self.question)
        return "".join(f"{part}\n" for part in parts if part)

    @cached_property
    def stratum(self) -> tuple[str, str, str]:
        """The cell of group, subset and label that stratified sampling keeps in balance.

        A row of several groups stands in the cell of one of them, drawn by its content.
        """
        places = self.groups or ("",)
        home = places[int(self.content_digest, 16) % len(places)]
        return home, self.subset, str(self.label)

    @cached_property
    def content_digest(self) -> str:
        """sha256 of the normalised text of the prompt: equal for rows that ask the same."""
        text = f"{self.context}\n{self.question}"
        folded = compared(text) if self.is_verbatim else normalise(text)
        return hashlib.sha256(folded.encode()).hexdigest()


@dataclass(frozen=True)
class Dropped:
    """A row that a task leaves out on purpose, with the reason that reports give."""

    reason: str


class RawRow(BaseModel):
    """A row in a dataset's own schema; fields that no template needs are ignored."""

    model_config = ConfigDict(frozen=True, extra="ignore", strict=True)


Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]
"""A text that may not be empty, without the spaces around it."""

Located = tuple[str, Fields]
"""A row after the place it stands at: file and line, or dataset, split and number."""
Release = Mapping[str, Iterable[Located]]
"""The rows of a dataset by split: "train", "validation", "test", or `POOL` for no split."""


@dataclass(frozen=True)
class PaperSizes:
    """The paper's Table 2 for one task; None where it prints a dash."""

    train: int
    test: int
    num_groups: int | None = None
    num_labels: int | None = None


@dataclass(frozen=True)
class Validated:
    """Rows that the dataset's authors had people check, trained on first (section 3.2).

    Attributes:
        ids: of the examples concerned.
        note: what the list holds, for reports.
    """

    ids: frozenset[str] = frozenset()
    note: str = ""


def _unchanged(row: Fields) -> Fields:
    return row


@dataclass(frozen=True)
class HubDataset:
    """A copy of a dataset on the hub and how its rows become those of the raw files.

    Attributes:
        repository: the dataset's id, or the path of a local copy of its repository.
        revision: the full commit hash.
        splits: our split -> the hub's splits that make it up.
        to_raw: turns a row of the hub into the raw files' schema.
    """

    repository: str
    revision: str
    splits: Mapping[str, tuple[str, ...]]
    config: str | None = None
    to_raw: Callable[[Fields], Fields] = _unchanged


@dataclass(frozen=True, eq=False)
class Task:
    """A task and everything that is particular to it.

    Attributes:
        name: the identifier in search spaces and results.
        title: the paper's short name (Table 1).
        labels: the names of the possible answers, in the order of ``Example.answers``; empty for
            a generative task.
        row: the schema of a row; a row that violates it is an error.
        parse: turns a row into an example, or says why it is dropped.
        groups: the groups that rows may speak of, where they are known beforehand.
        num_templates: that rows were made from, where that is known beforehand; 0 for none.
        content_ids: whether ids are digests of the content, because the dataset has none; equal
            ids are then equal rows, not a mistake.
        read_files: reads all rows from a folder of the authors' raw files.
        hub: the dataset's copy on the Hugging Face hub, with the same rows.
        read_own: reads the rows of a task that knows itself where they are.
        read_validated: finds the human-validated rows in a folder of raw files.
        sizes: the paper's, which are the default sizes of the training set.
        note: why the data differs from the paper's numbers, for reports.
        where: how to get the raw files, for error messages.
    """

    name: str
    title: str
    kind: Kind
    labels: tuple[str, ...]
    row: type[RawRow]
    parse: Callable[[Any], Example | Dropped]
    groups: tuple[str, ...] = ()
    subsets: tuple[str, ...] = ()
    num_templates: int = 0
    content_ids: bool = False
    read_files: Callable[[Path], Release] | None = None
    hub: HubDataset | None = None
    read_own: Callable[[], Release] | None = None
    read_validated: Callable[[Path], Validated] | None = None
    sizes: PaperSizes | None = None
    note: str = ""
    where: str = ""

    @property
    def is_generative(self) -> bool:
        """Whether responses are generated and judged, rather than scored among given answers."""
        return not self.labels

    @property
    def chance(self) -> float | None:
        """Accuracy of a uniformly random answer; None for a generative task."""
        return 1 / len(self.labels) if self.labels else None

    def parse_row(self, row: Fields) -> Example | Dropped:
        """Turns a row in the dataset's own schema into an example.

        Raises:
            pydantic.ValidationError: the row violates the schema.
        """
        return self.parse(self.row.model_validate(row))


def normalise(text: str) -> str:
    """Folds case, Unicode form, white space and punctuation away."""
    folded = unicodedata.normalize("NFKC", text).casefold()
    return re.sub(r"[\W_]+", " ", folded).strip()
