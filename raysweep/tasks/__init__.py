"""The tasks: the paper's datasets and one's own, from raw files to examples in seeded splits.

One file per dataset is in `paper`. Knows no model, no plan and no sweep.

    raysweep.tasks.load("bbq", num_test=100).test[0].prompt
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from raysweep.tasks.finding import find_task as find_task
    from raysweep.tasks.finding import load as load
    from raysweep.tasks.registry import known_tasks as known_tasks
    from raysweep.tasks.splits import Splits as Splits
    from raysweep.tasks.task import Example as Example
    from raysweep.tasks.task import Task as Task
else:
    from raysweep.lazy import lazily

    __getattr__, __dir__ = lazily(
        __name__,
        {
            "Example": "raysweep.tasks.task",
            "Splits": "raysweep.tasks.splits",
            "Task": "raysweep.tasks.task",
            "find_task": "raysweep.tasks.finding",
            "known_tasks": "raysweep.tasks.registry",
            "load": "raysweep.tasks.finding",
        },
    )
