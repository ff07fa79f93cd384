"""What all groups of settings have in common."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict

from raysweep.errors import InputError

TINY = "tiny"
"""The embedded model, data and judge."""
HUB = "hub"
"""The Hugging Face hub as a source of data."""


class Settings(BaseModel):
    """Frozen, and closed to unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class _Loader(yaml.SafeLoader):
    """A safe loader to which a key that is given twice is a mistake, not a correction."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[Any] = set()
        for key_node, _ in node.value:
            if not isinstance(key_node, yaml.ScalarNode):
                continue  # no setting; refused below or by the settings' schema
            key = self.construct_object(key_node)
            if key in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"{key!r} is given twice", key_node.start_mark
                )
            seen.add(key)
        return super().construct_mapping(node, deep)


def read_settings(path: Path, remedy: str, example: str) -> dict[str, Any]:
    """The mapping in a YAML file, unchecked.

    Args:
        remedy: what to do if there is no such file.
        example: where to see how such a file looks.

    Raises:
        InputError: the file is missing, no YAML, or no mapping.
    """
    try:
        with path.open(encoding="utf-8") as stream:
            content = yaml.load(stream, _Loader)
    except (FileNotFoundError, IsADirectoryError):
        raise InputError(str(path), "no such file", remedy) from None
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        problem = " ".join(str(error).split())
        raise InputError(str(path), f"cannot be read ({problem})", "correct the file") from None
    if not isinstance(content, dict):
        raise InputError(str(path), "holds no mapping of settings", f"see {example}")
    return content


def refuse_repeats(values: Sequence[Any]) -> None:
    """Raises ValueError where an entry of a list occurs twice."""
    if len(set(values)) < len(values):
        raise ValueError("an entry is listed twice; list each once")
