"""The moments at which processes are stopped, and how a seed draws the exact call."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

NUM_STEPS, NUM_WORKERS = 6, 2
PER_STAGE = NUM_STEPS * NUM_WORKERS  # calls of Engine.step
VARIABLE = "RAYSWEEP_FAULTS"


@dataclass(frozen=True)
class Moment:
    """Calls of a function, one of which is drawn.

    Attributes:
        phase: what the sweep is doing then, in words.
        target: ``module:function`` or ``module:Class.method``.
        match: part of one of the call's texts or paths; other calls do not count.
        calls: the first and the last call that may be drawn, counted over all processes.
    """

    phase: str
    target: str
    when: Literal["before", "after"]
    calls: tuple[int, int]
    match: str = ""

    def draw(self, seed: int) -> Fault:
        """The stop at one of the calls."""
        source = random.Random(f"{seed} {self.phase}")
        return Fault(self.phase, self.target, self.when, self.match, source.randint(*self.calls))


@dataclass(frozen=True)
class Fault:
    """What happens at one call; carried to every process of a run by an environment variable.

    Attributes:
        action: "pause" stops until a file "go" appears beside the file "reached"; "note" only
            leaves "reached"; "raise" raises OSError with ``errno``.
        folder: for the counts and the file "reached".
    """

    phase: str
    target: str
    when: Literal["before", "after"]
    match: str
    occurrence: int
    action: Literal["pause", "note", "raise"] = "pause"
    errno: int = 0
    folder: str = ""

    def __str__(self) -> str:
        match = f" of {self.match}" if self.match else ""
        return f"{self.phase}: {self.when} call {self.occurrence} of {self.target}{match}"


def as_variable(faults: Sequence[Fault]) -> dict[str, str]:
    """The environment variable that carries faults."""
    return {VARIABLE: json.dumps([asdict(fault) for fault in faults])}


def reached(folder: Path) -> int | None:
    """The process id that has reached a fault's moment, if one has."""
    try:
        return int(json.loads((folder / "reached").read_text())["pid"])
    except FileNotFoundError:
        return None


# Two trials share the first stage, and one group of two workers runs at a time: 3 stages, 10
# evaluations (3 of the base model), 1 curvature, 6 reports.
STAGE_1 = Moment(
    "training, stage 1", "raysweep.training.engine:Engine.step", "before", (2, PER_STAGE)
)
STAGE_2 = Moment(
    "training, stage 2",
    "raysweep.training.engine:Engine.step",
    "before",
    (PER_STAGE + 2, 2 * PER_STAGE),
)
START = Moment("workers start", "raysweep.worker.process_group:meet", "before", (1, NUM_WORKERS))
EVALUATE = "raysweep.measures.answers:compute_prefix"
RENAME = "pathlib:Path.replace"
CREATE = "raysweep.store.storage:Storage.create"
FIRST_COLLECTIVE = Moment(
    "first collective", "raysweep.worker.weights:host_folder", "before", (1, NUM_WORKERS)
)
LOAD = Moment(
    "weights are loaded", "raysweep.model.llama:load_model", "before", (1, 2 * NUM_WORKERS)
)
CURVATURE = Moment(
    "curvature", "raysweep.curvature.layerwise:LayerwiseHessian.product", "after", (1, 12)
)
PUBLISH = Moment("before a stage's manifest", CREATE, "before", (1, 3), "stages/")
LEAVE = Moment(
    "workers end", "raysweep.worker.process_group:come", "before", (1, NUM_WORKERS), "left"
)
# In the process of the one lane: it starts workers once, and hears six reports of two trials.
PLACE = Moment(
    "workers are asked for",
    "raysweep.sweep.worker_groups:_WorkerGroup._create_placement_group",
    "before",
    (1, 1),
)
PLACED = Moment(
    "workers were asked for",
    "raysweep.sweep.worker_groups:_WorkerGroup._create_placement_group",
    "after",
    (1, 1),
)
QUEUE = Moment(
    "a report on its way",
    "raysweep.sweep.lane_state:LaneState.report",
    "before",
    (1, 6),
)
# In the process that follows a trial, in the one where the drivers meet, and in two of a worker's.
IN_DRIVER = Moment("an order is given", "raysweep.sweep.driver:_order", "before", (1, 1))
IN_RAYS_WORKER = Moment(
    "an order is taken", "raysweep.sweep.lane_worker:_carry_out", "before", (1, 1)
)
IN_FORK_SERVER = Moment("a server starts", "raysweep.process.fork_server:serve", "before", (1, 1))
IN_COORDINATOR = Moment(
    "an order is given", "raysweep.sweep.coordinator:Coordinator.begin", "before", (1, 1)
)
GROUP_KILLS = {
    "kill-base-evaluation": Moment("base evaluation", EVALUATE, "after", (1, 2 * NUM_WORKERS)),
    "kill-stage-1": STAGE_1,
    "kill-stage-2": STAGE_2,
    "kill-upload": Moment(
        "weights written, not renamed", RENAME, "before", (1, 3), "model.safetensors"
    ),
    "kill-before-manifest": Moment(
        "before a stage's manifest", CREATE, "before", (1, 3), "stages/"
    ),
    "kill-after-manifest": Moment("after a stage's manifest", CREATE, "after", (1, 3), "stages/"),
    "kill-evaluation": Moment(
        "evaluation of a trained stage", EVALUATE, "after", (2 * NUM_WORKERS + 1, 8 * NUM_WORKERS)
    ),
    "kill-curvature": CURVATURE,
    "kill-result-file": Moment(
        "result file written, not renamed", RENAME, "before", (1, 6), "results/evaluations/"
    ),
    "kill-last-report": Moment(
        "before the last report", "raysweep.worker.job:publish_results", "after", (6, 6)
    ),
}
