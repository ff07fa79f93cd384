"""The contestants of `benchmarks.curvature`: raysweep's operators and solvers, and its peers."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import nn

from benchmarks.curvature_work import Work
from raysweep.curvature import (
    LayerwiseHessian,
    ReplicaHessian,
    Shards,
    SpectralRadius,
    power_iteration,
    spectral_radius,
)
from raysweep.measures.llama_blocks import llama_blocks
from raysweep.training.batches import IGNORED, Batch
from raysweep.training.loss import answer_loss_sum


@dataclass(frozen=True)
class Found:
    """What a contestant says.

    Attributes:
        num_products: Hessian-vector products of its solver.
        converged: whether it says that it has; None where it says nothing about that.
    """

    eigenvalue: float
    num_products: int
    converged: bool | None


Contestant = Callable[[Work, int], Found]
"""Finds the dominant eigenvalue from the start vector of a seed."""


def replica(
    work: Work, seed: int, *, keep_graph: bool = False, solver: Any = spectral_radius
) -> Found:
    """Double backward."""
    operator = ReplicaHessian(work.model, work.losses(), work.num_tokens, keep_graph=keep_graph)
    return _found(solver(operator, seed=seed))


def layerwise(work: Work, seed: int) -> Found:
    """Forward over reverse, block by block; one process holds all shards."""
    blocks = llama_blocks(work.model.config, work.batches)
    shards = Shards.from_module(work.model)
    operator = LayerwiseHessian(shards, blocks, len(work.batches), work.num_tokens)
    return _found(spectral_radius(operator, seed=seed))


def curvlinops(work: Work, seed: int) -> Found:
    """Its Hessian, weighted by answer tokens, with ARPACK.

    Its product needs a forward-mode derivative of SiLU's backward, which PyTorch lacks, so that the
    model's activation is spelled out for it.
    """
    from curvlinops import HessianLinearOperator
    from scipy.sparse.linalg import LinearOperator, eigsh

    model = _Logits(_with_spelled_out_silu(work.model))
    operator = HessianLinearOperator(
        model,
        nn.CrossEntropyLoss(ignore_index=IGNORED),
        list(model.parameters()),
        [({"batch": b}, b.labels[:, -b.longest_answer :].flatten()) for b in work.batches],
        batch_size_fn=lambda inputs: inputs["batch"].num_answer_tokens,
    ).to_scipy()
    num_products = 0

    def product(vector: np.ndarray) -> np.ndarray:
        nonlocal num_products
        num_products += 1
        return np.asarray(operator @ vector)

    counting = LinearOperator(operator.shape, matvec=product, dtype=operator.dtype)
    start = np.random.default_rng(seed).standard_normal(operator.shape[0]).astype(operator.dtype)
    found = eigsh(counting, k=1, which="LM", v0=start, tol=1e-3, return_eigenvectors=False)
    return Found(float(found[0]), num_products, converged=True)  # it raises if it has not


def pyhessian(work: Work, seed: int, *, weigh: bool = True) -> Found:
    """Its power iteration as it is; it weights each batch's loss by the batch's rows.

    Args:
        weigh: scales the batches' losses so that the result is the Hessian of the mean over tokens.
            Otherwise they are the batches' means, as its users write them.
    """
    from pyhessian import hessian

    data = _Passes()
    for batch in work.batches:
        correct = work.num_rows / (len(batch.labels) * work.num_tokens)
        weight = correct if weigh else 1 / batch.num_answer_tokens
        tensors = [one for one in vars(batch).values() if isinstance(one, torch.Tensor)]
        data.append((torch.stack(tensors, dim=-1), torch.tensor(weight)))
    torch.manual_seed(seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # of backward(create_graph=True)
        solver = hessian(_LossSum(work.model), torch.mul, dataloader=data, cuda=False)
        eigenvalues, _ = solver.eigenvalues()
    work.model.zero_grad(set_to_none=True)
    return Found(eigenvalues[0], data.num_passes, converged=None)


def eigenthings(work: Work, seed: int, *, power: bool = False, weigh: bool = True) -> Found:
    """Its solvers as they are (Lanczos: twenty steps for ten pairs); it averages over batches.

    Args:
        weigh: as for `pyhessian`.
    """
    from hessian_eigenthings import HessianOperator, deflated_power_iteration, lanczos

    correct = len(work.batches) / work.num_tokens
    data = [(b, correct if weigh else 1 / b.num_answer_tokens) for b in work.batches]

    def loss(model: nn.Module, weighted: tuple[Batch, float]) -> torch.Tensor:
        return answer_loss_sum(model, weighted[0]) * weighted[1]

    operator = HessianOperator(work.model, data, loss)
    if power:
        found = deflated_power_iteration(operator, k=1, seed=seed)
    else:
        found = lanczos(operator, seed=seed)
    return Found(float(found.eigenvalues[0]), found.iterations, bool(found.converged[0]))


OURS: dict[str, Contestant] = {
    "replica, Lanczos": replica,
    "replica, kept graph, Lanczos": partial(replica, keep_graph=True),
    "layer-wise, Lanczos": layerwise,
    "replica, power iteration": partial(replica, solver=power_iteration),
}
PEERS: dict[str, Contestant] = {
    "curvlinops, ARPACK": curvlinops,
    "PyHessian": pyhessian,
    "PyHessian, batches' means": partial(pyhessian, weigh=False),
    "hessian-eigenthings, Lanczos": eigenthings,
    "hessian-eigenthings, Lanczos, batches' means": partial(eigenthings, weigh=False),
    "hessian-eigenthings, power iteration": partial(eigenthings, power=True),
}
CONTESTANTS = OURS | PEERS


class _Logits(nn.Module):
    """Logits that predict a batch's last positions, of shape [rows x positions, vocabulary]."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, inputs: dict[str, Batch]) -> torch.Tensor:
        batch = inputs["batch"]
        output = self.model(
            input_ids=batch.input_ids,
            attention_mask=batch.attention_mask,
            position_ids=batch.position_ids,
            logits_to_keep=batch.longest_answer + 1,
            use_cache=False,
        )
        logits: torch.Tensor = output.logits[:, :-1]
        return logits.flatten(0, 1)


class _LossSum(nn.Module):
    """A batch's summands of the loss, from its tensors side by side."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, tensors: torch.Tensor) -> torch.Tensor:
        ids, mask, positions, labels, contents = tensors.unbind(-1)
        first = int((labels != IGNORED).any(dim=0).nonzero()[0])
        batch = Batch(ids, mask, positions, labels, contents, tensors.shape[1] - first)
        return answer_loss_sum(self.model, batch)


class _Passes(list[Any]):
    """Batches that count how often they are gone through."""

    num_passes = 0

    def __iter__(self) -> Iterator[Any]:
        self.num_passes += 1
        return super().__iter__()


class _SpelledOutSilu(nn.Module):
    def forward(self, states: torch.Tensor) -> torch.Tensor:
        return states * torch.sigmoid(states)


def _with_spelled_out_silu(model: Any) -> Any:
    model = copy.deepcopy(model)
    for layer in model.model.layers:
        layer.mlp.act_fn = _SpelledOutSilu()
    return model


def _found(radius: SpectralRadius) -> Found:
    return Found(radius.eigenvalue, radius.num_products, radius.converged)
