"""Lanes: worker groups that outlive a trial, one for each slot of a sweep.

Starting a group takes longer than training a small model's stage, so that it happens once a lane: a
lane is one run of Ray Train, started when the first trial's order is offered to it, whose workers
take order after order. Each order is worked on by new processes: see `lane_worker`.

Who waits for something of a lane (an order, news of one, its being idle) asks once and is answered
when it comes, or after a while: nobody polls.

A lane whose workers are lost tells the driver of the trial that they worked on, and starts others
for the next order. One that does not answer is killed, with its workers; Ray starts it again.
"""

from __future__ import annotations

import pickle
import threading
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import ray
import ray.train

from raysweep.process.notes import speak_through
from raysweep.sweep.coordinator_client import CoordinatorClient
from raysweep.sweep.lane_state import LaneState, Leave, Loss, Order, Sight
from raysweep.sweep.patience import Patience
from raysweep.sweep.ray_private import (
    get_env_vars_to_propagate,
    is_own_cluster,
    on_this_node,
    without_synchronization_actors,
)
from raysweep.sweep.worker_groups import SharedDevices, Trainer, remove_worker_groups
from raysweep.training.settings import WorkerSettings


@dataclass(frozen=True)
class LaneSettings:
    """What a lane is started with.

    Attributes:
        name: of its run of Ray Train, and of its placement groups.
        storage: URI of the folder for what Train keeps.
    """

    name: str
    storage: str
    workers: WorkerSettings
    coordinator: CoordinatorClient


class Lane(LaneState):
    """An actor: the lane's orders, and the Ray Train run whose workers take them.

    Args:
        pickled: its `LaneSettings`. What refers to another actor Ray would not keep for a restart.
    """

    def __init__(self, pickled: bytes) -> None:
        settings: LaneSettings = pickle.loads(pickled)
        self._patience = Patience()
        super().__init__(settings.workers.num_workers, changed=self._patience.tell)
        self._settings, self._run = settings, _Run(settings)
        without_synchronization_actors()
        remove_worker_groups(settings.name)  # of an earlier life of this actor
        speak_through(settings.coordinator.note)

    def warm(self) -> None:
        """Starts workers, who will have something to do soon."""
        self._settle()
        if not self._run.is_alive():
            self._run = _Run(self._settings)
            self.enter(self._run.group)
            self._run.start()

    def offer(self, trial: str, holder: str, job: bytes) -> bool:
        """Gives it an order, for which it starts workers if it has none."""
        is_taken = super().offer(trial, holder, job)
        if is_taken:
            self.warm()
        return is_taken

    async def await_idle(self) -> bool:
        """Whether an order may be offered; waits for it."""
        return await self._patience.see(self.is_idle, bool)

    async def await_news(self, holder: str, num_seen: int) -> Sight:
        """How far a holder's order is; waits for what its driver has not seen."""
        return await self._patience.see(
            lambda: self.look(holder, num_seen), lambda sight: bool(sight.reports) or sight.is_over
        )

    async def await_order(self, rank: int, group: str) -> Order | Leave | None:
        """What a rank of a group is to do; waits for something to do."""
        return await self._patience.see(
            lambda: self.order(rank, group), lambda order: order is not None
        )

    def is_idle(self) -> bool:
        """Whether an order may be offered."""
        self._settle()
        return super().is_idle()

    def look(self, holder: str, num_seen: int) -> Sight:
        """How far a holder's order is."""
        self._settle()
        return super().look(holder, num_seen)

    def _settle(self) -> None:
        """Takes note of a run that has ended."""
        if self._run.has_ended:
            self.empty(self._run.loss)
            self._run = _Run(self._settings)


class _Run(threading.Thread):
    """One run of Ray Train: its group of workers comes, takes orders, and leaves or is lost."""

    def __init__(self, settings: LaneSettings) -> None:
        super().__init__(daemon=True)
        self._settings = settings
        self.group = uuid.uuid4().hex
        self.loss: Loss | None = None
        self.has_ended = False

    def run(self) -> None:
        """Returns when they are gone."""
        settings, workers = self._settings, self._settings.workers
        resources = {"CPU": workers.cpus_per_worker, **({"GPU": 1} if workers.use_gpu else {})}
        try:
            Trainer(
                _work,
                backend_config=SharedDevices(),
                train_loop_config={
                    "lane": ray.get_runtime_context().current_actor,
                    "settings": settings,
                    "group": self.group,
                },
                scaling_config=ray.train.ScalingConfig(
                    num_workers=workers.num_workers,
                    use_gpu=workers.use_gpu,
                    resources_per_worker=resources,
                ),
                run_config=ray.train.RunConfig(
                    name=settings.name,
                    storage_path=settings.storage,
                    failure_config=ray.train.FailureConfig(max_failures=0),
                ),
            ).fit()
        except Exception as error:  # whatever it is, the trial's driver decides what follows
            lines = str(error).strip().splitlines() or [repr(error)]
            self.loss = Loss(lines[-1].strip(), str(error))
        self.has_ended = True


def start_lanes(number: int, settings: LaneSettings) -> list[tuple[str, Any]]:
    """The lanes of a sweep, without workers yet; they end with the sweep's process.

    Args:
        number: how many trials may have workers at the same time.
        settings: those of the lanes; each has its number behind its name.
    """
    options: dict[str, Any] = {
        "num_cpus": 0,
        "max_restarts": -1,
        "label_selector": on_this_node(),
    }
    if not is_own_cluster():  # whose processes have inherited the variables
        options["runtime_env"] = {"env_vars": get_env_vars_to_propagate()}
    named = [replace(settings, name=f"{settings.name}-{index}") for index in range(number)]
    actor = ray.remote(**options)(Lane)
    return [(one.name, actor.options(name=one.name).remote(pickle.dumps(one))) for one in named]


def _work(config: Mapping[str, Any]) -> None:
    """What each worker runs."""
    from raysweep.sweep.lane_worker import work_on_orders  # not for the lane itself

    work_on_orders(config["lane"], config["settings"], config["group"])
