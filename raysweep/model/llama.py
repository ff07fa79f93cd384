"""LLaMA models: loading from and saving to a folder."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import torch
from transformers import GenerationConfig, LlamaConfig, LlamaForCausalLM
from transformers.utils.logging import disable_progress_bar

from raysweep.errors import InputError
from raysweep.model.checkpoint import is_tied, read_config
from raysweep.model.encoding import Encoder
from raysweep.model.tokenizer import ENCODING, FILES
from raysweep.model.weight_files import read_tensors

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}
Attention = Literal["sdpa", "eager"]


def load_config(folder: Path) -> LlamaConfig:
    """The configuration of the model that the weights make up.

    The output layer is tied to the embedding where it is so in the loaded model.

    Raises:
        InputError: config.json does not describe a LLaMA.
    """
    content = read_config(folder)
    try:
        config = LlamaConfig.from_pretrained(folder, local_files_only=True)
    except (ValueError, TypeError, LookupError, AttributeError, OSError) as error:
        problem = f"describes no LLaMA ({' '.join(str(error).split())[:200]})"
        raise InputError(str(folder / "config.json"), problem, "fetch the file again") from None
    config.tie_word_embeddings = is_tied(content, read_tensors(folder))
    return config


def without_progress_bars() -> None:
    """Keeps transformers from drawing one for each file that this process reads or writes."""
    disable_progress_bar()


def load_model(folder: Path, dtype: str, attention: Attention = "sdpa") -> LlamaForCausalLM:
    """A model in evaluation mode, from safetensors weights only.

    ``attention="eager"`` has second derivatives; "sdpa" is faster and has none. Nothing is taken
    from a generation_config.json.

    Raises:
        InputError: the weights are not those of the configuration.
    """
    model, outcome = LlamaForCausalLM.from_pretrained(
        folder,
        config=load_config(folder),
        dtype=DTYPES[dtype],
        attn_implementation=attention,
        generation_config=GenerationConfig(),
        use_safetensors=True,
        local_files_only=True,
        output_loading_info=True,
    )
    wrong = {what: sorted(map(str, keys)) for what, keys in outcome.items() if keys}
    if wrong:
        problem = "; ".join(f"{what}: {', '.join(keys[:3])}" for what, keys in wrong.items())
        raise InputError(f"model {folder}", problem, "give weights that fit config.json")
    return model.eval()


def save_model(
    model: LlamaForCausalLM,
    weights: Mapping[str, torch.Tensor],
    folder: Path,
    base: Path,
    encoder: Encoder,
) -> None:
    """Writes ``weights`` as safetensors, with the model's configuration and the base's tokenizer.

    Args:
        base: the folder of the base model, whose tokenizer files are copied as they are.
        encoder: with which the model was trained.
    """
    model.save_pretrained(folder, state_dict=dict(weights), safe_serialization=True)
    for name in FILES:
        if (base / name).is_file():
            shutil.copyfile(base / name, folder / name)
    encoding = {"beginning_mark": bool(encoder.beginning)}
    (folder / ENCODING).write_text(json.dumps(encoding, indent=2) + "\n")
