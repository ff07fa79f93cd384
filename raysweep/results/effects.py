"""The tables over the seeds of a chain: what is known of its groups' forgetting, with its error.

They are made from the trials' files when somebody asks, so that they always speak of all that is
there; also of results from before there were such tables.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from raysweep.measures.losses import grouped_losses
from raysweep.measures.scores import Prediction
from raysweep.results.chain_summary import summary_rows
from raysweep.results.columns import DERIVED
from raysweep.results.rows import uneven_row
from raysweep.results.tables import from_bytes, read_table, table, table_files
from raysweep.statistics.effects import Effect, biased_effects, corrected, standardised_effects
from raysweep.statistics.grouped_losses import FEW_ROWS, GroupedLosses, over_seeds
from raysweep.statistics.unevenness import Unevenness, unevenness
from raysweep.store.storage import Storage
from raysweep.tasks.task import OVERALL

Row = dict[str, Any]
PREDICTED = ("example_id", "groups", "subset", "answer", "correct", "cluster")
SAME = ("chain", "settings", "task", "stage")


@dataclass(frozen=True)
class Cell:
    """A task after a stage of a chain with one set of settings, over its seeds and data seeds.

    Attributes:
        common: the columns that its rows have in common.
        trials: of its seeds, in their order.
        data_seeds: of each trial; empty where they make no difference.
    """

    common: Row
    trials: tuple[str, ...]
    data_seeds: tuple[int | None, ...] = ()

    def losses(self, sweep: Storage) -> GroupedLosses:
        """What its rows have lost since the task was learned."""
        stages = self.common["learned_at"], self.common["stage"]
        task = self.common["task"]
        scored = (_predictions(sweep, trial, task, stages) for trial in self.trials)
        return grouped_losses(scored, self.data_seeds)

    def unevenness(self, sweep: Storage) -> Unevenness | None:
        """Of its groups, against what chance gives."""
        return unevenness(self.losses(sweep))


def cells(sweep: Storage) -> list[Cell]:
    """All tasks with groups, after each stage later than the one that they were learned in.

    Of trials whose predictions are there: people copy folders in part.
    """
    there = predicted(sweep)
    found: dict[tuple[Any, ...], dict[str, Row]] = defaultdict(dict)
    for row in read_table(sweep, "forgetting").to_pylist():
        if row["group"] != OVERALL and row["trial"] in there:
            found[tuple(row[name] for name in SAME)][row["trial"]] = row
    made = []
    for rows in found.values():
        ordered = sorted(rows.values(), key=_place)
        names = [name for name in DERIVED["chain_unevenness"].names if name in ordered[0]]
        common = {name: ordered[0][name] for name in names if name != "num_examples"}
        data_seeds = tuple(row["data_seed"] for row in ordered)
        common |= {"seeds": [row["seed"] for row in ordered], "data_seeds": list(data_seeds)}
        made.append(Cell(common, tuple(row["trial"] for row in ordered), data_seeds))
    return made


def _place(row: Row) -> tuple[int, int, str]:
    """By seed and data seed, which old results do not tell."""
    return row["seed"], row["data_seed"] or 0, row["trial"]


def cell_of(trials: Sequence[str], task: str, learned_at: int, stage: int) -> Cell:
    """Without the columns that tables have, for what holds of these very trials."""
    return Cell({"task": task, "learned_at": learned_at, "stage": stage}, tuple(trials))


def derived_table(sweep: Storage, name: str) -> pa.Table:
    """One of `DERIVED` that is no view."""
    rows = {
        "chain_summary": summary_rows,
        "chain_unevenness": _uneven_rows,
        "group_effects": _effect_rows,
    }
    return table(name, rows[name](sweep))


def _uneven_rows(sweep: Storage) -> Iterator[Row]:
    for cell in cells(sweep):
        if found := cell.unevenness(sweep):
            yield {**cell.common, **uneven_row(found)}


def _effect_rows(sweep: Storage) -> Iterator[Row]:
    rows: list[Row] = []
    tested: list[Effect] = []
    for cell in cells(sweep):
        losses = cell.losses(sweep)
        plain, alike = biased_effects(losses), standardised_effects(losses)
        lost = over_seeds(losses.forgetting)
        for number, (one, same) in enumerate(zip(plain, alike, strict=True)):
            rows.append({**cell.common, "forgetting": float(lost[number]), **_biased(one)})
            tested.append(same)
    for row, effect in zip(rows, corrected(tested), strict=True):
        yield {**row, **_standardised(effect)}


def _biased(effect: Effect) -> Row:
    return {
        "group": effect.group,
        "num_examples": effect.num_rows,
        "is_small": effect.num_rows < FEW_ROWS,
        "biased_forgetting": effect.value,
        "biased_error": effect.error,
        "biased_low": effect.low,
        "biased_high": effect.high,
    }


def _standardised(effect: Effect) -> Row:
    return {
        "standardised": effect.value,
        "standardised_error": effect.error,
        "standardised_low": effect.low,
        "standardised_high": effect.high,
        "shrunken": effect.shrunken,
        "p": effect.p,
        "p_holm": effect.p_holm,
        "p_bh": effect.p_bh,
    }


def predicted(sweep: Storage) -> set[str]:
    """The trials whose predictions are there."""
    return {PurePosixPath(name).stem for name in table_files(sweep, "predictions")}


def _predictions(
    sweep: Storage, trial: str, task: str, stages: Sequence[int]
) -> tuple[list[Prediction], list[Prediction]]:
    """Of a task after each of two stages."""
    whole = from_bytes(sweep.read(f"results/predictions/{trial}.arrow"))
    names = [name for name in PREDICTED if name in whole.column_names]
    before, after = (
        whole.filter((pc.field("task") == task) & (pc.field("stage") == stage)).select(names)
        for stage in stages
    )
    return list(map(_prediction, before.to_pylist())), list(map(_prediction, after.to_pylist()))


def _prediction(row: Row) -> Prediction:
    return Prediction(
        row["example_id"],
        tuple(row["groups"]),
        row["subset"],
        row["answer"],
        "",
        row["correct"],
        cluster=row.get("cluster") or "",
    )
