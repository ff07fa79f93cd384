"""What all groups of settings have in common."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict

from raysweep.errors import InputError
from raysweep.settings.identity import Identity, identities
from raysweep.settings.paths import expanded, shown, user_file
from raysweep.settings.plain_yaml import PlainYamlError, read_plain_yaml

TINY = "tiny"
"""The embedded model, data and judge."""
HUB = "hub"
"""The Hugging Face hub as a source of data."""


class Settings(BaseModel):
    """Frozen, and closed to unknown keys; each setting says which keys it is part of.

    Attributes:
        all_settings: what a class declares for those that declare nothing themselves.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    all_settings: ClassVar[Identity | None] = None

    @classmethod
    def __pydantic_init_subclass__(cls, **_: Any) -> None:
        identities(cls)


def read_settings(path: Path, remedy: str, example: str) -> dict[str, Any]:
    """The mapping in a YAML file, unchecked.

    Args:
        remedy: what to do if there is no such file.
        example: where to see how such a file looks.

    Raises:
        InputError: the file is missing, no plain YAML, or no mapping.
    """
    file = user_file(path, remedy)
    try:
        content = read_plain_yaml(file)
    except (OSError, PlainYamlError) as error:
        raise InputError(shown(path), f"cannot be read ({error})", "correct the file") from None
    if not isinstance(content, dict):
        raise InputError(shown(path), "holds no mapping of settings", f"see {example}")
    return content


def refuse_repeats(values: Sequence[Any]) -> None:
    """Raises ValueError where an entry of a list occurs twice."""
    if len(set(values)) < len(values):
        raise ValueError("an entry is listed twice; list each once")


def absolute(value: str) -> str:
    """A relative path of something that exists, made absolute: workers have folders of their own.

    Other values, and paths that begin with ``~``, mean the same on every host.

    Raises:
        ValueError: it can be no path.
    """
    if value in (TINY, HUB):
        return value
    is_path = expanded(value).exists() and not value.startswith("~")
    return str(Path(value).resolve()) if is_path else value
