"""Finding and checking models without loading them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from raysweep.errors import InputError
from raysweep.model.architecture import read_architecture
from raysweep.model.checkpoint import find_checkpoint
from raysweep.plan.stand_ins import KNOWN_MODELS
from tests.models import SMALL, small_llama


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    small_llama().save_pretrained(tmp_path / "llama")
    (tmp_path / "llama" / "tokenizer.json").write_text("{}")
    return tmp_path / "llama"


def test_a_llama_is_counted_and_identified(folder: Path) -> None:
    found = find_checkpoint(str(folder))
    assert found.num_parameters == sum(p.numel() for p in small_llama().parameters())
    assert found.max_positions == 128
    assert found.architecture == SMALL
    assert found.digest == find_checkpoint(str(folder)).digest
    (folder / "tokenizer.json").write_text('{"x": 1}')
    assert find_checkpoint(str(folder)).digest != found.digest


def test_the_embedded_base_is_found() -> None:
    assert find_checkpoint("tiny").num_parameters < 2_000_000


def error_of(model: object) -> str:
    with pytest.raises(InputError) as caught:
        find_checkpoint(str(model))
    return str(caught.value)


def test_mistakes(folder: Path) -> None:
    assert "no such folder; give 'tiny', the folder of a model or a hub id" in error_of(
        "/no/such/model"
    )
    weights = folder / "model.safetensors"
    weights.write_bytes(b"not a header")
    assert "model.safetensors: is no safetensors file" in error_of(folder)
    weights.rename(folder / "pytorch_model.bin")
    assert "has no *.safetensors weights" in error_of(folder)
    (folder / "config.json").write_text(json.dumps({"model_type": "gpt2"}))
    assert "model_type = 'gpt2' is no LLaMA" in error_of(folder)
    (folder / "config.json").write_text("{")
    assert "config.json: cannot be read" in error_of(folder)
    (folder / "config.json").unlink()
    assert "has no config.json" in error_of(folder)


@pytest.mark.parametrize(
    ("key", "value", "problem"),
    [
        ("hidden_size", None, "hidden_size = None is no positive whole number"),
        ("num_hidden_layers", 0, "num_hidden_layers = 0 is no positive whole number"),
        ("vocab_size", "many", "vocab_size = 'many' is no positive whole number"),
        ("num_key_value_heads", 3, "num_key_value_heads = 3 is no divisor of the 4"),
    ],
)
def test_a_size_that_is_missing_or_wrong(
    folder: Path, key: str, value: object, problem: str
) -> None:
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, key: value}))
    assert f"config.json: {problem}" in error_of(folder)
    assert "fetch the model's own config.json again" in error_of(folder)


def test_sizes_that_may_be_absent(folder: Path) -> None:
    config = json.loads((folder / "config.json").read_text())
    for key in ("num_key_value_heads", "head_dim"):
        config.pop(key, None)
    found = read_architecture(config, folder / "config.json")
    assert (found.num_key_value_heads, found.head_size) == (4, 8)


@pytest.mark.parametrize("model", KNOWN_MODELS)
def test_the_published_sizes_make_up_the_published_parameters(model: str) -> None:
    num_parameters, shape = KNOWN_MODELS[model]
    heads = shape.head_size * (2 * shape.num_heads + 2 * shape.num_key_value_heads)
    layer = shape.hidden_size * (heads + 3 * shape.intermediate_size + 2)
    ends = shape.hidden_size * (2 * shape.vocabulary_size + 1)
    assert shape.num_layers * layer + ends == num_parameters
