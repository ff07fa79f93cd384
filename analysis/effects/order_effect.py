"""The effect of order: whether the safety task is forgotten more than the capability task (4.1).

For each pair of tasks in both orders

    forgetting of the safety task when it comes first
    - forgetting of the capability task when it comes first

in points, paired by seed and data seed. Larger: the safety task is forgotten more.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from rich import box
from rich.console import Group
from rich.table import Table
from rich.text import Text

from raysweep.statistics.between import independent
from raysweep.statistics.differences import Difference, corrected, over_units, pooled
from raysweep.store.storage import Storage
from raysweep.tasks.task import Kind

from ..data.load import Pair, forgetting_by_seed, sort_key
from ..data.mean import MISSING, fixed
from ..data.setting import Setting, titles

TITLE = (
    "Order effect: forgetting of the safety task - that of the capability task, each first (points)"
)
COLUMNS = ("seeds", "difference", "95 % interval", "p", "p (Holm)")
POOLED = (
    "Paired by seed; mean ± the pair's own deviation over seeds. Interval and p by a t test whose "
    "deviation between seeds is pooled over the pairs of a setting. Of several data seeds each "
    "counts once, with the mean over its seeds. Holm: over all pairs."
)
UNTESTED = "– no test: one seed, or seeds that do not differ, tell of no deviation."
UNEQUAL = (
    "Own deviations differ {ratio:.0f}-fold: the pooled test is too wide where seeds agree and too "
    "narrow where they do not."
)
NOTABLE = 4  # as a ratio of deviations
UNITS = (
    "All pairs: the mean over pairs, with pairs as units; they share tasks, so that fewer are "
    "independent."
)


@dataclass(frozen=True)
class OrderEffects:
    """The effect of order wherever both orders have seeds in common.

    Attributes:
        pairs: by the chain with the safety task first; in Table 1's order.
        overall: of each setting over its pairs.
    """

    pairs: Mapping[Pair, Difference]
    overall: Mapping[Setting, Difference]


def order_effects(results: Storage) -> OrderEffects:
    """All that can be paired; empty where no pair was trained in both orders."""
    by_seed = forgetting_by_seed(results)
    settings: dict[Setting, dict[Pair, list[float]]] = {}
    for chain in sorted(by_seed, key=lambda one: (one.setting.position, sort_key(one))):
        if chain.first.kind is Kind.SAFETY and (other := by_seed.get(chain.swapped)):
            safety = by_seed[chain]
            paired = {one: safety[one] - other[one] for one in safety if one in other}
            if paired:
                settings.setdefault(chain.setting, {})[chain] = independent(paired)
    pairs = {chain: one for found in settings.values() for chain, one in pooled(found).items()}
    overall = {
        setting: mean
        for setting, found in settings.items()
        if (mean := over_units([sum(values) / len(values) for values in found.values()]))
    }
    return OrderEffects(corrected(pairs), overall)


def display(effects: OrderEffects) -> Group:
    """The numbers, for a rich console."""
    table = Table(box=box.SIMPLE_HEAD, show_edge=False)
    table.add_column("pair", overflow="fold")
    for name in COLUMNS:
        table.add_column(name, justify="right")
    labels = titles(list(effects.overall))
    for setting, label in zip(effects.overall, labels, strict=True):
        for chain, one in effects.pairs.items():
            if chain.setting == setting:
                names = f"{chain.safety.title}, {chain.capability.title}{label}"
                table.add_row(Text(names), str(one.num), *cells(one))
        mean = effects.overall[setting]
        if mean.num > 1:
            table.add_row(Text(f"all pairs{label}"), f"{mean.num} pairs", *cells(mean))
        table.add_section()
    notes = [POOLED, *([UNITS] if any(one.num > 1 for one in effects.overall.values()) else [])]
    notes += warnings(effects.pairs.values())
    return Group("", Text(TITLE, "bold"), table, *(Text(note, "dim") for note in notes))


def cells(one: Difference) -> tuple[str, str, str, str]:
    """What stands in the last four of `COLUMNS`."""
    value = fixed(one.value)
    if one.deviation is not None:
        value += f" ± {fixed(one.deviation)}"
    if one.interval is None:
        return value, MISSING, MISSING, MISSING
    low, high = map(fixed, one.interval)
    corrected_p = MISSING if one.p_holm is None else f"{one.p_holm:.3f}"
    return value, f"{low} to {high}", f"{one.p:.3f}", corrected_p


def warnings(found: Iterable[Difference]) -> list[str]:
    """What a reader of pooled tests should know."""
    found = list(found)
    notes = [UNTESTED] if any(one.p is None for one in found) else []
    if (ratio := unevenness(found)) > NOTABLE:
        notes.append(UNEQUAL.format(ratio=ratio))
    return notes


def unevenness(found: Iterable[Difference]) -> float:
    """The largest deviation between seeds over the smallest above 0, of those with a test."""
    known = [one.deviation for one in found if one.p is not None and one.deviation]
    return max(known) / min(known) if known else 1.0
