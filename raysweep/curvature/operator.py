"""What an eigenvalue solver needs to know of a Hessian."""

from __future__ import annotations

from typing import Protocol

import torch


class HessianOperator(Protocol):
    """A symmetric matrix of size ``num_parameters`` known by its products alone.

    Vectors may be local shards: the operator owns inner products and random vectors.
    """

    num_parameters: int

    def product(self, vector: torch.Tensor) -> torch.Tensor:
        """H v, laid out as v is."""

    def dot(self, left: torch.Tensor, right: torch.Tensor) -> float:
        """The inner product over all parameters, accumulated in float64."""

    def random_vector(self, seed: int) -> torch.Tensor:
        """A standard normal vector, the same for any number of workers."""
