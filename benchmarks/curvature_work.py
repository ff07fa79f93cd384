"""What `benchmarks.curvature` gives its contestants: a trained LLaMA and rows; and the truth."""

from __future__ import annotations

import copy
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any
from unittest.mock import patch

import numpy as np
import torch
from scipy.sparse.linalg import LinearOperator, eigsh
from transformers import LlamaConfig, LlamaForCausalLM
from transformers.models.llama import modeling_llama

from raysweep.model.encoding import EncodedRow
from raysweep.training.batches import Batch, collate
from raysweep.training.loss import answer_loss_sum, normaliser


@dataclass(frozen=True)
class Size:
    """Of a LLaMA, and of the prompts it is given."""

    hidden: int
    layers: int
    vocabulary: int
    longest_prompt: int


SIZES = {
    "tiny": Size(hidden=16, layers=2, vocabulary=32, longest_prompt=10),
    "small": Size(hidden=64, layers=4, vocabulary=512, longest_prompt=40),
    "medium": Size(hidden=192, layers=6, vocabulary=2048, longest_prompt=80),
}


@dataclass(frozen=True)
class Work:
    """A model and the batches whose token-mean loss is the one in question.

    Attributes:
        num_tokens: answer tokens in all batches.
    """

    model: LlamaForCausalLM
    batches: list[Batch]
    num_tokens: int

    @property
    def num_parameters(self) -> int:
        """Of the model."""
        return sum(parameter.numel() for parameter in self.model.parameters())

    @property
    def num_rows(self) -> int:
        """In all batches."""
        return sum(len(batch.labels) for batch in self.batches)

    def losses(self) -> list[Callable[[], torch.Tensor]]:
        """A closure for each batch: its summands of the loss."""
        return [partial(answer_loss_sum, self.model, batch) for batch in self.batches]


def make_model(size: Size, device: str = "cpu") -> LlamaForCausalLM:
    """With random weights, the same ones every time; on "meta" with none.

    Attention is eager: the fused kernels have no second derivative, and a peer would stop there.
    """
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=size.vocabulary,
        hidden_size=size.hidden,
        intermediate_size=11 * size.hidden // 4,
        num_hidden_layers=size.layers,
        num_attention_heads=max(size.hidden // 32, 2),
        max_position_embeddings=512,
        attn_implementation="eager",
    )
    with torch.device(device):
        return LlamaForCausalLM(config).eval()


def make_work(size: Size, num_rows: int, batch_size: int = 8, num_steps: int = 50) -> Work:
    """Random rows with answers of one to five tokens, and a model trained on them by Adam.

    Without training the largest and the smallest eigenvalue are nearly of one magnitude.
    """
    draw = random.Random(0)

    def tokens(low: int, high: int) -> tuple[int, ...]:
        return tuple(draw.randrange(3, size.vocabulary) for _ in range(draw.randint(low, high)))

    rows = [EncodedRow(tokens(5, size.longest_prompt), tokens(1, 5)) for _ in range(num_rows)]
    batches = [collate(rows[i : i + batch_size], 0) for i in range(0, num_rows, batch_size)]
    work = Work(make_model(size), batches, normaliser(rows))
    adam = torch.optim.Adam(work.model.parameters(), lr=1e-3)
    for _ in range(num_steps):
        plain_gradient(work)
        adam.step()
    work.model.zero_grad(set_to_none=True)
    return work


def plain_gradient(work: Work) -> None:
    """One gradient of the loss, as training accumulates it."""
    work.model.zero_grad(set_to_none=True)
    for loss in work.losses():
        (loss() / work.num_tokens).backward()


def true_radius(work: Work) -> float:
    """The largest |λ| by plain double backward and ARPACK, in float64, by none of our code.

    It is that of the function, not of its rounding: cosines and sines of the rotary embedding alone
    are rounded to float32, as they are for the contestants.
    """
    work = Work(copy.deepcopy(work.model).double(), work.batches, work.num_tokens)
    parameters = list(work.model.parameters())
    sizes = [parameter.numel() for parameter in parameters]

    def product(flat: np.ndarray) -> np.ndarray:
        vector = torch.from_numpy(flat.ravel()).split(sizes)
        pieces = [piece.view_as(p) for piece, p in zip(vector, parameters, strict=True)]
        total = torch.zeros(sum(sizes), dtype=torch.float64)
        for loss in work.losses():
            gradients = torch.autograd.grad(loss(), parameters, create_graph=True)
            columns = torch.autograd.grad(gradients, parameters, grad_outputs=pieces)
            total += torch.cat([column.reshape(-1) for column in columns])
        return (total / work.num_tokens).numpy()

    with double_arithmetic():
        operator = LinearOperator((sum(sizes), sum(sizes)), matvec=product, dtype=np.float64)
        start = np.random.default_rng(0).standard_normal(sum(sizes))
        found = eigsh(operator, k=1, which="LM", v0=start, tol=1e-8, return_eigenvectors=False)
    return abs(float(found[0]))


@contextmanager
def double_arithmetic() -> Iterator[None]:
    """Replaces what transformers computes in float32 whatever the weights are."""

    def norm(self: Any, states: torch.Tensor) -> torch.Tensor:
        variance = states.pow(2).mean(-1, keepdim=True)
        scale: torch.Tensor = self.weight * torch.rsqrt(variance + self.variance_epsilon)
        return scale * states

    def attention(
        module: Any,
        query: torch.Tensor,
        key: torch.Tensor,
        value: torch.Tensor,
        attention_mask: torch.Tensor,
        scaling: float,
        **_: Any,
    ) -> tuple[torch.Tensor, torch.Tensor]:
        key, value = (one.repeat_interleave(module.num_key_value_groups, 1) for one in (key, value))
        scores = torch.matmul(query, key.transpose(2, 3)) * scaling + attention_mask
        weights = torch.softmax(scores, dim=-1)
        return torch.matmul(weights, value).transpose(1, 2).contiguous(), weights

    with (
        patch.object(modeling_llama.LlamaRMSNorm, "forward", norm),
        patch.object(modeling_llama, "eager_attention_forward", attention),
    ):
        yield
