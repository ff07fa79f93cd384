"""AdamW that knows how far its last step went."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch

from raysweep.training.settings import Hyperparameters

PIECE = 131_072  # elements per thread: what a piece needs, five numbers an element, is in its cache
Piece = tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]
"""Parameters, their gradient, and the means of gradients and of their squares."""


class NormedAdamW(torch.optim.AdamW):
    """`torch.optim.AdamW` that accumulates ‖θ_after - θ_before‖² over its steps.

    A sharded optimizer may be stepped several times, a part of the parameters each time, within
    one step of training. `pop_change` then gives the whole of it.

    On CPUs it goes piece by piece, small parameters together and large ones cut up: each piece is
    read from memory once, and only that piece is copied. The kernel is that of ``fused=True``, and
    so are the results, to the bit.
    """

    def __init__(self, params: Any, **settings: Any) -> None:
        super().__init__(params, **settings)
        self._squared_change: float | torch.Tensor = 0.0
        self._num_changed = 0

    @classmethod
    def of(cls, parameters: Any, hyperparameters: Hyperparameters) -> NormedAdamW:
        """With a stage's settings."""
        return cls(
            parameters,
            lr=hyperparameters.learning_rate,
            betas=(hyperparameters.beta1, hyperparameters.beta2),
            eps=hyperparameters.epsilon,
            weight_decay=hyperparameters.weight_decay,
        )

    @torch.no_grad()
    def step(self, closure: Any = None) -> Any:
        """One step of AdamW on the parameters that have a gradient."""
        moved = [p for group in self.param_groups for p in group["params"] if p.grad is not None]
        self._num_changed += sum(p.numel() for p in moved)
        if closure is None and all(p.is_cpu and p.is_contiguous() for p in moved):
            for group in self.param_groups:
                for step, pieces in self._batches(group):
                    self._move(pieces, group, step)
            return None
        before = [p.detach().clone() for p in moved]
        result = super().step(closure)
        self._add_change(before, moved)
        return result

    def _batches(self, group: dict[str, Any]) -> Iterator[tuple[float, list[Piece]]]:
        """Pieces that are stepped together, and the number of the step that this is for them."""
        size = PIECE * torch.get_num_threads()
        batch: list[Piece] = []
        number, room = 0.0, size
        for p in group["params"]:
            if p.grad is None:
                continue
            state = self.state[p]
            if not state:
                state.update(step=0.0)
                state.update(exp_avg=torch.zeros_like(p), exp_avg_sq=torch.zeros_like(p))
            state["step"] += 1.0
            for piece in _pieces((p, p.grad, state["exp_avg"], state["exp_avg_sq"]), size):
                if batch and (piece[0].numel() > room or state["step"] != number):
                    yield number, batch
                    batch, room = [], size
                batch.append(piece)
                number, room = state["step"], room - piece[0].numel()
        if batch:
            yield number, batch

    def _move(self, pieces: list[Piece], group: dict[str, Any], step: float) -> None:
        """Decoupled decay, then Adam's step with the bias corrections of that step."""
        parameters, gradients, means, squares = (
            list(tensors) for tensors in zip(*pieces, strict=True)
        )
        before = [_flat(parameters)]
        beta1, beta2 = group["betas"]
        torch._fused_adamw_(
            parameters,
            gradients,
            means,
            squares,
            [],
            [torch.tensor(step)] * len(pieces),
            lr=group["lr"],
            beta1=beta1,
            beta2=beta2,
            weight_decay=group["weight_decay"],
            eps=group["eps"],
            amsgrad=False,
            maximize=False,
        )
        self._add_change(before, [_flat(parameters)])

    def _add_change(self, before: list[torch.Tensor], after: list[torch.Tensor]) -> None:
        for old, new in zip(before, after, strict=True):
            change = old.sub_(new).double().flatten()
            self._squared_change = self._squared_change + change.dot(change)

    def pop_change(self) -> tuple[float | torch.Tensor, int]:
        """Squared norm of the change since the last call, and the number of elements stepped."""
        change = self._squared_change, self._num_changed
        self._squared_change, self._num_changed = 0.0, 0
        return change


def _pieces(tensors: Piece, size: int) -> Iterator[Piece]:
    """Alike pieces of tensors of one shape, of ``size`` elements at most."""
    if tensors[0].numel() <= size:
        yield tensors
    else:
        yield from zip(*(one.reshape(-1).split(size) for one in tensors), strict=True)


def _flat(tensors: list[torch.Tensor]) -> torch.Tensor:
    """A copy, end to end."""
    return torch.cat([one.reshape(-1) for one in tensors])
