"""Mistakes in settings, told in one line: which key, which value, what to do."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from typing import Any, TypeVar, get_args

from pydantic import BaseModel, ValidationError

from raysweep.errors import InputError
from raysweep.settings.paths import shown

_Kind = TypeVar("_Kind", bound=BaseModel)
SCALARS = ("float", "int", "string", "bool", "literal")  # of pydantic's error types
WANTED = {
    "float_type": "a valid number",
    "int_type": "a valid whole number",
    "string_type": "text",
    "bool_type": "true or false",
}

EXPLAINED = {
    "missing": "this key is required; add it",
    "too_short": "an empty list; give at least one entry",
    "tuple_type": "not a list; write it as [a, b]",
    "dict_type": "not a mapping; write its settings as key: value",
    "model_type": "not a mapping; write its settings as key: value",
}


class SettingError(ValueError):
    """Carries the key and value of a mistake found in a nested free-form mapping."""

    def __init__(self, key: str, value: Any, problem: str) -> None:
        super().__init__(problem)
        self.key, self.value = key, value


def nested_mistake(
    error: ValidationError, prefix: str, value: Any, owner: type[BaseModel]
) -> SettingError:
    """The first mistake in settings that are checked apart from the whole, under their prefix."""
    first = error.errors()[0]
    key = ".".join([prefix, *map(str, first["loc"])])
    return SettingError(key, first.get("input", value), _explain(first, owner))


def describe(error: ValidationError, root: type[BaseModel], place: str) -> InputError:
    """The first mistake of a validation as one line: place, key, value and remedy."""
    first = error.errors()[0]
    cause = first.get("ctx", {}).get("error")
    key, value = ".".join(map(str, first["loc"])), first["input"]
    if isinstance(cause, SettingError):
        key, value, problem = cause.key, cause.value, str(cause)
    else:
        problem = _explain(first, _owner(root, first["loc"]))
    if not key:
        return InputError(place, "settings that do not fit together", problem)
    given = "" if first["type"] == "missing" and cause is None else f" = {_repr(value)}"
    return InputError(place, f"{shown(key)}{given}", shown(problem, 2000))


def checked(kind: type[_Kind], content: Mapping[str, Any], place: str) -> _Kind:
    """Settings of a kind.

    Raises:
        InputError: naming ``place``, the key, the value and the remedy.
    """  # noqa: DOC501  # `describe` makes one
    try:
        return kind.model_validate(content)
    except ValidationError as error:
        raise describe(error, kind, place) from None


def check_finite(value: float | None, option: str, most: float = 1e15) -> None:
    """Checks the number of an option: from 0, and finite.

    Raises:
        InputError: it is not.
    """
    if value is not None and not 0 <= value <= most:
        raise InputError(f"{option} {value:g}", f"is no number from 0 to {most:g}", "give another")


def _explain(error: Any, owner: type[BaseModel]) -> str:
    kind, value = error["type"], error["input"]
    if kind == "extra_forbidden":
        name, known = str(error["loc"][-1]), owner.model_fields
        return f"unknown key{suggestion(name, known)}; known keys: {', '.join(known)}"
    if kind in EXPLAINED:
        return EXPLAINED[kind]
    if isinstance(value, list) and kind.partition("_")[0] in SCALARS:
        return "a list is no single value; to try each of them write {grid: [a, b]}"
    if kind in WANTED and isinstance(value, bool | str | int | float):
        return _of_another_kind(kind, value)
    message: str = error["msg"].removeprefix("Value error, ").removeprefix("Input ")
    return message if message[:2].isupper() else message[0].lower() + message[1:]


def _of_another_kind(kind: str, value: Any) -> str:
    """What a plain value should be, and how that is written."""
    hint = ""
    if isinstance(value, bool):
        quoted = "; quote them" if kind == "string_type" else ""
        hint = f"; true and false are truth values{quoted}"
    elif kind == "string_type":
        hint = "; quote it"
    elif kind == "int_type" and isinstance(value, float):
        hint = "; write it without a point"
    elif kind != "bool_type" and isinstance(value, str):
        hint = "; write it without quotes or underscores"
    return f"should be {WANTED[kind]}{hint}"


def _repr(value: Any) -> str:
    """A value as Python writes it, cut where it is long."""
    try:
        return shown(repr(value), 200)
    except ValueError:  # thousands of digits
        return "a number of thousands of digits"


def _owner(root: type[BaseModel], location: tuple[int | str, ...]) -> type[BaseModel]:
    """The settings that the last key of a location belongs to."""
    owner = root
    for key in location[:-1]:
        field = owner.model_fields.get(str(key))
        options = [] if field is None else [field.annotation, *get_args(field.annotation)]
        owner = next(
            (kind for kind in options if isinstance(kind, type) and issubclass(kind, BaseModel)),
            owner,
        )
    return owner


def check_known(place: str, name: str, known: Iterable[str]) -> None:
    """Checks a name against those there are.

    Raises:
        InputError: it is none of them.
    """
    if name not in (names := list(known)):
        problem = f"unknown{suggestion(name, names)}"
        raise InputError(shown(place), problem, f"there are {', '.join(names)}")


def suggestion(name: str, known: Iterable[str]) -> str:
    """A known name that is close to a misspelt one, as a question in brackets; else nothing."""
    close = difflib.get_close_matches(name, list(known), n=1)
    return f" (did you mean {close[0]!r}?)" if close else ""
