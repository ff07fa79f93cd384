"""What a visitor meets first: ``import raysweep``, a notebook's lines, and what pip installs."""

from __future__ import annotations

import ast
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pytest
from matplotlib.figure import Figure

import raysweep as rs
from tests.analysis.sweep_folder import Sweep
from tests.places import ROOT

HEAVY = {"torch", "ray", "typer", "transformers", "pydantic", "pyarrow", "pytest"}


@pytest.fixture
def measured(tmp_path: Path) -> Sweep:
    """Results with something for Table 1 and Figure 3."""
    sweep = Sweep(tmp_path / "lr-0123abcd")
    groups = {"women": (40, 30, 50), "muslim": (50, 30, 50)}
    sweep.add("toxigen -> arc_easy", {"toxigen": 60, "arc_easy": 80}, groups, before=90)
    return sweep


def python(*words: str, folder: Path = ROOT, path: Path = ROOT) -> str:
    """What a fresh interpreter prints."""
    run = subprocess.run(
        [sys.executable, *words],
        capture_output=True,
        text=True,
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(path), "COLUMNS": "200"},
    )
    assert run.returncode == 0, run.stderr
    return run.stdout


@pytest.mark.parametrize("words", [("-c", "import raysweep"), ("-m", "raysweep", "--version")])
def test_the_door_opens_before_anything_heavy_is_carried_in(words: tuple[str, ...]) -> None:
    asked = HEAVY if words[0] == "-c" else HEAVY & {"torch", "ray", "transformers"}
    code = f"""
import runpy, sys
sys.argv[0:] = {["raysweep", "--help"]!r}
{words[1] if words[0] == "-c" else "runpy.run_module('raysweep', run_name='__main__')"}
print({asked!r} & sys.modules.keys())
"""
    assert python("-c", code).splitlines()[-1] == "set()"


@pytest.mark.parametrize("package", ["raysweep", "raysweep.tasks"])
def test_type_checkers_and_interpreters_are_told_the_same_names(package: str) -> None:
    path = ROOT / package.replace(".", "/") / "__init__.py"
    block = next(node for node in ast.parse(path.read_text()).body if isinstance(node, ast.If))
    imports = [one for one in block.body if isinstance(one, ast.ImportFrom)]
    typed = {}
    for one in imports:
        for alias in one.names:
            assert alias.asname == alias.name, "re-exported, for strict type checkers, too"
            inside = f"{package}.{alias.name}"
            typed[alias.name] = inside if one.module == package else one.module
    told = next(one for one in ast.walk(block) if isinstance(one, ast.Dict))
    assert ast.literal_eval(told) == typed
    found = python("-c", f"import {package} as p; print(*dir(p)); [getattr(p, n) for n in dir(p)]")
    public = {name for name in found.split() if not name.startswith("__")}
    assert public == set(typed)


def test_a_name_that_is_not_there_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="module 'raysweep' has no attribute 'plans'"):
        getattr(rs, "plans")  # noqa: B009  # type checkers know, too


def test_the_version_is_written_once() -> None:
    assert re.fullmatch(r"\d+\.\d+\.\d+", rs.__version__)
    assert rs.__version__ not in (ROOT / "pyproject.toml").read_text().partition("[tool.ruff]")[0]
    assert python("-m", "raysweep", "--version") == f"raysweep {rs.__version__}\n"


def test_a_plan_tells_what_it_will_do(tmp_path: Path) -> None:
    space = rs.load_space("lr", seeds=[0, 1], data={"num_test": 26}, stage={"num_steps": 4})
    assert (space.seeds, space.data.num_test, space.stage["num_steps"]) == ((0, 1), 26, 4)
    plan = rs.make_plan(space)
    cost = plan.forecast(tmp_path, tokens_per_second=1000)
    assert (cost.num_stages_asked, cost.num_stages_distinct, cost.num_stages_left) == (32, 24, 24)
    assert cost.worker_hours
    assert plan.forecast().worker_hours is None
    assert len(plan.tree().children) == 8, "two tasks first, two rates, two seeds"


def test_mistakes_name_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(rs.InputError, match=r"sede = \[1\]; unknown key \(did you mean 'seeds'"):
        rs.load_space("lr", sede=[1])
    with pytest.raises(rs.InputError, match=r"task bqb: unknown task .did you mean 'bbq'"):
        rs.tasks.load("bqb")
    with pytest.raises(rs.InputError, match="no such folder"):
        rs.open_results(tmp_path / "nowhere")


def test_the_rows_of_a_task() -> None:
    splits = rs.tasks.load("bbq", num_test=12, num_train=30)
    assert (len(splits.train), len(splits.test)) == (30, 12)
    assert splits.test[0].prompt.endswith("\n")


def test_results_are_tables_frames_and_figures(measured: Sweep) -> None:
    results = rs.open_results(measured.path)
    assert results.uri == str(measured.path)
    table = results.table("forgetting")
    assert table.schema.field("forgetting").metadata, "the meaning of a column comes with it"
    frame = results.df("forgetting")
    assert list(frame.columns) == table.column_names
    assert len(frame) == results.sql("SELECT count(*) AS n FROM forgetting")["n"][0].as_py()
    assert "meaning" in results.columns().column_names
    for name in ("table1", "figure3"):
        assert isinstance(results.figure(name), Figure)
    for name, problem in [
        ("figure4", "has nothing to show there"),
        ("figure99", r"figure figure99: unknown .did you mean 'figure"),
    ]:
        with pytest.raises(rs.InputError, match=problem):
            results.figure(name)
    with pytest.raises(rs.InputError, match=r"table forgeting: unknown .did you mean 'forgetting'"):
        results.table("forgeting")


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files of the wheel where pip would put them: see pyproject's force-include."""
    place = tmp_path_factory.mktemp("site-packages")
    for folder, to in (
        ("raysweep", "raysweep"),
        ("analysis", "raysweep/analysis"),
        ("search_spaces", "raysweep/search_spaces"),
    ):
        shutil.copytree(
            ROOT / folder,
            place / to,
            copy_function=os.symlink,
            ignore=shutil.ignore_patterns("__pycache__"),
        )
    return place


def test_what_is_installed_does_not_claim_the_name_analysis(
    installed: Path, measured: Sweep, tmp_path: Path
) -> None:
    (tmp_path / "analysis.py").write_text("raise SystemExit('another one')")
    words = ("-m", "raysweep", "report", str(measured.path))
    report = python(*words, folder=tmp_path, path=installed)
    assert "Table 1: task performance" in report
    assert report == python(*words, folder=tmp_path), "the same from a checkout"
    code = "import importlib.util as u; print(u.find_spec('analysis'))"
    empty = tmp_path / "empty"
    empty.mkdir()
    assert python("-S", "-c", code, folder=empty, path=installed) == "None\n"


def test_what_is_installed_has_its_search_spaces(installed: Path, tmp_path: Path) -> None:
    listed = python("-m", "raysweep", "spaces", folder=tmp_path, path=installed)
    assert "paper/order\n  Purpose" in listed
    assert "--seeds" in python("-m", "raysweep", "sweep", "--help", folder=tmp_path, path=installed)


@pytest.mark.ray
def test_the_ten_lines_of_a_notebook(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    space = rs.load_space(
        "lr",
        chains=[["toxigen", "csqa2"]],
        data={"num_train": 130, "num_test": 26},
        stage={"num_steps": 2, "sequence_limit": 512},
        stages={1: {"learning_rate": 1e-3}, 2: {"learning_rate": 1e-3}},
        curvature={"enabled": False},
        workers={"num_workers": 1, "zero_stage": 0},
    )
    plan = rs.make_plan(space)
    assert plan.forecast().num_stages_left == 2
    results = rs.run(plan, tmp_path, dashboard=False)
    assert "Results: " in capfd.readouterr().out
    assert plan.forecast(tmp_path).num_stages_left == 0
    assert set(results.df("evaluations")["task"]) == {"toxigen", "csqa2"}
    worst = results.sql("SELECT max(forgetting) AS worst FROM forgetting WHERE stage = 2")
    assert isinstance(worst, pa.Table)
    assert isinstance(results.figure("table1"), Figure)
    again = rs.open_results(tmp_path / "sweeps" / plan.sweep)
    assert again.table("steps").num_rows == 4
    assert rs.run(plan, tmp_path).uri == again.uri, "a finished one is shown again"
    assert "nothing is started" in capfd.readouterr().out
    large = rs.make_plan(rs.load_space("lr", name="large", workers={"num_workers": 1000}))
    with pytest.raises(rs.SweepError, match=r"num_workers = 1000: a trial needs 1000 CPUs but"):
        rs.run(large, tmp_path, dashboard=False)
