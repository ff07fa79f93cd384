"""Other sweeps from end to end: real rows, all six tasks, and trials that fail."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pyarrow.compute as pc
import pytest
import torch

from raysweep.measures.judge import ToxicityJudge
from raysweep.results.tables import read_table
from raysweep.store.storage import Storage
from tests.classifiers import publish_classifier
from tests.e2e.conftest import User, kill_a_worker, results_folder
from tests.tasks.own_task import made_up as own_row
from tests.tasks.own_task import write_task
from tests.tasks.releases import small_release, write_lines, write_release

pytestmark = pytest.mark.ray


def test_bbq_and_arc_easy_on_their_real_rows(user: User, real_data: Path) -> None:
    (user.folder / "real.yaml").write_text(
        "name: real\nchains: [[csqa, bbq]]\ndata: {num_test: 108}\n"
        "stage: {num_steps: 12, learning_rate: 1.0e-3, sequence_limit: 2048}\n"
        "curvature: {num_samples: 4, max_products: 12}\n"
        "workers: {num_workers: 2, zero_stage: 3}\n"
    )
    run = user.run(
        *("raysweep.lr_sweep", "--space", "real.yaml", "--tasks", "bbq,arc_easy"),
        *("--data", str(real_data), "--storage", "real"),
    )
    assert run.returncode == 0, run.stdout + run.stderr
    folder = Storage.open(results_folder(run.stdout))
    bbq = [r for r in read_table(folder, "evaluations").to_pylist() if r["task"] == "bbq"]
    for chain in ("bbq -> arc_easy", "arc_easy -> bbq"):
        rows = {
            (r["group"], r["subset"]): r["num_examples"]
            for r in bbq
            if r["chain"] == chain and r["stage"] == 2
        }
        groups = {group for group, _ in rows} - {"overall"}
        assert len(groups) == 9
        assert rows["overall", "all"] == sum(rows[group, "all"] for group in groups) == 108
        for group in (*groups, "overall"):
            assert rows[group, "ambig"] + rows[group, "disambig"] == rows[group, "all"]
            assert rows[group, "ambig"] == rows[group, "disambig"]
    losses = [r for r in read_table(folder, "steps").to_pylist() if r["stage"] == 1]
    for trial in {row["trial"] for row in losses}:
        first, *_, last = [row["loss"] for row in losses if row["trial"] == trial]
        assert last < first


def test_own_task_and_judged_dialogues(user: User) -> None:
    """A task from a YAML file and dialogues from raw files, with a converted judge."""
    folder = user.folder / "own"
    folder.mkdir()
    write_release(folder / "data", "saferdialogues", small_release("saferdialogues", 90))
    write_lines(folder / "all.jsonl", [own_row(number) for number in range(90)])
    write_task(folder, files={"pool": "all.jsonl"})
    publish_classifier(folder / "published", ["I am sorry.", "That was rude."])
    converted = user.run("raysweep.judge", "own/published", "--out", "own/judge")
    assert converted.returncode == 0, converted.stdout + converted.stderr
    (folder / "own.yaml").write_text(
        "name: own\ntasks: [risk.yaml]\nchains: [[saferdialogues, risk]]\njudge: own/judge\n"
        "toxic_class: LABEL_1\n"  # the converted one has no better names
        "data: {sources: {saferdialogues: own/data}}\n"
        "stage: {num_steps: 3, learning_rate: 1.0e-3}\ncurvature: {enabled: false}\n"
        "workers: {num_workers: 2, zero_stage: 3}\n"
    )
    run = user.run("raysweep.lr_sweep", "--space", "own/own.yaml", "--storage", "own/results")
    assert run.returncode == 0, run.stdout + run.stderr
    results = Storage.open(results_folder(run.stdout))
    rows = read_table(results, "predictions").to_pylist()
    judge = ToxicityJudge(folder / "judge", torch.device("cpu"), 16, "LABEL_1")
    responses = [row for row in rows if row["task"] == "saferdialogues"]
    assert len(responses) == 3 * 30
    verdicts = judge([row["prediction"] for row in responses])
    assert [row["correct"] for row in responses] == [verdict.is_safe for verdict in verdicts]
    assert [row["toxic_probability"] for row in responses] == pytest.approx(
        [verdict.toxic_probability for verdict in verdicts], abs=1e-5
    )  # batched otherwise
    risk = [row for row in read_table(results, "evaluations").to_pylist() if row["task"] == "risk"]
    assert {row["group"] for row in risk} == {"overall", "all hands", "team0", "team1"}
    assert {row["title"] for row in risk} == {"Risk"}
    figures = user.run("analysis", results_folder(run.stdout), "--out", "own/figures")
    assert "Risk" in figures.stdout, figures.stdout + figures.stderr


def test_two_trials_that_run_at_once_train_their_common_stage_once(user: User) -> None:
    (user.folder / "once.yaml").write_text(
        "name: once\nchains: [[toxigen, csqa2], [toxigen, csqa]]\n"
        "data: {num_train: 260, num_test: 260}\n"
        "stage: {num_steps: 40, learning_rate: 1.0e-3}\n"
        "stages: {1: {num_steps: 250}}\n"  # longer than between two lines about the progress
        "workers: {num_workers: 1, zero_stage: 0, max_concurrent_trials: 2}\n"
    )
    run = user.run("raysweep.sweep", "once.yaml", "--storage", "once")
    assert run.returncode == 0, run.stdout + run.stderr
    assert "waiting for toxigen" in run.stdout, "they did run at once"
    store = user.folder / "once" / "store"
    attempts = {
        kind: [len([p for p in key.iterdir() if p.is_dir()]) for key in (store / kind).iterdir()]
        for kind in ("stages", "curvature")
    }
    assert attempts == {"stages": [1, 1, 1], "curvature": [1]}
    steps = read_table(Storage.open(results_folder(run.stdout)), "steps").to_pylist()
    assert len({row["trial"] for row in steps}) == 2
    assert len({row["stage_key"] for row in steps}) == 3


def test_a_data_seed_is_found_again_by_a_sweep_of_its_own(user: User) -> None:
    """Two draws in one sweep; then the second alone, of which all is in the store."""

    def run(name: str, seed: str) -> tuple[str, Storage]:
        (user.folder / f"{name}.yaml").write_text(
            f"name: {name}\nchains: [[toxigen, 'csqa2@20%']]\n"
            f"data: {{num_train: 130, num_test: 52, seed: {seed}, shares: trial}}\n"
            "stage: {num_steps: 3, learning_rate: 1.0e-3}\nseeds: [5]\n"
            "curvature: {enabled: false}\nworkers: {num_workers: 1, zero_stage: 0}\n"
        )
        done = user.run("raysweep.sweep", f"{name}.yaml", "--storage", "draws")
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout, Storage.open(results_folder(done.stdout))

    output, both = run("draws", "{grid: [0, 1]}")
    assert "2 trials, 4 stages asked for, 4 to train" in output
    assert "data seeds 0, 1" in output
    output, alone = run("alone", "1")
    assert "All of it is in the store already" in output
    for name in ("predictions", "evaluations", "forgetting", "steps"):
        rows = read_table(both, name)
        own = rows.filter(pc.equal(rows["data_seed"], 1)).drop_columns(["sweep"])
        assert own.num_rows
        assert own.to_pylist() == read_table(alone, name).drop_columns(["sweep"]).to_pylist()
    tested = read_table(both, "predictions").filter(pc.field("stage") == 0)
    rows_of = {
        seed: set(tested.filter(pc.field("data_seed") == seed)["example_id"].to_pylist())
        for seed in (0, 1)
    }
    assert rows_of[0] != rows_of[1]


def test_damaged_weights_are_never_used(user: User) -> None:
    """The first stage's weights are damaged between two sweeps that share it."""

    def run(chain: str, storage: str) -> list[dict[str, object]]:
        (user.folder / "damage.yaml").write_text(
            f"name: damage\nchains: [{chain}]\ndata: {{num_train: 130, num_test: 52}}\n"
            "stage: {num_steps: 3, learning_rate: 1.0e-3}\n"
            "workers: {num_workers: 1, zero_stage: 0}\n"
        )
        done = user.run("raysweep.sweep", "damage.yaml", "--storage", storage)
        assert done.returncode == 0, done.stdout + done.stderr
        table = read_table(Storage.open(results_folder(done.stdout)), "predictions")
        provenance = [name for name in table.column_names if "provenance" in name]
        return list(table.drop_columns(provenance).to_pylist())

    run("[toxigen]", "flipped")
    (weights,) = (user.folder / "flipped" / "store" / "weights").glob("*/*/model.safetensors")
    content = bytearray(weights.read_bytes())
    content[len(content) // 2] ^= 1
    weights.write_bytes(bytes(content))
    assert run("[toxigen, csqa2]", "flipped") == run("[toxigen, csqa2]", "whole")
    assert len(list(weights.parent.parent.glob("damaged-*.json"))) == 1


def test_a_chain_through_all_six_tasks_in_one_process(user: User) -> None:
    (user.folder / "six.yaml").write_text(
        "name: six\n"
        "chains: [[arc_easy, csqa, csqa2, toxigen, bbq, saferdialogues, [csqa, 'toxigen@5%']]]\n"
        "data: {num_train: 117, num_test: 26}\n"
        "stage: {num_steps: 2, learning_rate: 1.0e-3, sequence_limit: 512}\n"
        "curvature: {num_samples: 4, max_products: 12}\n"
        "workers: {num_workers: 1, zero_stage: 0}\n"
    )
    run = user.run("raysweep.lr_sweep", "--space", "six.yaml", "--storage", "six")
    assert run.returncode == 0, run.stdout + run.stderr
    folder = Storage.open(results_folder(run.stdout))
    rows = read_table(folder, "evaluations").to_pylist()
    overall = Counter(r["task"] for r in rows if r["group"] == "overall" and r["subset"] == "all")
    assert set(overall.values()) == {8}, "the base model and seven stages"
    assert len(overall) == 6
    dialogues = [r for r in rows if r["task"] == "saferdialogues"]
    assert all(row["chance"] is None and row["num_examples"] == 26 for row in dialogues)
    learned = {(r["task"], r["learned_at"]) for r in read_table(folder, "forgetting").to_pylist()}
    assert ("toxigen", 4) in learned
    assert ("csqa", 2) in learned
    mixed = [r for r in read_table(folder, "steps").to_pylist() if r["stage"] == 7]
    assert mixed[0]["stage_task"] == "csqa + toxigen@5%"


def test_a_trial_that_diverges_is_named_and_the_others_finish(user: User) -> None:
    (user.folder / "bad.yaml").write_text(
        "name: bad\nchains: [[toxigen, csqa2]]\ndata: {num_train: 130, num_test: 26}\n"
        "stage: {num_steps: 3, sequence_limit: 512}\n"
        # Gradients this small have squares of 0 in float32: AdamW divides by epsilon alone.
        "stages: {1: {learning_rate: 1.0e-3, epsilon: 1.0e-37,\n"
        "             gradient_clipping: {grid: [1.0e-20, 1.0]}}}\n"
        "curvature: {enabled: false}\n"
        "workers: {num_workers: 2, zero_stage: 3}\n"
    )
    run = user.run("raysweep.lr_sweep", "--space", "bad.yaml", "--storage", "bad")
    assert run.returncode == 1, run.stdout + run.stderr
    (line,) = [line for line in run.stdout.splitlines() if line.startswith("Trial ")]
    assert "failed: " in line
    assert "loss at step 2 is not finite" in line
    finished = {
        r["trial"]
        for r in read_table(Storage.open(results_folder(run.stdout)), "evaluations").to_pylist()
        if r["stage"] == 2
    }
    assert len(finished) == 1
    assert {name[-8:] for name in finished}.isdisjoint(line.replace(":", " ").split())


def test_a_killed_worker_costs_no_finished_stage(user: User) -> None:
    (user.folder / "kill.yaml").write_text(
        "name: kill\nchains: [[toxigen, csqa2]]\ndata: {num_train: 130, num_test: 26}\n"
        "stage: {num_steps: 40, learning_rate: 1.0e-3, sequence_limit: 512}\n"
        "curvature: {enabled: false}\n"
        "workers: {num_workers: 2, zero_stage: 3}\n"
    )
    code, output = user.disturb(
        *("stage 1 (toxigen)", kill_a_worker),
        *("raysweep.lr_sweep", "--space", "kill.yaml", "--storage", "kill"),
    )
    assert code == 0, output
    assert "Loading weights" not in output, "that is transformers' own progress"
    folder = Storage.open(results_folder(output))
    assert {row["stage"] for row in read_table(folder, "evaluations").to_pylist()} == {0, 1, 2}
    first = read_table(folder, "steps").filter(pc.field("stage") == 1)["stage_key"][0].as_py()
    attempts = list((user.folder / "kill/store/stages" / first).iterdir())
    assert len(attempts) == 2, "the manifest and one attempt"
