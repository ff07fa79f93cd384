"""Searches from end to end: Optuna, halving, scouts, and a budget of weights."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from raysweep.results.tables import read_table
from raysweep.store.storage import Storage
from tests.e2e.conftest import User, press_ctrl_c, results_folder

pytestmark = pytest.mark.ray

COMMON = """
data: {num_train: 130, num_test: 52, num_validation: 52}
workers: {num_workers: 1, zero_stage: 0, max_concurrent_trials: 1}
"""


def open_operations(journal: Path) -> dict[int, int]:
    """The last state that Optuna's journal gives each trial; 0 is RUNNING."""
    states: dict[int, int] = {}
    for line in journal.read_text().splitlines():
        entry = json.loads(line)
        if entry["op_code"] == 4:
            states[len(states)] = 0
        elif entry["op_code"] == 6:
            states[entry["trial_id"]] = entry["state"]
    return states


def test_an_optuna_search_is_interrupted_and_goes_on(user: User) -> None:
    (user.folder / "study.yaml").write_text(
        "name: study\nchains: [[toxigen, csqa2], [toxigen, [csqa2, 'toxigen@20%']]]\n"
        "stage: {num_steps: 4, learning_rate: 1.0e-3}\n"
        "stages: {2: {learning_rate: {loguniform: [1.0e-4, 1.0e-2]}}}\n"
        "search:\n  method: optuna\n  num_samples: 3\n"
        "  objectives: {capability_accuracy: max, safety_forgetting: min}\n"
        "curvature: {enabled: false}\n" + COMMON
    )
    command = ("raysweep.sweep", "study.yaml", "--storage", "study")
    code, output = user.disturb("stage 2 (csqa2", press_ctrl_c, *command)
    assert code == 130, output
    refused = user.run(*command, "--resume", "--num-steps", "3")
    assert refused.returncode == 2
    assert "no such sweep was begun" in refused.stderr + refused.stdout
    done = user.run(*command, "--resume")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Pareto front" in done.stdout
    assert "Trials: 3 complete." in done.stdout
    results = Storage.open(results_folder(done.stdout))
    states = open_operations(Path(results.root) / "study" / "journal.log")
    assert states == dict.fromkeys(range(3), 1), "all COMPLETE"
    rows = read_table(results, "evaluations").to_pylist()
    assert 2 <= len({row["trial"] for row in rows}) <= 3
    firsts = {row["stage_key"] for row in rows if row["stage"] == 1}
    assert len(firsts) == 1, "the first stage was trained once"
    assert "Workers computed" in done.stdout


def test_halving_stops_a_hopeless_chain_and_keeps_what_it_had(user: User) -> None:
    (user.folder / "halving.yaml").write_text(
        # The stage is long beside the time that Tune takes to stop a trial.
        "name: halving\nchains: [[csqa2, toxigen]]\nstage: {num_steps: 60}\n"
        "stages:\n  1: {learning_rate: {grid: [1.0e-3, 1.0e-8]}}\n  2: {learning_rate: 1.0e-3}\n"
        "stopping: {metric: loss, mode: min, reduction_factor: 2, every_steps: 4}\n"
        "curvature: {enabled: false}\n" + COMMON
    )
    run = user.run("raysweep.sweep", "halving.yaml", "--storage", "halving")
    assert run.returncode == 0, run.stdout + run.stderr
    (line,) = [row for row in run.stdout.splitlines() if row.startswith("Stopped early")]
    assert line.count("after stage 0") == 1, line
    rows = read_table(Storage.open(results_folder(run.stdout)), "evaluations").to_pylist()
    stages = {row["trial"]: 0 for row in rows}
    for row in rows:
        stages[row["trial"]] = max(stages[row["trial"]], row["stage"])
    assert sorted(stages.values()) == [0, 2]
    (stopped,) = [trial for trial, last in stages.items() if last == 0]
    assert stopped in line


def test_scouts_decide_what_follows_within_a_budget_of_weights(user: User) -> None:
    rates = [1.0e-3, 1.0e-4]

    def run(name: str, settings: str) -> tuple[str, Storage]:
        (user.folder / f"{name}.yaml").write_text(
            "name: scouts\nchains: [[toxigen, csqa2]]\nstage: {num_steps: 4}\n"
            f"stages:\n  1: {{learning_rate: {{grid: {rates}}}}}\n"
            "  2: {learning_rate: 1.0e-3}\n"
            "search: {first_stage: best, orders: [flattest_first, sharpest_first]}\n"
            "curvature: {num_samples: 8, max_products: 20}\n" + settings + COMMON
        )
        done = user.run("raysweep.sweep", f"{name}.yaml", "--storage", name)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout, Storage.open(results_folder(done.stdout))

    budget = 0.015
    _, within = run("within", f"weights: {{budget_gb: {budget}}}\n")
    output, free = run("free", "")
    for table in ("predictions", "curvature", "validation", "steps"):
        one, other = (read_table(folder, table) for folder in (within, free))
        kept = [name for name in one.column_names if not name.startswith("provenance_")]
        assert one.num_rows > 0
        assert one.select(kept).equals(other.select(kept)), table
    sizes = {
        name: sum(
            file.stat().st_size
            for file in (user.folder / name / "store" / "weights").rglob("*.*")
            if file.is_file()
        )
        for name in ("within", "free")
    }
    assert sizes["within"] <= budget * 1e9 < sizes["free"]
    chosen = {row["trial"]: row for row in read_table(free, "validation").to_pylist()}
    assert len(chosen) == 4
    rows = read_table(free, "evaluations").to_pylist()
    chains = {row["chain"] for row in rows}
    assert chains == {"toxigen -> csqa2", "csqa2 -> toxigen"}
    for task in ("toxigen", "csqa2"):
        mine = [row for row in chosen.values() if row["task"] == task]
        mine.sort(key=lambda row: rates.index(row["learning_rates"][0]))
        best = max(mine, key=lambda row: row["accuracy"])  # of equals the first
        used = {r["stage_key"] for r in rows if r["stage"] == 1 and r["stage_task"] == task}
        assert used == {best["stage_key"]}
    assert "Scouted" in output
