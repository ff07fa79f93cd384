"""LLaMA models and their tokenizers: loading from and saving to a folder."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import torch
from transformers import AutoTokenizer, LlamaForCausalLM, PreTrainedTokenizerFast

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}
Attention = Literal["sdpa", "eager"]


def load_model(folder: Path, dtype: str, attention: Attention = "sdpa") -> LlamaForCausalLM:
    """A model in evaluation mode, from safetensors weights only.

    ``attention="eager"`` has second derivatives; "sdpa" is faster and has none.
    """
    model = LlamaForCausalLM.from_pretrained(
        folder,
        dtype=DTYPES[dtype],
        attn_implementation=attention,
        use_safetensors=True,
        local_files_only=True,
    )
    return model.eval()


def load_tokenizer(folder: Path) -> PreTrainedTokenizerFast:
    """The tokenizer beside the weights; it gets a padding token if it has none.

    Raises:
        ValueError: there is no fast tokenizer, whose character offsets truncation relies on.
    """
    tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    if not tokenizer.is_fast:
        raise ValueError(f"{folder}: no fast tokenizer (tokenizer.json)")
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.eos_token  # padding is masked: which token is all the same
    return tokenizer


def save_model(
    model: LlamaForCausalLM,
    weights: Mapping[str, torch.Tensor],
    tokenizer: PreTrainedTokenizerFast,
    folder: Path,
) -> None:
    """Writes ``weights`` with the model's configuration and the tokenizer, as safetensors."""
    model.save_pretrained(folder, state_dict=dict(weights), safe_serialization=True)
    tokenizer.save_pretrained(folder)
