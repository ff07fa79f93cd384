"""Where a task's rows come from: a named source, or a path of raw files.

A package adds a source by an entry point of the group ``raysweep.sources`` that names a `Source`.
A name goes before a folder that is called so.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib.metadata import EntryPoint
from pathlib import Path

from raysweep.errors import MissingDataError
from raysweep.settings.base import HUB, TINY
from raysweep.settings.plugins import PluginError, load_plugin, plugins
from raysweep.tasks.task import Release, Task, Validated

ENTRY_POINTS = "raysweep.sources"
PACKAGED = {
    TINY: "raysweep.tiny.world:SOURCE",
    "tiny_uneven": "raysweep.tiny.uneven:SOURCE",
    HUB: "raysweep.tasks.hub:SOURCE",
}
"""Those that come with raysweep, each loaded when it is asked for."""


@dataclass(frozen=True)
class Source:
    """A source of rows for several tasks.

    Attributes:
        read: all rows of a task, in the schema of its dataset; raises `MissingDataError` (see
            `not_there`) where it has none.
        judge: who judges the responses to its generative tasks, where no other judge is named.
    """

    read: Callable[[Task], Release]
    judge: str | None = None


@lru_cache(maxsize=1)
def known_sources() -> Mapping[str, EntryPoint]:
    """Where each named source is found: those that come with raysweep, then those of packages.

    Raises:
        PluginError: an entry point takes a name.
    """
    found = {name: EntryPoint(name, at, ENTRY_POINTS) for name, at in PACKAGED.items()}
    for point in plugins(ENTRY_POINTS):
        if point.name in found:
            raise PluginError(point, f"the source's name {point.name!r} is taken")
        found[point.name] = point
    return found


@cache
def find_source(name: str) -> Source | None:
    """The source of that name; None for a path.

    Raises:
        PluginError: an entry point cannot be loaded, or is no source.
    """
    point = known_sources().get(name)
    return None if point is None else load_plugin(point, Source)


def read_release(task: Task, source: str) -> Release:
    """The rows of a task from a source, in the dataset's own schema.

    Args:
        source: the name of one, such as "tiny" or "hub", or a path of raw files.

    Raises:
        MissingDataError: the task has no rows there.
    """  # noqa: DOC501  # `not_there` makes one
    if task.read_own:
        return task.read_own()
    if named := find_source(source):
        return named.read(task)
    path = Path(source).expanduser()
    if not path.exists():
        names = ", ".join(map(repr, known_sources()))
        raise MissingDataError(
            source, "no such data folder", f"give {names} or a folder of raw files"
        )
    if task.read_files is None:
        raise not_there(task, "has no reader for raw files")
    return task.read_files(path)


def read_validated(task: Task, source: str) -> Validated:
    """The human-validated rows of a task, where its authors name some and the source has them."""
    if task.read_validated is None:
        return Validated()
    if find_source(source):
        return Validated(note=f"no list of human-validated rows in the source {source!r}")
    return task.read_validated(Path(source).expanduser())


def not_there(task: Task, problem: str) -> MissingDataError:
    """That a source has no rows of a task."""
    remedy = "give data.source 'hub'" if task.hub else "choose another source"
    return MissingDataError(
        f"task {task.name!r}",
        problem,
        f"give a folder with {task.where}" if task.where else remedy,
    )
