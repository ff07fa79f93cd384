"""The project's documents, and the code in them."""

from __future__ import annotations

import contextlib
import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGES = sorted((ROOT / "docs").rglob("*.md"))
DOCUMENTS = (ROOT / "README.md", ROOT / "CONTRIBUTING.md", *PAGES)
TASK_PAGE = ROOT / "docs" / "howto" / "task.md"
SPACE_PAGE = ROOT / "docs" / "howto" / "space.md"
FENCE = re.compile(
    r"^(?P<unrun><!-- not run: [^\n]* -->\n)?```(?P<language>\w*)\n(?P<text>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)


@dataclass(frozen=True)
class Block:
    """A fenced block of code.

    Attributes:
        is_run: unless a comment before it says why not.
    """

    language: str
    text: str
    is_run: bool = True


def blocks(page: Path) -> list[Block]:
    """The fenced blocks of a document, in order."""
    found = FENCE.finditer(page.read_text())
    return [Block(one["language"], one["text"], not one["unrun"]) for one in found]


def only_block(page: Path, language: str, text: str) -> str:
    """The one block of a page in a language that holds a text."""
    (found,) = (one for one in blocks(page) if one.language == language and text in one.text)
    return found.text


def make_loops(folder: Path) -> Path:
    """The documented task of one's own and its rows; returns the task's file."""
    task = folder / "loops.yaml"
    task.write_text(only_block(TASK_PAGE, "yaml", "name: loops"))
    with contextlib.chdir(folder):
        exec(only_block(TASK_PAGE, "python", "loops.jsonl"), {})
    return task
