"""Tasks of one's own: a short YAML file says where the rows are and how they become examples."""

from __future__ import annotations

import hashlib
import json
import string
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import ConfigDict, Field, ValidationError, field_validator, model_validator
from pydantic_core import InitErrorDetails, PydanticCustomError

from raysweep.errors import InputError
from raysweep.mistakes import describe
from raysweep.settings import Settings, read_settings
from raysweep.tasks.files import READERS
from raysweep.tasks.hub import HubDataset, read_hub
from raysweep.tasks.task import ALL, POOL, Example, Kind, RawRow, Release, Task

Split = Literal["train", "validation", "test", "pool"]
Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$", max_length=40)]


class HubSource(Settings):
    """A dataset on the Hugging Face hub."""

    repository: str
    revision: str = Field(min_length=7)
    config: str | None = None
    splits: Mapping[Split, str] = Field(min_length=1)


class TaskSpec(Settings):
    """A task with restricted answers, described by its data and its template.

    ``instruction``, ``context`` and ``question`` may name columns in braces: ``{column}``.

    Attributes:
        name: how search spaces call the task.
        files: split -> file (.jsonl, .json, .csv or .parquet; .gz may follow), relative to the
            YAML file. Without a split "test" or a "pool", rows cannot be tested on.
        hub: a hub dataset instead of files.
        label: the column with the right answer.
        answers: value of that column -> the whole answer that the model gives.
        group: the column with the row's demographic group, or a list of them.
        subset: the column with a part of the task that is scored apart.
        id: the column with the row's id; else a digest of its content.
    """

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
    id: str | None = None

    @field_validator("answers", mode="before")
    @classmethod
    def _plain_keys(cls, answers: Any) -> Any:
        if not isinstance(answers, Mapping):
            return answers
        if any(isinstance(key, bool) for key in answers):
            raise ValueError("true and false are truth values; quote them")
        return {str(key): value for key, value in answers.items()}

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
        if len(set(self.answers.values())) < len(self.answers):
            raise ValueError("two labels have the same answer; give each one of its own")
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
    content = read_settings(path, "give the path of a task's YAML file", "the README's example")
    try:
        spec = TaskSpec.model_validate(content)
    except ValidationError as error:
        raise describe(error, TaskSpec, str(path)) from None
    folder = path.expanduser().resolve().parent
    files = {split: str(folder / Path(name).expanduser()) for split, name in spec.files.items()}
    for split, name in files.items():
        _reader(name, f"{path}: files.{split}")
    return {
        **spec.model_dump(mode="json", exclude_defaults=True),
        **({"files": files} if files else {}),
    }


def _read(spec: TaskSpec) -> Release:
    if spec.hub:
        hub = spec.hub
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
    label = _text(values, spec.label)
    if label not in spec.answers and label.lower() in spec.answers:
        label = label.lower()  # True and False, as spreadsheets and data frames write them
    if label not in spec.answers:
        raise _wrong(spec.label, label, f"is none of {', '.join(spec.answers)}")
    subset = _text(values, spec.subset) if spec.subset else ALL
    if spec.subset and subset not in spec.subsets:
        raise _wrong(spec.subset, subset, f"is none of {', '.join(spec.subsets)}")
    context, question = _filled(spec.context, values), _filled(spec.question, values)
    if not question:
        raise _wrong("question", question, "is empty")
    answers = tuple(spec.answers.values())
    index = list(spec.answers).index(label)
    content = "\0".join([context, question, label])
    return Example(
        id=_text(values, spec.id) if spec.id else hashlib.sha256(content.encode()).hexdigest()[:16],
        instruction=_filled(spec.instruction, values),
        context=context,
        question=question,
        answers=answers,
        label=index,
        target=answers[index],
        groups=_groups(values, spec.group),
        subset=subset,
        is_verbatim=True,
    )


def _filled(template: str, values: Mapping[str, Any]) -> str:
    texts = {column: _text(values, column) for column in _columns(template)}
    return template.format_map(texts).strip()


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
    if column and column not in values:
        raise _wrong(column, None, _absent(values))
    value = values.get(column) if column else None
    if value is None or value == "":
        return ()
    if isinstance(value, str | int):
        return (_text(values, column or ""),)
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        return tuple(sorted(set(value)))
    raise _wrong(column or "", value, "is neither a group nor a list of groups")


def _absent(values: Mapping[str, Any]) -> str:
    return f"is not there; the row has the columns {', '.join(map(repr, values)) or 'none'}"[:400]


def _wrong(column: str, value: Any, problem: str) -> ValidationError:
    kind = PydanticCustomError("task_row", "{problem}", {"problem": problem})
    detail = InitErrorDetails(type=kind, loc=(column,), input=value)
    return ValidationError.from_exception_data("row", [detail])
