"""Shapes of sweeps, against cases worked out by hand."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from raysweep.cli.plan import outlined_plan
from raysweep.cost import hosts as hosts_module
from raysweep.cost.hosts import Host, local_gpus, this_host
from raysweep.cost.memory import SWEEP_GIB, host_memory, peak_memory
from raysweep.cost.shape import Shape, choose_shape, planned_shape, usable_gib
from raysweep.cost.tokens import token_counts
from raysweep.errors import InputError
from raysweep.model.checkpoint import Checkpoint
from raysweep.plan.plan import Plan, make_plan
from raysweep.plan.stand_ins import outlined_splits
from raysweep.space.packaged import packaged_space
from raysweep.space.space import SearchSpace, check_space
from raysweep.sweep.cluster_hosts import host_of
from tests.models import SMALL
from tests.plans import plan

TB = 1024.0


def large(num_chains: int = 54, **changes: Any) -> Plan:
    """LLaMA-2 7B in bfloat16: that many chains of two stages, no two alike."""
    space = {
        "name": "x",
        "model": "meta-llama/Llama-2-7b-hf",
        "chains": [["arc_easy", "csqa"]],
        "data": {"num_test": 100},
        "seeds": list(range(num_chains)),
        "stage": {"global_batch_size": 128, "dtype": "bfloat16"},
        **changes,
    }
    return outlined_plan(check_space(space, "test"))


def sized(num_parameters: int, **changes: Any) -> Plan:
    """A model of that size, in float32: one chain of two stages."""
    space = check_space(
        {"name": "x", "chains": [["arc_easy", "csqa"]], "data": {"num_test": 50}, **changes}, "test"
    )
    splits = {n: outlined_splits(t, space.data) for n, t in space.find_tasks().items()}
    return make_plan(space, Checkpoint(Path("base"), "d1", num_parameters, 2048, SMALL), splits)


def numbers(shape: Shape) -> tuple[int, int, int | None]:
    """Workers of a trial, their ZeRO stage, and trials at once."""
    return shape.workers.num_workers, shape.workers.zero_stage, shape.num_at_once


@pytest.mark.parametrize(("num_cores", "at_once"), [(2, 2), (8, 8), (64, 8)])
def test_a_tiny_model_has_one_core_a_trial_and_as_many_trials_as_cores(
    num_cores: int, at_once: int
) -> None:
    """Of 8 trials; a GPU on the host is left alone, and so are cores that no trial needs."""
    shape = choose_shape(plan(), [Host(num_cores, 64.0, 1, 24.0)])
    assert numbers(shape) == (1, 0, at_once)
    assert (shape.workers.use_gpu, shape.workers.cpus_per_worker) == (False, 1)
    assert shape.workers.shape == "given"
    assert f"({at_once} of {num_cores} cores" in shape.reason
    assert ("there are no more trials" in shape.reason) == (num_cores == 64)


def test_little_memory_limits_the_trials_at_once() -> None:
    made = plan(workers={"num_workers": 1, "zero_stage": 0})
    memory = peak_memory(made, token_counts(made))
    three = host_memory(memory, made.space.workers, 3).total_gib
    for room, at_once in ((three + 0.01, 3), (three - 0.01, 2)):
        shape = choose_shape(plan(), [Host(8, room)])
        assert numbers(shape) == (1, 0, at_once)
        assert "no more fit into" in shape.reason
    two_hosts = [Host(8, three + 0.01), Host(8, three - SWEEP_GIB + 0.01)]
    assert choose_shape(plan(), two_hosts).num_at_once == 6
    shape = choose_shape(plan(), [Host(8, 1.0)])
    assert numbers(shape) == (1, 0, 1), "one in any case: what is free may be more in a minute"
    assert "of which 1.0 GiB are free" in shape.reason


def test_seven_billion_take_the_fewest_gpus_that_hold_them() -> None:
    """16 bytes a parameter are 100.4 GiB: 50.2 on each of two, which leaves 20 for activations.

    By rounds of stages 54 chains of two take 27 x 2 / 1.8 = 15 each on two GPUs (four at once), on
    eight 108 / 1.8^3 = 18.5.
    """
    shape = choose_shape(large(), [Host(96, TB, 8, 80.0)])
    assert numbers(shape) == (2, 3, 4)
    assert (shape.workers.use_gpu, shape.workers.cpus_per_worker) == (True, 8)
    assert shape.reason.startswith("2 workers a trial of 1 GPU and 8 cores, 4 trials at once (8 of")
    rows = large(workers={"shape": "auto", "micro_batch_size": 8})
    for hosts, expected in (
        ([Host(96, TB, 8, 40.0)] * 2, (4, 3, 4)),  # 25.1 each, and 6.4 of activations
        ([Host(96, TB, 8, 24.0)] * 2, (8, 3, 2)),  # 12.6 each
        ([Host(96, TB, 4, 24.0)] * 4, (8, 3, 2)),  # of two hosts
    ):
        assert numbers(choose_shape(rows, hosts)) == expected


def test_gpus_that_no_trial_would_take_make_a_trial_faster() -> None:
    """One chain of two stages: 2 rounds, on eight GPUs at 1.8^3 of the speed of one."""
    host = Host(96, TB, 8, 80.0)
    assert numbers(choose_shape(large(1), [host])) == (8, 3, 1)
    assert numbers(choose_shape(large(2), [host])) == (4, 3, 2)
    assert numbers(choose_shape(large(2), [host, host])) == (8, 3, 2)
    few_rows = large(1, stage={"global_batch_size": 4, "dtype": "bfloat16"})
    assert choose_shape(few_rows, [host]).workers.num_workers == 4, "a row for each"


def test_what_no_gpu_holds_is_refused() -> None:
    with pytest.raises(
        InputError, match=r"training needs 1\d\d\.\d GiB on each of 1 GPU, of which"
    ):
        choose_shape(large(), [Host(16, TB, 1, 80.0)])
    with pytest.raises(InputError, match="use_gpu = True: no GPU is there"):
        choose_shape(large(workers={"use_gpu": True}), [Host(16, TB)])
    shape = choose_shape(large(workers={"num_workers": 1}), [Host(16, TB, 1, 80.0)])
    assert numbers(shape) == (1, 3, 1), "as it was told to"
    assert "of its GPU's 80 GiB" in shape.reason


def test_of_gpus_of_unknown_memory_a_trial_has_all_of_a_host() -> None:
    shape = choose_shape(large(), [Host(96, TB, 8)] * 2)
    assert numbers(shape) == (8, 3, 2)
    assert "unknown memory" in shape.reason


def test_zero_is_the_lowest_that_fits() -> None:
    """Of 2 x 10^9 parameters in float32 two workers hold 8 + 8/2 bytes each in ZeRO 2, 8 in 3."""
    no_curvature = {"curvature": {"enabled": False}}
    two = {"workers": {"num_workers": 2}, **no_curvature}
    in_stage_2, in_stage_3 = (2e9 * each / 2**30 for each in (4 + 12 / 2, 16 / 2))
    above, between = (need / 0.9 + 3 for need in (in_stage_2, (in_stage_2 + in_stage_3) / 2 - 0.6))
    assert usable_gib(above) > in_stage_2 > usable_gib(between) > in_stage_3
    for room, zero_stage in ((above, 2), (between, 3)):
        shape = choose_shape(sized(2 * 10**9, **two), [Host(16, TB, 2, room)])
        assert shape.workers.zero_stage == zero_stage
    host = Host(16, TB, 1, 80.0)
    whole = sized(10**8)
    assert choose_shape(whole, [host]).workers.zero_stage == 0
    half = sized(10**8, stage={"dtype": {"grid": ["float32", "bfloat16"]}})
    assert choose_shape(half, [host]).workers.zero_stage == 1
    assert choose_shape(plan(stage={"dtype": "bfloat16"}), [Host(2, 9.0)]).workers.zero_stage == 1


def test_a_model_too_large_for_a_replicas_curvature_is_sharded() -> None:
    """28 bytes a parameter would fit, but are more than `max_parameters` allows."""
    host = Host(16, TB, 2, 141.0)
    assert choose_shape(sized(2 * 10**9), [host]).workers.zero_stage == 3
    allowed = sized(2 * 10**9, curvature={"max_parameters": 3 * 10**9})
    assert choose_shape(allowed, [host]).workers.zero_stage == 2
    made = sized(2 * 10**9)
    settled = choose_shape(made, [host]).applied(made)
    make_plan(settled.space, settled.checkpoint, settled.splits)  # is not refused
    with pytest.raises(InputError, match="max_parameters"):
        sized(2 * 10**9, curvature={"operator": "replica"})


def test_what_is_given_is_kept() -> None:
    host = [Host(8, 64.0)]
    assert numbers(choose_shape(plan(workers={"num_workers": 2}), host)) == (2, 2, 4)
    assert numbers(choose_shape(plan(workers={"zero_stage": 3}), host)) == (1, 3, 8)
    few = choose_shape(plan(workers={"max_concurrent_trials": 3, "micro_batch_size": 5}), host)
    assert numbers(few) == (1, 0, 3)
    assert few.workers.micro_batch_size == 5
    assert choose_shape(plan(workers={"cpus_per_worker": 4}), host).num_at_once == 2
    given = plan(workers={"shape": "given", "num_workers": 5})
    shape = choose_shape(given, host)
    assert (shape.workers, shape.num_at_once, shape.reason) == (given.space.workers, None, "")
    gpus = [Host(8, 64.0, 4, 24.0)]
    assert choose_shape(plan(workers={"use_gpu": True}), gpus).workers.use_gpu
    cores = choose_shape(sized(10**8, workers={"use_gpu": False}), gpus)
    assert not cores.workers.use_gpu


def test_cores_that_trials_leave_are_threads_of_a_model_that_can_use_them() -> None:
    shape = choose_shape(sized(10**8), [Host(6, 64.0)])
    assert (numbers(shape), shape.workers.cpus_per_worker) == ((1, 0, 1), 6)
    twice = sized(10**8, seeds=[0, 1], data={"num_test": 50, "seed": "trial"})
    assert choose_shape(twice, [Host(7, 64.0)]).workers.cpus_per_worker == 3


def test_open_settings_stay_open_when_they_are_written_and_read() -> None:
    for workers in ("auto", {}, {"shape": "auto", "num_workers": 3}):
        space = plan(workers=workers).space
        again = SearchSpace.model_validate_json(space.model_dump_json())
        assert again.workers.is_open("num_workers") == (workers in ("auto", {}))
        assert again.workers.is_open("zero_stage")
        assert again == space
    settled = choose_shape(plan(), [Host(2, 9.0)]).applied(plan())
    written = json.loads(settled.space.model_dump_json())["workers"]
    assert (written["num_workers"], written["zero_stage"], written["shape"]) == (1, 0, "given")
    assert settled.sweep == plan().sweep


def test_a_plan_is_for_this_machine_or_says_for_which() -> None:
    assert planned_shape(plan()).reason.endswith("on this machine")
    assert "on a host of 8 H100" in planned_shape(large(), "H100").reason
    with pytest.raises(InputError, match="--gpu X1"):
        planned_shape(large(), "X1")


def test_this_host(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """GPUs as NVIDIA's own tool tells them, and what a container leaves of cores and memory."""
    tool = tmp_path / "nvidia-smi"
    tool.write_text('#!/bin/sh\n[ "$1" = -i ] || { echo 40960; echo 81920; exit; }\necho 24576\n')
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    assert local_gpus() == [40, 80]
    (tmp_path / "cpu.max").write_text("100000 100000\n")
    (tmp_path / "memory.max").write_text(f"{2**30}\n")
    (tmp_path / "memory.current").write_text(f"{2**28}\n")
    monkeypatch.setattr(hosts_module, "CGROUP", tmp_path)
    assert this_host() == Host(1, 0.75, 2, 40.0)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "1")
    assert local_gpus() == [24]
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert local_gpus() == []
    monkeypatch.setenv("PATH", str(tmp_path / "nowhere"))
    assert local_gpus() == []


def test_hosts_as_ray_tells_them() -> None:
    gib = 2**30
    told = {"CPU": 96.0, "GPU": 8.0, "memory": 700.0 * gib, "object_store_memory": 200.0 * gib}
    assert host_of(told | {"accelerator_type:A100": 1.0, "node:10.0.0.7": 1.0}) == (
        Host(96, 900.0, 8, 40.0)
    )
    assert host_of(told | {"accelerator_type:H100": 1.0}).gpu_gib == 80
    assert host_of(told | {"accelerator_type:P4": 1.0}).gpu_gib is None
    assert host_of({"memory": 1.0 * gib}) == Host(0, 1.0)


def test_the_embedded_spaces_leave_their_shape_open() -> None:
    for file in packaged_space("lr").parent.glob("*.yaml"):
        assert "workers: {shape: auto, micro_batch_size: 32}\n" in file.read_text(), file.name
