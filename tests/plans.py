"""Small plans, of the embedded rows and a checkpoint that nobody loads."""

from __future__ import annotations

from raysweep.model.checkpoint import Checkpoint
from raysweep.plan.plan import Plan, make_plan
from raysweep.space.space import check_space
from tests.models import SMALL
from tests.places import BASE as FOLDER

BASE = Checkpoint(FOLDER, "d1", 1000, 2048, SMALL)


def plan(base: Checkpoint = BASE, /, **changes: object) -> Plan:
    space = {
        "name": "lr",
        "data": {"num_train": 100, "num_test": 50},
        "chains": [["toxigen", "csqa2"], ["csqa2", "toxigen"]],
        "stages": {
            1: {"learning_rate": {"grid": [1e-3, 2e-3]}},
            2: {"learning_rate": {"grid": [1e-3, 2e-3]}},
        },
    }
    return make_plan(check_space({**space, **changes}, "test"), base)
