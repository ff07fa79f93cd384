"""Two recipes compared, field by field."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

Path = tuple[str | int, ...]
DIGEST = re.compile(r'"([0-9a-f]{8})[0-9a-f]{56}"')


@dataclass(frozen=True)
class Difference:
    """A field in which two recipes differ.

    Attributes:
        path: the names, in lists the positions, that lead to it.
        there, here: its values as JSON; None where a recipe does not have it.
    """

    path: Path
    there: str | None
    here: str | None

    def __str__(self) -> str:
        values = (DIGEST.sub(r"\1", one or "nothing") for one in (self.there, self.here))
        return "{}: {} there, {} here".format(".".join(map(str, self.path)), *values)


def differences(there: Any, here: Any) -> tuple[Difference, ...]:
    """The fields in which two recipes differ; none exactly if they have the same digest."""
    one, other = fields(there), fields(here)
    return tuple(
        Difference(path, one.get(path), other.get(path))
        for path in one | other
        if one.get(path) != other.get(path)
    )


def fields(recipe: Any, path: Path = ()) -> dict[Path, str]:
    """What of a recipe has no parts, or could and has none, as JSON by its path.

    Args:
        path: where the recipe is within a larger one.
    """
    if not recipe or not isinstance(recipe, dict | list | tuple):
        return {path: json.dumps(recipe)}
    found: dict[Path, str] = {}
    for name, part in recipe.items() if isinstance(recipe, dict) else enumerate(recipe):
        found |= fields(part, (*path, name))
    return found
