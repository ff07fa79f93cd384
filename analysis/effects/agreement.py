"""Whether two chains forget the same groups: Kendall's tau-b of their rankings (section 4.2)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

from rich import box
from rich.console import Group
from rich.table import Table
from rich.text import Text

from raysweep.statistics.association import RankCorrelation, rank_correlation

from ..data.load import Pair
from ..data.mean import MISSING

TITLE = "Do two chains forget the same groups? Kendall's tau-b of their rankings"
NOTE = "1: the same order, 0: nothing in common; p of these two rankings alone, not corrected"
Ranking = Mapping[str, float]
"""Forgetting of each group; its order is also that of biased forgetting."""


@dataclass(frozen=True)
class Agreement:
    """Two chains with one safety task and one setting.

    Attributes:
        num_groups: that both have measured.
        ranks: None for fewer than three groups, or where a chain forgets all of them alike.
    """

    first: Pair
    second: Pair
    num_groups: int
    ranks: RankCorrelation | None


def agreements(rankings: Mapping[Pair, Ranking]) -> tuple[Agreement, ...]:
    """Of every two chains with the same safety task and setting, in their order."""
    return tuple(
        Agreement(
            first,
            second,
            len(rankings[first].keys() & rankings[second].keys()),
            rank_correlation(rankings[first], rankings[second]),
        )
        for first, second in combinations(rankings, 2)
        if (first.first, first.setting) == (second.first, second.setting)
    )


def display(found: Sequence[Agreement], titles: Mapping[Pair, str]) -> Group:
    """The numbers, for a rich console; chains by their titles."""
    table = Table(box=box.SIMPLE_HEAD, show_edge=False)
    for name in ("chain", "and"):
        table.add_column(name, overflow="fold")
    for name in ("tau-b", "p", "groups"):
        table.add_column(name, justify="right")
    for one in found:
        tau, p = (MISSING, MISSING)
        if one.ranks:
            tau, p = f"{one.ranks.tau:.2f}", f"{one.ranks.p:.3f}"
        chains = (Text(titles[chain]) for chain in (one.first, one.second))
        table.add_row(*chains, tau, p, str(one.num_groups))
    return Group("", Text(TITLE, "bold"), table, Text(NOTE, "dim"))
