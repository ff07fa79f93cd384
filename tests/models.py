"""Small random LLaMAs and rows for tests of the arithmetic."""

from __future__ import annotations

import random

import torch
from transformers import LlamaConfig, LlamaForCausalLM

from raysweep.model.architecture import Architecture
from raysweep.model.encoding import EncodedRow

VOCABULARY = 97
SMALL = Architecture(32, 64, 2, 4, 2, head_size=8, vocabulary_size=VOCABULARY)
"""Of `small_llama`."""


def small_llama(seed: int = 0, *, tied: bool = True, attention: str = "sdpa") -> LlamaForCausalLM:
    """Two layers, grouped-query attention, 97 tokens."""
    torch.manual_seed(seed)
    config = LlamaConfig(
        vocab_size=VOCABULARY,
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        tie_word_embeddings=tied,
        max_position_embeddings=128,
        attn_implementation=attention,
    )
    return LlamaForCausalLM(config).eval()


def random_rows(number: int, seed: int = 0) -> list[EncodedRow]:
    """Rows of various lengths, answers of one to five tokens."""
    draw = random.Random(seed)

    def tokens(low: int, high: int) -> tuple[int, ...]:
        return tuple(draw.randrange(3, VOCABULARY) for _ in range(draw.randint(low, high)))

    return [EncodedRow(tokens(5, 30), tokens(1, 5)) for _ in range(number)]
