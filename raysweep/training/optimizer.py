"""AdamW that knows how far its last step went."""

from __future__ import annotations

from typing import Any

import torch

from raysweep.training.settings import Hyperparameters


class NormedAdamW(torch.optim.AdamW):
    """`torch.optim.AdamW` that accumulates ‖θ_after - θ_before‖² over its steps.

    A sharded optimizer may be stepped several times, a part of the parameters each time, within
    one step of training. `pop_change` then gives the whole of it. Only the part at hand is copied.
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
        before = [p.detach().clone() for p in moved]
        result = super().step(closure)
        for old, new in zip(before, moved, strict=True):
            self._squared_change = self._squared_change + (new - old).double().square().sum()
            self._num_changed += new.numel()
        return result

    def pop_change(self) -> tuple[float, int]:
        """Squared norm of the change since the last call, and the number of elements stepped."""
        change = float(self._squared_change), self._num_changed
        self._squared_change, self._num_changed = 0.0, 0
        return change
