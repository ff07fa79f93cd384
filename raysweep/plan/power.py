"""Which biased forgetting a search space could find, before it is paid for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace

from raysweep.plan.plan import Plan
from raysweep.statistics.grouped_losses import MIN_ROWS
from raysweep.statistics.power import POWER, Design, detectable, rows_needed, seeds_needed


@dataclass(frozen=True)
class GroupPower:
    """What the plan could say of a task's groups.

    Attributes:
        task: that is learned before a chain's last stage.
        fewest, most: test rows of a group, of those with at least `MIN_ROWS`.
        num_left_out: groups with fewer.
        design: of the smallest group.
        detectable: the smallest biased forgetting found with a power of `POWER`, a fraction.
        power: of finding the effect that is looked for.
        rows_needed, seeds_needed: of a group, and of a chain, to find that; None if none is enough.
    """

    task: str
    fewest: int
    most: int
    num_left_out: int
    design: Design
    effect: float
    detectable: float
    power: float
    rows_needed: int | None
    seeds_needed: int | None


def group_power(plan: Plan, effect: float) -> list[GroupPower]:
    """Of every task with groups that the plan's chains forget.

    Args:
        effect: the biased forgetting that is looked for, a fraction.
    """
    sizes = dict(_group_sizes(plan))
    cells = {task: Counter(_measured(plan, task)) for task in sizes}
    num_tests = sum(sum(map(_is_kept, sizes[task])) * len(cells[task]) for task in sizes)
    return [
        _of_task(task, sizes[task], min(cells[task].values()), num_tests, effect)
        for task in sizes
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
        f"independent, {100 * taken.changed:.0f} % of them change, a row's losses correlate by "
        f"{taken.alike:g} over seeds and a group deviates by {100 * taken.between:g} points between"
        " seeds:"
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
        f"  {one.task}, {design.num_groups} groups of {rows} test rows{left_out}, {seeds}: a "
        f"biased forgetting of {100 * one.detectable:.1f} points is found with "
        f"{100 * POWER:.0f} % power; {_verdict(one)}"
    )


def _verdict(one: GroupPower) -> str:
    """What becomes of the effect that is looked for."""
    effect, power = f"{100 * one.effect:g} points", f"{100 * one.power:.0f} %"
    if one.power >= POWER:
        return f"{effect} with {power}"
    needs = [
        f"{one.rows_needed:,} test rows a group" if one.rows_needed else "",
        f"{one.seeds_needed:,} seeds" if one.seeds_needed else "",
    ]
    remedy = " or ".join(filter(None, needs)) or "more test rows and more seeds together"
    return f"{effect} with {power} only: it takes {remedy}"


def _of_task(
    task: str, sizes: list[int], num_seeds: int, num_tests: int, effect: float
) -> GroupPower:
    kept = list(filter(_is_kept, sizes))
    design = Design(min(kept), len(kept), num_seeds, num_tests=num_tests)
    several = replace(design, num_seeds=max(num_seeds, 2))
    return GroupPower(
        task,
        min(kept),
        max(kept),
        len(sizes) - len(kept),
        design,
        effect,
        detectable(design),
        design.power(effect),
        rows_needed(design, effect),
        seeds_needed(several, effect),
    )


def _group_sizes(plan: Plan) -> Iterator[tuple[str, list[int]]]:
    """Test rows of each group, of tasks with groups of which one has rows enough."""
    for task, splits in plan.splits.items():
        sizes = Counter(group for example in splits.test for group in example.groups)
        if len(sizes) > 1 and any(map(_is_kept, sizes.values())):
            yield task, list(sizes.values())


def _is_kept(num_rows: int) -> bool:
    return num_rows >= MIN_ROWS


def _measured(plan: Plan, task: str) -> Iterator[tuple[object, ...]]:
    """What a task's forgetting is told of: each later stage of a chain, once for every seed."""
    for trial in plan.trials:
        settings = (stage.hyperparameters.model_dump_json() for stage in trial.stages)
        cell = str(trial.chain), *settings
        learned_at = trial.learned_at(task) if task in trial.tasks else None
        if learned_at is not None:
            later = range(learned_at + 1, len(trial.stages) + 1)
            yield from ((*cell, stage) for stage in later)
