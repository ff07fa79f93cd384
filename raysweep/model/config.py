"""Whether a config.json is that of a LLaMA that is computed here as its authors meant it.

What LLaMA's code takes no notice of, but other models' code does, is refused by its name: it would
be left out without a word. So is what makes results irreproducible (dropout), and position tables
that change with the batch's length.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from raysweep.errors import InputError

ACTIVATIONS = (
    *("silu", "swish", "gelu", "gelu_new", "gelu_fast", "gelu_pytorch_tanh", "quick_gelu"),
    *("mish", "relu", "relu2", "tanh", "sigmoid"),
)
NUMBERS = ("float32", "bfloat16", "float16", "float64", "auto")
ROPES: Mapping[str, tuple[str, ...]] = {
    "default": (),
    "linear": ("factor",),
    "yarn": ("factor",),
    "llama3": ("factor", "low_freq_factor", "high_freq_factor"),
}
"""Rotary embeddings whose tables are fixed, and the numbers that each needs."""
NEUTRAL: Mapping[str, tuple[Any, ...]] = {
    "sliding_window": (),
    "use_sliding_window": (),
    "attention_chunk_size": (),
    "no_rope_layers": ([],),
    "qk_norm": (),
    "use_qk_norm": (),
    "query_pre_attn_scalar": (),
    "attn_logit_softcapping": (),
    "final_logit_softcapping": (),
    "embedding_multiplier": (1,),
    "residual_multiplier": (1,),
    "attention_multiplier": (),
    "logits_scaling": (1,),
    "logit_scale": (1,),
    "num_experts": (),
    "num_local_experts": (),
    "n_routed_experts": (),
    "partial_rotary_factor": (1,),
    "is_encoder_decoder": (),
    "add_cross_attention": (),
    "quantization_config": (),
    "auto_map": (),
}
"""Settings of other models, and the values beside null, false and 0 that change nothing."""
DROPOUT = re.compile(r"dropout|pdrop")
REMEDY = "give a plain LLaMA, or correct the file"


def check_config(config: Mapping[str, Any], path: Path) -> None:
    """Checks a configuration, sizes aside (see `architecture`).

    Args:
        path: of the file, for messages.

    Raises:
        InputError: it asks for something that is not computed here, or a value is of a wrong kind.
    """  # noqa: DOC501  # `_wrong` makes one
    for name, value in config.items():
        if DROPOUT.search(name) and value not in (None, 0, False):
            remedy = "set it to 0.0: finetuning is to give the same weights again"
            raise InputError(str(path), f"{name} = {value!r} drops at random", remedy)
        if name in NEUTRAL and value not in (None, False, 0, *NEUTRAL[name]):
            if name == "sliding_window" and config.get("use_sliding_window") is False:
                continue
            raise InputError(str(path), f"{name} = {_short(value)} is no part of LLaMA", REMEDY)
    kinds = config.get("layer_types")
    if kinds is not None and set(map(str, kinds)) - {"full_attention"}:
        raise InputError(str(path), f"layer_types = {_short(kinds)} is no part of LLaMA", REMEDY)
    for name in ("attention_bias", "mlp_bias", "tie_word_embeddings", "use_cache"):
        if not isinstance(config.get(name, False), bool):
            raise _wrong(path, name, config[name], "is neither true nor false")
    for name in ("rms_norm_eps", "initializer_range"):
        if name in config and not _is_positive(config[name]):
            raise _wrong(path, name, config[name], "is no positive number")
    for name in ("dtype", "torch_dtype"):
        if config.get(name) not in (None, *NUMBERS):
            raise _wrong(path, name, config[name], f"is none of {', '.join(NUMBERS)}")
    activation = config.get("hidden_act", "silu")
    if activation not in ACTIVATIONS:
        problem = f"is unknown; known: {', '.join(ACTIVATIONS)}"
        raise _wrong(path, "hidden_act", activation, problem)
    _check_marks(config, path)
    _check_rope(config, path)


def _check_marks(config: Mapping[str, Any], path: Path) -> None:
    for name in ("bos_token_id", "eos_token_id", "pad_token_id"):
        value = config.get(name)
        listed = value if isinstance(value, list) and name == "eos_token_id" else [value]
        if any(not (one is None or _is_count(one)) for one in listed):
            raise _wrong(path, name, value, "is no token id", "set it to null, or to the right one")
    pad, size = config.get("pad_token_id"), config.get("vocab_size")
    if pad is not None and isinstance(size, int) and pad >= size:
        problem = f"is beyond the embedding of {size} rows (vocab_size)"
        raise _wrong(path, "pad_token_id", pad, problem, "set it to null: padding is masked")


def _check_rope(config: Mapping[str, Any], path: Path) -> None:
    """The rotary embedding, in today's and in the earlier way of writing it."""
    scaling, parameters = config.get("rope_scaling"), config.get("rope_parameters")
    if scaling and parameters and scaling != parameters:
        problem = "rope_scaling and rope_parameters differ"
        raise InputError(str(path), problem, "keep the one that is meant")
    rope = scaling or parameters or {}
    if not isinstance(rope, Mapping):
        raise _wrong(path, "rope_parameters", rope, "is no mapping")
    kind = rope.get("rope_type", rope.get("type", "default"))
    if any(isinstance(value, Mapping) for value in rope.values()) or kind not in ROPES:
        problem = f"rope type {kind!r}: position tables that change with the text are not supported"
        raise InputError(str(path), problem, f"give a LLaMA with {', '.join(ROPES)}")
    if rope.get("partial_rotary_factor", 1) != 1:
        raise _wrong(path, "partial_rotary_factor", rope["partial_rotary_factor"], "is not 1")
    for name in ROPES[kind]:
        if not _is_positive(rope.get(name)):
            raise _wrong(path, f"rope {kind}: {name}", rope.get(name), "is no positive number")
    theta = rope.get("rope_theta", config.get("rope_theta"))
    if theta is not None and not _is_positive(theta):
        raise _wrong(path, "rope_theta", theta, "is no positive number")


def _is_positive(value: Any) -> bool:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return is_number and math.isfinite(value) and value > 0


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _wrong(
    path: Path, name: str, value: Any, problem: str, remedy: str = "fetch the file again"
) -> InputError:
    return InputError(str(path), f"{name} = {_short(value)} {problem}", remedy)
