"""What a sweep's results say of the paper's claims, read once and when it is asked for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property

from raysweep.statistics.between import Replicate, independent
from raysweep.statistics.correction import holm
from raysweep.statistics.differences import Difference, pooled
from raysweep.store.storage import Storage
from raysweep.tasks.task import Kind

from ..data.first_stages import FirstStages, first_stages
from ..data.load import Pair, forgetting_by_seed
from ..data.rate_curves import Rate, rate_curves
from ..data.replays import Curve, Point, Replay, replays
from ..data.setting import Setting, standard, titles
from ..drawing.group_panels import Panel
from ..effects.agreement import Agreement, agreements
from ..effects.order_by_rate import OrdersByRate, orders_by_rate
from ..effects.order_effect import OrderEffects, order_effects
from ..effects.rate_effect import rate_effects


class Evidence:
    """The results of a sweep, as the claims ask for them.

    Of Table 1 and Figure 3 those settings count that have one learning rate in both stages, as in
    the paper; all of them where none has.
    """

    def __init__(self, results: Storage, panels: Sequence[Panel]) -> None:
        self.results = results
        self.all_panels = panels

    @cached_property
    def by_seed(self) -> dict[Pair, dict[Replicate, float]]:
        """Overall forgetting of the first task in points."""
        return forgetting_by_seed(self.results)

    @cached_property
    def effects(self) -> OrderEffects:
        """Of order."""
        return order_effects(self.results)

    @cached_property
    def panels(self) -> tuple[Panel, ...]:
        """Of Figure 3."""
        return tuple(p for p in self.all_panels if p.chain.setting in self.standard)

    @cached_property
    def uneven_p(self) -> dict[Pair, float]:
        """Of each panel's largest biased forgetting, corrected for all panels (Holm)."""
        known = [(panel.chain, panel.chance.p) for panel in self.panels if panel.chance]
        p_values = holm([p for _, p in known])
        return {chain: p for (chain, _), p in zip(known, p_values, strict=True)}

    @cached_property
    def agreements(self) -> tuple[Agreement, ...]:
        """Between the panels' rankings."""
        return agreements({panel.chain: panel.ranking for panel in self.panels})

    @cached_property
    def stages(self) -> FirstStages:
        """With their radii."""
        return first_stages(self.results)

    @cached_property
    def curves(self) -> tuple[Curve, ...]:
        """Of replay."""
        return replays(self.results)

    @cached_property
    def standard(self) -> frozenset[Setting]:
        """The settings that count."""
        return standard({chain.setting for chain in self.by_seed})

    def label(self, setting: Setting) -> str:
        """What tells a setting that counts from the others; empty for a single one."""
        settings = sorted(self.standard, key=lambda one: one.position)
        (text,) = (t for t, one in zip(titles(settings), settings, strict=True) if one == setting)
        return f"{text.strip()} " if text else ""

    def missing(self, *chains: tuple[str, str]) -> str:
        """Those chains that were not measured, as a reason; empty if all were."""
        known = {(chain.first.name, chain.second.name) for chain in self.by_seed}
        lacking = [
            f"{first} -> {second}" for first, second in chains if (first, second) not in known
        ]
        return f"{', '.join(lacking)} missing" if lacking else ""

    def panels_of(self, first: str, second: str) -> list[Panel]:
        """One per setting."""
        return [panel for panel in self.panels if is_of(panel.chain, first, second)]

    @cached_property
    def first_rates(self) -> dict[str, Difference]:
        """What the largest first learning rate adds to forgetting, by safety task."""
        return rate_effects(rate_curves(self.by_seed, Rate.FIRST), Kind.SAFETY)

    @cached_property
    def second_rates(self) -> dict[str, Difference]:
        """The same of the second learning rate."""
        return rate_effects(rate_curves(self.by_seed, Rate.SECOND), Kind.SAFETY)

    @cached_property
    def orders_by_first_rate(self) -> OrdersByRate:
        """The effect of order at each first learning rate."""
        return orders_by_rate(self.by_seed, Rate.FIRST)

    @cached_property
    def orders_by_second_rate(self) -> OrdersByRate:
        """The same at each second one."""
        return orders_by_rate(self.by_seed, Rate.SECOND)

    def replay_curves(self, *replays: Replay) -> list[Curve]:
        """Those of safety tasks."""
        return [
            curve
            for curve in self.curves
            if curve.replay in replays and curve.first.kind is Kind.SAFETY
        ]

    def replayed(self, replay: Replay, amount: float) -> list[tuple[Curve, Point, Point]]:
        """Of each safety task's curve the point without replay, and that of an amount."""
        found = []
        for curve in self.replay_curves(replay):
            points = {point.amount: point for point in curve.points}
            if 0 in points and amount in points:
                found.append((curve, points[0], points[amount]))
        return found

    def continued(self, replay: Replay, amount: float) -> list[tuple[Curve, Point, Point]]:
        """Of each safety task's curve the point of an amount, and that of its largest one."""
        return [
            (curve, some, curve.points[-1])
            for curve, _, some in self.replayed(replay, amount)
            if curve.points[-1].amount > amount
        ]


def is_of(chain: Pair, first: str, second: str) -> bool:
    """Whether it is of these tasks, by name."""
    return (chain.first.name, chain.second.name) == (first, second)


def paired(
    points: Iterable[tuple[Curve, Mapping[Replicate, float], Mapping[Replicate, float]]],
) -> dict[Curve, Difference]:
    """First less second by seed and data seed, for each curve; tested with a pooled deviation."""
    return pooled(
        {
            curve: independent({one: first[one] - second[one] for one in first.keys() & second})
            for curve, first, second in points
        }
    )
