"""Forgetting and biased forgetting: the arithmetic of the paper's section 3.2.

With Acc_A(θ_A) the accuracy on task A right after A's first full stage and Acc_A(θ_AB) the one
after a later stage, both as fractions in [0, 1]:

    Forgetting_A       = Acc_A(θ_A) - Acc_A(θ_AB)                         (equation 1)
    Forgetting_{A,g}   = Acc_A(θ_A, g) - Acc_A(θ_AB, g)
    RelativeForgetting = Forgetting / Acc_A(θ_A)
    BiasedForgetting   = Forgetting_{A,g} - Forgetting_A                  (equation 2)

Larger is worse throughout; a negative value is a gain. The paper prints an overall forgetting over
a group's accuracy in its relative formula; here the overall is over the overall and a group over
the same group.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Accuracy:
    """An accuracy with its evidence."""

    num_correct: int
    num_examples: int

    def __post_init__(self) -> None:
        if not 0 <= self.num_correct <= self.num_examples:
            raise ValueError(f"{self.num_correct} correct of {self.num_examples} examples")

    @property
    def value(self) -> float | None:
        """Fraction correct; None without examples."""
        return self.num_correct / self.num_examples if self.num_examples else None


@dataclass(frozen=True)
class Forgetting:
    """Forgetting of one task for one group (or overall), all as fractions.

    Attributes:
        relative: None where the accuracy before is zero; never usable as an objective then.
        biased: this group's forgetting minus the overall one; None for the overall row.
    """

    before: Accuracy
    after: Accuracy
    forgetting: float | None
    relative: float | None
    biased: float | None


def overall_forgetting(before: Accuracy, after: Accuracy) -> Forgetting:
    """Equation 1 and its relative form."""
    drop = _drop(before, after)
    return Forgetting(before, after, drop, _relative(drop, before), None)


def group_forgetting(
    before: Mapping[str, Accuracy], after: Mapping[str, Accuracy], overall: Forgetting
) -> dict[str, Forgetting]:
    """Per-group forgetting and equation 2, for the groups in ``before``.

    Raises:
        KeyError: ``after`` lacks a group.
    """
    result = {}
    for group, first in before.items():
        drop = _drop(first, after[group])
        biased = None if drop is None or overall.forgetting is None else drop - overall.forgetting
        result[group] = Forgetting(first, after[group], drop, _relative(drop, first), biased)
    return result


def worst_group(groups: Mapping[str, Forgetting], min_rows: int = 1) -> str | None:
    """The group that forgets most, max_g Forgetting_{A,g}; of equals the first by name.

    None with fewer rows is called so: of two rows a model may well lose both.
    """
    known = [
        group
        for group in sorted(groups)
        if groups[group].forgetting is not None and groups[group].before.num_examples >= min_rows
    ]
    return max(known, key=lambda group: groups[group].forgetting or 0.0, default=None)


def _drop(before: Accuracy, after: Accuracy) -> float | None:
    if before.value is None or after.value is None:
        return None
    return before.value - after.value


def _relative(drop: float | None, before: Accuracy) -> float | None:
    return None if drop is None or not before.value else drop / before.value
