"""The shape of a LLaMA: what of its config.json decides how much memory it takes. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from raysweep.errors import InputError


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
    """
    hidden_size, num_heads = (
        _size(config, name, path) for name in ("hidden_size", "num_attention_heads")
    )
    num_key_value_heads = _size(config, "num_key_value_heads", path, default=num_heads)
    if num_heads % num_key_value_heads:
        raise _mistake(
            path,
            "num_key_value_heads",
            num_key_value_heads,
            f"is no divisor of the {num_heads} num_attention_heads",
        )
    if config.get("head_dim") is None and hidden_size % num_heads:
        raise _mistake(
            path, "num_attention_heads", num_heads, f"is no divisor of hidden_size {hidden_size}"
        )
    return Architecture(
        hidden_size=hidden_size,
        intermediate_size=_size(config, "intermediate_size", path),
        num_layers=_size(config, "num_hidden_layers", path),
        num_heads=num_heads,
        num_key_value_heads=num_key_value_heads,
        head_size=_size(config, "head_dim", path, default=hidden_size // num_heads),
        vocabulary_size=_size(config, "vocab_size", path),
    )


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
