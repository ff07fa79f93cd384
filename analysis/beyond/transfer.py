"""What a chain knows in the end: average accuracy, forgetting, backward and forward transfer.

Over seeds, with 95 % t intervals; the definitions are those of `raysweep.measures.transfer`. The
same numbers are the table `chain_summary`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from raysweep.results.chain_summary import QUANTITIES, chain_matrices
from raysweep.statistics.differences import Difference
from raysweep.store.storage import Storage

from ..data.mean import MISSING, fixed
from ..data.trained_chain import TrainedChain, labels, shown_tasks
from ..drawing.booktabs import Booktabs, Column
from ..exhibit import Exhibit, Missing, Reading
from .matrix import NOTHING

TITLE = "What chains know in the end: accuracy (%), forgetting and transfer (points)"
NOTES = (
    "accuracy: over the chain's tasks after its last stage. forgetting: of tasks learned before "
    "it, since each was known best (Chaudhry et al., 2018); larger is worse.",
    "backward transfer: of the same tasks, since each was learned: equation 1 with the other sign. "
    "forward transfer: accuracy right before a task is learned, less the base model's.",
    "A task counts once, from its first full stage, also where it is replayed.",
)
OVER_SEEDS = (
    "Mean ± sample standard deviation, and 95 % t interval, over seeds: that of few seeds may go "
    "beyond what is possible."
)
SHORT = ("accuracy", "forgetting", "backward", "forward")


@dataclass(frozen=True)
class Summary:
    """One chain's numbers, as fractions, by `QUANTITIES`; None where one is not defined."""

    chain: TrainedChain
    num_seeds: int
    means: dict[str, Difference | None]


def summaries(results: Storage) -> tuple[Summary, ...]:
    """Of all chains that a seed has finished: by setting, then in the paper's order of tasks."""
    tasks = shown_tasks(results)
    found = [
        Summary(
            TrainedChain.from_row(one.common, tasks),
            len(one.by_seed),
            {quantity: one.mean(quantity) for quantity in QUANTITIES},
        )
        for one in chain_matrices(results)
    ]
    return tuple(sorted(found, key=lambda one: one.chain.position))


def exhibit(reading: Reading) -> Exhibit | Missing:
    """The table."""
    found = reading.of(summaries)
    if not found:
        return Missing(NOTHING)
    table = display(found)
    return Exhibit(table, table.picture, table.texts())


def display(found: Sequence[Summary]) -> Booktabs:
    """A row per chain; with intervals where a chain has several seeds."""
    has_seeds = any(one.num_seeds > 1 for one in found)
    columns = [Column("chain"), *([Column("seeds", is_number=True)] if has_seeds else [])]
    for quantity, short in zip(QUANTITIES, SHORT, strict=True):
        title = quantity.replace("_", " ")
        if has_seeds:
            columns += [Column(name, title, short, is_number=True) for name in ("mean", "95 %")]
        else:  # a heading over one narrow column would run into the next
            columns.append(Column(title, is_number=True))
    rows = []
    for one, name in zip(found, labels([one.chain for one in found]), strict=True):
        cells = [name, *([str(one.num_seeds)] if has_seeds else [])]
        for quantity in QUANTITIES:
            cells += _cells(one.means[quantity], has_seeds)
        rows.append(tuple(cells))
    notes = [*NOTES, *([OVER_SEEDS] if has_seeds else [])]
    if any(MISSING in row for row in rows):
        notes.append(f"{MISSING} not defined: one stage, one seed, or the base is not measured.")
    return Booktabs(TITLE, tuple(columns), (tuple(rows),), tuple(notes))


def _cells(mean: Difference | None, has_seeds: bool) -> list[str]:
    if mean is None:
        return [MISSING] * (1 + has_seeds)
    value = fixed(100 * mean.value)
    if mean.deviation is not None:
        value += f" ± {fixed(100 * mean.deviation)}"
    if not has_seeds:
        return [value]
    if mean.interval is None:
        return [value, MISSING]
    low, high = (fixed(100 * end) for end in mean.interval)
    return [value, f"{low} to {high}"]
