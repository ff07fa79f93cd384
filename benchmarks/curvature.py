"""The spectral radius of a LLaMA's training loss: raysweep and its peers.

    python -m benchmarks.curvature [--size small] [--rows 26] [--repeats 2] [--starts 3]
    python -m benchmarks.curvature --sharded
    python -m benchmarks.curvature --precision [--size small]

All contestants are given the same model and batches in one process, turn by turn, and the same
arithmetic: float32, eager attention, one thread. The truth is computed in float64. Memory is
measured in processes of their own, after the timing. A peer that is not installed, or that refuses
the model, is listed with its reason.
"""

from __future__ import annotations

import copy
import pickle
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Annotated, Literal

import torch
import typer
from rich.table import Table

from benchmarks.curvature_contestants import CONTESTANTS, OURS, Found, layerwise
from benchmarks.curvature_sharded import MODEL, sharded_table
from benchmarks.curvature_work import SIZES, Work, make_work, plain_gradient, true_radius
from benchmarks.resident import PeakMemory, in_new_process
from raysweep.cli.console import console, run_command
from raysweep.curvature import Shards

REFERENCE = "replica, Lanczos"
GRADIENT = "a plain gradient"
SizeName = Literal["tiny", "small", "medium"]


@dataclass
class Record:
    """Of one contestant.

    Attributes:
        found: by start vector.
        seconds: by start vector, of the fastest repeat.
        peak_mib: resident memory of one whole search, the model's weights not counted.
        refusal: why there is nothing of the above.
    """

    found: dict[int, Found] = field(default_factory=dict)
    seconds: dict[int, float] = field(default_factory=dict)
    peak_mib: float | None = None
    refusal: str | None = None

    def error(self, truth: float) -> float:
        """The largest relative error over the starts."""
        return max(abs(abs(one.eigenvalue) - truth) / truth for one in self.found.values())


def compare(work: Work, names: Sequence[str], repeats: int, starts: int) -> dict[str, Record]:
    """Values and times. Every start vector is tried as often as ``repeats`` says."""
    records = {name: Record() for name in names}
    for seed in list(range(starts)) * repeats:
        for name, record in records.items():
            if record.refusal is None:
                _take_turn(work, name, record, seed)
    return records


def _take_turn(work: Work, name: str, record: Record, seed: int) -> None:
    started = time.perf_counter()
    try:
        record.found[seed] = CONTESTANTS[name](work, seed)
    except Exception as error:
        if name in OURS:
            raise
        first = str(error).strip().splitlines()[:1]
        record.refusal = ": ".join([type(error).__name__, *first])
        return
    seconds = time.perf_counter() - started
    record.seconds[seed] = min(record.seconds.get(seed, seconds), seconds)


def measure_memory(work: Work, records: dict[str, Record]) -> float:
    """Fills the records in, and returns what one plain gradient takes, in MiB."""
    pickled = pickle.dumps(work)
    for name, record in records.items():
        if record.refusal is None:
            record.peak_mib = in_new_process(peak_mib_of, name, pickled)
    return in_new_process(peak_mib_of, GRADIENT, pickled)


def peak_mib_of(name: str, pickled: bytes) -> float:
    """Of one search, or of a gradient, in this process."""

    def run(work: Work) -> None:
        if name == GRADIENT:
            plain_gradient(work)
        else:
            CONTESTANTS[name](work, 0)

    work = pickle.loads(pickled)
    run(make_work(SIZES["tiny"], num_rows=3, num_steps=0))  # imports and start-up do not count
    peak = PeakMemory()
    run(work)
    return peak.mib


def table_of(work: Work, records: dict[str, Record], truth: float, gradient_mib: float) -> Table:
    """One line for each contestant."""
    reference = sum(records[REFERENCE].seconds.values())
    table = Table(
        title=f"{work.num_parameters / 1e6:.2f} M parameters, {work.num_rows} rows in "
        f"{len(work.batches)} batches, {work.num_tokens} answer tokens: "
        f"true radius {truth:.6g}; {GRADIENT}: {gradient_mib:.0f} MiB"
    )
    columns = ("", "value", "largest error", "products", "time", "memory", "says converged")
    for column in columns:
        table.add_column(column, justify="left" if not column else "right")
    for name, record in records.items():
        if record.refusal is not None:
            table.add_row(name, record.refusal)
            continue
        found = list(record.found.values())
        products = sorted(one.num_products for one in found)
        table.add_row(
            name,
            f"{found[0].eigenvalue:.6g}",
            f"{record.error(truth):.0e}",
            "–".join(str(number) for number in dict.fromkeys([products[0], products[-1]])),
            f"{sum(record.seconds.values()) / reference:.2f}",
            "" if record.peak_mib is None else f"{record.peak_mib / gradient_mib:.2f}",
            _claims(found),
        )
    return table


def _claims(found: Sequence[Found]) -> str:
    claims = [one.converged for one in found]
    if None in claims:
        return "nothing"
    if len(set(claims)) == 1:
        return "yes" if claims[0] else "no"
    return f"{sum(map(bool, claims))} of {len(claims)}"


def precision_table(work: Work, truth: float, starts: int) -> Table:
    """The radius with the weights in float32 and rounded to bfloat16, computed in float32."""
    table = Table(title=f"{work.num_parameters / 1e6:.2f} M parameters: true radius {truth:.6g}")
    for column in ("weights", "arithmetic", "value", "largest error"):
        table.add_column(column, justify="right" if column not in ("weights",) else "left")
    for dtype in (torch.float32, torch.bfloat16):
        rounded = replace(work, model=copy.deepcopy(work.model).to(dtype))
        found = [abs(layerwise(rounded, seed).eigenvalue) for seed in range(starts)]
        error = max(abs(one - truth) / truth for one in found)
        name = str(dtype).removeprefix("torch.")
        table.add_row(name, "float32", f"{found[0]:.6g}", f"{error:.0e}")
    try:
        Shards.from_module(work.model, torch.bfloat16)
    except ValueError as error:
        table.add_row("bfloat16", "bfloat16", "refused", str(error).partition(":")[0])
    return table


def main(
    size: Annotated[SizeName, typer.Option(help="Of the model.")] = "small",
    rows: Annotated[int, typer.Option(help="Random rows.")] = 26,
    batch_size: Annotated[int, typer.Option(help="Rows of a batch; the last may be smaller.")] = 8,
    repeats: Annotated[int, typer.Option(help="Turns from each start; the fastest counts.")] = 2,
    starts: Annotated[int, typer.Option(help="Start vectors.")] = 3,
    sharded: Annotated[
        bool, typer.Option("--sharded", help="1, 2 and 4 processes on a larger model, instead.")
    ] = False,
    precision: Annotated[
        bool, typer.Option("--precision", help="Weights in bfloat16, instead.")
    ] = False,
) -> None:
    """Prints errors, Hessian-vector products, times as ratios to raysweep's, and memory as ratios
    to a plain gradient's.
    """
    torch.set_num_threads(1)
    if precision:
        work = make_work(SIZES[size], rows, batch_size)
        console().print(precision_table(work, true_radius(work), starts))
        return
    if sharded:
        console().print(sharded_table(MODEL, worlds=(1, 2, 4)))
        return
    work = make_work(SIZES[size], rows, batch_size)
    truth = true_radius(work)
    records = compare(work, list(CONTESTANTS), repeats, starts)
    gradient_mib = measure_memory(work, records)
    console().print(table_of(work, records, truth, gradient_mib))
    seconds = sum(records[REFERENCE].seconds.values()) / starts
    console().print(f"{REFERENCE}: {seconds:.2f} s from a start, {torch.get_num_threads()} thread")


if __name__ == "__main__":
    run_command(main)
