"""A LLaMA as a chain of blocks, whose weights come from elsewhere, for the sharded Hessian."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn
from torch.func import functional_call
from transformers import LlamaConfig, LlamaForCausalLM
from transformers.models.llama.modeling_llama import LlamaRotaryEmbedding

from raysweep.curvature.layerwise import Block
from raysweep.model.architecture import EMBEDDING, HEAD
from raysweep.model.parts import Part
from raysweep.training.batches import Batch
from raysweep.training.loss import Reduction, loss_of_logits

NORM = "model.norm.weight"
Weights = Mapping[str, torch.Tensor]
Arguments = dict[str, Any]


def parameter_names(config: LlamaConfig) -> list[str]:
    """Of all parameters, in the order of the model's ``named_parameters``; tied ones once."""
    return [name for name, _ in _skeleton(config).named_parameters()]


def llama_blocks(
    config: LlamaConfig,
    batches: Sequence[Batch],
    reduction: Reduction = "token",
    dtype: torch.dtype = torch.float32,
    part: Part = "whole",
) -> list[Block]:
    """Embedding, decoder layers, and last norm with output layer and loss.

    The layers are those of transformers, without weights and without dropout, and with eager
    attention, which has all derivatives. Masks and rotary embeddings are computed once.

    Args:
        batches: of this worker.
        dtype: in which the blocks compute.
        part: of the answers, which the loss is taken over.
    """
    model = _skeleton(config)
    recorded = [_layer_arguments(model, batch, dtype) for batch in batches]
    layers = [
        _Layer(f"model.layers.{number}.", layer, [one[number] for one in recorded])
        for number, layer in enumerate(model.model.layers)
    ]
    output = EMBEDDING if config.tie_word_embeddings else HEAD
    embedding = _Embedding(batches, config.pad_token_id)
    return [embedding, *layers, _Loss(model.model.norm, output, batches, reduction, part)]


class _Embedding:
    """The embedding.

    As in transformers and so in training, the padding token's is a constant wherever it is looked
    up, also where that token is part of a text.
    """

    names = (EMBEDDING,)

    def __init__(self, batches: Sequence[Batch], pad_token_id: int | None) -> None:
        self._batches, self._pad = batches, pad_token_id

    def __call__(self, parameters: Weights, state: torch.Tensor | None, batch: int) -> torch.Tensor:
        ids = self._batches[batch].input_ids
        states = F.embedding(ids, parameters[EMBEDDING])
        if self._pad is None:
            return states
        return torch.where((ids == self._pad)[..., None], states.detach(), states)


class _Layer:
    """A decoder layer.

    Args:
        arguments: what the model calls it with beside the states, for each batch.
    """

    def __init__(self, prefix: str, layer: nn.Module, arguments: Sequence[Arguments]) -> None:
        self._prefix, self._layer, self._arguments = prefix, layer, arguments
        self.names = [prefix + name for name, _ in layer.named_parameters()]

    def __call__(self, parameters: Weights, state: torch.Tensor | None, batch: int) -> torch.Tensor:
        own = {name.removeprefix(self._prefix): one for name, one in parameters.items()}
        after: torch.Tensor = functional_call(self._layer, own, (state,), self._arguments[batch])
        return after


class _Loss:
    """The last norm, the output layer at the answers' positions, and the loss."""

    def __init__(
        self,
        norm: nn.Module,
        output: str,
        batches: Sequence[Batch],
        reduction: Reduction,
        part: Part,
    ) -> None:
        self._norm, self._output = norm, output
        self._batches, self._reduction, self._part = batches, reduction, part
        self.names = [NORM, output]

    def __call__(self, parameters: Weights, state: torch.Tensor | None, batch: int) -> torch.Tensor:
        assert state is not None, "it is not the first block"
        rows = self._batches[batch]
        predicting = state[:, -(rows.longest_answer + 1) : -1]
        normed = functional_call(self._norm, {"weight": parameters[NORM]}, (predicting,))
        logits = F.linear(normed, parameters[self._output])
        return loss_of_logits(logits, rows, self._reduction, self._part)


class _Recorder(nn.Module):
    """Stands for a layer and keeps what it is called with."""

    def __init__(self) -> None:
        super().__init__()
        self.arguments: Arguments = {}

    def forward(self, states: torch.Tensor, **arguments: Any) -> torch.Tensor:
        self.arguments = arguments
        return states


def _skeleton(config: LlamaConfig) -> LlamaForCausalLM:
    """The model's structure: its parameters have no memory."""
    config = copy.deepcopy(config)
    config._attn_implementation = "eager"
    with torch.device("meta"):
        model = LlamaForCausalLM(config)
    model.model.rotary_emb = LlamaRotaryEmbedding(config)
    return model.eval()


@torch.no_grad()
def _layer_arguments(model: LlamaForCausalLM, batch: Batch, dtype: torch.dtype) -> list[Arguments]:
    """Masks, positions and so on: what each decoder layer is called with beside the states."""
    inner = copy.copy(model.model)
    inner._modules = dict(inner._modules)
    recorders = [_Recorder() for _ in model.model.layers]
    inner.layers, inner.norm = nn.ModuleList(recorders), nn.Identity()
    shape = (*batch.input_ids.shape, model.config.hidden_size)
    inner.rotary_emb.to(batch.input_ids.device)
    inner(
        inputs_embeds=torch.zeros(shape, dtype=dtype, device=batch.input_ids.device),
        attention_mask=batch.attention_mask,
        position_ids=batch.position_ids,
        use_cache=False,
    )
    return [recorder.arguments for recorder in recorders]
