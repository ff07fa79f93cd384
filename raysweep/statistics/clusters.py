"""Rows from one template: how alike their losses are, and how many of them tell as much as one."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from raysweep.statistics.grouped_losses import GroupedLosses

ICC = 0.1
"""What is assumed where nothing has been measured. Of BBQ's rows on the embedded default 0.15 was
(standard error 0.07), over three capability tasks trained afterwards."""


@dataclass(frozen=True)
class ClusterCorrelation:
    """Of the losses of two rows from one template.

    Attributes:
        error: standard error, by the jackknife over templates (Efron and Stein, 1981).
        num_clusters: templates with several rows.
    """

    icc: float
    error: float
    num_clusters: int


def cluster_correlation(cells: Iterable[GroupedLosses]) -> ClusterCorrelation | None:
    """The intra-cluster correlation, by pairs of rows of one template.

        icc = mean of r_i r_j over pairs / mean of r_i^2

    with r what a row lost beyond its stratum's mean, itself a mean over the seeds. Chains count by
    what was lost in them.

    Args:
        cells: of a task, each the seeds of one chain.

    Returns:
        None where fewer than two templates have several rows, or nothing was lost.
    """
    found: dict[bytes, np.ndarray] = {}
    for rows in cells:
        same = rows.clusters.tobytes()  # templates of other rows count as other templates
        found[same] = found.get(same, 0) + _parts(rows)
    if not found:
        return None
    parts = np.concatenate(list(found.values()), axis=1)
    total, number = parts.sum(axis=1), parts.shape[1]
    several = int(np.count_nonzero(parts[1]))
    if several < 2 or total[2] == 0:
        return None
    left = _ratio(total[:, None] - parts)
    error = np.sqrt((number - 1) / number * ((left - left.mean()) ** 2).sum())
    return ClusterCorrelation(float(_ratio(total)), float(error), several)


def weighed_rows(own: np.ndarray, everyone: np.ndarray) -> float:
    """Rows of a template as the variance of a group's biased forgetting weighs them.

    With a row's weight a in equation 2 (1 / n_g - 1 / n in the group, - 1 / n outside) it is
    sum over templates of (sum of a)^2 / sum of a^2. Of templates with rows of one group only this
    tends to Kish's sum of m^2 / sum of m. Templates with rows of all groups alike cancel.

    Args:
        own: rows of each template that are of the group.
        everyone: all rows of each template.
    """
    num_own, number = own.sum(), everyone.sum()
    weights = own / num_own - everyone / number
    return float((weights**2).sum() / (1 / num_own - 1 / number))


def _parts(rows: GroupedLosses) -> np.ndarray:
    """Of each template the sum of products, the pairs, the sum of squares and the rows."""
    number = int(rows.clusters.max(initial=-1)) + 1
    seeds = rows.present.sum(axis=1)
    means = rows.residuals.sum(axis=1) / np.maximum(seeds, 1)
    sums, squares, counts = (
        np.bincount(rows.clusters, values, number) for values in (means, means**2, seeds > 0)
    )
    return np.stack([sums**2 - squares, counts**2 - counts, squares, counts])


def _ratio(parts: np.ndarray) -> np.ndarray:
    products, pairs, squares, counts = parts
    return np.asarray(products / pairs / (squares / counts))
