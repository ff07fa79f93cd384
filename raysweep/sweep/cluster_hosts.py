"""The hosts of a Ray cluster, as far as Ray knows them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

import ray

from raysweep.cost.forecast import ACCELERATORS
from raysweep.cost.hosts import GIB, Host, this_host

RAY_NAMES = {"A100": "A100-40GB", "A100-40G": "A100-40GB", "A100-80G": "A100-80GB"}
"""Accelerators that Ray calls otherwise; one that may be either counts as the smaller one."""


def cluster_hosts() -> list[Host]:
    """Those that are alive; of this one its GPU's memory is known even if Ray has no type of it."""
    own = ray.get_runtime_context().get_node_id()
    hosts = {n["NodeID"]: host_of(n["Resources"]) for n in ray.nodes() if n["Alive"]}
    if (here := hosts.get(own)) and here.num_gpus:
        hosts[own] = replace(here, gpu_gib=this_host().gpu_gib or here.gpu_gib)
    return list(hosts.values())


def host_of(resources: Mapping[str, float]) -> Host:
    """A host by Ray's resources, in which memory is what was free when Ray started there."""
    memory = resources.get("memory", 0.0) + resources.get("object_store_memory", 0.0)
    gpus = int(resources.get("GPU", 0))
    known = list(_gpu_gibs(resources)) if gpus else []
    return Host(int(resources.get("CPU", 0)), memory / GIB, gpus, min(known, default=None))


def _gpu_gibs(resources: Mapping[str, float]) -> Iterator[float]:
    for name in resources:
        kind = name.removeprefix("accelerator_type:")
        if kind != name and (found := ACCELERATORS.get(RAY_NAMES.get(kind, kind))):
            yield found.memory_gib
