"""A small LLaMA in float64, and its whole Hessian by plain double backward, column by column."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import torch
from transformers import LlamaConfig, LlamaForCausalLM

from raysweep.curvature import LayerwiseHessian, ReplicaHessian, Shards
from raysweep.measures.llama_blocks import llama_blocks
from raysweep.model.encoding import EncodedRow
from raysweep.model.parts import Part
from raysweep.training.batches import Batch, collate
from raysweep.training.loss import Reduction, answer_loss_sum, normaliser
from tests.models import random_rows

VOCABULARY = 17


def rows(number: int = 6) -> list[EncodedRow]:
    """Rows of unequal lengths over a small vocabulary."""
    return [
        EncodedRow(
            tuple(t % VOCABULARY for t in row.prompt), tuple(t % VOCABULARY for t in row.answer)
        )
        for row in random_rows(number, seed=4)
    ]


def tiny_llama(*, tied: bool = True, steps: int = 0) -> LlamaForCausalLM:
    """Some 1,000 parameters, grouped-query attention; trained for some steps of Adam."""
    torch.manual_seed(1)
    config = LlamaConfig(
        vocab_size=VOCABULARY,
        hidden_size=8,
        intermediate_size=8,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=1,
        max_position_embeddings=64,
        tie_word_embeddings=tied,
    )
    model = LlamaForCausalLM(config).double().eval()
    adam, batch = torch.optim.Adam(model.parameters(), lr=1e-2), collate(rows(), 0)
    for _ in range(steps):
        adam.zero_grad()
        (answer_loss_sum(model, batch) / normaliser(rows())).backward()
        adam.step()
    model.zero_grad(set_to_none=True)
    return model


def batches_of(rows_: list[EncodedRow], size: int = 3) -> list[Batch]:
    return [collate(rows_[i : i + size], 0) for i in range(0, len(rows_), size)]


def parted_rows() -> list[EncodedRow]:
    """The same rows; the content is the answer's last token, and in every other row one more."""
    made = []
    for number, row in enumerate(rows()):
        stop = len(row.answer)
        made.append(replace(row, content=(max(0, stop - 1 - number % 2), stop)))
    return made


def replica(
    model: LlamaForCausalLM,
    reduction: Reduction = "token",
    sign: int = 1,
    part: Part = "whole",
    *,
    keep: bool = False,
) -> ReplicaHessian:
    batches = batches_of(parted_rows())
    losses = [partial(answer_loss_sum, model, batch, reduction, part) for batch in batches]
    return ReplicaHessian(model, losses, sign * normaliser(rows(), reduction), keep_graph=keep)


def layerwise(
    model: LlamaForCausalLM,
    reduction: Reduction = "token",
    sign: int = 1,
    part: Part = "whole",
) -> LayerwiseHessian:
    batches = batches_of(parted_rows())
    return LayerwiseHessian(
        Shards.from_module(model, torch.float64),
        llama_blocks(model.config, batches, reduction, torch.float64, part),
        len(batches),
        sign * normaliser(rows(), reduction),
    )


def dense_hessian(model: LlamaForCausalLM, reduction: Reduction = "token") -> torch.Tensor:
    """All second derivatives, from one padded batch; no code of `raysweep.curvature`."""
    model.config._attn_implementation = "eager"
    loss = answer_loss_sum(model, collate(rows(), 0), reduction) / normaliser(rows(), reduction)
    return second_derivatives(model, loss)


def dense_content_hessian(model: LlamaForCausalLM, reduction: Reduction) -> torch.Tensor:
    """That of the content alone: row by row, every token's -log p picked by hand."""
    model.config._attn_implementation = "eager"
    loss = torch.zeros((), dtype=torch.float64)
    for row in parted_rows():
        assert row.content
        ids = torch.tensor([[*row.prompt, *row.answer]])
        log_p = model(input_ids=ids).logits[0].log_softmax(-1)
        places = [len(row.prompt) + place for place in range(*row.content)]
        own = torch.stack([-log_p[place - 1, ids[0, place]] for place in places]).sum()
        loss = loss + (own if reduction == "token" else own / len(row.answer))
    return second_derivatives(model, loss / normaliser(rows(), reduction))


def second_derivatives(model: LlamaForCausalLM, loss: torch.Tensor) -> torch.Tensor:
    """Of a loss by the model's parameters, a matrix."""
    parameters = list(model.parameters())
    gradients = torch.autograd.grad(loss, parameters, create_graph=True)
    flat = torch.cat([g.reshape(-1) for g in gradients])
    columns = [
        torch.cat([c.reshape(-1) for c in torch.autograd.grad(g, parameters, retain_graph=True)])
        for g in flat
    ]
    return torch.stack(columns)
