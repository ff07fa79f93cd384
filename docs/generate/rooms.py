"""The rooms of the house: what each is for, and which imports which."""

from __future__ import annotations

import ast
from pathlib import Path

from docs.generate.markdown import table
from tests.house import rooms

ROOT = Path(__file__).parents[2]


def graph() -> str:
    """The rooms' imports, as a drawing."""
    return f"```mermaid\n{rooms.graph()}\n```"


def listing() -> str:
    """What each room is for."""
    rows = ([f"`{name}`", told] for name, told in purposes().items())
    return table(["room", "what is there"], rows)


def purposes() -> dict[str, str]:
    """The first line of each room's docstring."""
    found = {}
    for path in sorted((ROOT / "raysweep").glob("*/__init__.py")):
        text = ast.get_docstring(ast.parse(path.read_text())) or ""
        found[path.parent.name] = text.splitlines()[0]
    return found
