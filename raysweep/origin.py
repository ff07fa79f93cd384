"""Which raysweep this is, and on which packages it stands: what made a result."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterable
from datetime import UTC, datetime
from functools import cache
from importlib.metadata import PackageNotFoundError, distribution, version
from pathlib import Path

GIT_SECONDS = 5


def made_by() -> dict[str, str | None]:
    """What makes a result now: versions, commit (see `commit`) and the time in UTC, ISO 8601."""
    time = datetime.now(UTC).isoformat(timespec="seconds")
    return {**versions(("raysweep", "torch")), "commit": commit(), "time": time}


def versions(packages: Iterable[str]) -> dict[str, str]:
    """Those of the packages that are installed; raysweep may run from a checkout."""
    found = {}
    for package in packages:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


@cache
def commit() -> str | None:
    """Of a checkout; or of the repository that pip has installed from (PEP 610); None elsewhere.

    "-changed" follows where files differ from it. Asked once in a process.
    """
    root = Path(__file__).parents[1]
    if (root / ".git").exists():
        found, changed = (
            _git(root, *words)
            for words in (("rev-parse", "HEAD"), ("status", "--porcelain", "--untracked-files=no"))
        )
        return found and f"{found}{'-changed' if changed else ''}"
    try:
        origin = json.loads(distribution("raysweep").read_text("direct_url.json") or "{}")
    except (PackageNotFoundError, ValueError):
        return None
    installed = origin.get("vcs_info", {}).get("commit_id")
    return installed if isinstance(installed, str) else None


def _git(root: Path, *words: str) -> str | None:
    """What git answers; None where it is not there, or refuses."""
    try:
        answer = subprocess.run(
            ["git", "-C", str(root), *words], capture_output=True, text=True, timeout=GIT_SECONDS
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return answer.stdout.strip() if answer.returncode == 0 else None
