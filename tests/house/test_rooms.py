"""The house's rules: which room may import what."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.house.rooms import (
    HEAVY,
    PACKAGE,
    ROOT,
    arrows,
    broken,
    imports,
    modules,
    own,
    room_of,
    rooms,
    rules,
    table,
)


@pytest.mark.parametrize("module", sorted(modules().keys() - {"."}))
def test_every_module_keeps_the_rules_of_its_room(module: str) -> None:
    assert list(broken(module, modules()[module].read_text())) == []


@pytest.mark.parametrize(
    ("module", "source", "problem"),
    [
        ("plan.plan", "import torch", "plan.plan imports torch"),
        ("plan.plan", "from ray import tune", "plan.plan imports ray"),
        ("sweep.eta", "import ray", "sweep.eta imports ray"),
        ("results.query", "import typer", "results.query imports typer"),
        ("training.stage", "import deepspeed", "training.stage imports deepspeed"),
        ("store.store", "import raysweep.plan.plan", "of the room plan above it"),
        ("store.store", "from raysweep.plan import plan", "of the room plan above it"),
        ("worker.run", "from raysweep.sweep.driver import run_trial", "of the room sweep above it"),
        ("sweep.sweep", "from raysweep.cli.console import console", "of the room cli above it"),
        ("plan.plan", "def f():\n    import torch", "imports torch inside a function"),
        ("plan.plan", "class A:\n    def f(self):\n        import json", "inside a function"),
        ("tasks.new.thing", "if True:\n    import ray", "tasks.new.thing imports ray"),
        ("elsewhere", "", "elsewhere is in no room of rooms.toml"),
        ("cli.plan", "from raysweep import lr_sweep", "of the room entries above it"),
    ],
)
def test_a_planted_import_is_found(module: str, source: str, problem: str) -> None:
    assert any(problem in found for found in broken(module, source))


def test_rooms_import_each_other_in_no_circle() -> None:
    order = [room.name for room in rooms()]
    upward = [
        (name, other)
        for name, others in arrows().items()
        for other in others
        if order.index(other) > order.index(name)
    ]
    assert upward == []


def test_every_rule_is_about_something_that_is_there() -> None:
    """What has gone takes its rule along."""
    inside = rules()["inside"]
    assert isinstance(inside, dict)
    for module, permitted in inside.items():
        found = {one.name for one in imports(modules()[module].read_text()) if one.is_inside}
        for name, reason in permitted:
            assert reason
            assert any(one == name or one.startswith(f"{name}.") for one in found), (module, name)
    for room in rooms():
        for library, allowed in room.heavy.items():
            assert library in HEAVY
            for name in allowed:
                if name != "*":
                    path = modules()[f"{room.name}.{name}"]
                    used = {one.name.partition(".")[0] for one in imports(path.read_text())}
                    assert library in used, (room.name, name, library)


def test_private_names_of_ray_are_in_one_file() -> None:
    private = re.compile(r"\bray(\.\w+)*\._\w+|\bray\.train\.v2\b")
    found = {name for name, path in modules().items() if private.search(path.read_text())}
    assert found == {"sweep.ray_private"}


def test_every_room_says_what_is_in_it() -> None:
    for room in rooms():
        assert room.about.endswith("."), room.name


def test_the_table_of_contributing_is_the_rules() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text()
    assert table() in text, f"put this into CONTRIBUTING.md:\n{table()}"


@pytest.mark.parametrize("path", sorted((ROOT / "analysis").rglob("*.py")), ids=str)
def test_analysis_reads_results_only(path: Path) -> None:
    """It may use what is known without a model: spaces, tasks, results."""
    names = {one.name for one in imports(path.read_text())}
    assert not {name.partition(".")[0] for name in names} & {"ray", "torch", "transformers"}
    allowed = {"errors", "settings", "statistics", "tasks", "store", "space", "results", "cli"}
    allowed |= {"process"}
    targets = {target for name in names if (target := own(name))}
    assert {room.name for target in targets if (room := room_of(target))} <= allowed


@pytest.mark.parametrize("path", sorted((ROOT / "tests").rglob("*.py")), ids=str)
def test_a_test_module_is_imported_by_nobody(path: Path) -> None:
    """What tests share is in modules of its own, beside them."""
    names = {one.name for one in imports(path.read_text()) if one.name.startswith("tests.")}
    assert not [name for name in names if name.rpartition(".")[2].startswith("test_")]


@pytest.mark.parametrize(
    ("module", "absent"),
    [
        ("raysweep.plan.plan", "torch ray transformers deepspeed"),
        ("raysweep.results.records", "torch ray transformers deepspeed"),
        ("raysweep.lr_sweep", "torch ray transformers deepspeed"),
        ("raysweep.sweep.driver", "torch transformers deepspeed"),
        ("raysweep.sweep.cluster", "torch transformers deepspeed"),
        ("raysweep.sweep.sweep", "torch transformers deepspeed"),
        ("raysweep.sweep.lane", "torch transformers deepspeed"),
        ("raysweep.sweep.lane_worker", "torch transformers deepspeed"),
        ("raysweep.worker.attempt", "ray deepspeed"),
        ("raysweep.training.stage", "ray deepspeed"),
    ],
)
def test_what_importing_a_module_really_loads(module: str, absent: str) -> None:
    code = f"import sys, {module}; print([n for n in {absent.split()!r} if n in sys.modules])"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert run.returncode == 0, run.stderr
    assert run.stdout.splitlines()[-1] == "[]"


def test_the_package_is_where_it_is_looked_for() -> None:
    assert (PACKAGE / "__init__.py").exists()
