"""Which settings are part of which key, declared where each setting is.

A key in the store is a digest of a recipe: of all that decides a result. A setting that is part of
none may change without a stage being trained again. A setting that comes later names the value that
all recipes before it had without saying so: with that value it is left out, and no key changes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from functools import cache
from typing import Any

from pydantic import BaseModel
from pydantic_core import PydanticUndefined


class Key(Enum):
    """What a recipe is of."""

    STAGE = "a trained stage"
    EVALUATION = "an evaluation"
    LOSS = "a training loss that is measured: a curvature, a change"
    SOLVER = "a curvature, beside its loss"
    CHANGE = "a change, beside its loss"
    SWEEP = "the name of a sweep whose trials are not known beforehand"


UNSET = PydanticUndefined
"""No value."""


@dataclass(frozen=True)
class Identity:
    """A setting's part in keys.

    Attributes:
        keys: whose recipes it is in.
        formerly: of a later setting: the value that decides as much as its absence.
        written: what recipes hold instead of the value, which decides nothing.
    """

    keys: frozenset[Key]
    formerly: Any = UNSET
    written: Any = UNSET


NO_KEY = Identity(frozenset())


def part_of(*keys: Key, formerly: Any = UNSET, written: Any = UNSET) -> Identity:
    """Declares which keys a setting is part of, in its annotation: see `Identity`."""
    return Identity(frozenset(keys), formerly, written)


@cache
def identities(model: type[BaseModel]) -> Mapping[str, Identity]:
    """Each setting's own declaration; else that of its class, the attribute ``all_settings``.

    Raises:
        TypeError: a setting has neither.
    """
    common: Identity | None = getattr(model, "all_settings", None)
    found = {}
    for name, field in model.model_fields.items():
        own = next((one for one in field.metadata if isinstance(one, Identity)), common)
        if own is None:
            raise TypeError(f"{model.__name__}.{name} does not say whether it is part of a key")
        found[name] = own
    return found


def decisive(settings: BaseModel, key: Key) -> dict[str, Any]:
    """The settings that are part of a key, as plain JSON values."""
    plain = {}
    for name, identity in identities(type(settings)).items():
        value = getattr(settings, name)
        if key in identity.keys and value != identity.formerly:
            plain[name] = _plain(value if identity.written is UNSET else identity.written, key)
    return plain


class Decisive:
    """`decisive`, of each settings object and key once; what it gives is not to be changed.

    Objects are known by identity, which is cheap: a plan asks for the same few a million times.
    """

    def __init__(self) -> None:
        self._known: dict[Key, dict[int, tuple[BaseModel, dict[str, Any]]]] = {k: {} for k in Key}

    def __call__(self, settings: BaseModel, key: Key) -> Mapping[str, Any]:
        """The settings that are part of a key, as plain JSON values."""
        known = self._known[key]
        found = known.get(id(settings))
        if found is None:  # it is kept, so that no other object can have its id
            found = known[id(settings)] = settings, decisive(settings, key)
        return found[1]

    def __reduce__(self) -> tuple[type[Decisive], tuple[()]]:
        """Nothing travels: another process has other ids."""
        return Decisive, ()


def _plain(value: Any, key: Key) -> Any:
    if isinstance(value, BaseModel):
        return decisive(value, key)
    if isinstance(value, Mapping):
        return {str(name): _plain(one, key) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one, key) for one in value]
    return value
