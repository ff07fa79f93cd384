"""What installed packages add, by entry points: found everywhere the package is installed."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.metadata import EntryPoint, entry_points
from typing import TypeVar

from raysweep.errors import InputError

Plugin = TypeVar("Plugin")


class PluginError(InputError):
    """An entry point is wrong."""

    def __init__(self, point: EntryPoint, problem: str) -> None:
        place = f"entry point {point.name!r} = {point.value!r} of the group {point.group}"
        super().__init__(place, problem, "correct that package")


def plugins(group: str) -> Iterator[EntryPoint]:
    """The entry points of a group."""
    yield from entry_points(group=group)


def load_plugin(point: EntryPoint, kind: type[Plugin]) -> Plugin:
    """What an entry point names.

    Raises:
        PluginError: it cannot be loaded, or is something else.
    """
    try:
        found = point.load()
    except (ImportError, AttributeError) as error:
        raise PluginError(point, f"cannot be loaded ({error})") from None
    if not isinstance(found, kind):
        raise PluginError(point, f"is no {kind.__module__}.{kind.__qualname__}")
    return found
