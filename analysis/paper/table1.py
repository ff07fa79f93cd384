"""Table 1: task performance and forgetting by order (the paper's section 4.1)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby

from rich.console import Group

from raysweep.store.storage import Storage
from raysweep.tasks.task import OVERALL

from ..data.load import NO_PAIR, Pair, final_accuracies, first_task_forgetting, sort_key
from ..data.mean import MISSING, Mean, fixed, shown
from ..data.setting import varying
from ..drawing.booktabs import Booktabs, Column
from ..effects import order_effect
from ..exhibit import Exhibit, Missing, Reading

CONSTANT = "!"


@dataclass(frozen=True)
class Order:
    """One order of a pair; what has not been measured is None.

    Attributes:
        capability, safety: accuracies after both stages, in percent.
        forgetting: of the first task, in points; larger is worse.
        constant: which of "capability" and "safety" got the same answer for every test row.
    """

    capability: Mean | None = None
    safety: Mean | None = None
    forgetting: Mean | None = None
    constant: frozenset[str] = frozenset()

    @property
    def num_seeds(self) -> int:
        """Seeds behind these numbers; 0 for an order that was not trained."""
        means = (self.capability, self.safety, self.forgetting)
        return max((mean.num_seeds for mean in means if mean), default=0)


@dataclass(frozen=True)
class Row:
    """A pair of tasks at one setting, in both orders.

    Attributes:
        chain: either order's chain: tasks and setting.
        chances: accuracy of random answers for the capability and the safety task, in percent.
    """

    chain: Pair
    chances: tuple[float | None, float | None]
    capability_first: Order
    safety_first: Order


def table1(results: Storage) -> tuple[Row, ...]:
    """The rows in the paper's order of tasks, then by learning rates."""
    parts: dict[Pair, dict[str, Mean | None]] = {}
    constant: dict[Pair, set[str]] = {}
    chances: dict[str, float | None] = {}
    for accuracy in final_accuracies(results):
        parts.setdefault(accuracy.chain, {})[accuracy.task.kind.value] = accuracy.percent
        chances[accuracy.task.name] = accuracy.chance
        if accuracy.is_constant:
            constant.setdefault(accuracy.chain, set()).add(accuracy.task.kind.value)
    for cost in first_task_forgetting(results):
        if cost.group == OVERALL:
            parts.setdefault(cost.chain, {})["forgetting"] = cost.points
    orders = {
        chain: Order(**found, constant=frozenset(constant.get(chain, ())))
        for chain, found in parts.items()
    }
    return tuple(_rows(orders, chances))


def exhibit(reading: Reading) -> Exhibit | Missing:
    """The table, with the effect of order below it."""
    rows = reading.of(table1)
    if not rows:
        return Missing(NO_PAIR)
    table = display(rows)
    effects = reading.of(order_effect.order_effects)
    below = [order_effect.display(effects)] if effects.pairs else []
    return Exhibit(Group(table, *below), table.picture, table.texts())


def display(rows: Sequence[Row]) -> Booktabs:
    """The table with columns for what differs between its rows."""
    settings = {row.chain.setting for row in rows}
    others = varying(settings)
    has_rates = len({setting.learning_rates for setting in settings}) > 1
    has_seeds = any(_num_seeds(row) != "1" for row in rows)
    columns = [Column("Capability"), Column("Safety")]
    columns += [Column("lr1", is_number=True), Column("lr2", is_number=True)] if has_rates else []
    columns += [Column(name, is_number=True) for name in others]
    columns += [Column("seeds", is_number=True)] if has_seeds else []
    columns += _order_columns("Capability→Safety", "Cap→Saf", "Forgetting_cap")
    columns += _order_columns("Safety→Capability", "Saf→Cap", "Forgetting_safety")
    cells = [(row.chain.capability, _cells(row, has_rates, others, has_seeds)) for row in rows]
    sections = tuple(
        tuple(cell for _, cell in section) for _, section in groupby(cells, lambda pair: pair[0])
    )
    title = "Table 1: task performance (accuracy %) and forgetting (points) by order"
    return Booktabs(title, tuple(columns), sections, _notes(rows, has_rates, has_seeds))


def _rows(orders: dict[Pair, Order], chances: dict[str, float | None]) -> Iterable[Row]:
    """Joins the two orders of each pair."""

    def pair(chain: Pair) -> tuple[object, ...]:
        return (*sort_key(chain), chain.setting.position)

    for _, same in groupby(sorted(orders, key=pair), pair):
        by_first = {chain.first: chain for chain in same}
        chain = next(iter(by_first.values()))
        first, second = by_first.get(chain.capability), by_first.get(chain.safety)
        yield Row(
            chain,
            (chances.get(chain.capability.name), chances.get(chain.safety.name)),
            orders[first] if first else Order(),
            orders[second] if second else Order(),
        )


def _order_columns(group: str, short_group: str, forgetting: str) -> list[Column]:
    names = ("Acc_cap", "Acc_safety", forgetting)
    return [Column(name, group, short_group, is_number=True) for name in names]


def _cells(row: Row, has_rates: bool, others: Sequence[str], has_seeds: bool) -> tuple[str, ...]:
    titles = row.chain.capability.title, row.chain.safety.title
    cells = [
        title if chance is None else f"{title} ({fixed(chance)})"
        for title, chance in zip(titles, row.chances, strict=True)
    ]
    setting = row.chain.setting
    cells += [f"{rate:g}" for rate in setting.learning_rates] if has_rates else []
    cells += [setting.other(name) for name in others]
    cells += [_num_seeds(row)] if has_seeds else []
    return (*cells, *_order_cells(row.capability_first), *_order_cells(row.safety_first))


def _order_cells(order: Order) -> tuple[str, ...]:
    marks = dict.fromkeys(order.constant, CONSTANT)
    return (
        shown(order.capability) + marks.get("capability", ""),
        shown(order.safety) + marks.get("safety", ""),
        shown(order.forgetting),
    )


def _num_seeds(row: Row) -> str:
    """One number, or one per order where they differ (a sweep that is still running)."""
    numbers = {order.num_seeds for order in (row.capability_first, row.safety_first)} - {0}
    if len(numbers) == 1:
        return str(numbers.pop())
    return f"{row.capability_first.num_seeds}/{row.safety_first.num_seeds}"


def _notes(rows: Sequence[Row], has_rates: bool, has_seeds: bool) -> tuple[str, ...]:
    orders = [order for row in rows for order in (row.capability_first, row.safety_first)]
    notes = [
        "Accuracies after both stages; in brackets those of random answers. "
        "Forgetting of the first task: larger is worse."
    ]
    if has_rates:
        notes.append("lr1 and lr2: learning rates of the first and the second stage.")
    elif rows:
        notes.append(f"Learning rates of the stages: {rows[0].chain.setting.rates}.")
    if has_seeds:
        notes.append("Mean ± sample standard deviation over seeds.")
    if any(order.constant for order in orders):
        notes.append(f"{CONSTANT} every test row got the same answer (for at least one seed).")
    if any(not order.num_seeds for order in orders):
        notes.append(f"{MISSING} not measured.")
    return tuple(notes)
