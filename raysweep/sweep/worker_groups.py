"""Ray Train as a lane uses it: one worker group after the other, which a death never leaks.

Ray ends the processes that a dead actor had started, but keeps the placement group in which its
workers ran, or were to run, until the whole sweep has ended. Train's own remedy is one more process
per run that asks the dashboard, every second, whether its controller lives. Here each placement
group has its lane's name instead, and who begins anew removes those of that name: without a
process, without a dashboard, and from the moment they were asked for.

Train's controller runs in the lane's own process, which spares another.
"""

from __future__ import annotations

import asyncio
import uuid
from dataclasses import dataclass
from typing import Any

import ray
from ray.train.backend import Backend, BackendConfig
from ray.util import placement_group, placement_group_table, remove_placement_group
from ray.util.placement_group import PlacementGroup

from raysweep.sweep.ray_private import (
    DataParallelTrainer,
    DatasetsCallback,
    DefaultPlacementGroupHandle,
    FixedScalingPolicy,
    PlacementGroupCleanerCallback,
    TrainController,
    WorkerGroup,
)

GONE, PLACED = "REMOVED", "CREATED"


class Trainer(DataParallelTrainer):
    """Ray Train's trainer with named placement groups; ``run_config.name`` begins their names.

    Also without Ray Data, for which Train would start an actor in every run, and import it in
    every worker: seconds, for datasets that are never given to it.
    """

    def _create_default_callbacks(self) -> list[Any]:
        spared = (DatasetsCallback, PlacementGroupCleanerCallback)
        callbacks = super()._create_default_callbacks()
        return [one for one in callbacks if not isinstance(one, spared)]

    def _initialize_and_run_controller(self, **arguments: Any) -> Any:
        arguments["scaling_policy"] = _PlacementAlone(self.scaling_config)
        controller = _Controller(**arguments)
        try:
            asyncio.run(controller.run())
            return controller.get_result()
        finally:
            remove_worker_groups(self.run_config.name)


class _PlacementAlone(FixedScalingPolicy):
    """Asks for the placement group, and nobody else."""

    def after_controller_start(self, train_run_context: object) -> None:
        pass

    def _maybe_send_resource_request(self) -> None:
        pass


class _SharedDevices(Backend):
    share_cuda_visible_devices = True  # NCCL and DeepSpeed find a worker's GPU by its local rank


@dataclass
class SharedDevices(BackendConfig):
    """Workers of one host see each other's GPUs. They join a process group themselves."""

    @property
    def backend_cls(self) -> type[Backend]:
        """The class that sees to it."""
        return _SharedDevices


def remove_worker_groups(run_name: str) -> None:
    """Ends the workers of a run that is over, and gives back what they held.

    Args:
        run_name: the trainer's ``run_config.name``.
    """
    for entry in _placement_groups(run_name):
        identity = ray.PlacementGroupID(bytes.fromhex(entry["placement_group_id"]))
        remove_placement_group(PlacementGroup(identity))


def is_waiting_for_workers(run_name: str) -> bool:
    """Whether a run has asked for workers and the cluster has not given them yet."""
    states = {entry["state"] for entry in _placement_groups(run_name)}
    return bool(states) and PLACED not in states


def _placement_groups(run_name: str) -> list[dict[str, Any]]:
    prefix = _prefix(run_name)
    return [
        entry
        for entry in placement_group_table().values()
        if entry["name"].startswith(prefix) and entry["state"] != GONE
    ]


class _WorkerGroup(WorkerGroup):
    def _start(self) -> None:
        try:
            super()._start()
        except Exception:
            if self.has_started():  # Train forgets such a group, and what it holds
                self._worker_group_state.shutdown()
                self._clear_state()
            raise

    def _create_placement_group(self, scaling_config: Any, worker_group_context: Any) -> Any:
        context = worker_group_context
        return DefaultPlacementGroupHandle(
            placement_group(
                [context.resources_per_worker] * context.num_workers,
                strategy=context.placement_strategy,
                bundle_label_selector=context.label_selector,
                name=f"{_prefix(self._train_run_context.run_config.name)}{uuid.uuid4().hex[:8]}",
            )
        )


class _Controller(TrainController):
    worker_group_cls = _WorkerGroup


def _prefix(run_name: str) -> str:
    """How the names of a run's placement groups begin; the job tells sweeps of one name apart."""
    return f"{ray.get_runtime_context().get_job_id()}/{run_name}/"
