"""What a solver needs to know of a Hessian."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Protocol

import torch

CHUNK = 1 << 24  # elements that are copied to float64 at a time


class SymmetricOperator(Protocol):
    """A symmetric matrix of size ``num_parameters`` known by its products alone.

    Vectors may be local shards: the operator owns inner products and random vectors. All methods
    are collective calls where there are several workers.
    """

    num_parameters: int

    def product(self, vector: torch.Tensor) -> torch.Tensor:
        """H v in new memory, laid out as v is."""

    def dot(self, left: torch.Tensor, right: torch.Tensor) -> float:
        """The inner product over all parameters, accumulated in float64."""

    def random_vector(self, seed: int) -> torch.Tensor:
        """A standard normal vector, the same for any number of workers."""


class HessianOperator(SymmetricOperator, Protocol):
    """The Hessian of a loss at a model's parameters."""

    def loss(self) -> float:
        """L, by forward passes alone."""

    def loss_and_gradient(self) -> tuple[float, torch.Tensor]:
        """L, and its gradient laid out as vectors are."""

    def gradient_at(self, change: torch.Tensor, share: float) -> torch.Tensor:
        """The gradient of L at θ + share x change; θ itself is as before afterwards.

        It takes the memory of one further copy of the weights, laid out as they are.
        """

    def vector(self, read: Callable[[str], torch.Tensor]) -> torch.Tensor:
        """A vector of numbers that are given by parameter.

        Args:
            read: a whole tensor by the name of its parameter.
        """


def check_probe(first: float, second: float) -> None:
    """Compares two evaluations of the same loss, before the first product is paid for.

    Raises:
        ValueError: the loss is not finite, or not the same twice: there is no Hessian of it.
    """
    if not math.isfinite(first):
        raise ValueError(f"the loss is {first!r}: there is no curvature to measure")
    if first != second:
        raise ValueError(
            f"the loss is not deterministic ({first!r}, then {second!r}); "
            "switch dropout and other randomness off"
        )


def float64_dot(left: torch.Tensor, right: torch.Tensor) -> torch.Tensor:
    """The inner product of two local vectors in float64, without a float64 copy of them."""
    total = torch.zeros((), dtype=torch.float64, device=left.device)
    for one, other in zip(left.split(CHUNK), right.split(CHUNK), strict=True):
        total += torch.dot(one.double(), other.double())
    return total


def draw_normal(shape: torch.Size, generator: torch.Generator) -> torch.Tensor:
    """The next parameter's share of a random vector: in float32 on the CPU, whatever the model."""
    return torch.randn(shape, generator=generator, dtype=torch.float32)
