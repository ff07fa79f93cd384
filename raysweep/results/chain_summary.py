"""The table of what chains know in the end, over their seeds: accuracy, forgetting, transfer."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pyarrow.compute as pc

from raysweep.measures.transfer import TransferMatrix
from raysweep.results.tables import read_table
from raysweep.space.chains import Chain
from raysweep.statistics.between import Replicate, independent
from raysweep.statistics.differences import Difference, over_units
from raysweep.store.storage import Storage
from raysweep.tasks.task import OVERALL

Row = dict[str, Any]
QUANTITIES = ("average_accuracy", "average_forgetting", "backward_transfer", "forward_transfer")
COMMON = ("sweep", "chain", "settings", "learning_rates")
READ = (*COMMON, "trial", "seed", "data_seed", "stage", "task", "accuracy")


@dataclass(frozen=True)
class ChainMatrices:
    """A chain with one set of settings, over those of its seeds that have finished it.

    Attributes:
        common: the columns that its rows have in common.
        by_seed: at least one, in their order.
    """

    common: Row
    by_seed: Mapping[Replicate, TransferMatrix]

    def values(self, quantity: str) -> list[float | None]:
        """One of `QUANTITIES` of each seed."""
        return [getattr(matrix, quantity) for matrix in self.by_seed.values()]

    def mean(self, quantity: str) -> Difference | None:
        """One of `QUANTITIES` over the seeds that have it, by a t interval; None without any."""
        values = zip(self.by_seed, self.values(quantity), strict=True)
        return over_units(independent({by: value for by, value in values if value is not None}))


def chain_matrices(sweep: Storage) -> list[ChainMatrices]:
    """All chains of which a seed has finished and measured all stages; in a fixed order."""
    rows = read_table(sweep, "evaluations")
    is_whole = (pc.field("group") == OVERALL) & (pc.field("subset") == "all")
    rows = rows.filter(is_whole & pc.field("accuracy").is_valid()).select(READ)
    trials: defaultdict[str, list[Row]] = defaultdict(list)
    for row in rows.to_pylist():
        trials[row["trial"]].append(row)
    found: defaultdict[tuple[str, ...], dict[Replicate, TransferMatrix]] = defaultdict(dict)
    common: dict[tuple[str, ...], Row] = {}
    for own in sorted(
        trials.values(),
        key=_position,
    ):
        matrix = _matrix(own)
        if matrix.is_complete:
            columns = {name: own[0][name] for name in COMMON}
            key = tuple(map(str, columns.values()))
            common[key] = columns
            found[key][own[0]["seed"], own[0]["data_seed"]] = matrix
    return [ChainMatrices(common[key], by_seed) for key, by_seed in found.items()]


def summary_rows(sweep: Storage) -> Iterator[Row]:
    """Of the table `chain_summary`."""
    for one in chain_matrices(sweep):
        seeds, data_seeds = zip(*one.by_seed, strict=True)
        row = {**one.common, "seeds": list(seeds), "data_seeds": list(data_seeds)}
        for quantity in QUANTITIES:
            if mean := one.mean(quantity):
                row[quantity] = mean.value
                row[f"{quantity}_deviation"] = mean.deviation
                row[f"{quantity}_low"], row[f"{quantity}_high"] = mean.low, mean.high
            row[f"{quantity}_by_seed"] = one.values(quantity)
        yield row


def _position(rows: list[Row]) -> tuple[str, int, int]:
    return rows[0]["chain"], rows[0]["seed"], rows[0]["data_seed"] or 0


def _matrix(rows: list[Row]) -> TransferMatrix:
    chain = Chain.parse(rows[0]["chain"])
    learned = {task: first for task in chain.tasks if (first := chain.learned_at(task))}
    accuracies = {(row["stage"], row["task"]): row["accuracy"] for row in rows}
    return TransferMatrix(len(chain), learned, accuracies)
