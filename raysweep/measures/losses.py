"""What the test rows of a task have lost between two measurements, by group."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence

from raysweep.measures.scores import Prediction
from raysweep.statistics.grouped_losses import GroupedLosses, Row

Scored = Sequence[Prediction]


def grouped_losses(
    seeds: Iterable[tuple[Scored, Scored]], draws: Sequence[Hashable] = ()
) -> GroupedLosses:
    """The rows' losses, for one or several seeds of a chain.

    Labels of groups count as exchangeable among rows with the same right answer and subset (BBQ's
    context condition).

    Args:
        seeds: of each seed the predictions before and after, of the same rows.
        draws: of each seed its data seed, by which test rows may be others; empty if all have one.
    """
    rows: dict[str, Row] = {}
    losses = []
    for before, after in seeds:
        rows |= {p.example_id: Row(p.groups, (p.answer, p.subset), p.cluster) for p in before}
        right = {p.example_id: p.correct for p in after}
        losses.append({p.example_id: float(p.correct - right[p.example_id]) for p in before})
    return GroupedLosses.of(rows, losses, draws)
