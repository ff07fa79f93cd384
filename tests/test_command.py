"""The command line: every mistake is one line and exit code 2, before anything starts."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SPACE = """
name: wrong
chains: [[toxigen, csqa2]]
data: {num_train: 100, num_test: 50}
stage: {num_steps: 2, sequence_limit: 512}
"""


def lr_sweep(folder: Path, *arguments: str, address: str = "") -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "RAY_ADDRESS": address}
    return subprocess.run(
        [sys.executable, "-m", "raysweep.lr_sweep", *arguments],
        capture_output=True,
        text=True,
        cwd=folder,
        env=environment,
    )


@pytest.mark.parametrize(
    ("change", "arguments", "expected"),
    [
        ("sede: [1]", [], "space.yaml: sede = [1]; unknown key (did you mean 'seeds'?)"),
        ("chains: [[toxigin]]", [], "'toxigin'; unknown task (did you mean 'toxigen'?)"),
        ("stage: {learning_rate: -1}", [], "stage.learning_rate = -1; should be greater than 0"),
        ("seeds: []", [], "seeds = []; an empty list"),
        ("", ["--data", "nowhere"], "nowhere: no such data folder; give 'tiny'"),
        ("", ["--model", "nowhere"], "model nowhere: no such folder; give 'tiny'"),
        ("", ["--model", "gpt"], "model_type = 'gpt2' is no LLaMA; give a model"),
        ("", ["--num-workers", "1000"], "workers.num_workers = 1000: a trial needs 1000 CPUs but"),
        ("", ["--storage", "/proc/x"], "storage /proc/x: cannot be written to ("),
        (
            "",
            ["--num-workers", "-1"],
            "with the options given: workers.num_workers = -1; should be greater than 0",
        ),
        ("", ["--gpus"], "a trial needs 2 CPUs and 2 GPUs but the cluster has"),
        ("", ["--seeds", "1,x"], "--seeds 1,x: not a list of whole numbers; write"),
        ("", ["--tasks", "bbq"], "--tasks bbq: not a pair of different tasks; write"),
        ("", ["--storage", "nope://x"], "storage nope://x: cannot be opened"),
    ],
)
def test_a_mistake_is_one_line(
    tmp_path: Path, change: str, arguments: list[str], expected: str
) -> None:
    (tmp_path / "gpt").mkdir()
    (tmp_path / "gpt" / "config.json").write_text('{"model_type": "gpt2"}')
    key = change.split(":")[0]
    kept = [line for line in SPACE.splitlines() if not key or not line.startswith(f"{key}:")]
    (tmp_path / "space.yaml").write_text("\n".join([*kept, change]))
    run = lr_sweep(tmp_path, "--space", "space.yaml", *arguments)
    assert run.returncode == 2, run.stderr
    lines = run.stderr.strip().splitlines()
    assert len(lines) == 1, run.stderr
    assert lines[0].startswith("error: ")
    assert expected in lines[0]
    assert not (tmp_path / "raysweep-results").exists(), "nothing was started"


@pytest.mark.parametrize(
    ("address", "problem"),
    [
        ("127.0.0.1:9", "no Ray cluster answers"),
        ("auto", "no Ray cluster was started on this host; start one"),
        ("nonsense", "is no address; write HOST:PORT"),
    ],
)
def test_a_cluster_that_is_not_there_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, address: str, problem: str
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))  # where `ray start` notes what it has started
    (tmp_path / "space.yaml").write_text(SPACE)
    run = lr_sweep(tmp_path, "--space", "space.yaml", address=address)
    assert run.returncode == 2, run.stderr
    assert run.stderr.strip().startswith(f"error: RAY_ADDRESS = {address}: {problem}")
    assert len(run.stderr.strip().splitlines()) == 1


def test_help_tells_what_a_newcomer_asks(tmp_path: Path) -> None:
    text = lr_sweep(tmp_path, "--help").stdout
    for word in ("--space", "--model", "--data", "--storage", "--num-workers", "--gpus", "--seeds"):
        assert word in text
    assert "Exit code" in text
    assert "again" in text
