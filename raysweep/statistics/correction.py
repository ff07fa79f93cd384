"""p-values corrected for their number."""

from __future__ import annotations

from collections.abc import Sequence


def holm(p_values: Sequence[float]) -> list[float]:
    """For the rate of one or more errors in the whole family (Holm, 1979)."""
    return _corrected(p_values, "holm")


def benjamini_hochberg(p_values: Sequence[float]) -> list[float]:
    """For the rate of errors among what is found (Benjamini and Hochberg, 1995)."""
    return _corrected(p_values, "fdr_bh")


def _corrected(p_values: Sequence[float], method: str) -> list[float]:
    from statsmodels.stats.multitest import multipletests

    return [float(p) for p in multipletests(p_values, method=method)[1]] if p_values else []
