"""The spectral radius of a symmetric operator by Lanczos' three-term recurrence.

    β_k v_{k+1} = H v_k - α_k v_k - β_{k-1} v_{k-1},   α_k = <v_k, H v_k>

Three vectors, no stored basis and no reorthogonalisation: rounding may repeat Ritz values, which
does not move the extreme ones. With (θ, s) an eigenpair of the tridiagonal matrix T_k, the residual
of the Ritz pair is |β_k s_k| (Golub & Van Loan, Matrix Computations, section 10.1).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch

from raysweep.curvature.operator import HessianOperator

NUM_CONFIRMING = 3  # a small residual proves an eigenvalue, not the dominant one: look further


@dataclass(frozen=True)
class SpectralRadius:
    """max |λ| of a symmetric matrix, with its evidence.

    Attributes:
        value: |eigenvalue|.
        eigenvalue: the dominant Ritz value, with its sign.
        largest_ritz_value, smallest_ritz_value: both ends of the estimated spectrum.
        residual: ‖H v - λ v‖ for the unit Ritz vector v.
        converged: whether residual <= relative_tolerance * value, in `NUM_CONFIRMING` further
            products too unless the whole space was spanned before.
    """

    value: float
    eigenvalue: float
    largest_ritz_value: float
    smallest_ritz_value: float
    residual: float
    num_products: int
    converged: bool
    seed: int

    @property
    def relative_residual(self) -> float:
        """Residual over value; 0 for the zero matrix."""
        return self.residual / self.value if self.value else 0.0


def spectral_radius(
    operator: HessianOperator,
    *,
    seed: int,
    relative_tolerance: float = 1e-3,
    min_products: int = 12,
    max_products: int = 60,
) -> SpectralRadius:
    """Runs Lanczos until the residual is, and for three more products stays, small enough."""
    vector = operator.random_vector(seed)
    vector = vector / operator.dot(vector, vector) ** 0.5
    previous = torch.zeros_like(vector)
    diagonal: list[float] = []
    off_diagonal: list[float] = []
    num_small = 0
    for _ in range(min(max_products, operator.num_parameters)):
        product = operator.product(vector)
        diagonal.append(operator.dot(vector, product))
        product -= diagonal[-1] * vector
        if off_diagonal:
            product -= off_diagonal[-1] * previous
        off_diagonal.append(operator.dot(product, product) ** 0.5)
        estimate = _dominant(diagonal, off_diagonal, seed)
        num_small = num_small + 1 if estimate.relative_residual <= relative_tolerance else 0
        is_invariant = off_diagonal[-1] <= 1e-12 * estimate.value
        is_confirmed = num_small > NUM_CONFIRMING and len(diagonal) >= min_products
        if is_invariant or is_confirmed:
            break
        previous, vector = vector, product / off_diagonal[-1]
    is_complete = is_invariant or len(diagonal) == operator.num_parameters
    return replace(estimate, converged=is_confirmed or (is_complete and num_small > 0))


def _dominant(
    diagonal: list[float],
    off_diagonal: list[float],
    seed: int,
) -> SpectralRadius:
    """The Ritz pair of largest magnitude of the tridiagonal matrix built so far."""
    matrix = np.diag(diagonal)
    inner = off_diagonal[:-1]
    matrix += np.diag(inner, 1) + np.diag(inner, -1)
    ritz, vectors = np.linalg.eigh(matrix)
    index = int(np.argmax(np.abs(ritz)))
    value = float(abs(ritz[index]))
    residual = float(off_diagonal[-1] * abs(vectors[-1, index]))
    return SpectralRadius(
        value=value,
        eigenvalue=float(ritz[index]),
        largest_ritz_value=float(ritz[-1]),
        smallest_ritz_value=float(ritz[0]),
        residual=residual,
        num_products=len(diagonal),
        converged=False,
        seed=seed,
    )
