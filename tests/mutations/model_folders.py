"""Mutated model folders. What is accepted must load whole, and score as plain transformers do."""

from __future__ import annotations

import json
import random
import shutil
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.numpy import load_file, save_file
from tokenizers import Tokenizer
from transformers import GenerationConfig, LlamaForCausalLM

from raysweep.errors import InputError
from raysweep.measures.likelihood import score_answers
from raysweep.model.checkpoint import find_checkpoint
from raysweep.model.encoding import encode_answer
from raysweep.model.finite import describe
from raysweep.model.llama import load_model
from raysweep.model.tokenizer import load_encoder
from tests.mutations.outcome import Case
from tests.places import BASE

WEIGHTS, SECONDS = "model.safetensors", 30.0
JSON_FILES = ("config.json", "tokenizer.json", "tokenizer_config.json", "generation_config.json")
ODD: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 1, 2, 3, 7, 1e30, float("nan"), float("inf"), 10**30, 2.5, "", "x"),
    *([], {}, [1], {"a": 1}, "float16", "gelu", "linear", {"rope_type": "linear", "factor": 2.0}),
)
STRANGERS = {
    "attention_dropout": 0.5,
    "sliding_window": 8,
    "rope_scaling": {"rope_type": "dynamic", "factor": 2.0},
    "quantization_config": {"quant_method": "gptq"},
    "num_experts": 4,
    "auto_map": {"AutoModelForCausalLM": "m.M"},
}
PROMPT, ANSWERS = "Is a tree made of wood?\n", ("The answer is yes.", "The answer is no.")
Mutation = Callable[[Path, random.Random], str]


def make(source: random.Random, folder: Path) -> Case:
    """A copy of the embedded base with one mutation; what is as it was is linked."""
    shutil.rmtree(folder)
    folder.mkdir()
    for path in BASE.iterdir():
        (folder / path.name).symlink_to(path)
    what = source.choice((change_json, change_json, change_json, change_tensors, spoil))(
        folder, source
    )
    return Case(what, lambda: check(folder), SECONDS)


def _write(path: Path, content: bytes) -> None:
    path.unlink()
    path.write_bytes(content)


def change_json(folder: Path, source: random.Random) -> str:
    """A key of a JSON file has another value, is gone, or is new."""
    name = source.choice([name for name in JSON_FILES if (folder / name).exists()])
    tree = json.loads((folder / name).read_text())
    inner, key = tree, source.choice(list(tree))
    while isinstance(inner[key], dict) and inner[key] and source.random() < 0.6:
        inner = inner[key]
        key = source.choice(list(inner))
    kind = source.choice(("value", "value", "gone", "new"))
    if kind == "gone":
        del inner[key]
        what = f"{key} is gone"
    elif kind == "new":
        key = source.choice(list(STRANGERS))
        tree[key] = STRANGERS[key]
        what = f"{key} = {tree[key]!r} is new"
    else:
        inner[key] = source.choice(ODD)
        what = f"{key} = {inner[key]!r}"
    _write(folder / name, json.dumps(tree).encode())
    return f"{name}: {what}"[:120]


def change_tensors(folder: Path, source: random.Random) -> str:
    """A tensor is gone, new, renamed, of another shape or kind, or holds NaN."""
    tensors = load_file(BASE / WEIGHTS)
    name = source.choice(list(tensors))
    kind = source.choice(("gone", "new", "prefix", "renamed", "shape", "nan", "inf", "half", "int"))
    if kind == "gone":
        del tensors[name]
    elif kind == "new":
        tensors["model.layers.99.self_attn.q_proj.weight"] = np.zeros((4, 4), np.float32)
    elif kind == "prefix":
        tensors = {f"base_model.{key}": value for key, value in tensors.items()}
    elif kind == "renamed":
        tensors[name + "_"] = tensors.pop(name)
    elif kind == "shape":
        tensors[name] = np.ascontiguousarray(tensors[name][:-1])
    elif kind in ("nan", "inf"):
        tensors[name] = tensors[name].copy()
        tensors[name].flat[0] = float(kind)
    else:
        tensors[name] = tensors[name].astype(np.float16 if kind == "half" else np.int32)
    (folder / WEIGHTS).unlink()
    save_file(tensors, folder / WEIGHTS, metadata={"format": "pt"})
    return f"tensor {name}: {kind}"


def spoil(folder: Path, source: random.Random) -> str:
    """A file is cut, garbled or gone, or the weights' header lies."""
    kind = source.choice(("cut", "garbled", "gone", "length", "offsets", "empty", "folder"))
    name = WEIGHTS if kind in ("length", "offsets") else source.choice((WEIGHTS, *JSON_FILES))
    path = folder / name
    if not path.exists():
        name, path = WEIGHTS, folder / WEIGHTS
    content = bytearray(path.read_bytes())
    at = source.randrange(len(content))
    if kind == "gone":
        path.unlink()
    elif kind == "cut":
        _write(path, bytes(content[:at]))
    elif kind == "empty":
        _write(path, b"")
    elif kind == "folder":
        path.unlink()
        path.mkdir()
    elif kind == "garbled":
        content[at % min(len(content), 4000)] ^= 1 << source.randrange(8)
        _write(path, bytes(content))
    elif kind == "length":
        length = source.choice((0, 1, 2**63, 2**40, len(content)))
        _write(path, struct.pack("<Q", length) + bytes(content[8:]))
    else:
        (length,) = struct.unpack("<Q", content[:8])
        header = json.loads(content[8 : 8 + length])
        tensor = header[source.choice([key for key in header if key != "__metadata__"])]
        tensor[source.choice(("data_offsets", "shape"))] = source.choice(([0, 8], [-4, 4], [], [1]))
        raw = json.dumps(header).encode()
        _write(path, struct.pack("<Q", len(raw)) + raw + bytes(content[8 + length :]))
    return f"{name}: {kind} (byte {at})"


def check(folder: Path) -> str:
    """As a sweep looks at a model, up to a first score; what is wrong with what is accepted.

    Parameters are compared with transformers' own count, ids with the tokenizer library's, and
    log-likelihoods with one forward pass.
    """
    found = find_checkpoint(str(folder))
    encoder = load_encoder(folder, found.architecture.vocabulary_size)
    model = load_model(folder, "float32")
    prompt = (*encoder.beginning, *encoder.ids(PROMPT))
    answers = [encode_answer(text, encoder) for text in ANSWERS]
    with torch.no_grad():
        scores = score_answers(model, [prompt], answers, encoder.pad).whole[0]
    if not scores.isfinite().all():  # an evaluation ends with this line
        raise InputError(f"model {folder}", describe(model, prompt), "give finite weights")
    try:
        plain = LlamaForCausalLM.from_pretrained(folder, generation_config=GenerationConfig())
        raw = Tokenizer.from_file(str(folder / "tokenizer.json"))
        with torch.no_grad():
            wanted = [_score(plain, prompt, answer) for answer in answers]
    except Exception as error:  # whatever it is: it was accepted and cannot be used
        return f"accepted, but {type(error).__name__}: {str(error)[:150]}"
    problems = []
    if raw.encode(PROMPT, add_special_tokens=False).ids != list(encoder.ids(PROMPT)):
        problems.append("other ids than the tokenizer's own")
    if not torch.allclose(scores, torch.tensor(wanted, dtype=torch.float64), rtol=1e-4, atol=1e-3):
        problems.append(f"scores {scores.tolist()} instead of {wanted}")
    number = sum(parameter.numel() for parameter in plain.parameters())
    if number != found.num_parameters:
        problems.append(f"{found.num_parameters:,} parameters told, {number:,} loaded")
    return "; ".join(problems)


def _score(model: LlamaForCausalLM, prompt: tuple[int, ...], answer: tuple[int, ...]) -> float:
    logits = model(input_ids=torch.tensor([[*prompt, *answer]])).logits[0]
    log_p = logits[len(prompt) - 1 : -1].double().log_softmax(-1)
    return float(log_p.gather(1, torch.tensor(answer)[:, None]).sum())
