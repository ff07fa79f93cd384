"""What made a result: versions, commit and time."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import torch

from raysweep import origin


@pytest.fixture(autouse=True)
def _asked_anew() -> Iterator[None]:
    origin.commit.cache_clear()
    yield
    origin.commit.cache_clear()


def test_what_is_made_now_is_made_by_these_versions() -> None:
    made = origin.made_by()
    assert made["torch"] is not None
    assert made["torch"].partition("+")[0] == torch.__version__.partition("+")[0]
    assert made["commit"] == origin.commit()
    assert made["time"] is not None
    assert timedelta() <= datetime.now(UTC) - datetime.fromisoformat(made["time"]) < timedelta(1)
    assert origin.versions(("no-such-package",)) == {}


def git(folder: Path, *words: str) -> str:
    identity = ("-c", "user.name=a", "-c", "user.email=a@b.c")
    run = ["git", *identity, "-C", str(folder), *words]
    return subprocess.run(run, check=True, capture_output=True, text=True).stdout.strip()


def test_the_commit_of_a_checkout_and_whether_it_was_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "raysweep"
    package.mkdir()
    source = package / "origin.py"
    source.write_text("one")
    monkeypatch.setattr(origin, "__file__", str(source))
    git(tmp_path, "init", "-q")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-q", "-m", "one")
    commit = git(tmp_path, "rev-parse", "HEAD")
    assert origin.commit() == commit
    source.write_text("two")
    assert origin.commit() == commit, "asked once in a process"
    origin.commit.cache_clear()
    assert origin.commit() == f"{commit}-changed"


def test_the_commit_that_pip_has_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(origin, "__file__", str(tmp_path / "raysweep" / "origin.py"))

    class Installed:
        def read_text(self, _: str) -> str:
            return json.dumps({"url": "https://x", "vcs_info": {"vcs": "git", "commit_id": "abc"}})

    monkeypatch.setattr(origin, "distribution", lambda _: Installed())
    assert origin.commit() == "abc"
