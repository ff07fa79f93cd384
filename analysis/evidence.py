"""What a sweep's results say of the paper's claims, read once and when it is asked for."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np

from raysweep.statistics.between import Replicate, independent
from raysweep.statistics.correction import holm
from raysweep.statistics.differences import Difference, corrected, pooled
from raysweep.store.storage import Storage
from raysweep.tasks.task import Kind

from .agreement import Agreement, agreements
from .figure3 import Panel
from .figure7 import Curve, Point, Replay, figure7
from .first_stages import FirstStages, first_stages
from .load import Pair, forgetting_by_seed
from .order_effect import OrderEffects, order_effects
from .setting import Setting, titles


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
        """Of Figure 7."""
        return figure7(self.results)

    @cached_property
    def standard(self) -> frozenset[Setting]:
        """The settings that count."""
        settings = frozenset(chain.setting for chain in self.by_seed)
        equal = frozenset(one for one in settings if len(set(one.learning_rates)) == 1)
        return equal or settings

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
        return _rate_effects(self.by_seed, 0)

    @cached_property
    def second_rates(self) -> dict[str, Difference]:
        """The same of the second learning rate."""
        return _rate_effects(self.by_seed, 1)

    def replayed(self, replay: Replay, amount: float) -> list[tuple[Curve, Point, Point]]:
        """Of each safety task's curve the point without replay, and that of an amount."""
        found = []
        for curve in self.curves:
            points = {point.amount: point for point in curve.points}
            if curve.replay is replay and 0 in points and amount in points:
                found.append((curve, points[0], points[amount]))
        return found


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


def _rate_effects(
    by_seed: Mapping[Pair, Mapping[Replicate, float]], place: int
) -> dict[str, Difference]:
    """Forgetting at the largest rate less that at the smallest, all else equal, paired by seed and
    data seed.

    A seed's difference is the mean over the capability tasks and the other stage's rates. The
    deviation is pooled over safety tasks, the p-values are corrected for them.
    """
    alike: defaultdict[tuple[Any, ...], dict[float, Mapping[Replicate, float]]] = defaultdict(dict)
    for chain, seeds in by_seed.items():
        rates = list(chain.setting.learning_rates)
        if chain.first.kind is Kind.SAFETY and len(rates) == 2:
            rate = rates.pop(place)
            key = chain.first.name, chain.second.name, *rates, chain.setting.others
            alike[key][rate] = seeds
    found: defaultdict[str, defaultdict[Replicate, list[float]]]
    found = defaultdict(lambda: defaultdict(list))
    for (task, *_), curve in alike.items():
        if len(curve) > 1:
            least, most = curve[min(curve)], curve[max(curve)]
            for seed in least.keys() & most.keys():
                found[task][seed].append(most[seed] - least[seed])
    samples = {
        task: independent({one: float(np.mean(values)) for one, values in seeds.items()})
        for task, seeds in found.items()
    }
    return corrected(pooled(samples))
