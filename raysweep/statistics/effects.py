"""Each group's biased forgetting with an interval that crosses test rows and seeds.

Each training of a chain, one for each seed and data seed, adds its own deviation. Trainings are
crossed with the test rows that they share: all where they have the data draw in common, some or
none where the draws differ. The variance of a group's mean over S trainings is therefore taken in
two parts,

    V = V_rows + tau^2 k / S

- V_rows is the variance over test rows: of a weighted sum of losses, with the variance of a row's
  loss within its stratum (right answer and context condition) taken from the rows of all groups, as
  a test of no difference does: of a group's own rows that changed there may be none. Where rows
  come from templates, losses of one template have the covariance that is found within templates
  (Liang and Zeger, 1986). It holds what rows have in common over trainings: the covariance of a
  row's losses, from the rows that both have scored, times how much these weigh in both estimates.
- tau^2 is the variance of a group's deviation between trainings beyond what rows explain: that of
  their estimates less its part of rows, pooled over the groups (seeds are few, groups are not).
  Trainings of several draws are taken by draws (see `between`): of one draw they have in common
  what it does. Like every unbiased estimate of a variance component it may come out below 0;
  cut there, intervals of seeds that do not differ would be too wide. Only V may not fall below
  half of V_rows. k = the share of a deviation that equation 2 leaves in a group, since the overall
  moves with it.

Degrees of freedom are Satterthwaite's (1946), and count draws where there are several. With one
training there is no second part: such an interval is about chance in the rows only, and says
nothing of another training.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from raysweep.statistics.between import half_squares, num_units, pair_weights
from raysweep.statistics.correction import benjamini_hochberg, holm
from raysweep.statistics.grouped_losses import GroupedLosses, over_seeds

CONFIDENCE = 0.95
LEAST = 0.5  # of the variance over rows
NOTHING = 1e-9  # differences and errors below are those of rounding


@dataclass(frozen=True)
class Effect:
    """One group's difference from the overall, as fractions; a mean over trainings.

    Attributes:
        value: the estimate.
        error: its standard error; None where the group has too few rows (`MIN_ROWS`).
        freedom: degrees of freedom of that error.
        low, high: 95 % interval of this group alone.
        p: two-sided, of no difference.
        p_holm: corrected for all groups at once (Holm, 1979): family-wise error.
        p_bh: corrected for the rate of false discoveries (Benjamini and Hochberg, 1995).
        shrunken: empirical-Bayes estimate: ``value`` drawn towards 0 by the share of its variance
            that is noise.
    """

    group: str
    num_rows: int
    value: float
    error: float | None = None
    freedom: float | None = None
    low: float | None = None
    high: float | None = None
    p: float | None = None
    p_holm: float | None = None
    p_bh: float | None = None
    shrunken: float | None = None

    @property
    def is_distinct(self) -> bool:
        """Whether the group differs after correction for all groups."""
        return self.p_holm is not None and self.p_holm <= 1 - CONFIDENCE


def biased_effects(rows: GroupedLosses) -> list[Effect]:
    """Equation 2 of each group, not yet corrected for their number: see `corrected`."""
    return _effects(rows, rows.biased, rows.mixed_weights)


def standardised_effects(rows: GroupedLosses) -> list[Effect]:
    """The same with all groups' answers in equal shares: see `GroupedLosses.standardised`."""
    return _effects(rows, rows.standardised, rows.standard_weights)


def corrected(effects: Sequence[Effect]) -> list[Effect]:
    """Effects with the corrected p-values of one family, all that are given."""
    tested = [effect.p for effect in effects if effect.p is not None]
    holms, bhs = iter(holm(tested)), iter(benjamini_hochberg(tested))
    return [
        effect if effect.p is None else replace(effect, p_holm=next(holms), p_bh=next(bhs))
        for effect in effects
    ]


def _effects(rows: GroupedLosses, by_seed: np.ndarray, weights: np.ndarray) -> list[Effect]:
    """Of groups whose strata have these weights, shape [strata, groups, seeds]."""
    if not rows.groups:
        return []
    values = over_seeds(by_seed)
    kept = rows.is_eligible & ~rows.members.all(axis=0)
    trainings = [
        _Trainings.of(rows, by_seed[number], gram)
        for number, gram in enumerate(_grams(rows, weights))
    ]
    own = _shares_of_deviations(rows)
    between = _between(trainings, own, kept)
    num_rows = int(rows.clusters.max(initial=0)) + 1
    freedom = max((num_units(rows.draw_numbers) - 1) * (int(kept.sum()) - 1), 1)
    found = []
    for number, (group, one) in enumerate(zip(rows.groups, trainings, strict=True)):
        effect = Effect(group, int(rows.sizes[number]), float(values[number]))
        if kept[number]:
            by_training = between * own[number] / one.number
            variance = max(one.by_rows + by_training, LEAST * one.by_rows)
            below = one.by_rows**2 / max(num_rows - len(rows.groups), 1)
            if rows.num_seeds > 1:
                below += (by_training + one.apart_by_rows) ** 2 / freedom
            effect = _with_error(effect, variance, variance**2 / below if below else np.inf)
        found.append(effect)
    return _shrunken(found)


@dataclass(frozen=True)
class _Trainings:
    """What those trainings say of a group that have scored rows of it.

    Attributes:
        by_rows: the variance of their mean by rows.
        apart: what `between.pair_weights` makes of how far their estimates are apart.
        apart_by_rows: the same of how far rows alone would have them be.
    """

    number: int
    by_rows: float
    apart: float
    apart_by_rows: float

    @classmethod
    def of(cls, rows: GroupedLosses, values: np.ndarray, gram: np.ndarray) -> _Trainings:
        known = ~np.isnan(values)
        number, gram = int(known.sum()), gram[np.ix_(known, known)]
        weights, own = pair_weights(rows.draw_numbers[known]), np.diag(gram)
        by_rows = (own[:, None] + own[None, :]) / 2 - gram
        return cls(
            number,
            float(gram.sum()) / max(number, 1) ** 2,
            float((weights * half_squares(values[known])).sum()),
            float((weights * by_rows).sum()),
        )


def _between(trainings: Sequence[_Trainings], own: np.ndarray, kept: np.ndarray) -> float:
    """tau^2: S times what trainings alone add to the variance of a mean over S of them."""
    several = [n for n, one in enumerate(trainings) if kept[n] and one.number > 1]
    if not several:
        return 0.0
    beyond = (
        trainings[n].number * (trainings[n].apart - trainings[n].apart_by_rows) for n in several
    )
    return float(sum(beyond) / own[several].sum())


def _shares_of_deviations(rows: GroupedLosses) -> np.ndarray:
    """Of each group the share k."""
    share = rows.sizes / max(rows.present.any(axis=1).sum(), 1)
    return np.asarray((1 - share) ** 2 + (share**2).sum() - share**2)


def _with_error(effect: Effect, variance: float, freedom: float) -> Effect:
    from scipy import stats

    error = float(np.sqrt(variance))
    reach = error * float(stats.t.ppf((1 + CONFIDENCE) / 2, freedom))
    size = abs(effect.value)
    ratio = 0.0 if size < NOTHING else np.inf if error < NOTHING else size / error
    return replace(
        effect,
        error=error,
        freedom=float(freedom),
        low=effect.value - reach,
        high=effect.value + reach,
        p=float(2 * stats.t.sf(ratio, freedom)),
    )


def _grams(rows: GroupedLosses, weights: np.ndarray) -> list[np.ndarray]:
    """Of each group the covariance of its values between seeds by rows, shape [seeds, seeds]."""
    within = _products(rows.residuals, rows.strata) / _num_free(rows)
    grams = []
    for group in range(len(rows.groups)):
        shares = rows.shares(weights, group)
        gram = (_products(shares, rows.strata) * within).sum(axis=0)
        grams.append(gram + _within_clusters(rows, shares))
    return grams


def _num_free(rows: GroupedLosses) -> np.ndarray:
    """By what a sum of products of two seeds' residuals over b rows that both have is divided.

    Of residuals about means over n and m rows it is b (1 - 1/n - 1/m + b/(nm)), which is n - 1
    where all are the same. Shape [strata, seeds, seeds].
    """
    own = np.maximum(rows.cell_sums[1][:, -1], 1)
    both = _products(rows.present, rows.strata)
    first, second = own[:, :, None], own[:, None, :]
    free = both - both / first - both / second + both * both / (first * second)
    return np.asarray(np.maximum(free, 1))


def _within_clusters(rows: GroupedLosses, shares: np.ndarray) -> np.ndarray:
    """What pairs of rows from one template add, shape [seeds, seeds]."""
    if not rows.is_clustered:
        return np.zeros((rows.num_seeds, rows.num_seeds))
    summed, weighed, counted = (
        _sums(values, rows.clusters) for values in (rows.residuals, shares, rows.present)
    )
    covariance = _pairs(summed, rows.residuals) / np.maximum(_pairs(counted, rows.present), 1)
    return np.asarray(_pairs(weighed, shares) * covariance)


def _pairs(sums: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Products of two different rows of one cluster, summed over the clusters."""
    return np.asarray(sums.T @ sums - values.T @ values)


def _sums(values: np.ndarray, numbers: np.ndarray) -> np.ndarray:
    """Over the rows of each number."""
    summed = np.zeros((int(numbers.max(initial=-1)) + 1, values.shape[1]))
    np.add.at(summed, numbers, values)
    return summed


def _products(values: np.ndarray, strata: np.ndarray) -> np.ndarray:
    """Of two seeds' values, summed over the rows of each stratum, shape [strata, seeds, seeds]."""
    found = [values[strata == s].T @ values[strata == s] for s in range(int(strata.max()) + 1)]
    return np.stack(found)


def _shrunken(effects: Sequence[Effect]) -> list[Effect]:
    """With the variance between groups by Paule and Mandel (1982)."""
    from statsmodels.stats.meta_analysis import combine_effects

    known = [effect for effect in effects if (effect.error or 0.0) > NOTHING]
    if len(known) < 2:
        return list(effects)
    values = np.array([effect.value for effect in known])
    variances = np.array([effect.error or 0.0 for effect in known]) ** 2
    with np.errstate(divide="ignore"):  # in a measure of theirs that is not used
        spread = max(float(combine_effects(values, variances, method_re="iterated").tau2), 0.0)
    drawn = dict(
        zip((effect.group for effect in known), spread / (spread + variances), strict=True)
    )
    return [
        replace(effect, shrunken=float(drawn[effect.group] * effect.value))
        if effect.group in drawn
        else effect
        for effect in effects
    ]
