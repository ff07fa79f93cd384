"""What a change of the parameters does to the loss, to second order (paper, equations 3 and 4).

With θ₁ after the first stage, θ₂ after the next, d = θ₂ - θ₁ and L the first task's loss,

    L(θ₂) - L(θ₁) ≈ <g, d> + ½ dᵀH d        g = ∇L(θ₁), H = ∇²L(θ₁)
    ½ dᵀH d       ≤ ½ ρ ‖d‖²                 ρ the spectral radius of H

The paper takes θ₁ for a minimum (g = 0) and bounds forgetting by the last term. Here every term is
measured, so that it shows how far that holds.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

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
    """

    loss: float
    gradient_norm: float
    change_norm: float
    linear_term: float
    quadratic_form: float

    @property
    def predicted_increase(self) -> float:
        """<g, d> + ½ dᵀH d."""
        return self.linear_term + self.quadratic_form

    def bound(self, spectral_radius: float) -> float:
        """½ ρ ‖d‖²."""
        return 0.5 * spectral_radius * self.change_norm**2


def expand_change(
    operator: HessianOperator, difference: Callable[[str], torch.Tensor]
) -> ParameterChange:
    """Measures the terms at the operator's parameters: a gradient and one product.

    Args:
        difference: d, a whole tensor by the name of its parameter.
    """
    change = operator.vector(difference)
    loss, gradient = operator.loss_and_gradient()
    linear = operator.dot(gradient, change)
    gradient_norm = operator.dot(gradient, gradient) ** 0.5
    del gradient
    quadratic = 0.5 * operator.dot(change, operator.product(change))
    return ParameterChange(
        loss, gradient_norm, operator.dot(change, change) ** 0.5, linear, quadratic
    )
