"""The house's rules: which room may import what."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
RAY = {
    "cluster", "driver_watch", "group", "halving", "monitor", "searcher", "sweep", "trainer",
    "trial",
}  # fmt: skip
DEEPSPEED = {"engine"}
PURE = {
    "activations", "address", "architecture", "attempts", "axes", "board", "bounds", "budget",
    "checkpoint",
    "cli", "command", "config", "cost", "descendants", "digest", "encoding", "ending", "errors",
    "eta", "expansion", "finished", "forgetting", "identity", "job", "judge_files",
    "leases", "lengths",
    "memory", "metrics", "mistakes", "model_config", "names", "outcome", "outline", "paths",
    "plain_yaml", "plan", "plan_report", "planner", "points", "query", "recipes", "records",
    "result_files", "run_record",
    "results", "schedule", "scoring", "scouts", "scratch", "search", "settings", "size", "space",
    "stages", "stall", "storage", "store", "study", "summary", "tasks", "token_check",
    "token_counts", "token_file", "tokenizer", "versions", "weight_files", "work_clock",
}  # fmt: skip


def imported(path: Path) -> set[str]:
    """What a file imports anywhere: dotted names, and the packages they begin with."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.add(node.module)
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names | {name.split(".")[0] for name in names}


@pytest.mark.parametrize("path", sorted((ROOT / "raysweep").rglob("*.py")), ids=str)
def test_only_the_named_rooms_import_ray_and_deepspeed(path: Path) -> None:
    room = path.relative_to(ROOT / "raysweep").parts[0].removesuffix(".py")
    names = imported(path)
    assert "ray" not in names or room in RAY
    assert "deepspeed" not in names or room in DEEPSPEED
    if room in PURE:
        assert not names & {"torch", "transformers"}
    if room == "curvature":
        assert not names & {"transformers", "raysweep.data", "raysweep.model", "raysweep.train"}
    if room in PURE - {"command", "query", "cli"} and path.name != "__main__.py":
        assert not names & {"typer"}


@pytest.mark.parametrize("path", sorted((ROOT / "analysis").rglob("*.py")), ids=str)
def test_analysis_reads_results_only(path: Path) -> None:
    assert not imported(path) & {"ray", "torch", "transformers", "deepspeed", "raysweep.worker"}


@pytest.mark.parametrize(
    ("module", "absent"),
    [
        ("raysweep.plan", "torch ray transformers deepspeed"),
        ("raysweep.records", "torch ray transformers deepspeed"),
        ("raysweep.lr_sweep", "torch ray transformers deepspeed"),
        ("raysweep.trial", "torch transformers deepspeed"),
        ("raysweep.cluster", "torch transformers deepspeed"),
        ("raysweep.sweep", "torch transformers deepspeed"),
        ("raysweep.worker", "ray deepspeed"),
        ("raysweep.train", "ray"),
    ],
)
def test_what_importing_a_module_really_loads(module: str, absent: str) -> None:
    code = f"import sys, {module}; print([n for n in {absent.split()!r} if n in sys.modules])"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert run.returncode == 0, run.stderr
    assert run.stdout.splitlines()[-1] == "[]"
