"""The tiny base before pretraining: a plain `LlamaForCausalLM` with helpful initial weights.

A small model finds it hard to look up the letter of an option. From the usual initial weights the
look-up was not learned in thousands of steps; from these it takes a hundred. W_V is orthogonal and
the same in all layers, W_O its transpose (heads copy), W_K equals W_Q (some heads match tokens),
and the heads of the first layer look one or two tokens back. All of it is an initial value; the
architecture is the ordinary one.
"""

from __future__ import annotations

import torch
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast
from transformers.models.llama.modeling_llama import LlamaAttention

WIDTH, NUM_LAYERS, NUM_HEADS, MLP_WIDTH = 128, 4, 4, 256
HEAD_WIDTH = WIDTH // NUM_HEADS
ROPE_THETA = 500.0
STD = 0.12
OFFSETS = (1, 1, 2, 2)  # how far back the heads of the first layer look
NEAR, FAR = 4.0, 2.0  # strength of the pull in the first layer, and of the push in the others
FIRST_MATCH, MATCH, WEAK_MATCH = 0.3, 2.5, 0.25  # gain of W_Q and W_K
NUM_MATCHING = 2  # heads that match tokens in the later layers; the others begin near the average
FIRST_COPY, COPY = 0.07, 0.3  # gain of W_O; the first layer must not drown the embeddings
NUM_FAST = 8  # of a head's 16 rotary frequencies: too fast to match tokens at any distance


def new_model(tokenizer: PreTrainedTokenizerFast, seed: int) -> LlamaForCausalLM:
    """An untrained model for the tokenizer's vocabulary."""
    torch.manual_seed(seed)
    model = LlamaForCausalLM(
        LlamaConfig(
            vocab_size=len(tokenizer),
            hidden_size=WIDTH,
            intermediate_size=MLP_WIDTH,
            num_hidden_layers=NUM_LAYERS,
            num_attention_heads=NUM_HEADS,
            num_key_value_heads=NUM_HEADS,
            max_position_embeddings=2048,
            rope_parameters={"rope_type": "default", "rope_theta": ROPE_THETA},
            attention_bias=True,
            tie_word_embeddings=True,
            bos_token_id=tokenizer.bos_token_id,
            eos_token_id=tokenizer.eos_token_id,
            pad_token_id=tokenizer.pad_token_id,
        )
    )
    _initialise(model)
    return model


@torch.no_grad()
def _initialise(model: LlamaForCausalLM) -> None:
    for parameter in model.parameters():
        if parameter.dim() == 2:
            parameter.normal_(0.0, STD)
    value = _orthogonal()
    for index, layer in enumerate(model.model.layers):
        attention, is_first = layer.self_attn, index == 0
        match = _orthogonal() * (FIRST_MATCH if is_first else WEAK_MATCH)
        if not is_first:
            match[: NUM_MATCHING * HEAD_WIDTH] *= MATCH / WEAK_MATCH
            match[_fast_rows()] *= 0.1
        attention.q_proj.weight.copy_(match)
        attention.k_proj.weight.copy_(match)
        attention.v_proj.weight.copy_(value)
        attention.o_proj.weight.copy_((FIRST_COPY if is_first else COPY) * value.T)
        layer.mlp.down_proj.weight.mul_(0.1)
        for head, offset in enumerate(OFFSETS):
            if is_first:
                _pull(attention, head, offset)
            elif head < NUM_MATCHING:
                _push(attention, head)


def _orthogonal() -> torch.Tensor:
    return torch.nn.init.orthogonal_(torch.empty(WIDTH, WIDTH))


def _fast_rows() -> torch.Tensor:
    """Rows of W_Q and W_K that turn fast with the position, shape [width]."""
    return torch.arange(HEAD_WIDTH).remainder(HEAD_WIDTH // 2).lt(NUM_FAST).repeat(NUM_HEADS)


def _pull(attention: LlamaAttention, head: int, offset: int) -> None:
    """Biases with which a head prefers the token ``offset`` places back.

    Keys hold the query's vector turned by the offset: after the rotary turn by position, their
    product is largest where the two turns cancel.
    """
    angles = offset / ROPE_THETA ** (torch.arange(0, HEAD_WIDTH, 2) / HEAD_WIDTH)
    rows, half = _rows(head), HEAD_WIDTH // 2
    attention.q_proj.bias[rows] = NEAR * torch.cat([torch.ones(half), torch.zeros(half)])
    attention.k_proj.bias[rows] = NEAR * torch.cat([angles.cos(), angles.sin()])


def _push(attention: LlamaAttention, head: int) -> None:
    """Biases that keep a head from the nearest tokens.

    A head that matches tokens would mostly find the very token that it stands on.
    """
    direction = torch.arange(HEAD_WIDTH).lt(NUM_FAST).float()
    attention.q_proj.bias[_rows(head)] = FAR * direction
    attention.k_proj.bias[_rows(head)] = -FAR * direction


def _rows(head: int) -> slice:
    return slice(head * HEAD_WIDTH, (head + 1) * HEAD_WIDTH)
