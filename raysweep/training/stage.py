"""Training of one stage: a Ray-free loop over the worker group's global batches."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
import torch.distributed as dist
from transformers import LlamaForCausalLM

from raysweep.model.encoding import EncodedRow
from raysweep.model.finite import first_not_finite
from raysweep.training.batches import collate, micro_batches, num_micro_steps, step_indices
from raysweep.training.loss import answer_logits, loss_and_parts, loss_of_logits
from raysweep.training.plain_engine import PlainEngine
from raysweep.training.settings import Hyperparameters, WorkerSettings

if TYPE_CHECKING:
    from raysweep.training.engine import Engine


@dataclass(frozen=True)
class Step:
    """What one optimizer step logged; the columns of the table ``steps``.

    Attributes:
        loss_format, loss_content: the loss in parts (see `parts`); None where some row of the batch
            has no candidates.
    """

    step: int
    loss: float
    learning_rate: float
    gradient_norm: float
    update_norm: float
    num_tokens: int
    num_answer_tokens: int
    provenance_tokens_per_second: float
    loss_format: float | None = None
    loss_content: float | None = None


class DivergedError(FloatingPointError):
    """The loss, or a weight, is no longer a finite number."""


def train_stage(
    model: LlamaForCausalLM,
    rows: Sequence[EncodedRow],
    hyperparameters: Hyperparameters,
    seed: int,
    workers: WorkerSettings,
    *,
    pad_token_id: int,
    on_step: Callable[[Step], None] = lambda step: None,
) -> tuple[dict[str, torch.Tensor], list[Step]]:
    """Finetunes ``model`` and returns its weights (on rank 0; empty elsewhere) and the step log.

    Called by every worker of the group with the same arguments. The model itself is used up.

    Raises:
        DivergedError: on every worker, if the loss or a weight became infinite or NaN.
    """
    size, engine = hyperparameters.global_batch_size, _engine(model, hyperparameters, workers)
    log: list[Step] = []
    try:
        for step in range(hyperparameters.num_steps):
            batch = [rows[i] for i in step_indices(len(rows), size, seed, step)]
            rate = linear_decay(hyperparameters, step)
            log.append(_step(engine, batch, rate, step + 1, workers.micro_batch_size, pad_token_id))
            if not math.isfinite(log[-1].loss):
                losses = ", ".join(f"{entry.loss:.4g}" for entry in log[-5:])
                raise DivergedError(f"loss at step {step + 1} is not finite; last: {losses}")
            on_step(log[-1])
        weights = engine.gather_weights()
        _check_weights(weights, hyperparameters.num_steps)
        return weights, log
    finally:
        engine.close()


def _engine(
    model: LlamaForCausalLM, hyperparameters: Hyperparameters, workers: WorkerSettings
) -> Engine | PlainEngine:
    """What trains the model; without DeepSpeed where there is nothing for it to do."""
    num_workers, rows = dist.get_world_size(), workers.micro_batch_size
    steps = num_micro_steps(hyperparameters.global_batch_size, num_workers, rows)
    is_whole = num_workers == 1 and workers.zero_stage == 0
    if is_whole and hyperparameters.dtype == "float32":  # else DeepSpeed keeps float32 copies
        device = torch.device("cuda" if workers.use_gpu else "cpu")
        return PlainEngine(model, hyperparameters, device, num_micro_steps=steps)
    from raysweep.training.engine import Engine

    return Engine(
        model,
        hyperparameters,
        zero_stage=workers.zero_stage,
        micro_batch_size=rows,
        num_micro_steps=steps,
    )


def _check_weights(weights: Mapping[str, torch.Tensor], num_steps: int) -> None:
    """Looks at the weights once, before anybody continues from them; rank 0 has them."""
    found = [first_not_finite(weights)]
    dist.broadcast_object_list(found)
    if found[0] is not None:
        raise DivergedError(f"parameter {found[0]} is not finite after step {num_steps}, the last")


def linear_decay(hyperparameters: Hyperparameters, step: int) -> float:
    """Learning rate of a step (from 0): η (1 - step / num_steps), no warm-up (section 3.1)."""
    return hyperparameters.learning_rate * (1 - step / hyperparameters.num_steps)


def _step(
    engine: Engine | PlainEngine,
    batch: Sequence[EncodedRow],
    learning_rate: float,
    number: int,
    micro_batch_size: int,
    pad_token_id: int,
) -> Step:
    """One optimizer step; the loss is the mean over all answer tokens of the global batch."""
    started = time.perf_counter()
    num_answer_tokens = sum(len(row.answer) for row in batch)
    sums = torch.zeros(3, dtype=torch.float64, device=engine.device)  # whole, format, content
    has_parts = all(row.content for row in batch)
    rank, num_workers = dist.get_rank(), dist.get_world_size()
    for rows in micro_batches(batch, rank, num_workers, micro_batch_size):
        inputs = collate(rows, pad_token_id).to(engine.device)
        logits = answer_logits(engine.module, inputs)
        if has_parts:
            loss, parts = loss_and_parts(logits, inputs)
            sums[1:] += parts
        else:
            loss = loss_of_logits(logits, inputs)
        del logits  # else the next forward pass finds them in memory
        engine.backward(loss / num_answer_tokens)
        sums[0] += loss.detach()
        engine.step(learning_rate)
    totals, gradient_norm, update_norm = engine.read(sums)
    whole, of_format, of_content = (total / num_answer_tokens for total in totals)
    num_tokens = sum(row.num_tokens for row in batch)
    return Step(
        step=number,
        loss=whole,
        learning_rate=learning_rate,
        gradient_norm=gradient_norm,
        update_norm=update_norm,
        num_tokens=num_tokens,
        num_answer_tokens=num_answer_tokens,
        provenance_tokens_per_second=num_tokens / (time.perf_counter() - started),
        loss_format=of_format if has_parts else None,
        loss_content=of_content if has_parts else None,
    )
