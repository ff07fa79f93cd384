"""Activations of a LLaMA: what is held per token while training, evaluating, measuring.

While training it is what autograd keeps of one micro-batch, counted operation by operation as in
Korthikanti et al. (2022), "Reducing Activation Recomputation in Large Transformer Models", section
4.1, for a LLaMA as transformers runs it, without activation checkpointing. With hidden size h,
intermediate size f, n heads of size d and b bytes a number (2 or 4), a layer keeps of one token in
a row of s tokens:

    RMSNorm, twice    2 (4h + 4 + b h)   its input in float32, the root, the normalised input
    their results     2 b h              inputs of the projections that follow
    attention         4 b n d            queries, keys and values (repeated for all heads), output
      "sdpa"          4 n + b s          the softmax's normaliser, and the padding mask
      "eager"         4 n s              the softmax itself, in float32
    SwiGLU            4 b f              gate, its activation, up, and their product

The logits of an answer's positions, their log-softmax and its gradient take 12 bytes for each token
of the vocabulary.

An evaluation holds keys and values of all layers, 2 b k d of a layer and token with k key/value
heads. Beside them it holds, of a token, its embedding, residual stream and normalised input, the
mask as truth values and as numbers, and the larger of attention's and SwiGLU's results,

    3 b h + s + max(4 b n d + b s, 3 b f)

or, after the layers, logits and their log-softmax in float64, b + 16 for each token of the
vocabulary.

A Hessian-vector product by double backward holds, as measured, three times what autograd keeps of
the forward pass with eager attention, and the softmax, s x s a head, five times. Layer by layer it
holds four and six times as much of one layer, and the states and their tangents at the layers'
borders, 8 h a token.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from raysweep.model.architecture import Architecture

GRAPH_FACTOR, SOFTMAX_FACTOR = 3.0, 5.0  # tests/test_activations.py measures them
LAYER_FACTOR, LAYER_SOFTMAX_FACTOR = 4.0, 6.0


@dataclass(frozen=True)
class BatchShape:
    """What a worker works on at once.

    Attributes:
        row_tokens: of the longest row, to whose length all are padded.
        answer_tokens: positions of a row whose logits are computed.
    """

    num_rows: int
    row_tokens: float
    answer_tokens: float

    @property
    def num_tokens(self) -> float:
        """Tokens with padding."""
        return self.num_rows * self.row_tokens

    @property
    def num_answer_tokens(self) -> float:
        """Positions of all rows whose logits are computed."""
        return self.num_rows * self.answer_tokens


def weight_bytes(dtype: str) -> int:
    """Bytes of one number."""
    return 2 if dtype == "bfloat16" else 4


def kept_bytes(
    model: Architecture, batch: BatchShape, dtype: str, attention: Literal["sdpa", "eager"] = "sdpa"
) -> float:
    """What autograd keeps of one forward pass of the training loss, beside the parameters.

    Of the logits that is the log-softmax. The last layer is followed by an RMSNorm whose result is
    needed at the answers' positions only; the rotary embeddings are shared by all layers.
    """
    size, hidden = weight_bytes(dtype), model.hidden_size
    layers = model.num_layers * _layer_bytes(model, batch.row_tokens, size, attention)
    last_norm = 4 * hidden + 4 + size * hidden
    rotary = 2 * size * model.head_size
    answers = batch.num_answer_tokens * (size * hidden + 4 * model.vocabulary_size)
    return batch.num_tokens * (layers + last_norm + rotary) + answers


def training_bytes(model: Architecture, batch: BatchShape, dtype: str) -> float:
    """What is held when the backward pass begins: logits and their gradient come on top."""
    logits = 8 * model.vocabulary_size * batch.num_answer_tokens
    return kept_bytes(model, batch, dtype) + logits


def evaluation_bytes(model: Architecture, batch: BatchShape, dtype: str) -> float:
    """Keys and values of all layers, and the larger of one layer's work and the logits."""
    size = weight_bytes(dtype)
    cache = 2 * size * model.num_key_value_heads * model.head_size * model.num_layers
    attention = 4 * size * model.num_heads * model.head_size + size * batch.row_tokens
    layer = max(attention, 3 * size * model.intermediate_size)
    layer += 3 * size * model.hidden_size + batch.row_tokens
    logits = (size + 16) * model.vocabulary_size * batch.num_answer_tokens
    return batch.num_tokens * cache + max(batch.num_tokens * layer, logits)


def curvature_bytes(model: Architecture, batch: BatchShape) -> float:
    """A Hessian-vector product's, in float32 with eager attention."""
    kept = kept_bytes(model, batch, "float32", "eager")
    softmax = 4 * model.num_heads * batch.row_tokens * batch.num_tokens * model.num_layers
    return GRAPH_FACTOR * (kept - softmax) + SOFTMAX_FACTOR * softmax


def layer_product_bytes(model: Architecture, batch: BatchShape, num_own_rows: int) -> float:
    """A Hessian-vector product's, layer by layer.

    Args:
        num_own_rows: of a worker, whose border states are all held.
    """
    kept = _layer_bytes(model, batch.row_tokens, 4, "eager")
    softmax = 4 * model.num_heads * batch.row_tokens
    graph = LAYER_FACTOR * (kept - softmax) + LAYER_SOFTMAX_FACTOR * softmax
    borders = 8 * model.hidden_size * (model.num_layers + 1)
    return batch.num_tokens * graph + num_own_rows * batch.row_tokens * borders


def _layer_bytes(model: Architecture, row_tokens: float, size: int, attention: str) -> float:
    """What a layer keeps of one token: the table at the top."""
    hidden, heads = model.hidden_size, model.num_heads
    norms = 2 * (4 * hidden + 4 + size * hidden) + 2 * size * hidden
    projected = 4 * size * heads * model.head_size
    softmax = 4 * heads * row_tokens if attention == "eager" else 4 * heads + size * row_tokens
    return norms + projected + softmax + 4 * size * model.intermediate_size
