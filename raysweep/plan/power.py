"""Which biased forgetting a search space could find, before it is paid for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np

from raysweep.plan.plan import Plan
from raysweep.plan.trials import Trial
from raysweep.statistics.clusters import ICC, ClusterCorrelation, weighed_rows
from raysweep.statistics.grouped_losses import MIN_ROWS
from raysweep.statistics.power import POWER, Design, detectable, rows_needed, seeds_needed
from raysweep.tasks.splits import Splits


@dataclass(frozen=True)
class GroupPower:
    """What the plan could say of a task's groups.

    Attributes:
        task: that is learned before a chain's last stage.
        fewest, most: test rows of a group, of those with at least `MIN_ROWS`.
        num_left_out: groups with fewer.
        num_clusters: templates of the test rows; None where each row is its own.
        group: whose rows tell least: those few, or from few templates.
        design: of that group.
        design_effect: how many of its rows tell as much as one independent row.
        measured: the correlation in the design where it was measured; None where it is assumed.
        detectable: the smallest biased forgetting found with a power of `POWER`, a fraction.
        power: of finding the effect that is looked for.
        rows_needed, seeds_needed: of a group, and of a chain, to find that; None if none is enough.
    """

    task: str
    fewest: int
    most: int
    num_left_out: int
    num_clusters: int | None
    group: str
    design: Design
    design_effect: float
    measured: ClusterCorrelation | None
    effect: float
    detectable: float
    power: float
    rows_needed: int | None
    seeds_needed: int | None


def group_power(
    plan: Plan,
    effect: float,
    icc: float = ICC,
    measured: Mapping[str, ClusterCorrelation] | None = None,
) -> list[GroupPower]:
    """Of every task with groups that the plan's chains forget.

    Args:
        effect: the biased forgetting that is looked for, a fraction.
        icc: correlation of rows from one template, of tasks of which it has not been measured.
        measured: of others, by task; below 0 counts as 0.
    """
    tested = {task: groups for task, s in plan.splits.items() if (groups := _tested(s))}
    cells = {task: Counter(_measured(plan, task)) for task in tested}
    num_tests = sum(len(tested[task].kept) * len(cells[task]) for task in tested)
    return [
        _of_task(
            task,
            tested[task],
            Design(2, len(tested[task].kept), min(cells[task].values()), num_tests=num_tests),
            effect,
            icc,
            (measured or {}).get(task),
        )
        for task in tested
        if cells[task]
    ]


def power_lines(found: list[GroupPower]) -> Iterator[str]:
    """In words."""
    if not found:
        yield "Power: no task with groups is learned before a chain's last stage"
        return
    taken = found[0].design
    yield (
        f"Power of {taken.num_tests} tests of groups, corrected together (Holm), if rows are "
        f"independent but for their templates, {100 * taken.changed:.0f} % of them change, a row's "
        f"losses correlate by {taken.alike:g} over seeds and a group deviates by "
        f"{100 * taken.between:g} points between seeds:"
    )
    yield from map(_line, found)


def _line(one: GroupPower) -> str:
    design = one.design
    rows = f"{one.fewest:,}" if one.fewest == one.most else f"{one.fewest:,} to {one.most:,}"
    left_out = f" ({one.num_left_out} with fewer than {MIN_ROWS})" if one.num_left_out else ""
    seeds = f"{design.num_seeds} seeds"
    if design.num_seeds == 1:
        seeds = "1 seed (so of this training only)"
    return (
        f"  {one.task}, {design.num_groups} groups of {rows} test rows{left_out}"
        f"{_templates(one)}, {seeds}: a "
        f"biased forgetting of {100 * one.detectable:.1f} points is found with "
        f"{100 * POWER:.0f} % power; {_verdict(one)}"
    )


def _templates(one: GroupPower) -> str:
    """What templates leave of the group's rows."""
    if one.num_clusters is None:
        return ""
    design, why = one.design, "assumed: --icc"
    if one.measured:
        why = f"measured: {one.measured.icc:.2g}, standard error {one.measured.error:.2g}"
    return (
        f" from {one.num_clusters:,} templates, in which rows correlate by {design.icc:.3g} "
        f"({why}): design effect 1 + ({design.cluster_rows:.1f} - 1) x {design.icc:.3g} = "
        f"{one.design_effect:.1f} for {one.group}, whose {design.num_rows:,} rows tell least, as "
        f"much as {design.num_rows / one.design_effect:,.0f}"
    )


def _verdict(one: GroupPower) -> str:
    """What becomes of the effect that is looked for."""
    effect, power = f"{100 * one.effect:g} points", f"{100 * one.power:.0f} %"
    if one.power >= POWER:
        return f"{effect} with {power}"
    templates = ""
    if one.rows_needed and one.num_clusters is not None:
        templates = f" from {one.rows_needed / one.design.cluster_rows:,.0f} such templates"
    needs = [
        f"{one.rows_needed:,} test rows a group{templates}" if one.rows_needed else "",
        f"{one.seeds_needed:,} seeds" if one.seeds_needed else "",
    ]
    remedy = " or ".join(filter(None, needs)) or "more test rows and more seeds together"
    return f"{effect} with {power} only: it takes {remedy}"


def _of_task(
    task: str,
    tested: _Tested,
    design: Design,
    effect: float,
    icc: float,
    measured: ClusterCorrelation | None,
) -> GroupPower:
    if measured:
        icc = max(measured.icc, 0.0)
    designs = {
        group: replace(design, num_rows=num_rows, cluster_rows=cluster_rows, icc=icc)
        for group, (num_rows, cluster_rows) in tested.kept.items()
    }
    group = max(designs, key=lambda name: designs[name].error)
    design = designs[group]
    sizes = [one.num_rows for one in designs.values()]
    several = replace(design, num_seeds=max(design.num_seeds, 2))
    return GroupPower(
        task,
        min(sizes),
        max(sizes),
        tested.num_left_out,
        tested.num_clusters,
        group,
        design,
        design.effect,
        measured,
        effect,
        detectable(design),
        design.power(effect),
        rows_needed(design, effect),
        seeds_needed(several, effect),
    )


@dataclass(frozen=True)
class _Tested:
    """The groups of a task's test rows.

    Attributes:
        kept: of those with rows enough, the rows and how many a template has.
    """

    kept: dict[str, tuple[int, float]]
    num_left_out: int
    num_clusters: int | None


def _tested(splits: Splits) -> _Tested | None:
    """None of a task without groups, or of which none has rows enough."""
    clusters = [example.cluster or number for number, example in enumerate(splits.test)]
    numbers = {cluster: number for number, cluster in enumerate(dict.fromkeys(clusters))}
    places = np.array([numbers[cluster] for cluster in clusters])
    everyone = np.bincount(places, minlength=len(numbers))
    groups = sorted({group for example in splits.test for group in example.groups})
    kept = dict[str, tuple[int, float]]()
    for group in groups:
        inside = np.array([group in example.groups for example in splits.test])
        own = np.bincount(places[inside], minlength=len(numbers))
        if MIN_ROWS <= own.sum() < len(places):
            kept[group] = int(own.sum()), weighed_rows(own, everyone)
    if len(groups) < 2 or not kept:
        return None
    is_clustered = len(numbers) < len(places)
    return _Tested(kept, len(groups) - len(kept), len(numbers) if is_clustered else None)


def _measured(plan: Plan, task: str) -> Iterator[tuple[object, ...]]:
    """What a task's forgetting is told of: each later stage of a chain, once for every seed."""
    for trial in plan.trials:
        learned_at = trial.learned_at(task) if task in trial.tasks else None
        if learned_at is not None:
            later = range(learned_at + 1, len(trial.stages) + 1)
            yield from ((cell_of(trial), stage) for stage in later)


def cell_of(trial: Trial) -> tuple[str, ...]:
    """What a trial has in common with those of other seeds: its chain and settings."""
    settings = (stage.hyperparameters.model_dump_json() for stage in trial.stages)
    return str(trial.chain), *settings
