"""The registry of tasks. ``TASKS[name]`` is the only way to a task."""

from raysweep.tasks import arc_easy, bbq, csqa, csqa2, saferdialogues, toxigen
from raysweep.tasks.task import ALL, OVERALL, Example, Kind, Row, Task

TASKS: dict[str, Task] = {
    module.TASK.name: module.TASK
    for module in (arc_easy, csqa, csqa2, toxigen, bbq, saferdialogues)
}

__all__ = ["ALL", "OVERALL", "TASKS", "Example", "Kind", "Row", "Task"]
