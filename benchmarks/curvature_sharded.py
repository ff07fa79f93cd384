"""Memory and time of one Hessian-vector product by number of processes."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
import torch.distributed as dist
from rich.table import Table
from safetensors.torch import save_file

from benchmarks.curvature_work import SIZES, Size, Work, make_model, make_work, plain_gradient
from benchmarks.resident import PeakMemory, in_new_processes
from raysweep.curvature import LayerwiseHessian, ReplicaHessian, Shards
from raysweep.measures.llama_blocks import llama_blocks, parameter_names
from raysweep.model.encoding import EncodedRow
from raysweep.model.weight_files import weight_files
from raysweep.training.batches import Batch, collate

MODEL = Size(hidden=512, layers=12, vocabulary=8000, longest_prompt=124)
ROWS_PER_RANK, ANSWER_TOKENS = 2, 4
WAYS = {  # number of processes by name; 0: as many as are asked for
    "a plain gradient": 1,
    "replica": 1,
    "layer-wise": 0,
}


def sharded_table(size: Size, worlds: tuple[int, ...]) -> Table:
    """Peak resident memory of a process, weights included, and seconds of a product."""
    model = make_model(size)
    num_parameters = sum(parameter.numel() for parameter in model.parameters())
    table = Table(
        title=f"{num_parameters / 1e6:.1f} M parameters ({num_parameters / 2**18:.0f} MiB), "
        f"{ROWS_PER_RANK} rows of {size.longest_prompt + ANSWER_TOKENS} tokens per process"
    )
    for column in ("", "processes", "peak of a process", "seconds"):
        table.add_column(column, justify="left" if not column else "right")
    with TemporaryDirectory() as folder:
        save_file(dict(model.named_parameters()), Path(folder) / "model.safetensors")
        del model
        for name, only in WAYS.items():
            for world in (only,) if only else worlds:
                measured = in_new_processes(world, measure, name, size, folder)
                mib, seconds = (max(column) for column in zip(*measured, strict=True))
                table.add_row(name, str(world), f"{mib:.0f} MiB", f"{seconds:.2f}")
    return table


def measure(name: str, size: Size, folder: str, repeats: int = 3) -> tuple[float, float]:
    """Peak memory of this process in MiB, and seconds of the fastest product, one of its own."""
    tiny = make_work(SIZES["tiny"], num_rows=3, num_steps=0)
    _product(name, tiny, Shards.from_module(tiny.model))()  # imports and start-up do not count
    peak, fastest = PeakMemory(), float("inf")
    rank, world = (dist.get_rank(), dist.get_world_size()) if dist.is_initialized() else (0, 1)
    model = make_model(size, device="meta" if name == "layer-wise" else "cpu")
    work = Work(model, [_batch(size, rank)], world * ROWS_PER_RANK * ANSWER_TOKENS)
    shards = None
    if name == "layer-wise":
        shards = Shards.from_safetensors(weight_files(Path(folder)), parameter_names(model.config))
    product = _product(name, work, shards)
    for _ in range(repeats):
        started = time.perf_counter()
        product()
        fastest = min(fastest, time.perf_counter() - started)
    return peak.mib, fastest


def _product(name: str, work: Work, shards: Shards | None) -> Callable[[], object]:
    """A product, or the gradient that it is compared with."""
    if name == "a plain gradient":
        return lambda: plain_gradient(work)
    operator: ReplicaHessian | LayerwiseHessian
    if name == "replica":
        operator = ReplicaHessian(work.model, work.losses(), work.num_tokens)
    else:
        assert shards is not None
        blocks = llama_blocks(work.model.config, work.batches)
        operator = LayerwiseHessian(shards, blocks, len(work.batches), work.num_tokens)
    vector = operator.random_vector(0)
    return lambda: operator.product(vector)


def _batch(size: Size, rank: int) -> Batch:
    """A rank's own rows."""
    generator = torch.Generator().manual_seed(rank)
    shape = (ROWS_PER_RANK, size.longest_prompt + ANSWER_TOKENS)
    ids = torch.randint(size.vocabulary, shape, generator=generator).tolist()
    rows = [EncodedRow(tuple(row[:-ANSWER_TOKENS]), tuple(row[-ANSWER_TOKENS:])) for row in ids]
    return collate(rows, 0)
