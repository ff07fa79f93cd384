"""A trial as one would write it without raysweep: train the stages one after the other, score.

    python -m benchmarks.plain_trial TRIAL.json        writes TRIAL.accuracies

Plain PyTorch on one core: AdamW in one kernel, linear decay, clipping; the weights stay in memory
from stage to stage and nothing is saved. Rows, padding and loss are raysweep's own, so that all
accuracies can be compared. Scoring is what one writes: each candidate behind its prompt is a
sequence, sequences of like length are fed together. The trial's description may ask for raysweep's
scoring instead (see `scoring`), which feeds a prompt once for all candidates.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from transformers import LlamaForCausalLM

from raysweep.measures.answers import evaluate
from raysweep.model.checkpoint import locate
from raysweep.model.encoding import EncodedRow, Encoder, encode_answer, encode_prompt, encode_rows
from raysweep.model.tokenizer import load_encoder
from raysweep.tasks.registry import TASKS
from raysweep.tasks.settings import DataSettings
from raysweep.tasks.splits import Splits, load_splits
from raysweep.training.batches import collate, step_indices
from raysweep.training.loss import answer_logits, answer_loss_sum

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

    score = by_raysweep if trial["is_scored_by_raysweep"] else by_sequences

    def scored() -> dict[str, float]:
        model.eval()
        limits = {"sequence_limit": trial["sequence_limit"], "batch_size": trial["rows_at_once"]}
        return {task: score(model, encoder, split, **limits) for task, split in splits.items()}

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
        fused=True,
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


@torch.no_grad()
def by_sequences(
    model: LlamaForCausalLM,
    encoder: Encoder,
    splits: Splits,
    *,
    sequence_limit: int,
    batch_size: int,
) -> float:
    """The accuracy on the test rows: of all candidates the likeliest one is taken."""
    sequences: list[EncodedRow] = []
    for example in splits.test:
        answers = [encode_answer(answer, encoder) for answer in example.answers]
        prompt = encode_prompt(example, encoder, sequence_limit - max(map(len, answers)))
        sequences += [EncodedRow(prompt, answer) for answer in answers]
    order = sorted(range(len(sequences)), key=lambda index: sequences[index].num_tokens)
    likelihoods = [0.0] * len(sequences)
    for first in range(0, len(order), batch_size):
        chosen = order[first : first + batch_size]
        batch = collate([sequences[index] for index in chosen], encoder.pad)
        logits = answer_logits(model, batch)
        labels = batch.labels[:, -batch.longest_answer :]
        losses = F.cross_entropy(logits.transpose(1, 2), labels, reduction="none")
        for index, loss in zip(chosen, losses.sum(dim=1).tolist(), strict=True):
            likelihoods[index] = -loss
    following = iter(likelihoods)
    rows = [(example, list(islice(following, len(example.answers)))) for example in splits.test]
    return sum(own.index(max(own)) == example.label for example, own in rows) / len(rows)


def by_raysweep(model: LlamaForCausalLM, encoder: Encoder, splits: Splits, **limits: Any) -> float:
    """The same accuracy by raysweep's scoring."""
    predictions = evaluate(model, encoder, splits.task, splits.test, **limits)
    return sum(one.correct for one in predictions) / len(predictions)


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
