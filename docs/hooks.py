"""What mkdocs calls: pages that are made of the code they describe, so that nothing is told twice.

README is the site's first page, CONTRIBUTING the first one of its part; the benchmarks' reports lie
beside the other evidence.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))  # the script mkdocs does not look here

from docs.generate import commands, settings, spaces, tables  # noqa: E402
from tests.house import rooms  # noqa: E402

WRITTEN: Mapping[str, Callable[[], str]] = {
    "reference/settings.md": settings.page,
    "reference/tables.md": tables.tables_page,
    "reference/metrics.md": tables.metrics_page,
    "reference/commands.md": commands.page,
    "reference/spaces.md": spaces.page,
}
TAKEN = {"index.md": "README.md", "contributing/index.md": "CONTRIBUTING.md"}
TAKEN |= {
    f"evidence/benchmarks/{name}.md": f"benchmarks/{name}.md"
    for name in (
        "curvature",
        "end_to_end",
        "imports",
        "lanes",
        "scale",
        "schedule",
        "scoring",
        "sharing",
    )
}
GRAPH = "<!-- graph -->"


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Adds the pages that no file in this folder holds."""
    for path, write in WRITTEN.items():
        files.append(File.generated(config, path, content=write()))
    for path, source in TAKEN.items():
        files.append(File.generated(config, path, content=taken((ROOT / source).read_text(), path)))
    return files


def on_page_markdown(markdown: str, page: Page, **_: object) -> str:
    """Draws the rooms where a page has a marker for them."""
    return markdown.replace(GRAPH, f"```mermaid\n{rooms.graph()}\n```")


def taken(text: str, path: str) -> str:
    """A document of the repository's root as a page: its links are the site's."""
    up = "../" * path.count("/")
    text = re.sub(r"\]\(docs/", f"]({up}", text)
    return text.replace("](CONTRIBUTING.md", f"]({up}contributing/index.md")
