"""Hugging Face Trainer as a contestant of `training`: the same rows, in the same batches."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import torch
import torch.distributed as dist
from transformers import Trainer, TrainerCallback, TrainingArguments

from raysweep.model.encoding import EncodedRow
from raysweep.training.batches import Batch, collate, micro_batches, step_indices
from raysweep.training.engine import _without_compilation, _zero_settings

if TYPE_CHECKING:
    from benchmarks.training import Work

Loss = Callable[..., torch.Tensor]
Item = tuple[EncodedRow, int]  # a row, and the answer tokens of its global batch


class _Trainer(Trainer):  # type: ignore[misc]  # untyped
    """With the losses kept, AdamW's decay on all parameters, and perhaps another loss."""

    own_loss: Loss | None = None
    losses: list[torch.Tensor]

    def compute_loss(self, model: Any, inputs: dict[str, Any], *_: Any, **__: Any) -> torch.Tensor:
        num_answer_tokens = inputs.pop("num_answer_tokens")
        if self.own_loss is None:
            output = model(**inputs, num_items_in_batch=num_answer_tokens, use_cache=False)
            loss: torch.Tensor = output.loss
        else:
            batch = Batch(**inputs, content_labels=inputs["labels"])
            loss = self.own_loss(model, batch) / num_answer_tokens
        self.losses.append(loss.detach())
        return loss * dist.get_world_size()  # DeepSpeed takes the mean over processes

    def create_optimizer(self, model: Any = None) -> Any:
        kind, settings = self.get_optimizer_cls_and_kwargs(self.args, self.model)
        decay = self.args.weight_decay
        self.optimizer = kind(self.model.parameters(), weight_decay=decay, **settings)
        return self.optimizer


class _Clock(TrainerCallback):  # type: ignore[misc]  # untyped
    """CPU seconds of this process at the end of each step."""

    def __init__(self) -> None:
        self.seconds: list[float] = []

    def on_train_begin(self, *_: Any, **__: Any) -> None:
        self.seconds.append(time.process_time())

    def on_step_end(self, *_: Any, **__: Any) -> None:
        self.seconds.append(time.process_time())


def train(work: Work, loss: Loss | None, seed: int) -> tuple[list[float], list[float]]:
    """Trains; CPU seconds at the start and after each step, and the losses."""
    settings, world = work.settings, dist.get_world_size()
    _without_compilation()
    with TemporaryDirectory() as folder:
        arguments = TrainingArguments(
            output_dir=folder,
            deepspeed=_deepspeed(work),
            per_device_train_batch_size=settings.global_batch_size // world,
            max_steps=settings.num_steps,
            learning_rate=settings.learning_rate,
            lr_scheduler_type="linear",
            warmup_steps=0,
            weight_decay=settings.weight_decay,
            adam_beta1=settings.beta1,
            adam_beta2=settings.beta2,
            adam_epsilon=settings.epsilon,
            max_grad_norm=settings.gradient_clipping,
            train_sampling_strategy="sequential",
            logging_strategy="no",
            save_strategy="no",
            report_to="none",
            disable_tqdm=True,
            remove_unused_columns=False,
            use_cpu=not torch.cuda.is_available(),
        )
        clock = _Clock()
        trainer = _Trainer(
            model=work.model,
            args=arguments,
            train_dataset=_items(work, seed),
            data_collator=_collated(work.pad_token_id),
            callbacks=[clock],
        )
        trainer.own_loss, trainer.losses = loss, []
        trainer.train()
    losses = torch.stack(trainer.losses).double()
    dist.all_reduce(losses)
    return clock.seconds, losses.tolist()


def _deepspeed(work: Work) -> dict[str, Any]:
    """The configuration of raysweep's engine."""
    return {
        "train_micro_batch_size_per_gpu": work.settings.global_batch_size // dist.get_world_size(),
        "gradient_accumulation_steps": 1,
        "gradient_clipping": work.settings.gradient_clipping,
        "zero_optimization": _zero_settings(work.workers.zero_stage),
        "zero_allow_untested_optimizer": True,
        "steps_per_print": 10**9,
    }


def _items(work: Work, seed: int) -> list[Item]:
    """All steps' rows, one after the other; in each step the processes' parts in turn."""
    items: list[Item] = []
    world, size = dist.get_world_size(), work.settings.global_batch_size
    for step in range(work.settings.num_steps):
        batch = [work.rows[i] for i in step_indices(len(work.rows), size, seed, step)]
        num_answer_tokens = sum(len(row.answer) for row in batch)
        for rank in range(world):
            (rows,) = micro_batches(batch, rank, world, work.workers.micro_batch_size)
            items += [(row, num_answer_tokens) for row in rows]
    return items


def _collated(pad_token_id: int) -> Callable[[Sequence[Item]], dict[str, Any]]:
    def collated(items: Sequence[Item]) -> dict[str, Any]:
        batch = vars(collate([row for row, _ in items], pad_token_id)).copy()
        del batch["content_labels"]
        return {**batch, "num_answer_tokens": torch.tensor(items[0][1])}

    return collated
