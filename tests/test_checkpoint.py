"""Finding and checking models without loading them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from raysweep.checkpoint import find_checkpoint
from raysweep.errors import InputError
from tests.models import small_llama


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    small_llama().save_pretrained(tmp_path / "llama")
    (tmp_path / "llama" / "tokenizer.json").write_text("{}")
    return tmp_path / "llama"


def test_a_llama_is_counted_and_identified(folder: Path) -> None:
    found = find_checkpoint(str(folder))
    assert found.num_parameters == sum(p.numel() for p in small_llama().parameters())
    assert found.max_positions == 128
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
    assert "no such folder; give 'tiny', a model folder or a hub id" in error_of("/no/such/model")
    (folder / "tokenizer.json").unlink()
    assert "has no tokenizer" in error_of(folder)
    weights = folder / "model.safetensors"
    weights.write_bytes(b"not a header")
    (folder / "tokenizer.json").write_text("{}")
    assert "model.safetensors: is no safetensors file" in error_of(folder)
    weights.rename(folder / "pytorch_model.bin")
    assert "has no *.safetensors weights" in error_of(folder)
    (folder / "config.json").write_text(json.dumps({"model_type": "gpt2"}))
    assert "model_type = 'gpt2' is no LLaMA" in error_of(folder)
    (folder / "config.json").write_text("{")
    assert "config.json: cannot be read" in error_of(folder)
    (folder / "config.json").unlink()
    assert "has no config.json" in error_of(folder)
