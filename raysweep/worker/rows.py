"""The rows of a trial's tasks: read by this process, or held by the one that it was forked off.

To read and draw them takes a second or more, trial after trial; the command has read them for its
plan. What is held are the rows alone: a task, with its functions, does not travel.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from raysweep.tasks.settings import DataSettings
from raysweep.tasks.splits import Splits, load_splits
from raysweep.tasks.task import Task


@dataclass(frozen=True)
class HeldRows:
    """The rows of several tasks, as one data seed draws them.

    Attributes:
        settings: by which they were drawn.
        content: by task, the attributes of its `Splits` but for the task.
    """

    settings: DataSettings
    content: Mapping[str, Mapping[str, Any]]

    @classmethod
    def of(cls, settings: DataSettings, splits: Mapping[str, Splits]) -> HeldRows:
        """What of these splits travels."""
        names = [one.name for one in fields(Splits) if one.name != "task"]
        content = {
            task: {name: getattr(one, name) for name in names} for task, one in splits.items()
        }
        return cls(settings, content)


_held: list[HeldRows] = []


def hold(rows: HeldRows) -> None:
    """Keeps rows for all processes that will be forked off this one."""
    _held.append(rows)


def find_splits(task: Task, settings: DataSettings) -> Splits:
    """A task's rows, drawn by these settings: those that are held, else read anew.

    Raises:
        InputError: the data is missing, a row is wrong, or no rows are left.
    """
    for rows in _held:
        if rows.settings == settings and task.name in rows.content:
            return Splits(task, **rows.content[task.name])
    return load_splits(task, settings)
