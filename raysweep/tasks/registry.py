"""The registry of tasks: those of the paper, and those that installed packages add.

A package adds a task by an entry point of the group ``raysweep.tasks`` that names a `Task`.
"""

from collections.abc import Mapping
from functools import lru_cache

from raysweep.settings.plugins import PluginError, load_plugin, plugins
from raysweep.tasks.names import task_mistake
from raysweep.tasks.paper import arc_easy, bbq, csqa, csqa2, saferdialogues, toxigen, toxigen_v1
from raysweep.tasks.task import Task

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
        PluginError: an entry point cannot be loaded, is no task, or takes a name.
    """
    tasks = dict(TASKS)
    for point in plugins(ENTRY_POINTS):
        task = load_plugin(point, Task)
        if task.name in tasks:
            raise PluginError(point, f"the task name {task.name!r} is taken")
        if problem := task_mistake(task):
            raise PluginError(point, problem)
        tasks[task.name] = task
    return tasks
