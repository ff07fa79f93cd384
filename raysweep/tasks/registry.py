"""The registry of tasks: those of the paper, and those that installed packages add.

A package adds a task by an entry point of the group ``raysweep.tasks`` that names a `Task`.
"""

from collections.abc import Mapping
from functools import lru_cache
from importlib.metadata import entry_points

from raysweep.errors import InputError
from raysweep.tasks.names import task_mistake
from raysweep.tasks.paper import arc_easy, bbq, csqa, csqa2, saferdialogues, toxigen, toxigen_v1
from raysweep.tasks.task import ALL, OVERALL, Dropped, Example, Kind, Row, Task

ENTRY_POINTS = "raysweep.tasks"
PAPER_TASKS: dict[str, Task] = {
    module.TASK.name: module.TASK
    for module in (arc_easy, csqa, csqa2, toxigen, bbq, saferdialogues)
}


TASKS: dict[str, Task] = {**PAPER_TASKS, toxigen_v1.TASK.name: toxigen_v1.TASK}
"""The tasks that come with raysweep."""


@lru_cache(maxsize=1)
def known_tasks() -> Mapping[str, Task]:
    """The tasks that come with raysweep and those that installed packages add.

    Raises:
        InputError: an entry point cannot be loaded, is no task, or takes a name.
    """
    tasks = dict(TASKS)
    for point in entry_points(group=ENTRY_POINTS):
        place = f"entry point {point.name!r} = {point.value!r} of the group {ENTRY_POINTS}"
        try:
            task = point.load()
        except (ImportError, AttributeError) as error:
            raise InputError(place, f"cannot be loaded ({error})", "correct that package") from None
        if not isinstance(task, Task):
            raise InputError(place, "is no raysweep.tasks.task.Task", "let it name a Task")
        if task.name in tasks:
            raise InputError(place, f"the task name {task.name!r} is taken", "choose another")
        if problem := task_mistake(task):
            raise InputError(place, problem, "correct that package")
        tasks[task.name] = task
    return tasks


__all__ = [
    "ALL",
    "OVERALL",
    "PAPER_TASKS",
    "TASKS",
    "Dropped",
    "Example",
    "Kind",
    "Row",
    "Task",
    "known_tasks",
]
