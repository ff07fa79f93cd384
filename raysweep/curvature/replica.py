"""Hessian-vector products by double backward, every worker holding a whole replica.

    H v = d/dθ <dL/dθ, v>

The loss is L = 1/N sum_i l_i over the batches of all workers; each computes the part of its own
batches, and the products are summed. Needs the graph of the gradient: about three gradients' time
and twice a gradient's memory.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import torch
import torch.distributed as dist
from torch import nn

from raysweep.curvature.backends import twice_differentiable
from raysweep.curvature.operator import check_probe, draw_normal, float64_dot

Loss = Callable[[], torch.Tensor]
Gradients = tuple[torch.Tensor, ...]


class ReplicaHessian:
    """The Hessian of ``sum of losses / normaliser`` over the parameters of a module.

    Args:
        module: its trainable parameters, in ``parameters()`` order (tied ones once), make the
            vector: whole on every worker, as without sharding or under ZeRO 1 and 2.
        losses: this worker's summands, each a closure that returns a scalar; none is allowed.
        normaliser: divides the sum over all workers; the number of answer tokens for "token".
        keep_graph: keeps the gradients' graphs of all losses between products, which then take two
            thirds of the time. The memory is that of all batches together.

    Raises:
        ValueError: the loss is not the same when evaluated twice (dropout, for example), which
            would make every eigenvalue meaningless; parameters are in half precision, in which
            products are noise; or they are sharded by ZeRO-3.
    """

    def __init__(
        self,
        module: nn.Module,
        losses: Sequence[Loss],
        normaliser: float,
        *,
        keep_graph: bool = False,
    ) -> None:
        named = {name: p for name, p in module.named_parameters() if p.requires_grad}
        self._names, self._parameters = list(named), list(named.values())
        self._losses, self._normaliser, self._keep_graph = losses, normaliser, keep_graph
        self._kept: list[Gradients] = []
        self._is_distributed = dist.is_initialized() and dist.get_world_size() > 1
        self.num_parameters = sum(p.numel() for p in self._parameters)
        _check_parameters(named)
        with torch.no_grad():
            for loss in losses[:1]:
                check_probe(float(loss()), float(loss()))

    def product(self, vector: torch.Tensor) -> torch.Tensor:
        """H v for a vector of shape [num_parameters]."""
        pieces = self._unflatten(vector)
        total = torch.zeros_like(vector)
        with twice_differentiable():
            for index in range(len(self._losses)):
                gradients = self._gradients(index)
                slopes = [(g * piece).sum() for g, piece in zip(gradients, pieces, strict=True)]
                slope = torch.stack(slopes).sum()
                total += self._gradient_of(slope, retain_graph=self._keep_graph)
        return self._summed(total)

    @torch.no_grad()
    def loss(self) -> float:
        """L, by forward passes alone."""
        total = torch.zeros(1, dtype=torch.float64, device=self._parameters[0].device)
        for loss in self._losses:
            total += loss()
        return float(self._summed(total))

    def loss_and_gradient(self) -> tuple[float, torch.Tensor]:
        """L, and its gradient of shape [num_parameters]."""
        first = self._parameters[0]
        gradient = torch.zeros(self.num_parameters, dtype=first.dtype, device=first.device)
        total = torch.zeros(1, dtype=torch.float64, device=first.device)
        for loss in self._losses:
            value = loss()
            total += value.detach()
            gradient += self._gradient_of(value)
        return float(self._summed(total)), self._summed(gradient)

    def gradient_at(self, change: torch.Tensor, share: float) -> torch.Tensor:
        """The gradient at θ + share x change, of shape [num_parameters]."""
        with self._moved(change, share):
            return self.loss_and_gradient()[1]

    @contextmanager
    def _moved(self, change: torch.Tensor, share: float) -> Iterator[None]:
        """Within it the parameters are elsewhere; afterwards they are the same memory as before."""
        own = [parameter.data for parameter in self._parameters]
        try:
            for parameter, piece in zip(self._parameters, self._unflatten(change), strict=True):
                parameter.data = parameter.data.add(piece, alpha=share)
            yield
        finally:
            for parameter, data in zip(self._parameters, own, strict=True):
                parameter.data = data

    def dot(self, left: torch.Tensor, right: torch.Tensor) -> float:
        """The inner product, in float64."""
        return float(float64_dot(left, right))

    def random_vector(self, seed: int) -> torch.Tensor:
        """A standard normal vector from that seed, drawn on the CPU."""
        generator = torch.Generator().manual_seed(seed)
        return self._flatten([draw_normal(p.shape, generator).to(p) for p in self._parameters])

    def vector(self, read: Callable[[str], torch.Tensor]) -> torch.Tensor:
        """A vector of numbers that are given by parameter."""
        pairs = zip(self._names, self._parameters, strict=True)
        return self._flatten([read(name).to(parameter) for name, parameter in pairs])

    def _gradients(self, index: int) -> Gradients:
        """Of one loss, with their graph."""
        if index < len(self._kept):
            return self._kept[index]
        gradients = torch.autograd.grad(self._losses[index](), self._parameters, create_graph=True)
        if self._keep_graph:
            self._kept.append(gradients)
        return gradients

    def _gradient_of(self, value: torch.Tensor, *, retain_graph: bool = False) -> torch.Tensor:
        return self._flatten(
            torch.autograd.grad(
                value, self._parameters, materialize_grads=True, retain_graph=retain_graph
            )
        )

    def _summed(self, total: torch.Tensor) -> torch.Tensor:
        if self._is_distributed:
            dist.all_reduce(total)
        return total.div_(self._normaliser)

    def _flatten(self, pieces: Sequence[torch.Tensor]) -> torch.Tensor:
        return torch.cat([piece.reshape(-1) for piece in pieces])

    def _unflatten(self, vector: torch.Tensor) -> list[torch.Tensor]:
        pieces = vector.split([p.numel() for p in self._parameters])
        return [piece.view_as(p) for piece, p in zip(pieces, self._parameters, strict=True)]


def _check_parameters(named: dict[str, nn.Parameter]) -> None:
    for name, parameter in named.items():
        if hasattr(parameter, "ds_id"):
            raise ValueError(
                f"{name} is sharded by ZeRO-3, which frees what a second derivative needs; "
                "use LayerwiseHessian"
            )
        if parameter.dtype not in (torch.float32, torch.float64):
            raise ValueError(
                f"{name} is {parameter.dtype}: products in half precision are off by a percent "
                "or more; load the model in float32, or use LayerwiseHessian, which computes "
                "in float32 from half-precision weights"
            )
