"""What is found of a spectrum, with its evidence."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Estimate:
    """The dominant eigenvalue λ as known after some products, and ‖H v - λ v‖."""

    eigenvalue: float
    residual: float


@dataclass(frozen=True)
class SpectralRadius:
    """max |λ| of a symmetric matrix, with its evidence.

    Attributes:
        largest_ritz_value, smallest_ritz_value: both ends of the estimated spectrum.
        history: the estimate after each Hessian-vector product.
        converged: whether the residual reached the tolerance and stayed there. A value that has not
            converged is a lower bound of the spectral radius, nothing more.
        seed: of the start vector.
    """

    largest_ritz_value: float
    smallest_ritz_value: float
    history: tuple[Estimate, ...]
    converged: bool
    seed: int

    @property
    def eigenvalue(self) -> float:
        """The dominant Ritz value, with its sign."""
        return self.history[-1].eigenvalue

    @property
    def value(self) -> float:
        """|eigenvalue|."""
        return abs(self.eigenvalue)

    @property
    def residual(self) -> float:
        """‖H v - λ v‖ for the unit Ritz vector v: an eigenvalue lies within it (Weyl)."""
        return self.history[-1].residual

    @property
    def relative_residual(self) -> float:
        """Residual over value; 0 for the zero matrix."""
        return self.residual / self.value if self.value else 0.0

    @property
    def num_products(self) -> int:
        """Hessian-vector products that it took."""
        return len(self.history)
