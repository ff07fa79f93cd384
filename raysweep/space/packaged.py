"""The search spaces that come with raysweep, found by their names."""

from __future__ import annotations

import re
from pathlib import Path

from raysweep.errors import InputError
from raysweep.settings.mistakes import suggestion
from raysweep.settings.paths import shown, user_path

HEAD = re.compile(r"# (Purpose|Command|Cost): ")
PACKAGE = Path(__file__).parents[1]


def packaged_space(name: str) -> Path:
    """The path of a search space that comes with raysweep, such as ``lr`` or ``paper/lr``."""
    return _packaged_folder() / f"{name}.yaml"


def packaged_names() -> list[str]:
    """The search spaces that come with raysweep."""
    folder = _packaged_folder()
    files = sorted(folder.rglob("*.yaml"), key=lambda path: (len(path.parts), path))
    return [path.relative_to(folder).with_suffix("").as_posix() for path in files]


def space_path(name: str) -> Path:
    """The file that a user means: a path, or the name of a packaged search space.

    Raises:
        InputError: it is neither.
    """
    path, known = user_path(name, f"SPACE {shown(repr(name))}"), packaged_names()
    is_path = path.suffix in (".yaml", ".yml") or path.exists()
    if is_path and not path.is_dir():
        return path
    if name in known:
        return packaged_space(name)
    raise InputError(
        f"search space {shown(name)}",
        f"is neither a file nor a packaged search space{suggestion(name, known)}",
        f"give the path of a YAML file, or one of {', '.join(known)}",
    )


def purpose_command_cost(path: Path) -> dict[str, str]:
    """What the head of a search space says of each, on one line."""
    found: dict[str, str] = {}
    for line in path.read_text().splitlines():
        if not (line.startswith("#  ") or HEAD.match(line)):
            break
        word, _, text = line[2:].partition(": ") if HEAD.match(line) else ("", "", line[2:])
        last = word or list(found)[-1]
        found[last] = f"{found.get(last, '')} {text.strip()}".replace("\\ ", "").strip()
    return found


def _packaged_folder() -> Path:
    installed = PACKAGE / "search_spaces"
    return installed if installed.is_dir() else PACKAGE.parent / "search_spaces"
