"""Forecasts, against the same arithmetic done by hand."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
from pathlib import Path

import pytest
from rich.tree import Tree

from raysweep.cli.plan import combined, outlined_plan
from raysweep.cost.activations import BatchShape, training_bytes
from raysweep.cost.forecast import PRODUCTS, Assumptions, forecast
from raysweep.cost.memory import host_memory
from raysweep.cost.report import as_duration, cost_lines, in_currency, stage_tree, wall_hours
from raysweep.errors import InputError
from raysweep.model.checkpoint import Checkpoint
from raysweep.plan.plan import Plan, make_plan
from raysweep.plan.stand_ins import outlined_splits
from raysweep.space.packaged import packaged_space
from raysweep.space.space import check_space, load_space
from tests.models import SMALL
from tests.plans import plan

BASE = Checkpoint(Path("base"), "d1", 10**9, 2048, SMALL)
PAPER = ("order", "lr", "replay", "replay_steps", "curvature")


def outlined(base: Checkpoint = BASE, **changes: object) -> Plan:
    space = check_space(
        {
            "name": "x",
            "chains": [["bbq", "{arc_easy,csqa}"]],
            "stage": {"num_steps": 10, "global_batch_size": 8},
            "curvature": {"operator": "replica", "max_parameters": 10**10},
            "data": {"num_test": 100},
            **changes,
        },
        "test",
    )
    splits = {n: outlined_splits(t, space.data) for n, t in space.find_tasks().items()}
    return make_plan(space, base, splits)


def test_work_is_counted_once_and_per_token() -> None:
    made, assumptions = outlined(), Assumptions("H100", utilisation=0.5, startup_seconds=0, price=3)
    cost = forecast(made, assumptions)
    row = made.splits["bbq"].train[0]
    tokens = (len(row.prompt) + len(row.target)) / 4
    assert (cost.num_trials, cost.num_stages_asked, cost.num_stages_distinct) == (2, 4, 3)
    assert cost.num_tokens_trained == pytest.approx(3 * 80 * tokens)
    # the base model on three tasks; after bbq on three; after each second stage on two
    assert cost.num_evaluations == 3 + 3 + 2 * 2
    assert cost.num_examples_evaluated == 100 * cost.num_evaluations
    per_change = 2 + 9 / 3  # along the path eight gradients, and one at its end
    work = 1e9 * tokens * (6 * 3 * 80 + 2 * 1000 + 18 * (PRODUCTS + 2 * per_change) * 50)
    assert cost.gpu_hours == pytest.approx(work / (989e12 * 0.5) / 3600)
    unshared = 1e9 * tokens * (6 * 4 * 80 + 2 * 2 * 600 + 2 * 18 * (PRODUCTS + per_change) * 50)
    assert cost.gpu_hours_unshared == pytest.approx(unshared / (989e12 * 0.5) / 3600)
    assert cost.gpu_hours is not None
    assert cost.money == pytest.approx(3 * cost.gpu_hours)


def test_a_measured_speed_replaces_the_peak() -> None:
    made = outlined(curvature={"enabled": False})
    cost = forecast(made, Assumptions(tokens_per_second=1000, startup_seconds=0))
    assert cost.gpu_hours == pytest.approx(
        (cost.num_tokens_trained + 1000 * _tokens(made) / 3) / 1000 / 3600
    )


def _tokens(made: Plan) -> float:
    row = made.splits["bbq"].test[0]
    return (len(row.prompt) + len(row.target)) / 4


@pytest.mark.parametrize(
    ("zero_stage", "dtype", "expected"),
    [
        (0, "float32", 4 + 4 + 8),
        (1, "float32", 4 + 4 + 8 / 4),
        (2, "bfloat16", 2 + 2 / 4 + 12 / 4),
        (3, "bfloat16", (2 + 2 + 12) / 4),
    ],
)
def test_zero_divides_the_states_stage_by_stage(
    zero_stage: int, dtype: str, expected: float
) -> None:
    made = outlined(
        workers={"num_workers": 4, "zero_stage": zero_stage},
        stage={"dtype": dtype, "num_steps": 5},
    )
    cost = forecast(made, Assumptions())
    assert cost.state_gib == pytest.approx(1e9 * expected / 2**30)
    assert cost.replica_gib == pytest.approx(1e9 * (2 if dtype == "bfloat16" else 4) / 2**30)
    assert cost.storage_gb == pytest.approx(3 * (2 if dtype == "bfloat16" else 4))


def test_activations_come_on_top_of_the_states() -> None:
    made = outlined(
        workers={"num_workers": 2, "micro_batch_size": 3, "evaluation_batch_size": 20},
        curvature={"operator": "replica", "max_parameters": 10**10, "num_samples": 5},
    )
    memory = forecast(made, Assumptions()).memory
    row = made.splits["bbq"].train[0]
    tokens, answer = (len(row.prompt) + len(row.target)) / 4, len(row.target) / 4
    # 8 rows over 2 workers and 2 micro-batches; 50 of 100 test rows each; 3 of 5 samples
    training, evaluation = BatchShape(2, tokens, answer), BatchShape(20, tokens, answer)
    assert memory.training.batch == training
    assert memory.training.activations_gib == training_bytes(SMALL, training, "float32") / 2**30
    assert memory.evaluation.batch == evaluation
    assert memory.curvature is not None
    assert memory.curvature.batch == BatchShape(3, tokens, answer)
    assert memory.curvature.states_gib == pytest.approx(28e9 / 2**30)
    assert memory.highest == "curvature"
    assert memory.peak_gib == memory.curvature.total_gib


def test_layer_by_layer_the_curvature_needs_no_more_than_training() -> None:
    """Weights and three vectors over 4 workers, and four times the largest block."""
    made = outlined(curvature={"num_samples": 9}, workers={"num_workers": 4, "zero_stage": 3})
    memory = forecast(made, Assumptions()).memory
    assert memory.curvature is not None
    states = 16e9 / 4 + 4 * 4 * SMALL.largest_block
    assert memory.curvature.states_gib == pytest.approx(states / 2**30)
    assert memory.curvature.batch.num_rows == 3, "9 samples over 4 workers"
    assert memory.curvature.states_gib < 1.01 * memory.training.states_gib


@pytest.mark.parametrize("use_gpu", [False, True])
def test_the_hosts_memory_is_that_of_all_its_processes(use_gpu: bool) -> None:
    """Workers hold their peak, or pass the weights of 10^9 parameters through to a GPU."""
    made = outlined(workers={"num_workers": 2, "use_gpu": use_gpu})
    memory = forecast(made, Assumptions()).memory
    one, three = (host_memory(memory, made.space.workers, slots) for slots in (1, 3))
    assert (one.num_workers, three.num_workers) == (2, 6)
    assert one.data_gib == (pytest.approx(4e9 / 2**30) if use_gpu else memory.peak_gib)
    each_trial = 2 * (one.data_gib + one.worker_gib) + one.trials_gib
    assert three.total_gib - one.total_gib == pytest.approx(2 * each_trial)
    assert one.total_gib == pytest.approx(each_trial + one.sweep_gib)


def test_rows_are_cut_at_the_limit() -> None:
    made = outlined(stage={"num_steps": 5, "sequence_limit": 50})
    needs = forecast(made, Assumptions()).memory.needs
    assert {need.batch.row_tokens for need in needs.values()} == {50}


def test_more_than_the_accelerator_has_is_told() -> None:
    made = outlined()
    cost = forecast(made, Assumptions("L4"))
    lines = list(cost_lines(made, cost, Assumptions("L4"), None))
    assert any(line.startswith("warning: curvature needs more than the 24 GiB") for line in lines)
    lines = list(cost_lines(made, cost, Assumptions("H200"), None))
    assert not any(line.startswith("warning") for line in lines)


def test_workers_without_an_accelerator() -> None:
    made, unknown = outlined(), Assumptions(None, price=None)
    cost = forecast(made, unknown)
    assert cost.worker_hours is cost.gpu_hours is cost.money is None
    assert "time: unknown until a stage has run" in "".join(cost_lines(made, cost, unknown, None))
    measured = Assumptions(None, tokens_per_second=10, price=2)
    cost = forecast(made, measured)
    assert cost.gpu_hours is None
    assert cost.worker_hours is not None
    assert cost.money == 2 * cost.worker_hours
    text = "".join(cost_lines(made, cost, measured, None))
    assert "worker-hours (" in text
    assert "GPU" not in text


def test_the_wall_clock_is_what_the_slots_leave_of_the_worker_hours() -> None:
    made = outlined(workers={"num_workers": 4})
    cost = dataclasses.replace(
        forecast(made, Assumptions("H100")), worker_hours=80.0, worker_hours_left=8.0
    )
    assert wall_hours(made, 80.0, 5) == 80 / (4 * 5)
    text = "\n".join(cost_lines(made, cost, Assumptions("H100"), None, slots=5))
    assert "wall-clock: 4.0 h, 5 trials at a time; 24 min for what is left" in text
    assert [as_duration(hours) for hours in (0.001, 1.5, 30, 240)] == [
        *("1 min", "90 min", "30.0 h", "10.0 days")
    ]


@pytest.mark.parametrize(
    ("amount", "currency", "shown"),
    [(1234.4, "$", "$1,234"), (2.5, "$", "$2.50"), (1234, "EUR", "1,234 EUR"), (0.5, "£", "£0.50")],
)
def test_money_has_a_currency(amount: float, currency: str, shown: str) -> None:
    assert in_currency(amount, currency) == shown
    made = outlined()
    cost = dataclasses.replace(forecast(made, Assumptions("H100")), money=amount)
    lines = list(cost_lines(made, cost, Assumptions("H100"), None, currency=currency))
    assert any(line.endswith(f", about {shown}") for line in lines)
    assert f"{in_currency(2.0, currency)} a GPU-hour" in lines[-1]


def test_an_unknown_accelerator() -> None:
    with pytest.raises(InputError, match="--gpu TPU: unknown; use one of A10G"):
        Assumptions("TPU")


def test_the_papers_programme_trains_two_fifths_of_its_stages() -> None:
    plans = [outlined_plan(load_space(packaged_space(f"paper/{name}"))) for name in PAPER]
    whole = combined(plans)
    assert len(whole.trials) == 54 + 300 + 243 + 216 + 18
    assert whole.num_stages_asked == 2049
    # 18 first stages and 27 x 2 second ones of the order grid, which replay and curvature share
    order, lr = 18 + 54, 360 - 24
    assert whole.num_stages_distinct == order + lr + 27 * 8 + 27 * 6 == 786


def test_models_are_not_mixed() -> None:
    other = dataclasses.replace(BASE, digest="d2")
    with pytest.raises(InputError, match="is another one than"):
        combined([outlined(), outlined(other)])


def test_the_tree_has_every_stage_once() -> None:
    def labels(branch: Tree) -> list[str]:
        return [str(branch.label), *(text for child in branch.children for text in labels(child))]

    made = plan()
    root, *stages = labels(stage_tree(made))
    assert root.startswith("tiny (1,000 parameters)")
    assert len(stages) == made.num_stages_distinct == 12
    kinds = {stage.partition(", trial ")[0] for stage in stages}
    assert len(kinds) == 4, "each task at two learning rates"
    ends = [end for stage in stages for end in stage.partition(", trial ")[2].split(", ") if end]
    assert ends == [trial.id[-8:] for trial in made.trials]


def test_labels_tell_what_differs() -> None:
    made = plan(stage={"weight_decay": {"grid": [0.1, 0.2]}, "num_steps": 5}, stages={})
    labels = [str(branch.label) for branch in stage_tree(made).children]
    assert "toxigen, learning rate 1e-05, 5 steps of 16, weight decay 0.1, seed 0" in labels
    assert len(set(labels)) == 4
    assert "beta1" not in labels[0]


def test_the_command(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "raysweep.plan"]
    run = subprocess.run([*command, "lr"], capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    assert "8 trials, 16 stages asked for, 12 to train: 1.33 times fewer" in run.stdout
    assert "time: unknown" in run.stdout
    assert "GPU" not in run.stdout
    assert run.stdout.count("├── ") + run.stdout.count("└── ") == 12
    assert run.stdout.startswith("8 trials, 16 stages"), "the totals first, then the tree"
    run = subprocess.run(
        [*command, "paper/order", "--outline", "--json", "--gpu", "H100"],
        capture_output=True,
        text=True,
    )
    numbers = json.loads(run.stdout)
    assert numbers["num_stages_asked"] == 108
    assert numbers["num_stages_distinct"] == 72
    assert numbers["assumptions"]["accelerator"] == "H100"
    assert numbers["gpu_hours"] == numbers["worker_hours"] > 0
    assert numbers["storage"] is None
    assert numbers["slots"] == 1
    workers = load_space(packaged_space("paper/order")).workers.num_workers
    assert numbers["wall_hours"] == pytest.approx(numbers["worker_hours"] / workers)
    curvature = numbers["memory"]["curvature"]
    assert curvature["states_gib"] + curvature["activations_gib"] < 24, "on shards"
    assert numbers["peak_gib"] > numbers["state_gib"]
    assert numbers["host_memory"]["total_gib"] > numbers["host_memory"]["num_workers"] * 12.5
    run = subprocess.run([*command, "paper/ordr"], capture_output=True, text=True)
    assert run.returncode == 2
    assert "search space paper/ordr: is neither a file nor a packaged" in run.stderr
    assert "did you mean 'paper/order'?" in run.stderr


def test_the_critical_path_is_the_longest_trial_alone() -> None:
    made, assumed = plan(), Assumptions("H100", startup_seconds=7.0)
    workers = made.space.workers.num_workers
    alone = [
        (forecast(dataclasses.replace(made, trials=(trial,)), assumed).worker_hours or 0.0)
        / workers
        for trial in made.trials
    ]
    cost = forecast(made, assumed)
    assert cost.critical_hours == pytest.approx(max(alone))
    assert max(alone) > min(alone), "else it would say little"
    finished = {entry for trial in made.trials for entry in trial.entries}
    assert forecast(made, assumed, finished).critical_hours_left == 0.0
    lines = "\n".join(cost_lines(made, cost, assumed, None, slots=1000))
    assert f"wall-clock: {as_duration(max(alone))}, 1,000 trials at a time" in lines
    assert f"critical path {as_duration(max(alone))}" in lines
