"""cluster.yaml against what Ray itself checks, and against what this project promises about it.

Ray's own functions do the checking, in the order in which `ray up` calls them. No cloud is needed:
what AWS would answer comes from moto, where moto is installed.
"""

from __future__ import annotations

import copy
import re
import subprocess
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from ray.autoscaler._private.command_runner import _with_interactive
from ray.autoscaler._private.providers import _get_default_config
from ray.autoscaler._private.util import prepare_config, validate_config

REPOSITORY = Path(__file__).resolve().parents[2]
Config = dict[str, Any]
COMMAND_KEYS = [
    "initialization_commands",
    "setup_commands",
    "head_setup_commands",
    "worker_setup_commands",
    "head_start_ray_commands",
    "worker_start_ray_commands",
]
# Amazon's families with an accelerator: p4d, g5, trn1, inf2, dl1, ...
ACCELERATED = re.compile(r"(p|g|gr|trn|inf|dl|vt)\d")


@pytest.fixture
def config() -> Config:
    return dict(yaml.safe_load((REPOSITORY / "cluster.yaml").read_text()))


def check_as_ray_up_does(config: Config) -> Config:
    """What `ray up` does between reading the file and asking the cloud for the first time."""
    prepared: Config = prepare_config(copy.deepcopy(config))
    validate_config(prepared)
    return prepared


def node_type(config: Config, *, head: bool) -> Config:
    names = set(config["available_node_types"])
    names = {config["head_node_type"]} if head else names - {config["head_node_type"]}
    (name,) = names
    found: Config = config["available_node_types"][name]
    return found


def ray_start(config: Config, role: str) -> str:
    (command,) = [c for c in config[f"{role}_start_ray_commands"] if "ray start" in c]
    return str(command)


def test_ray_accepts_the_file(config: Config) -> None:
    prepared = check_as_ray_up_does(config)
    assert prepared["available_node_types"].keys() == config["available_node_types"].keys()


def test_nothing_is_left_to_rays_defaults(config: Config) -> None:
    # Ray fills a missing key from its example: an open dashboard, an old image, its nightly wheel.
    assert _get_default_config(config["provider"]).keys() <= config.keys()


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda c: c.update(idle_timeout=5), "idle_timeout"),
        (lambda c: node_type(c, head=False).update(instance="p4d.24xlarge"), "instance"),
        (lambda c: node_type(c, head=False).pop("node_config"), "node_config"),
        (lambda c: node_type(c, head=False).update(min_workers="one"), "one"),
        (lambda c: c["setup_commands"].append({"run": "true"}), "run"),
    ],
    ids=["unknown key", "unknown node key", "no node_config", "count as word", "no string"],
)
def test_ray_refuses_what_its_schema_forbids(
    config: Config, spoil: Callable[[Config], object], message: str
) -> None:
    spoil(config)
    with pytest.raises(jsonschema.ValidationError, match=message):
        check_as_ray_up_does(config)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda c: c.pop("head_node_type"), "head_node_type"),
        (lambda c: c["available_node_types"].pop(c["head_node_type"]), "head_node_type"),
        (lambda c: c.update(max_workers=0), "max_workers"),
    ],
    ids=["head not named", "head not described", "fewer hosts allowed than wanted"],
)
def test_ray_refuses_what_does_not_fit_together(
    config: Config, spoil: Callable[[Config], object], message: str
) -> None:
    spoil(config)
    with pytest.raises(ValueError, match=message):
        check_as_ray_up_does(config)


def test_head_has_no_gpu_and_workers_have(config: Config) -> None:
    assert not ACCELERATED.match(node_type(config, head=True)["node_config"]["InstanceType"])
    assert ACCELERATED.match(node_type(config, head=False)["node_config"]["InstanceType"])
    # Empty: filled by Ray from what AWS says about the instance type.
    assert all(kind["resources"] == {} for kind in config["available_node_types"].values())


def test_every_host_has_the_token_and_insists_on_it(config: Config) -> None:
    assert config["file_mounts"]["~/.ray/auth_token"] == "~/.ray/auth_token"
    for role in ("head", "worker"):
        command = ray_start(config, role)
        assert command.index("export RAY_AUTH_MODE=token;") < command.index("ray start")


def test_dashboard_is_reachable_through_ssh_only(config: Config) -> None:
    assert re.findall(r"--dashboard-host=(\S+)", ray_start(config, "head")) == ["127.0.0.1"]
    assert "--autoscaling-config=~/ray_bootstrap_config.yaml" in ray_start(config, "head")


def test_hosts_of_one_cluster_share_one_image(config: Config) -> None:
    kinds = config["available_node_types"].values()
    assert len({kind["node_config"]["ImageId"] for kind in kinds}) == 1


def test_project_is_installed_from_constraints(config: Config) -> None:
    commands = [c for c in config["setup_commands"] if "pip install" in c]
    assert commands == [
        "~/raysweep-venv/bin/pip install -q -c ~/raysweep/constraints.txt ~/raysweep"
    ]


def test_what_installation_needs_is_mounted(config: Config) -> None:
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())
    wheel = project["tool"]["hatch"]["build"]["targets"]["wheel"]
    needed = {"pyproject.toml", "constraints.txt", project["project"]["readme"]}
    needed.update(project["project"]["license-files"], wheel["packages"], wheel["force-include"])
    mounts = config["file_mounts"]
    assert {name: mounts.get(f"~/raysweep/{name}") for name in needed} == {
        name: f"./{name}" for name in needed
    }


def test_mounted_files_exist(config: Config) -> None:
    local = [path for path in config["file_mounts"].values() if not path.startswith("~")]
    assert [path for path in local if not (REPOSITORY / path).exists()] == []


@pytest.mark.parametrize("key", COMMAND_KEYS)
def test_commands_are_valid_shell(config: Config, key: str) -> None:
    for command in config[key]:
        subprocess.run(["bash", "-n", "-c", command], check=True, capture_output=True)


def test_later_shells_connect_with_the_token(config: Config, tmp_path: Path) -> None:
    # Ubuntu's .bashrc begins like this: it ends at once in shells that are not interactive.
    bashrc = tmp_path / ".bashrc"
    bashrc.write_text("case $- in *i*) ;; *) return;; esac\n")
    setup = [c for c in config["setup_commands"] if "raysweep_env" in c]
    assert len(setup) == 2

    def run_as_ray_exec(command: str) -> str:
        return subprocess.run(
            ["bash", "-c", " ".join(_with_interactive(command))],
            env={"HOME": str(tmp_path), "PATH": "/usr/bin:/bin"},
            stdin=subprocess.DEVNULL,
            start_new_session=True,
            check=True,
            capture_output=True,
            text=True,
        ).stdout

    for command in setup * 2:  # `ray up` repeats them
        run_as_ray_exec(command)
    assert bashrc.read_text().count("raysweep_env") == 1
    assert run_as_ray_exec("printenv RAY_AUTH_MODE") == "token\n"
    assert run_as_ray_exec("printenv PATH").startswith(f"{tmp_path}/raysweep-venv/bin:")


def test_ray_resolves_the_file_with_aws(
    config: Config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The rest of `ray up` before SSH, against moto's AWS in this process."""
    moto = pytest.importorskip("moto", reason="moto[ec2,iam] plays AWS")
    boto3 = pytest.importorskip("boto3")
    monkeypatch.setenv("HOME", str(tmp_path))  # Ray writes the private key to ~/.ssh
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    with moto.mock_aws():
        from ray.autoscaler._private.commands import _bootstrap_config

        resolved = _bootstrap_config(copy.deepcopy(config), no_config_cache=True)
        groups = boto3.client("ec2", config["provider"]["region"]).describe_security_groups(
            GroupNames=[f"ray-autoscaler-{config['cluster_name']}"]
        )["SecurityGroups"]

    assert node_type(resolved, head=True)["resources"] == {"CPU": 8}
    gpu_host = node_type(resolved, head=False)
    assert gpu_host["resources"]["GPU"] == 8
    assert gpu_host["resources"]["accelerator_type:A100"] == 1
    assert gpu_host["node_config"]["IamInstanceProfile"] == {"Name": "raysweep-worker"}
    assert gpu_host["node_config"]["ImageId"].startswith("resolve:ssm:/aws/service/deeplearning/")
    open_to_all = [rule for rule in groups[0]["IpPermissions"] if rule["IpRanges"]]
    assert [(rule["FromPort"], rule["ToPort"]) for rule in open_to_all] == [(22, 22)]
