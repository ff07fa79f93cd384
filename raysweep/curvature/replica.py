"""Hessian-vector products by double backward, every worker holding a whole replica.

The loss is L = 1/N sum_i l_i over the batches of all workers; each computes the part of its own
batches, and the products are summed. Needs the graph of the gradient: about three gradients' time
and twice a gradient's memory.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
import torch.distributed as dist
from torch import nn

Loss = Callable[[], torch.Tensor]


class ReplicaHessian:
    """The Hessian of ``sum of losses / normaliser`` over the parameters of a module.

    Args:
        module: its trainable parameters, in ``parameters()`` order (tied ones once), make the
            vector.
        losses: this worker's summands, each a closure that returns a scalar.
        normaliser: divides the sum over all workers; the number of answer tokens for "token".

    Raises:
        ValueError: the loss is not the same when evaluated twice (dropout, for example), which
            would make every eigenvalue meaningless.
    """

    def __init__(self, module: nn.Module, losses: Sequence[Loss], normaliser: float) -> None:
        self._parameters = [p for p in module.parameters() if p.requires_grad]
        self._losses = losses
        self._normaliser = normaliser
        self._is_distributed = dist.is_initialized() and dist.get_world_size() > 1
        self.num_parameters = sum(p.numel() for p in self._parameters)
        self._probe()

    def product(self, vector: torch.Tensor) -> torch.Tensor:
        """H v for a vector of shape [num_parameters]."""
        pieces = self._unflatten(vector)
        total = torch.zeros_like(vector)
        for loss in self._losses:
            gradients = torch.autograd.grad(loss(), self._parameters, create_graph=True)
            slope = torch.stack(
                [(g * piece).sum() for g, piece in zip(gradients, pieces, strict=True)]
            ).sum()
            second = torch.autograd.grad(slope, self._parameters, materialize_grads=True)
            total += torch.cat([s.reshape(-1) for s in second])
        if self._is_distributed:
            dist.all_reduce(total)
        return total / self._normaliser

    def dot(self, left: torch.Tensor, right: torch.Tensor) -> float:
        """The inner product, in float64."""
        return float(torch.dot(left.double(), right.double()))

    def random_vector(self, seed: int) -> torch.Tensor:
        """A standard normal vector from that seed, drawn on the CPU."""
        first = self._parameters[0]
        generator = torch.Generator().manual_seed(seed)
        vector = torch.randn(self.num_parameters, generator=generator, dtype=first.dtype)
        return vector.to(first.device)

    def _unflatten(self, vector: torch.Tensor) -> list[torch.Tensor]:
        sizes = [p.numel() for p in self._parameters]
        pieces = vector.split(sizes)
        return [piece.view_as(p) for piece, p in zip(pieces, self._parameters, strict=True)]

    @torch.no_grad()
    def _probe(self) -> None:
        for loss in self._losses[:1]:
            first, second = float(loss()), float(loss())
            if first != second:
                raise ValueError(
                    f"the loss is not deterministic ({first!r}, then {second!r}); "
                    "switch dropout and other randomness off"
                )
