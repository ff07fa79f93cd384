"""raysweep: sweeps of chained LLaMA finetunes that measure what is forgotten, by whom, and why.

    import raysweep as rs

    space = rs.load_space("lr", seeds=[0, 1])
    plan = rs.make_plan(space)
    plan.forecast()
    results = rs.run(plan, storage="sweeps")  # or rs.open_results("sweeps/sweeps/lr-...")
    results.df("forgetting")

A plan is made by `make_plan`: ``raysweep.plan`` is the package where plans are made, and a name
that is both would be a package only for whom has imported it.
"""

from raysweep.process.ending import begin_if_command

begin_if_command(__name__)

from typing import TYPE_CHECKING  # noqa: E402  # signals come first

__version__ = "0.1.0"

if TYPE_CHECKING:
    from raysweep import curvature as curvature
    from raysweep import tasks as tasks
    from raysweep import testing as testing
    from raysweep.api.plan import SweepPlan as SweepPlan
    from raysweep.api.plan import load_space as load_space
    from raysweep.api.plan import make_plan as make_plan
    from raysweep.api.results import Results as Results
    from raysweep.api.results import open_results as open_results
    from raysweep.api.run import SweepError as SweepError
    from raysweep.api.run import run as run
    from raysweep.errors import InputError as InputError
    from raysweep.space.space import SearchSpace as SearchSpace
else:
    from raysweep.lazy import lazily

    __getattr__, __dir__ = lazily(
        __name__,
        {
            "InputError": "raysweep.errors",
            "Results": "raysweep.api.results",
            "SearchSpace": "raysweep.space.space",
            "SweepError": "raysweep.api.run",
            "SweepPlan": "raysweep.api.plan",
            "curvature": "raysweep.curvature",
            "load_space": "raysweep.api.plan",
            "make_plan": "raysweep.api.plan",
            "open_results": "raysweep.api.results",
            "run": "raysweep.api.run",
            "tasks": "raysweep.tasks",
            "testing": "raysweep.testing",
        },
    )
