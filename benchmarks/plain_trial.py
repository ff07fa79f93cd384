"""A trial as one would write it without raysweep: train the stages one after the other, score.

    python -m benchmarks.plain_trial TRIAL.json        writes TRIAL.accuracies

Plain PyTorch on one core: AdamW, linear decay, clipping; the weights stay in memory from stage to
stage and nothing is saved. Where a researcher takes a library for rows, padding and scoring, this
takes raysweep's own functions: the same rows, and the fastest scoring there is (see `scoring`).
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from transformers import LlamaForCausalLM

from raysweep.measures.answers import evaluate
from raysweep.model.checkpoint import locate
from raysweep.model.encoding import EncodedRow, encode_rows
from raysweep.model.tokenizer import load_encoder
from raysweep.tasks.registry import TASKS
from raysweep.tasks.settings import DataSettings
from raysweep.tasks.splits import load_splits
from raysweep.training.batches import collate, step_indices
from raysweep.training.loss import answer_loss_sum

Accuracies = list[dict[str, float]]


def run_trial(trial: Mapping[str, Any]) -> Accuracies:
    """The accuracy on each task of the base model and after each stage.

    Args:
        trial: as `end_to_end.described` gives it.
    """
    folder, settings = locate("tiny"), DataSettings(**trial["data"])
    model = LlamaForCausalLM.from_pretrained(folder)
    encoder = load_encoder(folder, model.config.vocab_size)
    splits = {task: load_splits(TASKS[task], settings) for task in trial["tasks"]}

    def scored() -> dict[str, float]:
        model.eval()
        limits = {"sequence_limit": trial["sequence_limit"], "batch_size": trial["rows_at_once"]}
        found = {
            task: evaluate(model, encoder, split.task, split.test, **limits)
            for task, split in splits.items()
        }
        return {task: sum(p.correct for p in all_) / len(all_) for task, all_ in found.items()}

    accuracies = [scored()]
    for stage in trial["stages"]:
        parts = (splits[task].train_part(fraction) for task, fraction in stage["parts"])
        examples = [example for part in parts for example in part]
        rows = encode_rows(examples, encoder, trial["sequence_limit"])
        train(model, rows, stage["hyperparameters"], trial["seed"], encoder.pad)
        accuracies.append(scored())
    return accuracies


def train(
    model: LlamaForCausalLM,
    rows: Sequence[EncodedRow],
    settings: Mapping[str, Any],
    seed: int,
    pad_token_id: int,
) -> None:
    """Finetunes the model in place."""
    rate, num_steps = settings["learning_rate"], settings["num_steps"]
    optimizer = torch.optim.AdamW(
        model.parameters(),
        lr=rate,
        betas=(settings["beta1"], settings["beta2"]),
        eps=settings["epsilon"],
        weight_decay=settings["weight_decay"],
    )
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 1 - step / num_steps)
    model.train()
    for step in range(num_steps):
        chosen = step_indices(len(rows), settings["global_batch_size"], seed, step)
        batch = sorted((rows[index] for index in chosen), key=lambda row: row.num_tokens)
        loss = answer_loss_sum(model, collate(batch, pad_token_id))
        (loss / sum(len(row.answer) for row in batch)).backward()
        clip(model, settings["gradient_clipping"])
        optimizer.step()
        schedule.step()
        optimizer.zero_grad()


def clip(model: LlamaForCausalLM, limit: float) -> None:
    """`torch.nn.utils.clip_grad_norm_`, but for the rounding of the norm: that is DeepSpeed's.

    At these learning rates the last bit of a step becomes points of accuracy after 300 of them;
    with the same rounding all accuracies can be compared.
    """
    gradients = [parameter.grad for parameter in model.parameters() if parameter.grad is not None]
    norm = torch.stack(torch._foreach_norm(gradients)).square().sum().pow(0.5)
    torch._foreach_mul_(gradients, (torch.full_like(norm, limit) / (norm + 1e-6)).clamp(max=1.0))


def main(path: Path) -> None:
    """Runs the trial in a file."""
    accuracies = run_trial(json.loads(path.read_text()))
    path.with_suffix(".accuracies").write_text(json.dumps(accuracies))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
