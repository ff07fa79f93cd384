"""Whether a claim holds in a sweep's results, and how that is put together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from raysweep.statistics.differences import Difference

from ..data.load import LEVEL
from ..data.mean import fixed


class Verdict(StrEnum):
    """What results say of a claim."""

    REPRODUCED = "reproduced"
    NOT_REPRODUCED = "not reproduced"
    NOT_TESTABLE = "not testable"


@dataclass(frozen=True)
class Judgement:
    """A verdict with its evidence.

    Attributes:
        ours: the number that was compared, with its 95 % interval where there is one; may be empty.
        reason: why a claim is not reproduced or cannot be tested.
    """

    verdict: Verdict
    ours: str = ""
    reason: str = ""


def judged(holds: bool, ours: str, reason: str) -> Judgement:
    """Reproduced if it holds; not reproduced, for a reason, otherwise."""
    if holds:
        return Judgement(Verdict.REPRODUCED, ours)
    return Judgement(Verdict.NOT_REPRODUCED, ours, reason)


def untestable(reason: str, ours: str = "") -> Judgement:
    """What is missing."""
    return Judgement(Verdict.NOT_TESTABLE, ours, reason)


def every(parts: Sequence[Judgement]) -> Judgement:
    """A claim that is several: one that fails decides; then one that cannot be tested."""
    if not parts:
        return untestable("not measured")
    for verdict in (Verdict.NOT_REPRODUCED, Verdict.NOT_TESTABLE, Verdict.REPRODUCED):
        deciding = [part for part in parts if part.verdict is verdict]
        if deciding:
            break
    ours = "; ".join(part.ours for part in parts if part.ours)
    reasons = dict.fromkeys(part.reason for part in deciding if part.reason)
    return Judgement(verdict, ours, "; ".join(reasons))


def by_difference(one: Difference, sign: int = 1, label: str = "") -> Judgement:
    """Whether a difference has the sign, with p <= .05 (corrected, where it has been)."""
    ours = f"{label}{with_interval(one)}"
    p = one.p if one.p_holm is None else one.p_holm
    if p is None:
        return untestable("one seed" if one.num < 2 else "too few seeds that differ", ours)
    is_right = sign * one.value > 0
    reason = f"{label}right sign, but p {p:.3f}" if is_right else f"{label}other sign, p {p:.3f}"
    return judged(is_right and p <= LEVEL, ours, reason)


def with_interval(one: Difference) -> str:
    """The value, and its interval in brackets."""
    if one.interval is None:
        return fixed(one.value)
    low, high = map(fixed, one.interval)
    return f"{fixed(one.value)} ({low} to {high})"
