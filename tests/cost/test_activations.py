"""Activations by formula, against what PyTorch really holds."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from transformers import LlamaConfig, LlamaForCausalLM

from raysweep.cost.activations import (
    BatchShape,
    curvature_bytes,
    evaluation_bytes,
    kept_bytes,
    layer_product_bytes,
    training_bytes,
    weight_bytes,
)
from raysweep.cost.memory import PRODUCT_VECTORS, WHOLE_BLOCKS
from raysweep.curvature import LayerwiseHessian, ReplicaHessian, Shards
from raysweep.measures.likelihood import score_answers
from raysweep.measures.llama_blocks import llama_blocks
from raysweep.model.architecture import Architecture
from raysweep.model.encoding import EncodedRow
from raysweep.model.llama import Attention, load_model
from raysweep.training.batches import collate
from raysweep.training.loss import answer_loss_sum
from tests.memory_probe import PeakBytes, saved_bytes

ANSWER = 10  # tokens
SHAPES = [
    Architecture(64, 160, 2, 4, 2, head_size=16, vocabulary_size=1000),
    Architecture(128, 256, 4, 4, 4, head_size=32, vocabulary_size=1135),
    Architecture(96, 128, 3, 8, 8, head_size=12, vocabulary_size=5000),
]
BATCHES = [BatchShape(3, 50, ANSWER), BatchShape(4, 200, ANSWER)]


def llama(
    shape: Architecture, folder: Path, dtype: str, attention: Attention = "sdpa"
) -> LlamaForCausalLM:
    """A random model of that shape, loaded as a worker loads it."""
    config = LlamaConfig(
        vocab_size=shape.vocabulary_size,
        hidden_size=shape.hidden_size,
        intermediate_size=shape.intermediate_size,
        num_hidden_layers=shape.num_layers,
        num_attention_heads=shape.num_heads,
        num_key_value_heads=shape.num_key_value_heads,
        head_dim=shape.head_size,
    )
    LlamaForCausalLM(config).save_pretrained(folder)
    return load_model(folder, dtype, attention)


def rows(batch: BatchShape) -> list[EncodedRow]:
    """Rows of which one, if there are several, is shorter, so that it is padded."""
    prompt, answer = (5,) * (int(batch.row_tokens) - ANSWER), tuple(range(3, 3 + ANSWER))
    whole, shorter = EncodedRow(prompt, answer), EncodedRow(prompt[:-3], answer[:-4])
    return [whole, *([whole] * (batch.num_rows - 2)), *([shorter] if batch.num_rows > 1 else [])]


@pytest.mark.parametrize("batch", BATCHES, ids=str)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize(
    ("dtype", "attention"), [("float32", "sdpa"), ("bfloat16", "sdpa"), ("float32", "eager")]
)
def test_what_autograd_keeps(
    shape: Architecture, batch: BatchShape, dtype: str, attention: Attention, tmp_path: Path
) -> None:
    """Within 1 %: the formula leaves out only the indices, of some bytes a token."""
    model, inputs = llama(shape, tmp_path, dtype, attention), collate(rows(batch), 0)
    saved = saved_bytes(model, lambda: answer_loss_sum(model, inputs))
    assert kept_bytes(shape, batch, dtype, attention) == pytest.approx(saved, rel=0.01)


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_the_peak_of_training(shape: Architecture, dtype: str, tmp_path: Path) -> None:
    """Within 20 %, with the gradients, which count as states.

    The formula adds all gradients to all activations, as they are in the second micro-batch, and
    leaves out what one layer's backward pass works with.
    """
    batch = BATCHES[1]
    model, inputs = llama(shape, tmp_path, dtype), collate(rows(batch), 0)
    with PeakBytes(model) as probe:
        for _ in range(2):
            answer_loss_sum(model, inputs).backward()
    gradients = sum(p.numel() for p in model.parameters()) * weight_bytes(dtype)
    assert training_bytes(shape, batch, dtype) + gradients == pytest.approx(probe.peak, rel=0.2)


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize("batch", BATCHES, ids=str)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_the_peak_of_an_evaluation(
    shape: Architecture, batch: BatchShape, dtype: str, tmp_path: Path
) -> None:
    """Within 15 %: rotated queries and the like come and go, all logits are not there at once."""
    model = llama(shape, tmp_path, dtype)
    answers = [(*range(3, 11), 11, 12), (*range(3, 11), 13, 14)]
    prompts = [row.prompt for row in rows(batch)]
    with PeakBytes(model) as probe, torch.no_grad():
        score_answers(model, prompts, answers, 0)
    assert evaluation_bytes(shape, batch, dtype) == pytest.approx(probe.peak, rel=0.15)


@pytest.mark.parametrize("batch", [*BATCHES, BatchShape(1, 20, ANSWER)], ids=str)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_the_peak_of_a_hessian_vector_product(
    shape: Architecture, batch: BatchShape, tmp_path: Path
) -> None:
    """Within 25 %: the factors are a fit over shapes, and both peaks need not coincide.

    Weights and the two vectors of Lanczos are there before the product.
    """
    model = llama(shape, tmp_path, "float32", "eager")
    inputs = collate(rows(batch), 0)
    hessian = ReplicaHessian(model, [lambda: answer_loss_sum(model, inputs)] * 2, 10)
    vector = hessian.random_vector(0)
    with PeakBytes(model) as probe:
        hessian.product(vector)
    vectors = (PRODUCT_VECTORS - 3) * 4 * hessian.num_parameters
    assert curvature_bytes(shape, batch) + vectors == pytest.approx(probe.peak, rel=0.25)


@pytest.mark.parametrize("batch", BATCHES, ids=str)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_the_peak_of_a_layerwise_product(
    shape: Architecture, batch: BatchShape, tmp_path: Path
) -> None:
    """Within 20 %, for the same reasons; weights and two vectors are there before."""
    model = llama(shape, tmp_path, "float32", "eager")
    batches = [collate(rows(batch), 0)] * 2
    hessian = LayerwiseHessian(
        Shards.from_module(model), llama_blocks(model.config, batches), len(batches), 10
    )
    vector = hessian.random_vector(0)
    with PeakBytes(model) as probe:
        hessian.product(vector)
    product = 4 * hessian.num_parameters
    blocks = WHOLE_BLOCKS * 4 * shape.largest_block
    expected = layer_product_bytes(shape, batch, 2 * batch.num_rows) + product + blocks
    assert expected == pytest.approx(probe.peak, rel=0.2)
