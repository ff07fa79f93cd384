"""The spectral radius of a symmetric operator by Lanczos' three-term recurrence.

    β_k v_{k+1} = H v_k - α_k v_k - β_{k-1} v_{k-1},   α_k = <v_k, H v_k>

Three vectors, no stored basis and no reorthogonalisation: rounding may repeat Ritz values, which
does not move the extreme ones. With (θ, s) an eigenpair of the tridiagonal matrix T_k, the residual
of the Ritz pair is |β_k s_k| (Golub & Van Loan, Matrix Computations, section 10.1).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch

from raysweep.curvature.operator import SymmetricOperator
from raysweep.curvature.spectrum import Estimate, SpectralRadius

NUM_CONFIRMING = 3  # a small residual proves an eigenvalue, not the dominant one: look further
NEGLIGIBLE = 1e-12  # of the value: a β this small means that the space is spanned

OnProduct = Callable[[Estimate], None]


def spectral_radius(
    operator: SymmetricOperator,
    *,
    seed: int,
    relative_tolerance: float = 1e-3,
    min_products: int = 12,
    max_products: int = 60,
    on_product: OnProduct | None = None,
) -> SpectralRadius:
    """Runs Lanczos until the residual is, and for three more products stays, small enough.

    Args:
        seed: of the start vector.
        relative_tolerance: residual over value.
        on_product: called after each Hessian-vector product.
    """
    vector = operator.random_vector(seed)
    vector /= operator.dot(vector, vector) ** 0.5
    previous = torch.zeros_like(vector)
    diagonal: list[float] = []
    off_diagonal: list[float] = []
    history: list[Estimate] = []
    num_small = 0
    while True:
        product = operator.product(vector)
        diagonal.append(operator.dot(vector, product))
        product.sub_(vector, alpha=diagonal[-1])
        if off_diagonal:
            product.sub_(previous, alpha=off_diagonal[-1])
        off_diagonal.append(operator.dot(product, product) ** 0.5)
        ritz, estimate = _ritz(diagonal, off_diagonal)
        history.append(estimate)
        if on_product:
            on_product(estimate)
        size = abs(estimate.eigenvalue)
        num_small = num_small + 1 if estimate.residual <= relative_tolerance * size else 0
        is_spanned = off_diagonal[-1] <= NEGLIGIBLE * size
        is_spanned = is_spanned or len(history) == operator.num_parameters
        is_confirmed = num_small > NUM_CONFIRMING and len(history) >= min_products
        if is_spanned or is_confirmed or len(history) == max_products:
            converged = is_confirmed or (is_spanned and num_small > 0)
            return SpectralRadius(ritz[-1], ritz[0], tuple(history), converged, seed)
        previous, vector = vector, product.div_(off_diagonal[-1])


def _ritz(diagonal: list[float], off_diagonal: list[float]) -> tuple[list[float], Estimate]:
    """All Ritz values, ascending, and the pair of largest magnitude."""
    inner = off_diagonal[:-1]
    matrix = np.diag(diagonal) + (np.diag(inner, 1) + np.diag(inner, -1))
    ritz, vectors = np.linalg.eigh(matrix)
    index = int(np.argmax(np.abs(ritz)))
    residual = float(off_diagonal[-1] * abs(vectors[-1, index]))
    return ritz.tolist(), Estimate(float(ritz[index]), residual)
