"""The campaign's report, as Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date

from scipy.stats import kstest

from tests.faults.report import machine
from tests.levels.campaign import Tally, promised

GROUP = 0.04, 0.06
FAMILY = 0.055
CLOSE = 0.05
PERMUTED = ("maximum", "standardised", "omnibus")
PERMUTATION = 0.055
HEAD = """# Levels

Planted worlds without any model: rows with answers, groups and templates, trainings with seeds, of
which it is known whether groups differ (`tests/levels/worlds.py`). Unless a world says otherwise it
has 13 groups of 100 rows, 3 seeds that share them, and 90 % right before, 75 % after. A world of
several data draws has one seed for each if not said otherwise; draws share test rows in part or not
at all.

    python -m tests.levels --out docs/evidence/levels.md

A world that is not as it should be is drawn once more, five times as often and with other seeds,
and what stands here is that: of 2,000 sweeps a rate of 5 % has an error of 0.5.
"""
NULL = """## Worlds in which groups make no difference

How often, in %, a group's own test says at the 5 % level that it differs (it should: 4 to 6); how
often any group does after Holm's correction (at most 5.5); how often the 95 % interval of equation
2, which is not corrected for the groups' shares of answers, excludes 0; and how often the
permutation tests say at the 5 % level that the models at hand are uneven (at most 5.5). Models
whose groups deviate between seeds are uneven, although the chain is not, so that for them this is
no error: the tests across seeds tell both apart. Where nothing deviates, "too small" is the
p-value of Kolmogorov and Smirnov's one-sided test that permutation p-values are smaller than
uniform ones, for the worst of the three. They are not quite uniform: losses are few values, so
that maxima tie, and a tie counts as reached; that makes them larger, most where little is lost.
With few templates a group those in the middle are too small, up to 56 % below .5 of 10 templates
of mixed sizes, but those that decide are not: at most 5.2 % are below .05 and 10.2 % below .1.

Rows from templates have Mammen's weights. Compared for the maximum in six worlds with 10, 15 and
30 templates a group, equal and unequal (2026-11-28): those 3.4 to 4.9 %, signs 5.8 to 7.3 (2,000
sweeps each); Webb's six points 4.8 to 6.5, signs with each group's value divided by its
cluster-robust error 2.0 to 4.2 (400 sweeps each).
"""
PLANTED = """## Worlds in which one group forgets more

How often, in %, that group is found after Holm's correction, beside the power that `plan --power`
promises with the world's noise; they should agree within 5.
"""


def is_level(tally: Tally) -> bool:
    """Whether the tests of a world without an effect err as rarely, and as often, as they say."""
    effects = GROUP[0] <= tally.group_error <= GROUP[1] and tally.family_error <= FAMILY
    return effects and (not tally.world.is_calm or max(map(tally.rate, PERMUTED)) <= PERMUTATION)


def is_promised(tally: Tally) -> bool:
    """Whether an effect is found as often as promised."""
    return abs(tally.power - promised(tally.world)) <= CLOSE


def report(null: Sequence[Tally], planted: Sequence[Tally], first_seed: int) -> str:
    """All rates, and how many of them are what they should be."""
    good = sum(map(is_level, null)) + sum(map(is_promised, planted))
    lines = [HEAD, f"{date.today().isoformat()}; seeds from {first_seed}; {machine()}.", ""]
    lines += [f"**{good} of {len(null) + len(planted)} worlds as they should be.**", ""]
    if null:
        heads = ("world", "sweeps", "group", "family", "equation 2", *PERMUTED, "too small")
        lines += [NULL, *_table(heads, map(_null, null)), ""]
    if planted:
        lines += [PLANTED, *_table(("world", "sweeps", "found", "promised"), map(_found, planted))]
    return "\n".join(lines).rstrip() + "\n"


def _null(tally: Tally) -> list[str]:
    world, permuted = tally.world, {name: tally.permutation(name) for name in PERMUTED}
    too_small = min(
        float(kstest(values, "uniform", alternative="greater").pvalue)
        for values in permuted.values()
    )
    return [
        world.name,
        str(len(tally.found)),
        _percent(tally.group_error),
        _percent(tally.family_error),
        _percent(tally.excluded),
        *(_percent(tally.rate(name)) for name in PERMUTED),
        f"{too_small:.2f}" if world.is_calm else "",
    ]


def _found(tally: Tally) -> list[str]:
    rates = tally.power, promised(tally.world)
    return [tally.world.name, str(len(tally.found)), *map(_percent, rates)]


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    cells = [list(heads), ["---"] * len(heads), *map(list, rows)]
    return ["| " + " | ".join(row) + " |" for row in cells]


def _percent(share: float) -> str:
    return f"{100 * share:.1f}"
