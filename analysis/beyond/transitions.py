"""Right to wrong and wrong to right: what became of a task's test rows after later stages.

Forgetting is the difference of two flows, and of a task that is at chance already little can be
lost: beside both there is forgetting as a share of what was above chance,

    (lost - gained) / (rows right before - chance x rows)

which is 1 where nothing above chance is left. Whether rows are lost more often than gained is told
by McNemar's exact test, over seeds or templates by the sign test of their rows' net changes (see
`raysweep.statistics.row_means`), corrected for all groups and chains of the sweep (Holm).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from raysweep.statistics.correction import holm
from raysweep.statistics.grouped_losses import FEW_ROWS
from raysweep.statistics.row_means import RowMean, direction_p
from raysweep.store.storage import Storage
from raysweep.tasks.task import OVERALL

from ..data.mean import MISSING, Mean, mean_of, shown
from ..data.row_changes import RowChanges, interval_text, labels, row_changes
from ..drawing.booktabs import Booktabs, Column

LEVEL = 0.05
LEAST_P = 0.001  # of those that are written out
TITLE = "Right to wrong and wrong to right after later stages (% of test rows)"
DISTINCT = "*"
FEW = "†"
TEST = (
    "p: exact McNemar test of as many lost as gained, corrected for all groups and chains (Holm); "
    "over seeds or templates the sign test of each row's, or template's, net change."
)
ADJUSTED = (
    "above chance: forgetting as a share of the accuracy above chance before; 1 where nothing of "
    f"that is left, {MISSING} where there was none or chance is not known."
)


@dataclass(frozen=True)
class Flow:
    """A share of rows.

    Attributes:
        share: over seeds, with a 95 % interval over test rows, as fractions.
        by_seed: the share of each seed.
    """

    share: RowMean
    by_seed: tuple[float, ...]

    @property
    def mean(self) -> Mean:
        """Over seeds, in percent."""
        return mean_of(100 * one for one in self.by_seed)


@dataclass(frozen=True)
class Transition:
    """What became of a group's rows.

    Attributes:
        num_rows: different test rows.
        lost, gained: right before and wrong after, and the reverse.
        adjusted: forgetting as a share of what was above chance, over the seeds that had any.
        p: of as many lost as gained, corrected.
    """

    group: str
    num_rows: int
    lost: Flow
    gained: Flow
    adjusted: Mean | None
    p: float

    @property
    def forgetting(self) -> Mean:
        """Lost - gained, over seeds, in points."""
        pairs = zip(self.lost.by_seed, self.gained.by_seed, strict=True)
        return mean_of(100 * (lost - gained) for lost, gained in pairs)

    @property
    def is_distinct(self) -> bool:
        """Whether more are lost than gained, or the reverse, by more than chance gives."""
        return self.p <= LEVEL

    @property
    def is_small(self) -> bool:
        """Whether there are few rows."""
        return self.num_rows < FEW_ROWS


@dataclass(frozen=True)
class TaskTransitions:
    """A task in one chain.

    Attributes:
        label: the chain, and the task where it is not the first of two.
        whole: of all rows.
        groups: those that lose most, less what they gain, first.
    """

    label: str
    num_seeds: int
    whole: Transition
    groups: tuple[Transition, ...]


def transitions(results: Storage) -> tuple[TaskTransitions, ...]:
    """Of all chains: by setting, then in the paper's order of tasks."""
    return of_rows(row_changes(results))


def of_rows(found: Sequence[RowChanges]) -> tuple[TaskTransitions, ...]:
    """The same of rows that have been read."""
    cells = [(one, group) for one in found for group in (OVERALL, *one.groups)]
    p_values = holm([direction_p(one.by_unit(_net(one), group)[0]) for one, group in cells])
    corrected = dict(zip(cells, p_values, strict=True))
    made = []
    for one, label in zip(found, labels(found), strict=True):
        groups = [_transition(one, group, corrected[one, group]) for group in one.groups]
        groups.sort(key=lambda each: (-each.forgetting.value, each.group))
        whole = _transition(one, OVERALL, corrected[one, OVERALL])
        made.append(TaskTransitions(label, one.num_seeds, whole, tuple(groups)))
    return tuple(made)


def display(found: Sequence[TaskTransitions], with_groups: bool) -> Booktabs:
    """A row for each task of each chain; and for its groups, in sections."""
    columns = [Column("task in chain"), *([Column("group")] if with_groups else [])]
    columns += [Column("rows", is_number=True), Column("seeds", is_number=True)]
    for group, short in (("right to wrong", "lost"), ("wrong to right", "gained")):
        columns += [Column(name, group, short, is_number=True) for name in ("%", "95 %")]
    columns += [Column(name, is_number=True) for name in ("forgetting", "above chance", "p")]
    sections = []
    for one in found:
        rows = [one.whole, *(one.groups if with_groups else ())]
        sections.append(tuple(_row(one, row, with_groups) for row in rows))
    if not with_groups:
        sections = [tuple(row for section in sections for row in section)]
    return Booktabs(TITLE, tuple(columns), tuple(sections), _notes(found))


def _notes(found: Sequence[TaskTransitions]) -> tuple[str, ...]:
    notes = ["95 %: Wilson interval over test rows, of these models: other trainings may differ."]
    if any(one.num_seeds > 1 for one in found):
        notes.append("Mean ± sample standard deviation over seeds.")
    return (*notes, "forgetting: lost - gained, in points (equation 1).", ADJUSTED, TEST)


def _row(one: TaskTransitions, row: Transition, with_groups: bool) -> tuple[str, ...]:
    is_whole, flows = row is one.whole, (row.lost, row.gained)
    return (
        one.label,
        *([OVERALL if is_whole else row.group] if with_groups else []),
        f"{row.num_rows:,}{FEW if row.is_small else ''}",
        str(one.num_seeds),
        *(text for flow in flows for text in (shown(flow.mean), interval_text(flow.share))),
        shown(row.forgetting),
        MISSING if row.adjusted is None else _two_digits(row.adjusted),
        _p(row),
    )


def _two_digits(mean: Mean) -> str:
    value = f"{mean.value:.2f}"
    return value if mean.deviation is None else f"{value} ± {mean.deviation:.2f}"


def _p(row: Transition) -> str:
    text = f"{row.p:.3f}" if row.p >= LEAST_P else f"< {LEAST_P}"
    return text + (DISTINCT if row.is_distinct else "")


def _net(one: RowChanges) -> np.ndarray:
    """1 for a row that was lost, -1 for one that was gained."""
    return np.asarray(one.before.right.astype(float) - one.after.right)


def _transition(one: RowChanges, group: str, p: float) -> Transition:
    lost = one.before.right & ~one.after.right
    gained = ~one.before.right & one.after.right
    flows = [Flow(one.share(flow, group), one.by_seed(flow, group)) for flow in (lost, gained)]
    before, chance = one.by_seed(one.before.right, group), one.task.chance
    adjusted = [
        (up - down) / (right - chance)
        for up, down, right in zip(flows[0].by_seed, flows[1].by_seed, before, strict=True)
        if chance is not None and right > chance
    ]
    mean = mean_of(adjusted) if adjusted else None
    return Transition(group, one.num_rows(group), flows[0], flows[1], mean, p)
