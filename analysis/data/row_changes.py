"""The test rows of tasks that are not a chain's last: what models made of them before and after.

Before is right after the task's first full stage, after is after the chain's last stage. Of trials
that have finished both and whose predictions are there.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from raysweep.results.query import query
from raysweep.results.views import CONFIDENCES
from raysweep.statistics.grouped_losses import numbered
from raysweep.statistics.row_means import RowMean, by_unit, mean, share
from raysweep.store.storage import Storage
from raysweep.tasks.task import OVERALL

from ..exhibit import Reading
from .mean import MISSING, fixed
from .trained_chain import ShownTask, TrainedChain, chains_of_trials, shown_tasks, without
from .trained_chain import labels as chain_labels

NOTHING = (
    "no trial has finished a chain of several stages, with predictions of a task that is learned "
    "before the last"
)
SQL = f"""
    WITH ends AS (
        SELECT DISTINCT trial, task, learned_at, stage AS last FROM forgetting
        WHERE stage = len(learning_rates)
    ),
    own AS (
        SELECT trial, seed, data_seed, task, stage, example_id, groups, cluster, correct,
               scored.confidence, scored.probability
        FROM predictions
             LEFT JOIN (SELECT trial, task, stage, example_id, confidence, probability
                        FROM ({CONFIDENCES})) AS scored USING (trial, task, stage, example_id)
    )
    SELECT trial, later.seed, later.data_seed, task, example_id, later.groups,
           coalesce(later.cluster, '') AS cluster,
           earlier.correct AS right_before, later.correct AS right_after,
           earlier.confidence AS confidence_before, later.confidence AS confidence_after,
           earlier.probability AS probability_before, later.probability AS probability_after
    FROM ends JOIN own AS earlier USING (trial, task)
         JOIN own AS later USING (trial, task, example_id)
    WHERE earlier.stage = ends.learned_at AND later.stage = ends.last
    ORDER BY task, later.seed, later.data_seed, trial, example_id
"""


@dataclass(frozen=True, eq=False)
class Answers:
    """What one model made of each row; arrays of shape [rows].

    Attributes:
        right: bool.
        confidence, probability: of the answer given and of the right one, among the candidates;
            nan for generated responses.
    """

    right: np.ndarray
    confidence: np.ndarray
    probability: np.ndarray


@dataclass(frozen=True, eq=False)
class RowChanges:
    """A task in one chain: its test rows, each once per seed.

    Attributes:
        seeds, rows, units: of each, shape [rows x seeds]; a seed goes with its data seed, a unit
            is what varies independently, the row or its template: see `statistics.row_means`.
        members: what belongs to a group, by its name, bool; everything to "overall".
    """

    chain: TrainedChain
    task: ShownTask
    seeds: np.ndarray
    rows: np.ndarray
    units: np.ndarray
    members: dict[str, np.ndarray] = field(repr=False)
    before: Answers = field(repr=False)
    after: Answers = field(repr=False)

    @property
    def groups(self) -> tuple[str, ...]:
        """Their names, sorted."""
        return tuple(sorted(self.members.keys() - {OVERALL}))

    @property
    def num_seeds(self) -> int:
        """How often the chain was trained."""
        return len(np.unique(self.seeds))

    @property
    def has_confidence(self) -> bool:
        """Whether all answers have one: generated responses have none."""
        return not any(np.isnan(one.confidence).any() for one in (self.before, self.after))

    @property
    def has_probability(self) -> bool:
        """Whether all right answers have one: neither generated responses nor early results."""
        return not any(np.isnan(one.probability).any() for one in (self.before, self.after))

    @property
    def position(self) -> tuple[object, ...]:
        """For sorting: the chain's, then by when the task is learned."""
        return self.chain.position, self.chain.chain.learned_at(self.task.name)

    def num_rows(self, group: str) -> int:
        """Different test rows of a group."""
        return len(np.unique(self.rows[self.members[group]]))

    def share(self, is_so: np.ndarray, group: str) -> RowMean:
        """How often something holds of a group's rows."""
        return share(*self.by_unit(is_so, group), self.num_rows(group))

    def mean(self, values: np.ndarray, group: str) -> RowMean:
        """Of a group's values."""
        return mean(*self.by_unit(values, group))

    def by_unit(self, values: np.ndarray, group: str) -> tuple[np.ndarray, np.ndarray]:
        """Sums of a group's values, and how many they are, of each of its units."""
        own = self.members[group]
        units = self.units[own]
        return by_unit(values[own].astype(float), units), by_unit(np.ones(len(units)), units)

    def of_seeds(self, group: str) -> Iterator[np.ndarray]:
        """Which rows are a group's, of one seed after the other; bool."""
        for seed in np.unique(self.seeds):
            own = self.members[group] & (self.seeds == seed)
            if own.any():
                yield own

    def by_seed(self, values: np.ndarray, group: str) -> tuple[float, ...]:
        """The mean of a group's values, of each seed."""
        return tuple(float(values[own].mean()) for own in self.of_seeds(group))


def row_changes(results: Storage) -> tuple[RowChanges, ...]:
    """Of all chains: by setting, then in the paper's order of tasks."""
    chains, tasks = chains_of_trials(results), shown_tasks(results)
    found = query(results, SQL)
    of_trials = found.select(["trial", "task"]).to_pandas().groupby(["trial", "task"], sort=False)
    cases: defaultdict[tuple[TrainedChain, str], list[np.ndarray]] = defaultdict(list)
    for (trial, task), numbers in of_trials.indices.items():
        cases[chains[trial], task].append(numbers)
    made = (
        _row_changes(chain, tasks[task], found.take(np.concatenate(numbers)))
        for (chain, task), numbers in cases.items()
    )
    return tuple(sorted(made, key=lambda one: one.position))


def lacking(reading: Reading) -> tuple[str, ...]:
    """That trials of several stages are left out, and why; nothing if none is."""
    trials = [chain for chain in reading.of(chains_of_trials).values() if len(chain.chain) > 1]
    found = {one.chain: one.num_seeds for one in reading.of(row_changes)}
    why = "a finished chain, predictions, or a task learned before the last stage"
    return without(len(trials) - sum(found.values()), why)


def labels(found: Sequence[RowChanges]) -> list[str]:
    """The chains, and the task where it is not the first of two."""
    named = chain_labels([one.chain for one in found])
    return [
        name if _is_pair(one) else f"{one.task.title} in {name}"
        for one, name in zip(found, named, strict=True)
    ]


def interval_text(found: RowMean) -> str:
    """In percent; a dash where there is none."""
    if found.interval is None:
        return MISSING
    low, high = (fixed(100 * end) for end in found.interval)
    return f"{low} to {high}"


def reaches(found: Sequence[RowMean]) -> np.ndarray:
    """From the values down and up to the ends of their intervals, in percent, shape [2, means]."""
    ends = [one.interval or (one.value, one.value) for one in found]
    values = np.array([one.value for one in found])
    return np.asarray(100 * np.abs(np.transpose(ends) - values))


def about_rows(found: Sequence[RowChanges]) -> str:
    """What an interval over units is, for a caption."""
    rows = "test rows"
    if any(len(np.unique(one.units)) < len(np.unique(one.rows)) for one in found):
        rows += ", or templates where rows come from them"
    return f"{rows}, of these models: other trainings may differ"


def _is_pair(one: RowChanges) -> bool:
    return len(one.chain.chain) == 2 and str(one.chain.chain[0]) == one.task.name


def _row_changes(chain: TrainedChain, task: ShownTask, rows: pa.Table) -> RowChanges:
    examples = rows["example_id"].to_pylist()
    templates = zip(rows["cluster"].to_pylist(), examples, strict=True)
    members = {OVERALL: np.ones(len(examples), dtype=bool)}
    groups = rows["groups"].combine_chunks()
    places, names = pc.list_parent_indices(groups).to_numpy(), pc.list_flatten(groups).to_pylist()
    for place, name in zip(places, names, strict=True):
        members.setdefault(name, np.zeros(len(examples), dtype=bool))[place] = True
    return RowChanges(
        chain,
        task,
        numbered(zip(rows["seed"].to_pylist(), rows["data_seed"].to_pylist(), strict=True)),
        numbered(examples),
        numbered(cluster or ("", example) for cluster, example in templates),
        members,
        *(_answers(rows, stage) for stage in ("before", "after")),
    )


def _answers(rows: pa.Table, stage: str) -> Answers:
    return Answers(
        rows[f"right_{stage}"].to_numpy(),
        *(
            rows[f"{name}_{stage}"].to_numpy().astype(float)
            for name in ("confidence", "probability")
        ),
    )
