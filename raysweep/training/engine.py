"""DeepSpeed: a model sharded over the worker group, and its optimizer.

The only module that imports DeepSpeed.
"""

from __future__ import annotations

import deepspeed
import torch
import torch.distributed as dist
import torch.nn.functional as F
from deepspeed.utils import safe_get_local_fp32_param, safe_set_local_fp32_param
from transformers import LlamaForCausalLM

from raysweep.training.optimizer import NormedAdamW
from raysweep.training.plain_engine import on_device
from raysweep.training.settings import Hyperparameters


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
        self._adamw = NormedAdamW.of(model.parameters(), hyperparameters)
        self._num_parameters = sum(p.numel() for p in model.parameters())
        self._num_summands = dist.get_world_size() * num_micro_steps
        self._zero_stage = zero_stage
        config = {
            "train_micro_batch_size_per_gpu": micro_batch_size,
            "gradient_accumulation_steps": num_micro_steps,
            "gradient_clipping": hyperparameters.gradient_clipping,
            "zero_optimization": _zero_settings(zero_stage),
            "zero_allow_untested_optimizer": True,
            "bf16": {"enabled": hyperparameters.dtype == "bfloat16"},
            "steps_per_print": 10**9,
        }
        _without_compilation()
        self._linear = F.linear
        self._engine, *_ = deepspeed.initialize(
            model=model, optimizer=self._adamw, config=config, dist_init_required=False
        )
        if zero_stage == 3:
            _zero_padding(model)
        # Without ZeRO and in float32 DeepSpeed steps AdamW itself and keeps no gradient norm.
        self._is_plain = self._engine.optimizer is self._adamw
        self._gradient_norm: float | torch.Tensor = 0.0
        self._engine.train()

    @property
    def module(self) -> torch.nn.Module:
        """What to call for a forward pass."""
        module: torch.nn.Module = self._engine
        return module

    @property
    def device(self) -> torch.device:
        """Where this worker's inputs belong."""
        return torch.device(self._engine.device)

    def backward(self, loss: torch.Tensor) -> None:
        """Adds a share of the loss.

        DeepSpeed averages gradients over workers and micro-steps; the factor makes it a sum.
        """
        self._engine.backward(loss * self._num_summands)

    def step(self, learning_rate: float) -> None:
        """Ends a micro-step; after the last one of a step the parameters move."""
        for group in self._engine.optimizer.param_groups:
            group["lr"] = learning_rate
        if self._engine.is_gradient_accumulation_boundary() and self._is_plain:
            gradients = [p.grad for p in self._engine.module.parameters() if p.grad is not None]
            self._gradient_norm = torch.nn.utils.get_total_norm(gradients)
        self._engine.step()

    def read(self, sums: torch.Tensor) -> tuple[list[float], float, float]:
        """Sums over all workers, and the norms of the last step, in one collective and one copy.

        Returns:
            the sums; the norm of the gradient before clipping; that of the parameters' change.
        """
        squared, num_changed = self._adamw.pop_change()
        if not self._is_plain:
            self._gradient_norm = self._engine.get_global_grad_norm()
        totals = torch.cat([sums, on_device([squared, num_changed], sums)])
        if dist.get_world_size() > 1:
            dist.all_reduce(totals)
        numbers = torch.cat([totals, on_device([self._gradient_norm], sums)]).tolist()
        *summed, squared, num_changed, gradient_norm = numbers
        # Workers hold either disjoint shards (perhaps padded) or copies of everything.
        num_copies = max(1, round(num_changed / self._num_parameters))
        return summed, gradient_norm, (squared / num_copies) ** 0.5

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
        """Frees the shards and hooks, so that another engine may follow in this process.

        ZeRO-3 also puts a linear layer of its own in the place of PyTorch's, for good. It rounds
        differently: what follows would depend on whether this process had trained before.
        """
        self._engine.destroy()
        F.linear = self._linear


def _zero_settings(stage: int) -> dict[str, int]:
    """ZeRO-3 keeps small parameters whole by default and gathers them one by one after each step.

    That spares GPUs some latency; on CPU workers it made a step of a small model 1.6 times longer.
    """
    if stage == 3 and not torch.cuda.is_available():
        return {"stage": stage, "stage3_param_persistence_threshold": 0}
    return {"stage": stage}


def _without_compilation() -> None:
    """Keeps DeepSpeed from compiling its shared-memory collective, which training never calls.

    It would do so in every worker of a CPU host, and fail where there is no compiler.
    """
    deepspeed.ops.__compatible_ops__["deepspeed_shm_comm"] = False


def _zero_padding(model: LlamaForCausalLM) -> None:
    """Clears the unused end of each parameter's last shard.

    ZeRO-3 cuts a parameter into shards of equal length and leaves what is beyond its end as it
    found the memory; AdamW would decay that too, and the norm of the change would count it.
    """
    for parameter in model.parameters():
        shard = safe_get_local_fp32_param(parameter).clone()
        start = dist.get_rank() * shard.numel()
        shard.view(-1)[max(0, parameter.ds_numel - start) :] = 0
        safe_set_local_fp32_param(parameter, shard)
