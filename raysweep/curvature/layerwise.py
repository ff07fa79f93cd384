"""Exact Hessian-vector products of sharded models: forward over reverse, block by block.

The model is a chain of blocks, h_{l+1} = f_l(θ_l, h_l), that ends in the loss. A tangent v of the
parameters moves each state along ḣ_{l+1} = ∂f_l/∂θ_l v_l + ∂f_l/∂h_l ḣ_l, and L̇ = <dL/dθ, v> at the
end; the gradient of L̇ is H v (Pearlmutter, 1994). Both sweeps hold one block at a time:

    forward    gather θ_l and v_l; keep (h_l, ḣ_l); compute (h_{l+1}, ḣ_{l+1})
    backward   gather θ_l and v_l again; compute (h_{l+1}, ḣ_{l+1}) from what was kept, now with a
               graph; pull the cotangents of both back to (h_l, ḣ_l) and θ_l; scatter the latter

Weights and vectors stay cut into shards. Beside them a worker holds one block's weights, tangents
and gradients, one block's graph for one batch, and the states at the blocks' borders, as activation
checkpointing does. All workers make the same collective calls, whatever their batches.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Protocol

import torch
from torch.func import jvp

from raysweep.curvature.backends import twice_differentiable
from raysweep.curvature.operator import check_probe
from raysweep.curvature.shards import Shards, Tensors

State = tuple[torch.Tensor, ...]
"""Nothing before the first block; then h, or h and its tangent."""


class Block(Protocol):
    """One link of the chain. It must have no randomness and no parameters but the named ones.
    Several blocks may share a parameter, as with tied embeddings.
    """

    @property
    def names(self) -> Sequence[str]:
        """Of its parameters."""

    def __call__(
        self, parameters: Mapping[str, torch.Tensor], state: torch.Tensor | None, batch: int
    ) -> torch.Tensor:
        """The next state for this worker's batch of that number.

        The first block gets no state, and the last one returns the batch's loss, a scalar.
        """


class LayerwiseHessian:
    """The Hessian of ``sum of losses / normaliser`` over the parameters of a chain of blocks.

    Args:
        num_batches: of this worker; none is allowed.
        normaliser: divides the sum over all workers; the number of answer tokens for "token".

    Raises:
        ValueError: the weights are not those of the blocks, because of adapters for example; or the
            loss is not the same when evaluated twice, which would make every eigenvalue
            meaningless.
    """

    def __init__(
        self, shards: Shards, blocks: Sequence[Block], num_batches: int, normaliser: float
    ) -> None:
        known = {name for block in blocks for name in block.names}
        for name in {*shards.names} ^ known:
            where = "in no block" if name in shards.names else "not among the weights"
            raise ValueError(
                f"parameter {name} is {where}: the blocks must be those of the model, without "
                "adapters such as LoRA's; merge these, or use ReplicaHessian"
            )
        self._shards, self._blocks = shards, blocks
        self._num_batches, self._normaliser = num_batches, normaliser
        self.num_parameters = shards.num_parameters
        self.dot, self.vector = shards.dot, shards.vector
        self.random_vector = shards.random_vector
        check_probe(self.loss(), self.loss())

    def product(self, vector: torch.Tensor) -> torch.Tensor:
        """H v, both as local shards."""
        return self._differentiate(vector)[1]

    @torch.no_grad()
    def loss(self) -> float:
        """L, by forward passes alone."""
        states = self._forward(None)[-1]
        link = _Link(self._blocks[-1], self._shards, None)
        total = torch.zeros((), dtype=torch.float64, device=self._shards.device)
        for batch, state in enumerate(states):
            total += link.push(state, batch)[-1]
        return self._shards.total(total) / self._normaliser

    def loss_and_gradient(self) -> tuple[float, torch.Tensor]:
        """L, and its gradient as local shards."""
        total, gradient = self._differentiate(None)
        return self._shards.total(total), gradient

    def gradient_at(self, change: torch.Tensor, share: float) -> torch.Tensor:
        """The gradient at θ + share x change, as local shards."""
        there = copy.copy(self)
        there._shards = self._shards.moved(change, share)
        return there.loss_and_gradient()[1]

    def _differentiate(self, vector: torch.Tensor | None) -> tuple[torch.Tensor, torch.Tensor]:
        """This worker's part of L, and dL/dθ; given a tangent, of L̇ and dL̇/dθ."""
        with twice_differentiable():
            kept = self._forward(vector)
            total = torch.zeros((), dtype=torch.float64, device=self._shards.device)
            out = self._shards.zeros()
            cotangents: list[State] = [()] * self._num_batches
            for block in reversed(self._blocks):
                link = _Link(block, self._shards, vector)
                states = kept.pop()
                for batch, state in enumerate(states):
                    last, cotangents[batch] = link.pull_back(state, cotangents[batch], batch)
                    if block is self._blocks[-1]:
                        total += last.detach()
                    states[batch] = ()  # frees it
                self._shards.scatter_add(link.gradients, out)
        return total / self._normaliser, out.div_(self._normaliser)

    @torch.no_grad()
    def _forward(self, vector: torch.Tensor | None) -> list[list[State]]:
        """The states that enter each block, by batch."""
        states: list[State] = [()] * self._num_batches
        kept = [states]
        for block in self._blocks[:-1]:
            link = _Link(block, self._shards, vector)
            states = [link.push(state, batch) for batch, state in enumerate(states)]
            kept.append(states)
        return kept


class _Link:
    """A block with its gathered weights and tangents.

    Attributes:
        gradients: by parameter, summed over the batches that were pulled back.
    """

    def __init__(self, block: Block, shards: Shards, vector: torch.Tensor | None) -> None:
        self._block = block
        self._parameters = shards.gather(block.names)
        self._tangents = None if vector is None else shards.gather(block.names, vector)
        self.gradients = {name: torch.zeros_like(p) for name, p in self._parameters.items()}

    def push(self, state: State, batch: int) -> State:
        """The next state; with its tangent if there is one."""

        def function(parameters: Tensors, given: torch.Tensor | None = None) -> torch.Tensor:
            return self._block(parameters, given, batch)

        if self._tangents is None:
            return (function(self._parameters, *state),)
        primals, tangents = (self._parameters, *state[:1]), (self._tangents, *state[1:])
        return jvp(function, primals, tangents)

    def pull_back(self, state: State, cotangents: State, batch: int) -> tuple[torch.Tensor, State]:
        """The last of what the block computes, and the cotangents of the state it was given.

        Args:
            cotangents: of the next state; nothing for the last block, whose last output is what is
                differentiated.
        """
        inputs = [*(one.requires_grad_() for one in state)]
        inputs += [one.requires_grad_() for one in self._parameters.values()]
        outputs = self.push(state, batch)
        if not cotangents:
            outputs = outputs[-1:]
            cotangents = (torch.ones_like(outputs[0]),)
        linked = [pair for pair in zip(outputs, cotangents, strict=True) if pair[0].requires_grad]
        ends, pulls = zip(*linked, strict=True)
        found = torch.autograd.grad(ends, inputs, pulls, materialize_grads=True)
        for total, one in zip(self.gradients.values(), found[len(state) :], strict=True):
            total += one
        return outputs[-1], found[: len(state)]
