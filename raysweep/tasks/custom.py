"""Tasks of one's own: a short YAML file says where the rows are and how they become examples."""

from __future__ import annotations

import hashlib
import json
import math
import string
import unicodedata
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import ConfigDict, Field, ValidationError, field_validator, model_validator
from pydantic_core import InitErrorDetails, PydanticCustomError

from raysweep.errors import InputError
from raysweep.settings.base import Settings, read_settings
from raysweep.settings.identity import NO_KEY
from raysweep.settings.mistakes import checked
from raysweep.tasks.files import READERS
from raysweep.tasks.hub import read_hub
from raysweep.tasks.names import answers_mistake, name_mistake
from raysweep.tasks.task import ALL, POOL, Example, HubDataset, Kind, RawRow, Release, Task
from raysweep.tasks.text import MISSING, compared

Split = Literal["train", "validation", "test", "pool"]
Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$", max_length=40)]


class HubSource(Settings):
    """A dataset on the Hugging Face hub.

    Attributes:
        repository: the dataset's id.
        revision: a commit's hash, or at least seven digits of it.
        config: of its configurations the one to load.
        splits: split -> the hub's name of it.
    """

    all_settings: ClassVar = NO_KEY  # the rows themselves are

    repository: str
    revision: str = Field(min_length=7)
    config: str | None = None
    splits: Mapping[Split, str] = Field(min_length=1)


class TaskSpec(Settings):
    """A task with restricted answers, described by its data and its template.

    ``instruction``, ``context`` and ``question`` may name columns in braces: ``{column}``.

    Attributes:
        name: how search spaces call the task.
        title: its short name in tables; else the name.
        kind: which family of tasks it belongs to.
        files: split -> file (.jsonl, .json, .csv or .parquet; .gz may follow), relative to the
            YAML file: "train" and "test", perhaps "validation", or "pool" alone.
        hub: a hub dataset instead of files.
        instruction, question: lines of the prompt that are never cut.
        context: a line between them, whose beginning is cut when a row is too long.
        label: the column with the right answer.
        answers: value of that column -> the whole answer that the model gives.
        group: the column with the row's demographic group, or a list of them.
        subset: the column with a part of the task that is scored apart.
        subsets: that column's values.
        cluster: the column with the template that the row was made from, where rows are made from
            templates; their intervals are then over templates.
        id: the column with the row's id; else a digest of its content.
    """

    all_settings: ClassVar = NO_KEY  # the rows themselves are

    name: Name
    title: str = ""
    kind: Kind
    files: Mapping[Split, str] = {}
    hub: HubSource | None = None
    instruction: str = ""
    context: str = ""
    question: str = Field(min_length=1)
    label: str
    answers: Mapping[str, str] = Field(min_length=2)
    group: str | None = None
    subset: str | None = None
    subsets: tuple[str, ...] = ()
    cluster: str | None = None
    id: str | None = None

    @field_validator("answers", mode="before")
    @classmethod
    def _plain_keys(cls, answers: Any) -> Any:
        if not isinstance(answers, Mapping):
            return answers
        if any(isinstance(key, bool) for key in answers):
            raise ValueError("true and false are truth values; quote them")
        return {str(key): value for key, value in answers.items()}

    @field_validator("answers")
    @classmethod
    def _told_apart(cls, answers: Mapping[str, str]) -> Mapping[str, str]:
        if len({compared(label) for label in answers}) < len(answers):
            raise ValueError("two labels differ in white space or Unicode form only")
        if problem := answers_mistake(tuple(answers.values())):
            raise ValueError(problem)
        return answers

    @field_validator("subsets")
    @classmethod
    def _subset_names(cls, subsets: tuple[str, ...]) -> tuple[str, ...]:
        if problem := next(filter(None, map(name_mistake, subsets)), ""):
            raise ValueError(f"a subset {problem}")
        if len({compared(name) for name in subsets}) < len(subsets):
            raise ValueError("a subset is listed twice; list each once")
        return subsets

    @field_validator("instruction", "context", "question")
    @classmethod
    def _well_formed(cls, template: str) -> str:
        try:
            _columns(template)
        except ValueError as error:
            raise ValueError(f"is no template ({error}); double a brace that is text") from None
        return template

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if bool(self.files) == (self.hub is not None):
            raise ValueError("give either files or hub")
        splits = set(self.files or (self.hub.splits if self.hub else ()))
        if splits != {POOL} and (POOL in splits or not {"train", "test"} <= splits):
            raise ValueError("the splits must be train and test (and validation), or pool alone")
        if not _columns(self.question) and not _columns(self.context):
            raise ValueError("neither question nor context names a column; write {column}")
        if bool(self.subset) != bool(self.subsets):
            raise ValueError("give the column subset together with its values, subsets: [a, b]")
        return self

    def build(self) -> Task:
        """The task."""
        return Task(
            self.name,
            self.title or self.name,
            self.kind,
            tuple(self.answers),
            _AnyRow,
            partial(_parse, self),
            subsets=self.subsets,
            content_ids=self.id is None,
            read_own=partial(_read, self),
            where="the files that its YAML names",
        )


class _AnyRow(RawRow):
    """A row of any columns."""

    model_config = ConfigDict(frozen=True, extra="allow")


def read_task(path: Path) -> dict[str, Any]:
    """The settings in a task's YAML file, checked, with its data files' paths made absolute.

    Raises:
        InputError: the file is missing or wrong.
    """
    content = read_settings(path, "give the path of a task's YAML file", "docs/howto/task.md")
    spec = checked(TaskSpec, content, str(path))
    folder = path.expanduser().resolve().parent
    files = {split: str(folder / Path(name).expanduser()) for split, name in spec.files.items()}
    for split, name in files.items():
        _reader(name, f"{path}: files.{split}")
    absolute = spec.model_copy(update={"files": files})
    return absolute.model_dump(mode="json", exclude_defaults=True)


def _read(spec: TaskSpec) -> Release:
    if hub := spec.hub:
        splits = {str(split): (name,) for split, name in hub.splits.items()}
        return read_hub(HubDataset(hub.repository, hub.revision, splits, hub.config))
    return {
        split: _reader(name, f"task {spec.name!r}: files.{split}")(Path(name))
        for split, name in spec.files.items()
    }


def _reader(name: str, place: str) -> Any:
    ending = Path(name.removesuffix(".gz")).suffix
    if ending not in READERS:
        raise InputError(place, f"{name!r} is of no known kind", f"use {', '.join(READERS)}")
    return READERS[ending]


def _parse(spec: TaskSpec, row: _AnyRow) -> Example:
    values = row.model_extra or {}
    label = _listed(values, spec.label, tuple(spec.answers))
    subset = _listed(values, spec.subset, spec.subsets) if spec.subset else ALL
    context, question = _filled(spec.context, values), _filled(spec.question, values)
    if not question:
        raise _wrong("question", question, "is empty")
    answers = tuple(spec.answers.values())
    index = list(spec.answers).index(label)
    content = "\0".join(unicodedata.normalize("NFC", t) for t in (context, question, label))
    return Example(
        id=_name(values, spec.id) if spec.id else hashlib.sha256(content.encode()).hexdigest()[:16],
        instruction=_filled(spec.instruction, values),
        context=context,
        question=question,
        answers=answers,
        label=index,
        target=answers[index],
        groups=_groups(values, spec.group),
        subset=subset,
        cluster=_name(values, spec.cluster) if spec.cluster else "",
        is_verbatim=True,
    )


def _listed(values: Mapping[str, Any], column: str, names: tuple[str, ...]) -> str:
    """The one of the names that a value means."""
    known = {compared(name): name for name in names}
    text = compared(_text(values, column))
    # True and False, as spreadsheets and data frames write them
    found = known.get(text) or known.get(text.lower())
    if found is None:
        raise _wrong(column, text, f"is none of {', '.join(names)}")
    return found


def _filled(template: str, values: Mapping[str, Any]) -> str:
    """The template with a row's values; a value within a sentence may not be missing."""
    texts = {}
    for column in _columns(template):
        texts[column] = text = _text(values, column)
        if text in MISSING:
            raise _wrong(column, text, "is a missing value, as a data frame writes it")
        if not text and template.strip() != f"{{{column}}}":
            raise _wrong(column, text, f"is empty within {template.strip()!r}")
    return template.format_map(texts).strip()


def _name(values: Mapping[str, Any], column: str) -> str:
    """A value that names something: an id or a group."""
    text = compared(_text(values, column))
    if not text or text in MISSING:
        raise _wrong(column, text, "is a missing value" if text else "is empty")
    return text


def _columns(template: str) -> list[str]:
    """The columns a template names; a name is taken whole, so that none reaches into a value."""
    parts = list(string.Formatter().parse(template))
    for _, name, form, conversion in parts:
        if name is not None and (form or conversion or not name.replace("_", "a").isalnum()):
            raise ValueError(f"{{{name}}} is no plain column name")
    return [name for _, name, _, _ in parts if name is not None]


def _text(values: Mapping[str, Any], column: str) -> str:
    """A value as text; truth values as JSON writes them."""
    if column not in values:
        raise _wrong(column, None, _absent(values))
    value = values[column]
    if isinstance(value, bool):
        return json.dumps(value)
    if isinstance(value, float) and not math.isfinite(value):
        raise _wrong(column, value, "is no number")
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, int | float):
        return str(value)
    if not isinstance(value, str):
        raise _wrong(column, value, "is null" if value is None else "is no text or number")
    if any("\ud800" <= character <= "\udfff" for character in value):
        raise _wrong(column, repr(value), "holds half a character")
    return value.strip()


def _groups(values: Mapping[str, Any], column: str | None) -> tuple[str, ...]:
    if not column:
        return ()
    if column not in values:
        raise _wrong(column, None, _absent(values))
    value = values[column]
    if value is None or value == "":
        return ()
    listed = value if isinstance(value, list) else [value]
    if not all(isinstance(item, str | int) for item in listed):
        raise _wrong(column, value, "is neither a group nor a list of groups")
    groups = tuple(sorted({_name({column: item}, column) for item in listed}))
    if problem := next(filter(None, map(name_mistake, groups)), ""):
        raise _wrong(column, value, problem)
    return groups


def _absent(values: Mapping[str, Any]) -> str:
    return f"is not there; the row has the columns {', '.join(map(repr, values)) or 'none'}"[:400]


def _wrong(column: str, value: Any, problem: str) -> ValidationError:
    kind = PydanticCustomError("task_row", "{problem}", {"problem": problem})
    detail = InitErrorDetails(type=kind, loc=(column,), input=value)
    return ValidationError.from_exception_data("row", [detail])
