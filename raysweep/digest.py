"""Digests: equal content gives an equal key on every platform and in every process."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

_CANONICAL = json.JSONEncoder(sort_keys=True, separators=(",", ":"), allow_nan=False)


def digest_json(value: Any) -> str:
    """sha256 of the canonical JSON form (sorted keys, shortest exact floats)."""
    return hashlib.sha256(_CANONICAL.encode(value).encode()).hexdigest()


def digest_file(path: Path) -> str:
    """sha256 of a file's bytes, read in pieces."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
