"""The walk of a user: sweep, Ctrl-C, the same command again, query, tables and figures."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import torch

from raysweep.measures.loss_curvature import Sample, load_hessian, measure_curvature
from raysweep.model.encoding import encode_rows
from raysweep.model.tokenizer import load_encoder
from raysweep.results.columns import SCHEMAS, TRIAL_TABLES
from raysweep.results.tables import read_table
from raysweep.space.space import load_space
from raysweep.store.storage import Storage
from raysweep.tasks.sampling import stratified_order
from raysweep.tasks.splits import load_splits
from tests.e2e.conftest import User, listening_addresses, press_ctrl_c, results_folder

pytestmark = pytest.mark.ray

SPACE = """
name: walk
chains: [[toxigen, csqa2], [csqa2, toxigen]]
data: {num_train: 390, num_test: 156}
stage: {num_steps: 6, sequence_limit: 512}
stages:
  1: {learning_rate: 1.0e-3}
  2: {learning_rate: {grid: [2.0e-3, 5.0e-4]}}
curvature: {num_samples: 16, max_products: 40, content: true}
workers: {num_workers: 2, zero_stage: 3}
"""
NUM_STAGES = 2 + 4
NOT_ASKED_FOR = ("validation", "study", "measurements")


@pytest.fixture(scope="module")
def walked(user: User) -> Storage:
    """The results of a sweep that was interrupted after its first stage and run again."""
    (user.folder / "space.yaml").write_text(SPACE)
    command = ("raysweep.lr_sweep", "--space", "space.yaml", "--storage", "store")
    listening: set[tuple[str, str]] = set()

    def look_and_interrupt(pid: int) -> None:
        listening.update(listening_addresses(pid))
        press_ctrl_c(pid)

    code, output = user.disturb("stage 1 (toxigen)", look_and_interrupt, *command, dashboard=True)
    assert "Dashboard: http://127.0.0.1:" in output
    assert any("RayTrainWo" in name for _, name in listening), listening
    assert {address for address, _ in listening} <= {"127.0.0.1", "::1"}, listening
    assert code == 130, output
    assert "Run the same command again" in output
    before = stages(user.folder / "store")
    assert 1 <= len(before) < NUM_STAGES
    again = user.run(*command)
    assert again.returncode == 0, again.stdout + again.stderr
    after = stages(user.folder / "store")
    assert len(after) == NUM_STAGES
    assert before.items() <= after.items(), "a finished stage was touched"
    return Storage.open(results_folder(again.stdout))


def stages(store: Path) -> dict[str, tuple[float, int]]:
    """When each stage was published, and how many attempts at it have left files."""
    return {
        path.parent.name: (path.stat().st_mtime, len(list(path.parent.iterdir())) - 1)
        for path in store.glob("store/stages/*/manifest.json")
    }


def test_nothing_was_trained_twice(walked: Storage, user: User) -> None:
    assert {attempts for _, attempts in stages(user.folder / "store").values()} == {1}


def test_a_third_run_finds_everything_and_trains_nothing(walked: Storage, user: User) -> None:
    before = stages(user.folder / "store")
    rows = {name: read_table(walked, name) for name in SCHEMAS}
    run = user.run("raysweep.lr_sweep", "--space", "space.yaml", "--storage", "store")
    assert run.returncode == 0, run.stdout + run.stderr
    assert stages(user.folder / "store") == before
    assert {name: read_table(walked, name) for name in SCHEMAS} == rows


def test_an_undisturbed_sweep_in_a_fresh_store_gives_the_same_rows(
    walked: Storage, user: User
) -> None:
    run = user.run("raysweep.lr_sweep", "--space", "space.yaml", "--storage", "fresh")
    assert run.returncode == 0, run.stdout + run.stderr
    fresh = Storage.open(results_folder(run.stdout))
    for name, schema in SCHEMAS.items():
        kept = [column for column in schema.names if not column.startswith("provenance_")]
        one, other = (read_table(folder, name).select(kept) for folder in (walked, fresh))
        assert (one.num_rows > 0) == (name not in NOT_ASKED_FOR)
        # Two workers of one thread each, on the same machine: equal to the last bit.
        assert one.equals(other), name


def test_the_tables_are_complete(walked: Storage) -> None:
    evaluations = read_table(walked, "evaluations").to_pylist()
    overall = [row for row in evaluations if row["group"] == "overall"]
    assert len(overall) == 4 * 3 * 2, "trials x (base and two stages) x tasks"
    assert all(row["num_examples"] == 156 and row["chance"] == 0.5 for row in overall)
    toxigen = [r for r in evaluations if r["task"] == "toxigen" and r["group"] != "overall"]
    assert len({row["group"] for row in toxigen}) == 13
    base = {row["stage_key"] for row in overall if row["stage"] == 0}
    assert len(base) == 1
    for row in read_table(walked, "forgetting").to_pylist():
        drop = row["accuracy_before"] - row["accuracy_after"]
        assert row["forgetting"] == pytest.approx(drop)
        assert row["learned_at"] == 1
        assert 0 <= row["valid_after"] <= 1
        assert row["valid_before"] is not None
    curvature = read_table(walked, "curvature").to_pylist()
    assert {row["stage"] for row in curvature} == {1}
    assert all(row["spectral_radius"] == abs(row["eigenvalue"]) > 0 for row in curvature)
    assert [row["part"] for row in curvature] == ["whole", "content"] * 4
    changes = read_table(walked, "changes").to_pylist()
    assert [row["stage"] for row in changes] == [2] * 4
    for row in changes:
        assert row["loss_increase"] == pytest.approx(row["loss_after"] - row["loss_before"])
        assert row["bound"] == pytest.approx(row["spectral_radius"] * row["change_norm"] ** 2 / 2)
        assert abs(row["quadratic_form"]) <= row["bound"] * 1.01
        assert row["gradient_norm"] > 0
        assert row["path_points"] == 8
        if row["loss_increase"] > 0.1:
            assert row["path_increase"] == pytest.approx(row["loss_increase"], rel=0.05)
        for when in ("before", "after"):
            parts = row[f"format_{when}"] + row[f"content_{when}"]
            assert parts == pytest.approx(row[f"loss_{when}"], rel=1e-6)  # float32 sums
        whole = [one for one in curvature if one["part"] == "whole"]
        assert row["spectral_radius"] in {one["spectral_radius"] for one in whole}
    steps = read_table(walked, "steps").to_pylist()
    assert len(steps) == 4 * 2 * 6
    assert all(row["gradient_norm"] > 0 and row["update_norm"] > 0 for row in steps)
    for row in steps:
        assert row["loss_format"] + row["loss_content"] == pytest.approx(row["loss"], rel=1e-6)


def test_what_is_scored_in_parts_is_so_of_every_row(walked: Storage) -> None:
    predictions = read_table(walked, "predictions").to_pylist()
    for row in predictions:
        parts = row["log_probability_format"] + row["log_probability_content"]
        assert min(abs(parts - one) for one in row["log_probabilities"]) < 1e-9
        assert row["valid"] in (True, False)
    for row in read_table(walked, "evaluations").to_pylist():
        own = [
            one
            for one in predictions
            if all(one[name] == row[name] for name in ("trial", "stage", "task"))
            and (row["group"] == "overall" or row["group"] in one["groups"])
        ]
        assert row["num_examples"] == len(own)
        assert row["valid_answer_rate"] == sum(one["valid"] for one in own) / len(own)
        content = -sum(one["log_probability_content"] for one in own) / len(own)
        assert row["loss_content"] == pytest.approx(content)


def test_the_worst_group_stands_beside_permutations_written_out(walked: Storage) -> None:
    """Labels of groups given to other rows with the same answer, a thousand times."""
    rng = np.random.default_rng(0)
    predictions = read_table(walked, "predictions").to_pandas()
    found = read_table(walked, "unevenness").to_pylist()
    assert len(found) == 2, "toxigen comes first, and is then forgotten"
    for row in found:
        own = predictions[(predictions.trial == row["trial"]) & (predictions.task == "toxigen")]
        before, after = (own[own.stage == stage].set_index("example_id") for stage in (1, 2))
        loss = before.correct.astype(int) - after.correct.reindex(before.index).astype(int)
        group = before.groups.map(lambda names: names[0])
        largest = loss.groupby(group).mean().max() - loss.mean()
        assert row["max_biased_forgetting"] == pytest.approx(largest)
        permuted = []
        for _ in range(1000):
            shuffled = group.groupby(before.answer).transform(lambda part: rng.permutation(part))
            permuted.append(loss.groupby(shuffled).mean().max() - loss.mean())
        spread = np.std(permuted) / 1000**0.5
        assert row["expected_maximum"] == pytest.approx(np.mean(permuted), abs=5 * spread)
        p = np.mean(np.array(permuted) >= largest - 1e-9)
        assert row["biased_forgetting_p"] == pytest.approx(p, abs=0.07)


def test_sharded_workers_find_the_curvature_that_one_process_finds(
    walked: Storage, user: User
) -> None:
    """Two Ray Train workers under ZeRO-3, layer by layer; a replica here, by double backward."""
    space = load_space(user.folder / "space.yaml")
    for row in read_table(walked, "curvature").to_pylist()[:2]:  # of the whole and of the content
        assert row["provenance_operator"] == "layerwise"
        weights = user.folder / "store" / "store" / "weights" / row["stage_key"]
        (folder,) = [path.parent for path in weights.glob("*/model.safetensors")]
        splits = load_splits(space.find_tasks()[row["task"]], space.data.drawn(0))
        drawn = stratified_order(splits.train, row["seed"])[: space.curvature.num_samples]
        encoder = load_encoder(folder, 1252)
        sample = Sample(encode_rows(drawn, encoder, 512), "token", 16, encoder.pad)
        hessian = load_hessian(folder, sample, False, torch.device("cpu"), row["part"])
        found = measure_curvature(hessian, space.curvature, row["seed"])
        assert found["eigenvalue"] == pytest.approx(row["eigenvalue"], rel=1e-5)
        assert found["num_products"] == row["num_products"]


def test_results_are_arrow_files_that_others_can_read(walked: Storage) -> None:
    files = list(Path(walked.root).glob("results/*/*.arrow"))
    assert len(files) == 4 * (len(TRIAL_TABLES) - 1), "no measurement of one's own"
    with pa.memory_map(str(files[0])) as source:
        assert pa.ipc.open_file(source).schema.metadata[b"schema_version"] == b"4"


def test_the_results_answer_sql(walked: Storage, user: User) -> None:
    sql = "SELECT chain, max(biased_forgetting) AS worst FROM forgetting GROUP BY chain ORDER BY 1"
    run = user.run("raysweep.query", walked.uri, sql, "--format", "json")
    assert run.returncode == 0, run.stderr
    rows = json.loads(run.stdout)
    assert [row["chain"] for row in rows] == ["csqa2 -> toxigen", "toxigen -> csqa2"]
    assert rows[0]["worst"] is None, "csqa2 has no groups"


def test_table_1_and_figure_3(walked: Storage, user: User) -> None:
    run = user.run("analysis", walked.uri, "--out", "figures")
    assert run.returncode == 0, run.stderr
    assert "CQA2" in run.stdout
    assert "TQA" in run.stdout
    for name in ("table1.png", "figure3.png"):
        content = (user.folder / "figures" / name).read_bytes()
        assert content.startswith(b"\x89PNG")
        assert len(content) > 5_000
