"""What is used of Ray beyond its public interface: fails where a new version has changed it."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from importlib.metadata import version

import pytest
import ray
from ray._private import ray_constants

from raysweep.sweep import ray_private, worker_groups


def parameters(function: Callable[..., object]) -> list[str]:
    return list(inspect.signature(function).parameters)


def test_the_version_that_all_this_was_held_against() -> None:
    assert version("ray").startswith("2.60."), "read raysweep/sweep/ray_private.py anew"


@pytest.mark.parametrize(
    ("owner", "name", "expected"),
    [
        (ray_private.WorkerGroup, "_start", ["self"]),
        (
            ray_private.WorkerGroup,
            "_create_placement_group",
            ["self", "scaling_config", "worker_group_context"],
        ),
        (ray_private.WorkerGroup, "has_started", ["self"]),
        (ray_private.WorkerGroup, "_clear_state", ["self"]),
        (ray_private.DefaultPlacementGroupHandle, "__init__", ["self", "pg"]),
        (ray_private.DataParallelTrainer, "_create_default_callbacks", ["self"]),
    ],
)
def test_what_is_overridden_and_called_has_these_parameters(
    owner: type, name: str, expected: list[str]
) -> None:
    assert parameters(getattr(owner, name)) == expected


def test_the_hooks_of_the_trainer_are_called_by_train_itself() -> None:
    fit = inspect.getsource(ray_private.DataParallelTrainer.fit)
    assert "self._initialize_and_run_controller(" in fit
    source = inspect.getsource(ray_private.DataParallelTrainer)
    assert "self._create_default_callbacks()" in source
    for name in ("_create_default_callbacks", "_initialize_and_run_controller"):
        assert name in vars(worker_groups.Trainer), "overridden here"


def test_the_controller_makes_its_worker_group_of_the_class_that_it_names() -> None:
    assert ray_private.TrainController.worker_group_cls is ray_private.WorkerGroup
    assert "worker_group_cls" in inspect.getsource(ray_private.TrainController)
    for name in ("run", "get_result"):
        assert callable(getattr(ray_private.TrainController, name))


def test_a_worker_groups_state_is_shut_down_as_here() -> None:
    source = inspect.getsource(ray_private.WorkerGroup)
    assert "self._worker_group_state.shutdown()" in source
    assert "self._train_run_context" in source


def test_a_scaling_policy_asks_others_by_these_methods_alone() -> None:
    policy = ray_private.FixedScalingPolicy
    for name in (
        "make_decision_for_non_running_worker_group",
        "make_decision_for_running_worker_group",
    ):
        assert "self._maybe_send_resource_request()" in inspect.getsource(getattr(policy, name))
    assert "TrainAutoscalingCoordinatorClient(" in inspect.getsource(policy.after_controller_start)
    assert "if self._coordinator_client is None" in inspect.getsource(
        policy._cancel_resource_request
    )


def test_ray_knows_its_switch_and_its_processes_by_these_names() -> None:
    assert isinstance(ray_constants.ENABLE_RAY_CLUSTERS_ENV_VAR, str)
    assert hasattr(ray_constants, "ENABLE_RAY_CLUSTER")
    assert {"raylet", "gcs_server"} == ray_private.VITAL
    assert ray_private.global_node() is None or ray.is_initialized()
    assert isinstance(ray._raylet.RAY_NODE_ID_KEY, str)
    node = ray._private.node.Node
    assert parameters(node.dead_processes) == ["self"]
    assert callable(node.is_head)


def test_tunes_own_words_come_from_the_logger_that_is_silenced() -> None:
    from ray.tune import tune

    assert tune.logger.name == "ray.tune.tune"
    assert "Trials did not complete" in inspect.getsource(tune)


def test_no_process_synchronizes_workers_where_it_is_not_wanted() -> None:
    source = inspect.getsource(ray_private.worker_group_module)
    assert source.count("SynchronizationActor.options(") == 1
    ends = inspect.getsource(ray_private.worker_group_state)
    assert ends.count("_shutdown_sync_actor(self.sync_actor)") == 2, "nobody else ends one"
