"""CPU time of a training step: raysweep and Hugging Face Trainer, with the same DeepSpeed.

    python -m benchmarks.training [--processes 1] [--num-steps 40] [--repeats 3]

Both train the same model on the same rows in the same order, each in new processes, turn by turn;
their losses are compared. What is told is user and system time per step of a process, the median
over the steps after the first few, of the fastest turn. raysweep logs the loss, its parts and both
norms at every step; Trainer logs nothing.
"""

from __future__ import annotations

import itertools
import os
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from tempfile import TemporaryDirectory
from typing import Annotated

import torch
import torch.distributed as dist
import typer
from rich import box
from rich.table import Table
from transformers import LlamaConfig, LlamaForCausalLM

from benchmarks.resident import in_new_processes
from raysweep.cli.console import console, run_command
from raysweep.model.checkpoint import locate
from raysweep.model.encoding import EncodedRow, encode_rows
from raysweep.model.llama import load_model
from raysweep.model.tokenizer import load_encoder
from raysweep.tasks.registry import TASKS
from raysweep.tasks.settings import DataSettings
from raysweep.tasks.splits import load_splits
from raysweep.training.settings import Hyperparameters, WorkerSettings

MODELS = ("tiny", "30M")
ZERO_STAGES = (0, 2, 3)
WARM_UP = 5  # steps that are not counted
SEED = 0
TOLERANCE = 1e-3  # of a loss, relative: rounding of other kernels, after some steps of AdamW
OURS, TRAINER, AS_IT_IS = "raysweep", "Trainer, raysweep's loss", "Trainer as it is"
CONTESTANTS = (OURS, TRAINER, AS_IT_IS)


@dataclass(frozen=True)
class Work:
    """What every contestant is given."""

    model: LlamaForCausalLM
    rows: list[EncodedRow]
    pad_token_id: int
    settings: Hyperparameters
    workers: WorkerSettings


@dataclass(frozen=True)
class Training:
    """What a process has spent, in CPU seconds per counted step, and the losses of all steps."""

    seconds: list[float]
    losses: list[float]


def make_work(model: str, zero_stage: int, num_steps: int) -> Work:
    """The embedded base, or a random LLaMA with a vocabulary of 32,000, on the embedded rows."""
    folder = locate("tiny")
    llama = load_model(folder, "float32")
    encoder = load_encoder(folder, llama.config.vocab_size)
    splits = load_splits(TASKS["toxigen"], DataSettings())
    if model == "30M":
        torch.manual_seed(0)
        config = LlamaConfig(
            vocab_size=32_000,
            hidden_size=384,
            intermediate_size=1024,
            num_hidden_layers=10,
            num_attention_heads=6,
            tie_word_embeddings=True,
            max_position_embeddings=512,
        )
        llama = LlamaForCausalLM(config)
    settings = Hyperparameters(learning_rate=1e-4, num_steps=num_steps)
    workers = WorkerSettings(zero_stage=zero_stage, micro_batch_size=32)
    rows = encode_rows(splits.train, encoder, settings.sequence_limit)
    return Work(llama, rows, encoder.pad, settings, workers)


def by_raysweep(work: Work) -> Training:
    """`train_stage`, as a worker calls it."""
    from raysweep.training.stage import train_stage  # imports DeepSpeed

    seconds = [time.process_time()]
    _, log = train_stage(
        work.model,
        work.rows,
        work.settings,
        SEED,
        work.workers,
        pad_token_id=work.pad_token_id,
        on_step=lambda step: seconds.append(time.process_time()),
    )
    return Training(_counted(seconds), [step.loss for step in log])


def by_trainer(work: Work, loss: Callable[..., torch.Tensor] | None) -> Training:
    """Trainer, with a loss of its own or a given one."""
    from benchmarks.trainer import train

    seconds, losses = train(work, loss, SEED)
    return Training(_counted(seconds), losses)


def _counted(marks: list[float]) -> list[float]:
    return [after - before for before, after in itertools.pairwise(marks)][WARM_UP:]


def train_as(contestant: str, model: str, zero_stage: int, num_steps: int) -> Training:
    """One contestant in this process, which is one of a group."""
    from raysweep.training.loss import answer_loss_sum

    with _group():
        work = make_work(model, zero_stage, num_steps)
        if contestant == OURS:
            return by_raysweep(work)
        return by_trainer(work, answer_loss_sum if contestant == TRAINER else None)


@contextmanager
def _group() -> Iterator[None]:
    """One alone has a group of its own; all have what PyTorch programs expect of a launcher."""
    with TemporaryDirectory() as folder:
        is_alone = not dist.is_initialized()
        if is_alone:
            store = f"file://{folder}/store"
            limit = timedelta(minutes=5)
            dist.init_process_group("gloo", store, limit, world_size=1, rank=0)
        rank, world = str(dist.get_rank()), str(dist.get_world_size())
        os.environ.update(RANK=rank, LOCAL_RANK=rank, WORLD_SIZE=world, LOCAL_WORLD_SIZE=world)
        os.environ.update(MASTER_ADDR="127.0.0.1", MASTER_PORT="0")
        try:
            yield
        finally:
            if is_alone:
                dist.destroy_process_group()


def compare(
    model: str, zero_stage: int, world: int, num_steps: int, repeats: int
) -> dict[str, float]:
    """CPU milliseconds per step and process of each contestant.

    Raises:
        RuntimeError: losses differ by more than rounding.
    """
    fastest: dict[str, float] = {}
    losses: dict[str, list[float]] = {}
    for turn in range(repeats):
        first = turn % len(CONTESTANTS)
        for one in (*CONTESTANTS[first:], *CONTESTANTS[:first]):
            found = in_new_processes(world, train_as, one, model, zero_stage, num_steps)
            spent = statistics.mean(statistics.median(each.seconds) for each in found)
            fastest[one] = min(1000 * spent, fastest.get(one, float("inf")))
            losses[one] = found[0].losses
    for one in CONTESTANTS[1:]:
        pairs = zip(losses[OURS], losses[one], strict=True)
        difference = max(abs(ours - theirs) / abs(ours) for ours, theirs in pairs)
        if difference > TOLERANCE:
            raise RuntimeError(f"{one}: a loss differs by {difference:.2g}: {losses}")
        console().print(f"{model}, ZeRO {zero_stage}, {one}: losses within {difference:.1g}")
    return fastest


def main(
    processes: Annotated[int, typer.Option(help="of a group, over gloo", min=1)] = 1,
    num_steps: Annotated[int, typer.Option(min=WARM_UP + 1)] = 40,
    repeats: Annotated[int, typer.Option(min=1)] = 3,
    models: Annotated[str, typer.Option(help="of tiny and 30M")] = ",".join(MODELS),
    zero_stages: Annotated[str, typer.Option()] = "0,2,3",
) -> None:
    """Prints CPU milliseconds per step, and raysweep's ratio to each way of Trainer's."""
    torch.set_num_threads(1)
    title = f"CPU time per step and process, {processes} processes"
    table = Table(title=title, box=box.MARKDOWN)
    for column in ("", "ZeRO", *CONTESTANTS, "ratio", "ratio"):
        table.add_column(column, justify="right" if column else "left")
    for model in models.split(","):
        for stage in map(int, zero_stages.split(",")):
            spent = compare(model, stage, processes, num_steps, repeats)
            times = (f"{spent[one]:.1f} ms" for one in CONTESTANTS)
            ratios = (f"{spent[OURS] / spent[one]:.2f}" for one in CONTESTANTS[1:])
            table.add_row(model, str(stage), *times, *ratios)
    console().print(table)


if __name__ == "__main__":
    run_command(main)
