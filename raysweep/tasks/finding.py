"""A task by its name, and its rows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from raysweep.errors import InputError
from raysweep.settings.base import TINY
from raysweep.settings.mistakes import checked, suggestion
from raysweep.tasks.custom import TaskSpec, read_task
from raysweep.tasks.registry import known_tasks
from raysweep.tasks.settings import DataSettings
from raysweep.tasks.splits import Splits, load_splits
from raysweep.tasks.task import Task


def find_task(name: str, place: str = "task") -> Task:
    """A task by its name or by the path of its YAML file.

    Raises:
        InputError: there is none.
    """
    if name.endswith((".yaml", ".yml")):
        return TaskSpec.model_validate(read_task(Path(name))).build()
    known = known_tasks()
    if name not in known:
        problem = f"unknown task{suggestion(name, known)}"
        raise InputError(f"{place} {name}", problem, f"tasks: {', '.join(known)}, or a YAML file")
    return known[name]


def load(name: str, source: str = TINY, **settings: Any) -> Splits:
    """The training, validation and test set of a task.

    Args:
        name: of the task, or the path of its YAML file.
        source: "tiny", "hub", or a folder of raw files.
        settings: others of `DataSettings`, such as ``num_train`` and ``seed``.

    Raises:
        InputError: there is no such task, its rows are missing or wrong, or a setting is.
    """
    content = {"source": source, **settings}
    return load_splits(find_task(name), checked(DataSettings, content, f"rows of {name}"))
