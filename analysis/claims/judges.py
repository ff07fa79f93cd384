"""How each claim of the paper is judged; the criteria in words are beside the claims."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from raysweep.statistics.association import EQUAL_DIGITS
from raysweep.statistics.between import independent
from raysweep.statistics.differences import Difference, between
from raysweep.tasks.registry import TASKS

from ..data.first_stages import FirstStage
from ..data.load import LEVEL
from ..data.mean import fixed
from ..drawing.group_panels import Panel
from .evidence import Evidence, is_of
from .verdicts import Judgement, Verdict, by_difference, every, judged, untestable

CAPABILITIES = ("arc_easy", "csqa", "csqa2")
SAFETIES = ("toxigen", "bbq", "saferdialogues")
LEAST_UNITS = 3
STRICT = 0.01


class Part(NamedTuple):
    """A stretch of a ranking: so many places from its top or its bottom."""

    num: int
    is_top: bool = True


def order_of_pair(evidence: Evidence, safety: str, capability: str) -> Judgement:
    """Table 1's sign."""
    if missing := evidence.missing((safety, capability), (capability, safety)):
        return untestable(missing)
    found = [
        by_difference(one, label=evidence.label(chain.setting))
        for chain, one in evidence.effects.pairs.items()
        if is_of(chain, safety, capability) and chain.setting in evidence.standard
    ]
    return every(found) if found else untestable("no seed and setting in common of both orders")


def order_overall(evidence: Evidence) -> Judgement:
    """Over pairs as units."""
    found = [
        by_difference(one, label=f"{one.num} pairs: ")
        if one.num >= LEAST_UNITS
        else untestable(f"{one.num} of nine pairs in both orders")
        for setting, one in evidence.effects.overall.items()
        if setting in evidence.standard
    ]
    return every(found) if found else untestable("no pair in both orders")


def uneven(evidence: Evidence, safety: str, capability: str) -> Judgement:
    """Biased forgetting against chance."""
    panels = evidence.panels_of(safety, capability)
    if not panels:
        return untestable(evidence.missing((safety, capability)) or "no forgetting by group")
    return every([_uneven(evidence, panel) for panel in panels])


def _uneven(evidence: Evidence, panel: Panel) -> Judgement:
    if panel.chance is None:
        return untestable("no predictions to tell what chance gives")
    one, p = panel.chance, evidence.uneven_p[panel.chain]
    label = evidence.label(panel.chain.setting)
    ours = f"{label}{fixed(one.value)} ({one.group}), by chance {fixed(one.expected)}, p {p:.4f}"
    return judged(p <= LEVEL, ours, "no more than chance gives")


def most_uneven(evidence: Evidence, safety: str, capability: str) -> Judgement:
    """Whether this chain has the largest biased forgetting of all of Figure 3."""
    own = evidence.panels_of(safety, capability)
    if not own:
        return untestable(evidence.missing((safety, capability)) or "no forgetting by group")
    chains = [(first, second) for first in ("toxigen", "bbq") for second in CAPABILITIES]
    parts = []
    for panel in own:
        found = _uneven(evidence, panel)
        others = [
            (other.chance.value, other.chain.title)
            for chain in chains
            for other in evidence.panels_of(*chain)
            if other.chance and other.chain.setting == panel.chain.setting
        ]
        if found.verdict is Verdict.REPRODUCED and panel.chance:
            most, title = max(others)
            is_most = panel.chance.value >= most
            found = judged(is_most, found.ours, f"{fixed(most)} in {title}")
        missing = evidence.missing(*chains)
        incomplete = found.verdict is Verdict.REPRODUCED and missing
        parts.append(untestable(missing, found.ours) if incomplete else found)
    return every(parts)


def top_group(evidence: Evidence, safety: str, group: str) -> Judgement:
    """Whether a group forgets most, beyond chance, whatever follows."""
    return every([_top(evidence, safety, capability, group) for capability in CAPABILITIES])


def _top(evidence: Evidence, safety: str, capability: str, group: str) -> Judgement:
    panels = evidence.panels_of(safety, capability)
    parts = []
    for panel in panels:
        place = _place(panel.ranking, group)
        if place is None:
            parts.append(untestable(f"{group} not measured"))
            continue
        label = evidence.label(panel.chain.setting)
        ours = f"{label}{panel.chain.second.title}: {place} of {len(panel.ranking)}"
        if place > 1:
            parts.append(judged(False, ours, f"{panel.groups[0].group} forgets most"))
        elif panel.chance is None:
            parts.append(untestable("no predictions to tell what chance gives", ours))
        else:
            beyond = panel.chance.is_beyond and panel.chance.group == group
            parts.append(judged(beyond, ours, "its lead is within chance"))
    if not parts:
        return untestable(evidence.missing((safety, capability)) or "no forgetting by group")
    return every(parts)


def in_part(evidence: Evidence, safety: str, groups: tuple[str, ...], part: Part) -> Judgement:
    """Whether groups are among the first or the last places, whatever follows."""
    parts = []
    for capability in CAPABILITIES:
        panels = evidence.panels_of(safety, capability)
        parts += [_in_part(evidence, panel, groups, part) for panel in panels]
        if not panels:
            reason = evidence.missing((safety, capability)) or "no forgetting by group"
            parts.append(untestable(reason))
    return every(parts)


def _in_part(evidence: Evidence, panel: Panel, groups: tuple[str, ...], part: Part) -> Judgement:
    places = {group: _place(panel.ranking, group, part.is_top) for group in groups}
    if lacking := [group for group, place in places.items() if place is None]:
        return untestable(f"{', '.join(lacking)} not measured")
    end = "" if part.is_top else " from below"
    listed = ", ".join(f"{group} {place}" for group, place in places.items())
    label = evidence.label(panel.chain.setting)
    ours = f"{label}{panel.chain.second.title}: {listed}{end} of {len(panel.ranking)}"
    outside = [group for group, place in places.items() if place is not None and place > part.num]
    end = "top" if part.is_top else "bottom"
    reason = f"{', '.join(outside)} not in the {end} {part.num} of {panel.chain.second.title}"
    return judged(not outside, ours, reason)


def _place(ranking: Mapping[str, float], group: str, from_top: bool = True) -> int | None:
    """From 1; what is tied with others has the last of their places: a tie is no lead."""
    if group not in ranking:
        return None
    sign = 1 if from_top else -1
    own = round(sign * ranking[group], EQUAL_DIGITS)
    return sum(round(sign * value, EQUAL_DIGITS) >= own for value in ranking.values())


def same_groups(evidence: Evidence, safety: str, first: str, second: str) -> Judgement:
    """Kendall's tau-b between two chains' rankings."""
    if missing := evidence.missing((safety, first), (safety, second)):
        return untestable(missing)
    parts = []
    for one in evidence.agreements:
        if is_of(one.first, safety, first) and is_of(one.second, safety, second):
            if one.ranks is None:
                parts.append(untestable(f"{one.num_groups} groups, or no differences"))
                continue
            ours = f"{one.ranks.tau:.2f}, p {one.ranks.p:.3f}, {one.num_groups} groups"
            holds = one.ranks.tau > 0 and one.ranks.p <= LEVEL
            parts.append(judged(holds, ours, "within what unrelated rankings give"))
    return every(parts) if parts else untestable("no forgetting by group at one setting")


def sharper(evidence: Evidence, task: str, others: tuple[str, ...], sign: int = 1) -> Judgement:
    """Whether a task's radius is larger (sign -1: smaller) than that of each other task."""
    parts = []
    for other in others:
        found = list(_radii(evidence, task, other))
        title = TASKS[other].title
        if not found:
            lacking = [TASKS[one].title for one in (task, other) if not _stages(evidence, one)]
            reason = f"no converged radius of {', '.join(lacking) or title + ' at that setting'}"
            parts.append(untestable(reason))
        parts += [_ratio(one, sign, f"{title} ") for one in found]
    return every(parts)


def flat(evidence: Evidence, task: str) -> Judgement:
    """Whether it is less sharp than the others of its kind, and not sharper than capability."""
    others = tuple(name for name in SAFETIES if name != task)
    lower, sharp = sharper(evidence, task, others, -1), sharper(evidence, task, CAPABILITIES)
    if sharp.verdict is Verdict.REPRODUCED:
        return judged(False, sharp.ours, "sharper than each capability task")
    return lower


def _radii(evidence: Evidence, task: str, other: str) -> Iterable[Difference]:
    """Differences of the radii's logarithms, setting by setting."""
    for one in _stages(evidence, task):
        for two in _stages(evidence, other):
            if one.settings == two.settings:
                logarithms = (
                    independent({by: math.log10(r) for by, r in s.radii.items() if r > 0})
                    for s in (one, two)
                )
                if found := between(*logarithms):
                    yield found


def _stages(evidence: Evidence, task: str) -> list[FirstStage]:
    return [stage for stage in evidence.stages.points if stage.task == task]


def _ratio(one: Difference, sign: int, label: str) -> Judgement:
    """A difference of logarithms, told as a ratio."""
    ours = f"{10**one.value:.2g} x {label}".strip()
    if one.interval:
        ours += f" ({10 ** one.interval[0]:.2g} to {10 ** one.interval[1]:.2g})"
    if one.p is None:
        return untestable("one seed", ours)
    holds = sign * one.value > 0 and one.p <= LEVEL
    return judged(holds, ours, f"{label}p {one.p:.3f}")


def line_through_stages(evidence: Evidence) -> Judgement:
    """Least squares of forgetting on the radius, over first stages."""
    stages = evidence.stages
    num_tasks = len({point.task for point in stages.points})
    fit = stages.fits[0]
    if fit.line is None or num_tasks < LEAST_UNITS:
        return untestable(f"{len(stages.points)} first stages of {num_tasks} tasks")
    line = fit.by_task or fit.line
    slope = f"slope {line.slope:.3g} ({line.low:.3g} to {line.high:.3g})"
    ours = f"R2 {line.r_squared:.2f}, p {line.p:.3f}, {slope}, n {line.num}"
    return judged(line.slope > 0 and line.p <= STRICT, ours, "no line at p <= .01")
