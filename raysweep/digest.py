"""Digests: equal content gives an equal key on every platform and in every process."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

_CANONICAL = json.JSONEncoder(sort_keys=True, separators=(",", ":"), allow_nan=False)


def digest_json(value: Any) -> str:
    """sha256 of the canonical JSON form (sorted keys, shortest exact floats)."""
    return hashlib.sha256(_CANONICAL.encode(value).encode()).hexdigest()


def digest_list(items: Iterable[Any]) -> str:
    """`digest_json` of the list of these, which is never held as a whole."""
    digest, before = hashlib.sha256(b"["), b""
    for item in items:
        digest.update(before + _CANONICAL.encode(item).encode())
        before = b","
    digest.update(b"]")
    return digest.hexdigest()


BLANKS = ("\0", "\0\0")
"""Strings that stand for others in a form; they occur in nothing that has a digest."""


class Form:
    """Values that are alike but for the strings in their blanks: written once, digested often.

    >>> Form({"a": BLANKS[0], "b": 1}).digest("x") == digest_json({"a": "x", "b": 1})
    True
    """

    def __init__(self, value: Any) -> None:
        self._text = _CANONICAL.encode(value)

    def digest(self, *strings: str) -> str:
        """`digest_json` of the value with these strings in its blanks."""
        text = self._text
        for blank, string in zip(_WRITTEN_BLANKS, strings, strict=False):
            text = text.replace(blank, _CANONICAL.encode(string))
        return hashlib.sha256(text.encode()).hexdigest()


_WRITTEN_BLANKS = tuple(map(_CANONICAL.encode, BLANKS))


def digest_file(path: Path) -> str:
    """sha256 of a file's bytes, read in pieces."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
