"""The effect of order at each learning rate of a stage (the paper's section 4.1, 9.2).

For each pair of tasks and each value of one stage's learning rate

    forgetting of the safety task when it comes first
    - forgetting of the capability task when it comes first

in points, paired by seed. A seed's difference is the mean over what is held, such as the other
stage's learning rate, wherever both orders were trained.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from rich import box
from rich.console import Group
from rich.table import Table
from rich.text import Text

from raysweep.statistics.between import Replicate, independent
from raysweep.statistics.differences import Difference, corrected, pooled
from raysweep.tasks.task import Kind

from ..data.load import MeasuredTask, Pair, sort_key
from ..data.rate_curves import Rate
from .order_effect import COLUMNS, cells, warnings

TITLE = (
    "Order effect by learning rate: forgetting of the safety task - that of the capability task, "
    "each first (points)"
)
EXPLANATION = (
    "Paired by seed; a seed's difference is the mean over what is held. Mean ± its own deviation "
    "over seeds; interval and p by t tests whose deviation between seeds is pooled over a stage's "
    "rates of a pair, and of largest - smallest over pairs. Holm: over a stage's rates and all "
    "pairs; of largest - smallest over pairs."
)
Tasks = tuple[MeasuredTask, MeasuredTask]
"""The safety and the capability task of a pair."""


@dataclass(frozen=True)
class OrdersByRate:
    """The effect of order by one stage's learning rate, of pairs with two or more values.

    Attributes:
        rates: of each pair the effect at each value, in ascending order; p-values are corrected for
            all of them.
        changes: of each pair the effect at the largest value less that at the smallest.
    """

    rates: Mapping[Tasks, Mapping[float, Difference]]
    changes: Mapping[Tasks, Difference]


def orders_by_rate(by_seed: Mapping[Pair, Mapping[Replicate, float]], rate: Rate) -> OrdersByRate:
    """All pairs that were trained in both orders at several values, in Table 1's order.

    Args:
        by_seed: forgetting of the first task in points, as of `forgetting_by_seed`.
    """
    seeds = {tasks: by for tasks, by in _by_seed(by_seed, rate).items() if len(by) > 1}
    effects: dict[tuple[Tasks, float], Difference] = {}
    for tasks, by_value in seeds.items():
        samples = {value: independent(one) for value, one in by_value.items()}
        effects |= {(tasks, value): one for value, one in pooled(samples).items()}
    effects = corrected(effects)
    changes = {tasks: _change(by_value) for tasks, by_value in seeds.items()}
    return OrdersByRate(
        {
            tasks: {value: effects[tasks, value] for value in by_value}
            for tasks, by_value in seeds.items()
        },
        corrected(pooled(changes)),
    )


def display(found: Mapping[Rate, OrdersByRate]) -> Group:
    """The numbers, for a rich console."""
    table = Table(box=box.SIMPLE_HEAD, show_edge=False)
    table.add_column("pair", overflow="fold")
    for name in ("at", *COLUMNS):
        table.add_column(name, justify="right")
    for rate, orders in found.items():
        for tasks, effects in orders.rates.items():
            names = Text(", ".join(task.title for task in tasks))
            for value, one in effects.items():
                table.add_row(names, f"{rate.label} {value:g}", str(one.num), *cells(one))
            if change := orders.changes.get(tasks):
                table.add_row(names, "largest - smallest", str(change.num), *cells(change))
            table.add_section()
    every = [one for by in found.values() for each in by.rates.values() for one in each.values()]
    notes = [EXPLANATION, *warnings(every)]
    return Group("", Text(TITLE, "bold"), table, *(Text(note, "dim") for note in notes))


def _by_seed(
    by_seed: Mapping[Pair, Mapping[Replicate, float]], rate: Rate
) -> dict[Tasks, dict[float, dict[Replicate, float]]]:
    """Each seed's difference, the mean over what is held."""

    def value(chain: Pair) -> float:
        return chain.setting.learning_rates[rate]

    found: dict[Tasks, dict[float, defaultdict[Replicate, list[float]]]] = {}
    chains = [
        chain
        for chain in by_seed
        if chain.first.kind is Kind.SAFETY and len(chain.setting.learning_rates) == len(Rate)
    ]
    for chain in sorted(chains, key=lambda one: (sort_key(one), value(one))):
        safety, capability = by_seed[chain], by_seed.get(chain.swapped, {})
        for seed in sorted(safety.keys() & capability.keys()):
            pair = found.setdefault((chain.safety, chain.capability), {})
            seeds = pair.setdefault(value(chain), defaultdict(list))
            seeds[seed].append(safety[seed] - capability[seed])
    return {
        tasks: {
            one: {seed: float(np.mean(points)) for seed, points in seeds.items()}
            for one, seeds in pair.items()
        }
        for tasks, pair in found.items()
    }


def _change(by_value: Mapping[float, Mapping[Replicate, float]]) -> Sequence[float]:
    least, most = by_value[min(by_value)], by_value[max(by_value)]
    return independent({one: most[one] - least[one] for one in least.keys() & most.keys()})
