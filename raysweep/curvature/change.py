"""What a change of the parameters does to the loss, to second order (paper, equations 3 and 4).

With θ₁ after the first stage, θ₂ after the next, d = θ₂ - θ₁ and L the first task's loss,

    L(θ₂) - L(θ₁) ≈ <g, d> + ½ dᵀH d        g = ∇L(θ₁), H = ∇²L(θ₁)
    ½ dᵀH d       ≤ ½ ρ ‖d‖²                 ρ the spectral radius of H

The paper takes θ₁ for a minimum (g = 0) and bounds forgetting by the last term. Here every term is
measured, so that it shows how far that holds.

An expansion at θ₁ may be far off at the end of a long d. What holds for any d is

    L(θ₂) - L(θ₁)       = ∫₀¹ <∇L(θ₁ + t d), d> dt ≈ sum_k w_k <∇L(θ₁ + t_k d), d>
    <∇L(θ₂) - g, d>     = ∫₀¹ dᵀ H(θ₁ + t d) d dt

with nodes t_k and weights w_k of Gauss and Legendre, exact where L is along d a polynomial of
degree 2 K or less. The second is dᵀH d on the mean of the way; equation 3 takes that at θ₁.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch

from raysweep.curvature.operator import HessianOperator


@dataclass(frozen=True)
class ParameterChange:
    """The terms of the expansion.

    Attributes:
        loss: L(θ₁).
        gradient_norm: ‖g‖, which is 0 at a minimum.
        change_norm: ‖d‖.
        linear_term: <g, d>.
        quadratic_form: ½ dᵀH d.
        mean_quadratic: the mean of dᵀH(θ₁ + t d) d over t; None where the path is not looked at.
        path_increase: L(θ₂) - L(θ₁) by gradients along the path; None likewise.
        path_points: the number of these gradients.
    """

    loss: float
    gradient_norm: float
    change_norm: float
    linear_term: float
    quadratic_form: float
    mean_quadratic: float | None = None
    path_increase: float | None = None
    path_points: int = 0

    @property
    def predicted_increase(self) -> float:
        """<g, d> + ½ dᵀH d."""
        return self.linear_term + self.quadratic_form

    def bound(self, spectral_radius: float) -> float:
        """½ ρ ‖d‖²."""
        return 0.5 * spectral_radius * self.change_norm**2


def expand_change(
    operator: HessianOperator,
    difference: Callable[[str], torch.Tensor],
    path_points: int = 0,
    on_gradient: Callable[[], object] = lambda: None,
) -> ParameterChange:
    """Measures the terms at the operator's parameters: a gradient and one product.

    Args:
        difference: d, a whole tensor by the name of its parameter.
        path_points: K, of gradients along the path; at its end there is one more. 0 for none.
        on_gradient: called after each of these.
    """
    change = operator.vector(difference)
    loss, gradient = operator.loss_and_gradient()
    linear = operator.dot(gradient, change)
    gradient_norm = operator.dot(gradient, gradient) ** 0.5
    del gradient
    quadratic = 0.5 * operator.dot(change, operator.product(change))

    def slope(share: float) -> float:
        """<∇L(θ₁ + t d), d>."""
        found = operator.dot(operator.gradient_at(change, share), change)
        on_gradient()
        return found

    return ParameterChange(
        loss,
        gradient_norm,
        operator.dot(change, change) ** 0.5,
        linear,
        quadratic,
        slope(1.0) - linear if path_points else None,
        integral(slope, path_points) if path_points else None,
        path_points,
    )


def integral(function: Callable[[float], float], num_points: int) -> float:
    """Over [0, 1], by Gauss and Legendre: exact for polynomials of degree 2 num_points - 1."""
    nodes, weights = np.polynomial.legendre.leggauss(num_points)  # of [-1, 1]
    return sum(
        0.5 * float(weight) * function(0.5 * (1 + float(node)))
        for node, weight in zip(nodes, weights, strict=True)
    )
