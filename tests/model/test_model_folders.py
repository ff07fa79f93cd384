"""Model folders that are not what they say: each is refused in one line that names the trouble."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import LlamaForCausalLM

from raysweep.errors import InputError
from raysweep.model.checkpoint import find_checkpoint
from raysweep.model.llama import load_config, load_model
from tests.models import small_llama

Tensors = dict[str, torch.Tensor]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    small_llama(tied=False).save_pretrained(tmp_path / "llama")
    return tmp_path / "llama"


def rewrite(folder: Path, change: Callable[[Tensors], Tensors]) -> None:
    weights = load_file(folder / "model.safetensors")
    changed = {name: one.contiguous().clone() for name, one in change(weights).items()}
    save_file(changed, folder / "model.safetensors", metadata={"format": "pt"})


def configure(folder: Path, **changes: Any) -> None:
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, **changes}))


def error_of(folder: Path) -> str:
    with pytest.raises(InputError) as caught:
        find_checkpoint(str(folder))
    message = str(caught.value)
    assert "\n" not in message
    return message


def without(*parts: str) -> Callable[[Tensors], Tensors]:
    return lambda weights: {n: w for n, w in weights.items() if not any(p in n for p in parts)}


LAYER = "model.layers.1.self_attn.q_proj.weight"


@pytest.mark.parametrize(
    ("change", "problems"),
    [
        (
            lambda w: {f"module.{n}": one for n, one in w.items()},
            ["they lack model.embed_tokens.weight", "hold, without a place in the model, module."],
        ),
        (
            lambda w: {n.removeprefix("model."): one for n, one in w.items()},
            ["they lack model.embed_tokens.weight"],
        ),
        (without("lm_head"), ["they lack lm_head.weight;"]),
        (without("embed_tokens"), ["they lack model.embed_tokens.weight"]),
        (without("layers.1"), ["they lack model.layers.1.", "and 6 more"]),
        (without("layers.0.mlp.gate_proj"), ["they lack model.layers.0.mlp.gate_proj.weight;"]),
        (lambda w: {**w, "model.layers.0.self_attn.q_norm.weight": w["model.norm.weight"]},
         ["without a place in the model, model.layers.0.self_attn.q_norm.weight;"]),
        (lambda w: {**w, "score.weight": w["lm_head.weight"]}, ["in the model, score.weight;"]),
        (lambda w: {**w, f"{LAYER.removesuffix('weight')}bias": torch.zeros(32)},
         ["in the model, model.layers.1.self_attn.q_proj.bias;"]),
        (lambda w: {**w, LAYER: w[LAYER][:16]}, [f"{LAYER} [16, 32] instead of [32, 32]"]),
        (lambda w: {**w, "lm_head.weight": w["lm_head.weight"][:90]},
         ["lm_head.weight [90, 32] instead of [97, 32]"]),
        (lambda w: {**w, LAYER: w[LAYER].to(torch.int8)}, [f"{LAYER} is stored as I8"]),
    ],
)  # fmt: skip
def test_weights_that_are_not_the_configurations(
    folder: Path, change: Callable[[Tensors], Tensors], problems: list[str]
) -> None:
    rewrite(folder, change)
    for problem in problems:
        assert problem in error_of(folder)
    if "embed_tokens.weight" not in load_file(folder / "model.safetensors"):
        with pytest.raises((InputError, RuntimeError, ValueError)):  # nor do workers take them
            load_model(folder, "float32")


def test_a_table_that_earlier_conversions_stored_does_no_harm(folder: Path) -> None:
    name = "model.layers.0.self_attn.rotary_emb.inv_freq"
    size = find_checkpoint(str(folder)).num_parameters
    rewrite(folder, lambda w: {**w, name: torch.ones(4)})
    assert find_checkpoint(str(folder)).num_parameters == size
    load_model(folder, "float32")


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_other_floats_are_fine(folder: Path, dtype: torch.dtype) -> None:
    rewrite(folder, lambda w: {name: one.to(dtype) for name, one in w.items()})
    assert (
        find_checkpoint(str(folder)).num_parameters
        == load_model(folder, "float32").num_parameters()
    )


@pytest.mark.parametrize("is_stored", [False, True, "other"])
@pytest.mark.parametrize("says_tied", [False, True])
def test_tied_is_what_the_loaded_model_is(
    folder: Path, is_stored: bool | str, says_tied: bool
) -> None:
    def change(weights: Tensors) -> Tensors:
        head = weights.pop("lm_head.weight")
        if is_stored == "other":
            weights["lm_head.weight"] = head
        elif is_stored:
            weights["lm_head.weight"] = weights["model.embed_tokens.weight"]
        return weights

    rewrite(folder, change)
    configure(folder, tie_word_embeddings=says_tied)
    if not is_stored and not says_tied:
        assert "they lack lm_head.weight" in error_of(folder)
        return
    found, model = find_checkpoint(str(folder)), LlamaForCausalLM.from_pretrained(folder)
    is_tied = model.lm_head.weight is model.model.embed_tokens.weight
    assert is_tied == (says_tied and is_stored != "other")
    assert found.num_parameters == sum(p.numel() for p in model.parameters())
    assert load_config(folder).tie_word_embeddings == is_tied
    assert found.was_misread == (says_tied and is_stored == "other")


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"attention_dropout": 0.1}, "attention_dropout = 0.1 drops at random"),
        ({"hidden_dropout": 0.5}, "hidden_dropout = 0.5 drops at random"),
        ({"resid_pdrop": 0.1}, "resid_pdrop = 0.1 drops at random"),
        ({"sliding_window": 64}, "sliding_window = 64 is no part of LLaMA"),
        ({"layer_types": ["sliding_attention", "full_attention"]}, "layer_types = ['sliding"),
        ({"attention_chunk_size": 64}, "attention_chunk_size = 64 is no part of LLaMA"),
        ({"final_logit_softcapping": 30.0}, "final_logit_softcapping = 30.0 is no part"),
        ({"embedding_multiplier": 12.0}, "embedding_multiplier = 12.0 is no part"),
        ({"num_local_experts": 8}, "num_local_experts = 8 is no part"),
        ({"quantization_config": {"bits": 4}}, "quantization_config = {'bits': 4} is no part"),
        ({"auto_map": {"AutoModel": "x.Y"}}, "auto_map = {'AutoModel': 'x.Y'} is no part"),
        ({"hidden_act": "swiglu9"}, "hidden_act = 'swiglu9' is unknown"),
        ({"rms_norm_eps": 0.0}, "rms_norm_eps = 0.0 is no positive number"),
        ({"rms_norm_eps": "small"}, "rms_norm_eps = 'small' is no positive number"),
        ({"attention_bias": "no"}, "attention_bias = 'no' is neither true nor false"),
        ({"tie_word_embeddings": 1}, "tie_word_embeddings = 1 is neither true nor false"),
        ({"pad_token_id": 97}, "pad_token_id = 97 is beyond the embedding of 97 rows"),
        ({"pad_token_id": -1}, "pad_token_id = -1 is no token id; set it to null"),
        ({"max_position_embeddings": 0}, "max_position_embeddings = 0 is no positive whole"),
        ({"max_position_embeddings": "long"}, "max_position_embeddings = 'long' is no positive"),
        ({"head_dim": 7}, "head_dim = 7 is odd"),
        ({"dtype": "int8"}, "dtype = 'int8' is none of float32"),
        ({"dtype": []}, "dtype = [] is none of float32"),
        ({"rope_parameters": {"rope_type": "dynamic", "factor": 2.0}}, "rope type 'dynamic'"),
        ({"rope_parameters": None, "rope_scaling": {"type": "dynamic", "factor": 2.0}},
         "rope type 'dynamic': position tables that change"),
        ({"rope_parameters": {"rope_type": "longrope", "factor": 2.0}}, "rope type 'longrope'"),
        ({"rope_parameters": {"rope_type": "linear"}}, "rope linear: factor = None is no positive"),
        ({"rope_parameters": {"rope_type": "llama3", "factor": 8.0}}, "low_freq_factor = None"),
        ({"rope_parameters": {"rope_type": "default", "rope_theta": -1.0}}, "rope_theta = -1.0"),
        ({"rope_parameters": {"rope_type": "default", "partial_rotary_factor": 0.5}},
         "partial_rotary_factor = 0.5 is not 1"),
        ({"rope_scaling": {"rope_type": "linear", "factor": 2.0}}, "rope_scaling and rope_param"),
        ({"rope_parameters": "default"}, "rope_parameters = 'default' is no mapping"),
    ],
)  # fmt: skip
def test_configurations_that_are_not_computed_here(
    folder: Path, changes: dict[str, Any], problem: str
) -> None:
    configure(folder, **changes)
    assert f"{folder / 'config.json'}: " in error_of(folder)
    assert problem in error_of(folder)


@pytest.mark.parametrize(
    "changes",
    [
        {"attention_dropout": None, "sliding_window": None, "layer_types": None},
        {"sliding_window": 4096, "use_sliding_window": False},
        {"layer_types": ["full_attention", "full_attention"], "embedding_multiplier": 1.0},
        {"rope_parameters": None, "rope_theta": 5000.0, "rope_scaling": None},
        {"rope_parameters": None, "rope_scaling": {"type": "linear", "factor": 2.0}},
        {"temperature": 0.6, "repetition_penalty": 1.3, "num_beams": 4},
        {"torch_dtype": "float16", "_name_or_path": "x", "pretraining_tp": 1},
    ],
)
def test_what_changes_nothing_is_accepted_and_loads(folder: Path, changes: dict[str, Any]) -> None:
    configure(folder, **changes)
    assert find_checkpoint(str(folder)).num_parameters > 0
    model = load_model(folder, "float32")
    model.save_pretrained(folder.parent / "again")


def shard(folder: Path) -> dict[str, str]:
    """Two files and an index in the place of one file."""
    weights = load_file(folder / "model.safetensors")
    names = sorted(weights)
    index: dict[str, str] = {}
    for number, part in enumerate((names[:5], names[5:]), start=1):
        file = f"model-0000{number}-of-00002.safetensors"
        save_file({name: weights[name] for name in part}, folder / file)
        index |= dict.fromkeys(part, file)
    (folder / "model.safetensors").unlink()
    write_index(folder, index)
    return index


def write_index(folder: Path, index: dict[str, str]) -> None:
    content = json.dumps({"metadata": {}, "weight_map": index})
    (folder / "model.safetensors.index.json").write_text(content)


def test_shards_are_one_model(folder: Path) -> None:
    whole = find_checkpoint(str(folder))
    shard(folder)
    assert find_checkpoint(str(folder)).num_parameters == whole.num_parameters
    shutil.copy(folder / "config.json", folder / "notes.json")
    weights = load_model(folder, "float32").state_dict()
    save_file({"x": torch.zeros(2)}, folder / "consolidated.safetensors")
    assert find_checkpoint(str(folder)).num_parameters == whole.num_parameters, "none of its files"
    again = load_model(folder, "float32").state_dict()
    assert all(torch.equal(weights[name], again[name]) for name in weights)


def test_files_that_are_not_one_model(folder: Path) -> None:
    index = shard(folder)
    path = folder / "model.safetensors.index.json"
    first = "model-00001-of-00002.safetensors"
    path.write_text(
        json.dumps({"metadata": {}, "weight_map": {**index, "model.norm.weight": first}})
    )
    assert f"model.norm.weight is not in {first}" in error_of(folder)
    path.write_text(
        json.dumps({"metadata": {}, "weight_map": {**index, "model.norm.weight": "../x"}})
    )
    assert "names '../x', outside its folder" in error_of(folder)
    for content in ("{", "[]", '{"weight_map": 3}', '{"metadata": {}, "weight_map": {}}'):
        path.write_text(content)
        assert "model.safetensors.index.json: " in error_of(folder)
    write_index(folder, index)
    shutil.copy(folder / first, folder / "model.safetensors")
    assert "has both model.safetensors and model.safetensors.index.json" in error_of(folder)
    (folder / "model.safetensors").unlink()
    second = folder / "model-00002-of-00002.safetensors"
    save_file({**load_file(second), **load_file(folder / first)}, second)
    assert "is in model-00001-of-00002.safetensors already" in error_of(folder)
    second.unlink()
    assert "names 'model-00002-of-00002.safetensors', which is not there" in error_of(folder)


@pytest.mark.parametrize("share", [0.0, 0.0001, 0.2, 0.999])
def test_a_file_that_is_cut_short(folder: Path, share: float) -> None:
    path = folder / "model.safetensors"
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    assert "model.safetensors: is no safetensors file" in error_of(folder)


def test_a_longer_file_and_an_adapter(folder: Path) -> None:
    path = folder / "model.safetensors"
    content = path.read_bytes()
    path.write_bytes(content + b"\0")
    assert "is no safetensors file" in error_of(folder)
    path.write_bytes(content)
    (folder / "adapter_config.json").write_text("{}")
    assert "holds an adapter" in error_of(folder)


@pytest.mark.parametrize("name", ["tokenizer.json", "generation_config.json", "config.json"])
def test_a_folder_in_the_place_of_a_file(folder: Path, name: str) -> None:
    (folder / name).unlink(missing_ok=True)
    (folder / name).mkdir()
    assert f"{name}: cannot be read" in error_of(folder)


def test_a_generation_config_that_is_damaged_is_not_even_read(folder: Path) -> None:
    (folder / "generation_config.json").write_text("{")
    load_model(folder, "float32")
