"""Every block of code in README and docs runs, in a folder of its own and in the page's order.

A Python or TOML block that begins with the name of a file becomes that file; an entry point in a
``pyproject.toml`` is installed. A YAML block is a search space, a part of one, or a task.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from raysweep.measures.custom import known_measurements
from raysweep.plan.metrics import check_metrics
from raysweep.settings.plain_yaml import read_plain_yaml
from raysweep.space.space import check_space
from raysweep.tasks.custom import read_task
from raysweep.tasks.registry import known_tasks
from raysweep.tasks.sources import find_source, known_sources
from tests.analysis.sweep_folder import Sweep
from tests.documents import DOCUMENTS, ROOT, blocks

WITH_BLOCKS = [page for page in DOCUMENTS if blocks(page)]
A_SPACE = {"name": "part", "chains": [["toxigen", "csqa"]]}  # what a part of one lacks
FILE = re.compile(r"# (\S+\.(?:py|toml))\n")


def run_python(text: str, namespace: dict[str, Any]) -> None:
    if name := FILE.match(text):
        path = Path(name[1])
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    else:
        exec(compile(text, "page", "exec", dont_inherit=True), namespace)


def check_yaml(text: str, _: object) -> None:
    Path("block.yaml").write_text(text)
    content = read_plain_yaml(Path("block.yaml"))
    if "answers" in content:
        read_task(Path("block.yaml"))
    else:
        check_metrics(check_space({**A_SPACE, **content}, "page"))


def install(text: str, _: object) -> None:
    """As pip does: the entry points of a package in a folder on the path."""
    groups: Mapping[str, Mapping[str, str]] = tomllib.loads(text)["project"]["entry-points"]
    for group, points in groups.items():
        for name, place in points.items():
            info = Path(f"{name}-1.0.dist-info")
            info.mkdir()
            (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
            (info / "entry_points.txt").write_text(f"[{group}]\n{name} = {place}\n")
    forget_entry_points()


def check_bash(text: str, _: object) -> None:
    subprocess.run(["bash", "-n"], input=text, text=True, check=True)


def forget_entry_points() -> None:
    for cached in (known_tasks, known_sources, find_source, known_measurements):
        cached.cache_clear()


RUN: Mapping[str, Callable[[str, dict[str, Any]], None]] = {
    "python": run_python,
    "yaml": check_yaml,
    "toml": install,
    "bash": check_bash,
}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """With results in it; what is imported from it is forgotten."""
    results = Sweep(tmp_path / "RESULTS")
    results.add(
        "toxigen -> arc_easy",
        {"toxigen": 60, "arc_easy": 80},
        {"women": (40, 30, 50)},
        before=90,
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    before = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - before:
        if str(tmp_path) in str(getattr(sys.modules[name], "__file__", "")):
            del sys.modules[name]
    forget_entry_points()


@pytest.mark.parametrize("page", WITH_BLOCKS, ids=lambda page: str(page.relative_to(ROOT)))
def test_the_blocks_of_a_page_work(page: Path, folder: Path) -> None:
    namespace: dict[str, Any] = {"__name__": "page"}
    for block in blocks(page):
        if block.is_run:
            RUN[block.language](block.text, namespace)
        else:
            compile(block.text, "page", "exec", dont_inherit=True)


def test_no_fence_is_left_open() -> None:
    for page in DOCUMENTS:
        assert page.read_text().count("```") == 2 * len(blocks(page)), page
