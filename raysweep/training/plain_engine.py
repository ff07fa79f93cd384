"""One worker that shards nothing: PyTorch alone, to the last bit what a plain loop computes.

DeepSpeed has nothing to do there, takes as long to import as many steps of a small model, and adds
to each of them.
"""

from __future__ import annotations

import math

import torch
from transformers import LlamaForCausalLM

from raysweep.training.optimizer import NormedAdamW
from raysweep.training.settings import Hyperparameters


class PlainEngine:
    """Trains a model in place with AdamW; the same calls as `engine.Engine`.

    Args:
        device: where it trains.
        num_micro_steps: calls of `backward` before the parameters move.
    """

    def __init__(
        self,
        model: LlamaForCausalLM,
        hyperparameters: Hyperparameters,
        device: torch.device,
        *,
        num_micro_steps: int,
    ) -> None:
        self.device = device
        self.module: torch.nn.Module = model.to(device)
        self._parameters = list(self.module.parameters())
        self._adamw = NormedAdamW.of(self._parameters, hyperparameters)
        self._clipping = hyperparameters.gradient_clipping
        self._num_micro_steps, self._num_done = num_micro_steps, 0
        self._gradient_norm = 0.0
        self.module.train()

    def backward(self, loss: torch.Tensor) -> None:
        """Adds a share of the loss."""
        loss.backward()

    def step(self, learning_rate: float) -> None:
        """Ends a micro-step; after the last one of a step the parameters move."""
        self._num_done += 1
        if self._num_done % self._num_micro_steps:
            return
        for group in self._adamw.param_groups:
            group["lr"] = learning_rate
        limit = self._clipping or math.inf
        self._gradient_norm = float(torch.nn.utils.clip_grad_norm_(self._parameters, limit))
        self._adamw.step()
        self._adamw.zero_grad()

    def norms(self) -> tuple[float, float]:
        """Norm of the last step's gradient before clipping, and of the parameters' change."""
        squared, _ = self._adamw.pop_change()
        return self._gradient_norm, squared**0.5

    def gather_weights(self) -> dict[str, torch.Tensor]:
        """All weights, on the CPU."""
        return {
            name: parameter.detach().cpu().clone()
            for name, parameter in self.module.named_parameters()
        }

    def close(self) -> None:
        """Nothing is held beside the model."""
