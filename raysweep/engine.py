"""DeepSpeed: a model sharded over the worker group, and its optimizer.

The only module that imports DeepSpeed.
"""

from __future__ import annotations

import deepspeed
import torch
import torch.distributed as dist
from transformers import LlamaForCausalLM

from raysweep.config import Hyperparameters
from raysweep.optimizer import NormedAdamW


class Engine:
    """Trains a model in place with AdamW under ZeRO 0 to 3.

    `backward` takes this worker's share of the global loss, already divided by the global
    normaliser; the shares of all workers and micro-steps add up to the loss.

    Args:
        num_micro_steps: calls of `backward` before each `step`.
    """

    def __init__(
        self,
        model: LlamaForCausalLM,
        hyperparameters: Hyperparameters,
        *,
        zero_stage: int,
        micro_batch_size: int,
        num_micro_steps: int,
    ) -> None:
        self._adamw = NormedAdamW(
            model.parameters(),
            lr=hyperparameters.learning_rate,
            betas=(hyperparameters.beta1, hyperparameters.beta2),
            eps=hyperparameters.epsilon,
            weight_decay=hyperparameters.weight_decay,
        )
        self._num_parameters = sum(p.numel() for p in model.parameters())
        self._num_summands = dist.get_world_size() * num_micro_steps
        self._zero_stage = zero_stage
        config = {
            "train_micro_batch_size_per_gpu": micro_batch_size,
            "gradient_accumulation_steps": num_micro_steps,
            "gradient_clipping": hyperparameters.gradient_clipping,
            "zero_optimization": {"stage": zero_stage},
            "zero_allow_untested_optimizer": True,
            "bf16": {"enabled": hyperparameters.dtype == "bfloat16"},
            "steps_per_print": 10**9,
        }
        self._engine, *_ = deepspeed.initialize(
            model=model, optimizer=self._adamw, config=config, dist_init_required=False
        )
        self._engine.train()

    @property
    def module(self) -> torch.nn.Module:
        """What to call for a forward pass."""
        return self._engine

    @property
    def device(self) -> torch.device:
        """Where this worker's inputs belong."""
        return self._engine.device

    def backward(self, loss: torch.Tensor) -> None:
        """Adds a share of the loss.

        DeepSpeed averages gradients over workers and micro-steps; the factor makes it a sum.
        """
        self._engine.backward(loss * self._num_summands)

    def step(self, learning_rate: float) -> None:
        """Ends a micro-step; after the last one of a step the parameters move."""
        for group in self._engine.optimizer.param_groups:
            group["lr"] = learning_rate
        self._engine.step()

    def norms(self) -> tuple[float, float]:
        """Norm of the last step's gradient before clipping, and of the parameters' change."""
        squared, num_changed = self._adamw.pop_change()
        totals = torch.tensor([squared, num_changed], dtype=torch.float64, device=self.device)
        dist.all_reduce(totals)
        # Workers hold either disjoint shards (perhaps padded) or copies of everything.
        num_copies = max(1, round(float(totals[1]) / self._num_parameters))
        return float(self._engine.get_global_grad_norm()), float(totals[0] / num_copies) ** 0.5

    def gather_weights(self) -> dict[str, torch.Tensor]:
        """All weights on the CPU of rank 0, an empty dictionary elsewhere.

        One parameter at a time is whole on the other workers.
        """
        weights = {}
        for name, parameter in self._engine.module.named_parameters():
            with deepspeed.zero.GatheredParameters(
                [parameter], enabled=self._zero_stage == 3, modifier_rank=None
            ):
                if dist.get_rank() == 0:
                    weights[name] = parameter.detach().cpu().clone()
        return weights

    def close(self) -> None:
        """Frees the shards and hooks, so that another engine may follow in this process."""
        self._engine.destroy()
