"""How the claims about learning rates are judged; the criteria in words are beside the claims."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from raysweep.statistics.between import Replicate, independent
from raysweep.statistics.differences import Difference, over_units
from raysweep.tasks.registry import TASKS

from ..data.load import Pair
from ..data.rate_curves import Rate
from ..effects.order_by_rate import OrdersByRate
from .evidence import Evidence, is_of
from .verdicts import Judgement, by_difference, every, judged, untestable, with_interval


def rate(found: Mapping[str, Difference], task: str, sign: int, which: str) -> Judgement:
    """What a larger learning rate does to the forgetting of a safety task."""
    if task not in found:
        title = TASKS[task].title
        return untestable(f"{title} first with two {which} learning rates, all else equal: missing")
    return by_difference(found[task], sign)


def order_at_each_rate(evidence: Evidence, safety: str, capability: str, rate: Rate) -> Judgement:
    """Whether the safety task is forgotten more at every value of a learning rate."""
    found = _orders(evidence, rate).rates
    parts = [
        by_difference(one, label=f"{value:g}: ")
        for tasks, effects in found.items()
        for value, one in effects.items()
        if tuple(task.name for task in tasks) == (safety, capability)
    ]
    return every(parts) if parts else _no_rates(evidence, safety, capability, rate.label)


def order_everywhere(evidence: Evidence, safety: str, capability: str) -> Judgement:
    """Whether the safety task is forgotten more at every combination of learning rates."""
    chains = [chain for chain in evidence.effects.pairs if is_of(chain, safety, capability)]
    if len({chain.setting.learning_rates for chain in chains}) < 2:
        return _no_rates(evidence, safety, capability, "combination of learning rates")
    values = [evidence.effects.pairs[chain].value for chain in chains]
    overall = over_units(_seed_means(evidence, chains))
    assert overall is not None, "pairs have a seed in common"
    num_above = sum(value > 0 for value in values)
    ours = f"above 0 at {num_above} of {len(values)}; mean {with_interval(overall)}"
    if num_above < len(values):
        return judged(False, ours, "not at every combination")
    mean = by_difference(overall)
    return Judgement(mean.verdict, ours, mean.reason)


def _seed_means(evidence: Evidence, chains: list[Pair]) -> list[float]:
    """Of each seed the order effect, mean over settings."""
    found: dict[Replicate, list[float]] = {}
    for chain in chains:
        safety, capability = evidence.by_seed[chain], evidence.by_seed[chain.swapped]
        for seed in safety.keys() & capability.keys():
            found.setdefault(seed, []).append(safety[seed] - capability[seed])
    return independent({one: float(np.mean(values)) for one, values in found.items()})


def _orders(evidence: Evidence, rate: Rate) -> OrdersByRate:
    is_first = rate is Rate.FIRST
    return evidence.orders_by_first_rate if is_first else evidence.orders_by_second_rate


def _no_rates(evidence: Evidence, safety: str, capability: str, what: str) -> Judgement:
    missing = evidence.missing((safety, capability), (capability, safety))
    return untestable(missing or f"both orders at one {what} only")
