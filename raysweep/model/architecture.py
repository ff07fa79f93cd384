"""The shape of a LLaMA: what of its config.json decides how much memory it takes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from raysweep.errors import InputError

EMBEDDING, HEAD = "model.embed_tokens.weight", "lm_head.weight"


@dataclass(frozen=True)
class Architecture:
    """Sizes of a LLaMA (Touvron et al., 2023).

    Attributes:
        hidden_size: of the residual stream.
        intermediate_size: of the gated feed-forward network.
        num_key_value_heads: fewer than ``num_heads`` with grouped-query attention.
        head_size: of one query, key or value.
        vocabulary_size: logits of a position.
    """

    hidden_size: int
    intermediate_size: int
    num_layers: int
    num_heads: int
    num_key_value_heads: int
    head_size: int
    vocabulary_size: int

    @property
    def largest_block(self) -> int:
        """Parameters of the larger of a decoder layer and the embedding."""
        attention = (
            2 * self.hidden_size * self.head_size * (self.num_heads + self.num_key_value_heads)
        )
        layer = attention + 3 * self.hidden_size * self.intermediate_size + 2 * self.hidden_size
        return max(layer, self.hidden_size * self.vocabulary_size)


def read_architecture(config: Mapping[str, Any], path: Path) -> Architecture:
    """The sizes in a model's configuration.

    As in transformers, ``num_key_value_heads`` is the number of heads where it is absent, and
    ``head_dim`` the hidden size's share of a head.

    Args:
        path: of the file, for messages.

    Raises:
        InputError: a size is missing, or no positive whole number, or does not fit the others.
    """  # noqa: DOC501  # `_mistake` makes one
    hidden_size = _size(config, "hidden_size", path)
    num_heads = _size(config, "num_attention_heads", path)
    num_key_value_heads = _size(config, "num_key_value_heads", path, default=num_heads)
    if num_heads % num_key_value_heads:
        problem = f"is no divisor of the {num_heads} num_attention_heads"
        raise _mistake(path, "num_key_value_heads", num_key_value_heads, problem)
    if hidden_size % num_heads:
        problem = f"is no divisor of hidden_size {hidden_size}"
        raise _mistake(path, "num_attention_heads", num_heads, problem)
    head_size = _size(config, "head_dim", path, default=hidden_size // num_heads)
    if head_size % 2:
        problem = "is odd, and rotary embeddings turn pairs of numbers"
        raise _mistake(path, "head_dim", head_size, problem)
    return Architecture(
        hidden_size=hidden_size,
        intermediate_size=_size(config, "intermediate_size", path),
        num_layers=_size(config, "num_hidden_layers", path),
        num_heads=num_heads,
        num_key_value_heads=num_key_value_heads,
        head_size=head_size,
        vocabulary_size=_size(config, "vocab_size", path),
    )


def tensor_shapes(config: Mapping[str, Any], sizes: Architecture) -> dict[str, tuple[int, ...]]:
    """The tensors of a LLaMA of these sizes by name, the output layer included."""
    hidden, ffn, vocabulary = sizes.hidden_size, sizes.intermediate_size, sizes.vocabulary_size
    queries = sizes.num_heads * sizes.head_size
    keys = sizes.num_key_value_heads * sizes.head_size
    attention = {"q": (queries, hidden), "k": (keys, hidden), "v": (keys, hidden)}
    projections = {f"self_attn.{name}_proj": shape for name, shape in attention.items()}
    projections["self_attn.o_proj"] = (hidden, queries)
    gated = {"mlp.gate_proj": (ffn, hidden), "mlp.up_proj": (ffn, hidden)}
    gated["mlp.down_proj"] = (hidden, ffn)
    layer: dict[str, tuple[int, ...]] = {
        f"{name}.weight": shape for name, shape in {**projections, **gated}.items()
    }
    for key, parts in (("attention_bias", projections), ("mlp_bias", gated)):
        if config.get(key, False):
            layer |= {f"{name}.bias": shape[:1] for name, shape in parts.items()}
    layer |= {"input_layernorm.weight": (hidden,), "post_attention_layernorm.weight": (hidden,)}
    return {
        EMBEDDING: (vocabulary, hidden),
        **{
            f"model.layers.{number}.{name}": shape
            for number in range(sizes.num_layers)
            for name, shape in layer.items()
        },
        "model.norm.weight": (hidden,),
        HEAD: (vocabulary, hidden),
    }


def _size(config: Mapping[str, Any], name: str, path: Path, default: int | None = None) -> int:
    value = config.get(name)
    if value is None and default is not None:
        return default
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise _mistake(path, name, value, "is no positive whole number")
    return value


def _mistake(path: Path, name: str, value: Any, problem: str) -> InputError:
    return InputError(
        str(path), f"{name} = {value!r} {problem}", "fetch the model's own config.json again"
    )
