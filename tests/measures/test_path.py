"""Equation 3 along the path, of a real chain: what gradients on the way say a stage has done."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from raysweep.measures.loss_curvature import Sample, measure_change
from raysweep.model.encoding import encode_rows
from raysweep.model.llama import load_model, save_model
from raysweep.model.tokenizer import load_encoder
from raysweep.tasks.registry import TASKS
from raysweep.tasks.sampling import stratified_order
from raysweep.tasks.settings import DataSettings
from raysweep.tasks.splits import load_splits
from raysweep.training.settings import Hyperparameters, WorkerSettings
from raysweep.training.stage import train_stage
from tests.places import BASE
from tests.processes import run_group

LIMIT = 512
RATES = (3e-4, 1e-3, 2e-3)


def _chains(root: Path) -> list[dict[str, Any]]:
    """Toxigen, then ARC-Easy at several learning rates; what each did to the first loss.

    The last is measured with shards as well.
    """
    encoder, data = load_encoder(BASE, 1252), DataSettings(num_train=390, num_test=52)
    train = {task: load_splits(TASKS[task], data).train for task in ("toxigen", "arc_easy")}

    def stage(parent: Path, task: str, rate: float) -> Path:
        model, folder = load_model(parent, "float32"), root / f"{task} {rate}"
        settings = Hyperparameters(learning_rate=rate, num_steps=50, sequence_limit=LIMIT)
        rows, workers = encode_rows(train[task], encoder, LIMIT), WorkerSettings(zero_stage=0)
        weights, _ = train_stage(model, rows, settings, 0, workers, pad_token_id=encoder.pad)
        save_model(model, weights, folder, BASE, encoder)
        return folder

    drawn = stratified_order(train["toxigen"], 0)[:24]
    sample = Sample(encode_rows(drawn, encoder, LIMIT), "token", 16, encoder.pad)
    first, cpu = stage(BASE, "toxigen", 1e-3), torch.device("cpu")
    seconds = [stage(first, "arc_easy", rate) for rate in RATES]
    made = [(second, False) for second in seconds] + [(seconds[-1], True)]
    return [measure_change(first, after, sample, cut, cpu, 8) for after, cut in made]


@pytest.mark.distributed
def test_eight_points_recover_what_a_stage_did_to_the_loss_before_it(tmp_path: Path) -> None:
    (found,) = run_group(1, _chains, tmp_path)
    large = [one for one in found if one["loss_increase"] > 0.1]
    assert len(large) >= 2
    for one in large:
        assert one["path_points"] == 8
        assert one["path_increase"] == pytest.approx(one["loss_increase"], rel=0.05)
    *_, whole, cut = found
    expanded = whole["linear_term"] + whole["quadratic_form"]
    assert abs(expanded - whole["loss_increase"]) > 0.5 * whole["loss_increase"], "far from there"
    for one in found:
        for when in ("before", "after"):
            parts = one[f"format_{when}"] + one[f"content_{when}"]
            assert parts == pytest.approx(one[f"loss_{when}"], rel=1e-6)  # float32 sums
            assert one[f"format_{when}"] > 0
    for name in ("path_increase", "mean_quadratic", "loss_increase", "format_after"):
        assert cut[name] == pytest.approx(whole[name], rel=1e-3), name  # float32, another order
