"""What is used of Ray 2.60 that is not part of its public interface, each with the reason.

It is all here, so that the next version of Ray has one file to be held against; a test names what
has changed. `lane`, `worker_groups` and `cluster` use it and know no other private name.

Of Ray Train V2 (on the next version: is ray-project/ray#54305, a stopped trial's workers that stay,
mended without one more process per trial, ray-project/ray#65443? Then `Worker groups` can go):

- `TrainController`, `WorkerGroup`, `DefaultPlacementGroupHandle`: to name the placement group of
  each worker group after its trial, so that the sweep can remove it whatever its driver died of.
- `DataParallelTrainer`: its two hooks start the controller and choose the callbacks. The controller
  runs in the lane's own process, where ``fit`` would start another.
- `FixedScalingPolicy`: asks for workers, and first for an actor that weighs Train's demand against
  Ray Data's. That imports Ray Data, and workers are not asked for until it has. The placement group
  tells the autoscaler all there is to say.
- `DatasetsCallback`, `PlacementGroupCleanerCallback`: are left out. The one imports Ray Data in
  every worker; the other is the process per trial.
- `SynchronizationActor`: a process per worker group by which its workers report checkpoints
  together and send each other objects. Ours do neither, so that none is started.

Of Ray itself (is there a switch for a cluster on loopback only, and a way to ask a started cluster
for its dead processes? Then these can go):

- `read_ray_address`: which cluster ``ray start`` has started on this host.
- the global node: whether a cluster was started here, and which of its processes are dead: Ray ends
  the whole program when it notices, without an orderly end.
- the clusters' switch: with it on, Ray binds to all interfaces even if told 127.0.0.1.
"""

from __future__ import annotations

import os
from typing import Any

import ray
from ray._private import ray_constants
from ray._private.utils import read_ray_address
from ray.train.v2._internal.callbacks.datasets import DatasetsCallback
from ray.train.v2._internal.callbacks.placement_group_callback import PlacementGroupCleanerCallback
from ray.train.v2._internal.constants import get_env_vars_to_propagate
from ray.train.v2._internal.execution.controller import TrainController
from ray.train.v2._internal.execution.scaling_policy import FixedScalingPolicy
from ray.train.v2._internal.execution.worker_group import WorkerGroup
from ray.train.v2._internal.execution.worker_group import state as worker_group_state
from ray.train.v2._internal.execution.worker_group import worker_group as worker_group_module
from ray.train.v2._internal.execution.worker_group.placement_group_handle import (
    DefaultPlacementGroupHandle,
)
from ray.train.v2.api.data_parallel_trainer import DataParallelTrainer

__all__ = [
    "DataParallelTrainer",
    "DatasetsCallback",
    "DefaultPlacementGroupHandle",
    "FixedScalingPolicy",
    "PlacementGroupCleanerCallback",
    "TrainController",
    "WorkerGroup",
    "get_env_vars_to_propagate",
    "read_ray_address",
    "worker_group_module",
    "worker_group_state",
]
VITAL = {ray_constants.PROCESS_TYPE_RAYLET, ray_constants.PROCESS_TYPE_GCS_SERVER}
"""Processes of a cluster without which it is lost."""


class _NobodySynchronizes:
    """Stands for the class of synchronization actors: gives the actor that asks for one itself.

    Train wants a handle that can be sent to workers, who never use it.
    """

    @classmethod
    def options(cls, **_: object) -> type[_NobodySynchronizes]:
        """As of an actor's class."""
        return cls

    @classmethod
    def remote(cls, **_: object) -> Any:
        """As of an actor's class."""
        return ray.get_runtime_context().current_actor


def without_synchronization_actors() -> None:
    """In this process, an actor's, Train starts none for its worker groups; nor does it end one."""
    worker_group_module.SynchronizationActor = _NobodySynchronizes
    worker_group_state._shutdown_sync_actor = lambda _: None


def global_node() -> Any:
    """What this process knows of its cluster's processes; None before it has joined one."""
    return ray._private.worker._global_node


def is_own_cluster() -> bool:
    """Whether this process has started the cluster that it is connected to."""
    node = global_node()
    return node is not None and bool(node.is_head())


def dead_processes(node: Any) -> set[str]:
    """Those of `VITAL` that have ended, of a cluster that was started here."""
    return VITAL & {kind for kind, _ in node.dead_processes()}


def stay_on_loopback() -> None:
    """Makes a cluster that is started here listen on 127.0.0.1 and nowhere else.

    Ray's servers listen on all interfaces unless the node's own address is the loopback one, and
    `ray.init` turns a loopback address into a public one unless clusters of several hosts are ruled
    out. Ray has this switch for systems with a nagging firewall; it reads it once, when imported,
    and again in each process that it starts.
    """
    os.environ[ray_constants.ENABLE_RAY_CLUSTERS_ENV_VAR] = "0"
    ray_constants.ENABLE_RAY_CLUSTER = False


def on_this_node() -> dict[str, str]:
    """The labels that keep an actor on this host."""
    return {ray._raylet.RAY_NODE_ID_KEY: ray.get_runtime_context().get_node_id()}
