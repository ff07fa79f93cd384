"""The JSON files of a model's folder."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from raysweep.errors import InputError


def read_object(path: Path, remedy: str) -> dict[str, Any]:
    """The object in a JSON file.

    Raises:
        FileNotFoundError: there is no such file.
        InputError: it cannot be read, or holds something else.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(str(path), f"cannot be read ({error})", remedy) from None
    if not isinstance(content, dict):
        raise InputError(str(path), "holds no JSON object", remedy)
    return content
