"""One worker with the whole model: the engine's work without DeepSpeed."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from transformers import LlamaForCausalLM

from raysweep.training.optimizer import NormedAdamW
from raysweep.training.settings import Hyperparameters


class PlainEngine:
    """Does what `engine.Engine` does under ZeRO 0 with one worker in float32, to the bit.

    There DeepSpeed has AdamW step the parameters themselves. All that it adds is its import, which
    takes seconds, and collectives with nobody else in them. Factors and orders of sums are its own.

    Args:
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
        self.module: torch.nn.Module = model.to(device).train()
        self._parameters = list(model.parameters())
        self._adamw = NormedAdamW.of(self._parameters, hyperparameters)
        self._limit = hyperparameters.gradient_clipping
        self._num_micro_steps, self._num_done = num_micro_steps, 0
        self._gradient_norm: float | torch.Tensor = 0.0

    def backward(self, loss: torch.Tensor) -> None:
        """Adds a share of the loss, by the factors that make DeepSpeed's mean a sum."""
        (loss * self._num_micro_steps / self._num_micro_steps).backward()

    def step(self, learning_rate: float) -> None:
        """Ends a micro-step; after the last one of a step the parameters move."""
        self._num_done += 1
        if self._num_done % self._num_micro_steps:
            return
        for group in self._adamw.param_groups:
            group["lr"] = learning_rate
        self._clip()
        self._adamw.step()
        self._adamw.zero_grad()

    def _clip(self) -> None:
        """Scales the gradient to the limit where its norm exceeds it."""
        gradients = [p.grad for p in self._parameters if p.grad is not None]
        norms = torch.stack(torch._foreach_norm(gradients))
        self._gradient_norm = torch.linalg.vector_norm(norms)
        if self._limit > 0:
            norm = norms.pow(2.0).sum().pow(0.5)  # as DeepSpeed sums it; the two differ by rounding
            factor = torch.full_like(norm, self._limit) / (norm + 1e-6)
            torch._foreach_mul_(gradients, factor.clamp(max=1.0))

    def read(self, sums: torch.Tensor) -> tuple[list[float], float, float]:
        """The sums, the gradient's norm before clipping, and the norm of the parameters' change."""
        squared, _ = self._adamw.pop_change()
        numbers = torch.cat([sums, on_device([squared, self._gradient_norm], sums)]).tolist()
        *summed, squared_change, gradient_norm = numbers
        return summed, gradient_norm, squared_change**0.5

    def gather_weights(self) -> dict[str, torch.Tensor]:
        """All weights on the CPU."""
        return {name: p.detach().cpu() for name, p in self.module.named_parameters()}

    def close(self) -> None:
        """Nothing is left behind."""


def on_device(numbers: Sequence[float | torch.Tensor], like: torch.Tensor) -> torch.Tensor:
    """Numbers side by side, some of which are on the device already and are not waited for."""
    placed = (torch.as_tensor(one, dtype=like.dtype, device=like.device) for one in numbers)
    return torch.stack([one.reshape(()) for one in placed])
