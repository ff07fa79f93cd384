"""The spectral radius by power iteration, as the paper's tools compute it.

    v_{k+1} = H v_k / ‖H v_k‖,   λ_k = <v_k, H v_k>,   residual ‖H v_k - λ_k v_k‖

It converges with the ratio of the two largest magnitudes, so that it needs two to six times as many
products as Lanczos; and it never settles where a positive and a negative eigenvalue are of one
magnitude. The usual rule, to stop when λ_k hardly changes, takes slow progress for convergence; the
residual does not.
"""

from __future__ import annotations

from raysweep.curvature.lanczos import OnProduct
from raysweep.curvature.operator import SymmetricOperator
from raysweep.curvature.spectrum import Estimate, SpectralRadius


def power_iteration(
    operator: SymmetricOperator,
    *,
    seed: int,
    relative_tolerance: float = 1e-3,
    min_products: int = 12,
    max_products: int = 200,
    on_product: OnProduct | None = None,
) -> SpectralRadius:
    """Iterates until the residual over the value is small enough.

    Args:
        seed: of the start vector.
        on_product: called after each Hessian-vector product.

    Returns:
        A result whose both Ritz values are the eigenvalue: nothing is known of the other end.
    """
    vector = operator.random_vector(seed)
    vector /= operator.dot(vector, vector) ** 0.5
    history: list[Estimate] = []
    while True:
        product = operator.product(vector)
        eigenvalue = operator.dot(vector, product)
        vector.mul_(-eigenvalue).add_(product)
        history.append(Estimate(eigenvalue, operator.dot(vector, vector) ** 0.5))
        if on_product:
            on_product(history[-1])
        is_small = history[-1].residual <= relative_tolerance * abs(eigenvalue)
        converged = is_small and len(history) >= min(min_products, operator.num_parameters)
        length = operator.dot(product, product) ** 0.5
        if converged or len(history) == max_products or length == 0:
            return SpectralRadius(eigenvalue, eigenvalue, tuple(history), is_small, seed)
        vector = product.div_(length)
