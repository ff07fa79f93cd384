"""A LLaMA checkpoint on disk: found, checked and identified without loading it."""

from __future__ import annotations

import json
import math
import re
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from raysweep.architecture import Architecture, read_architecture
from raysweep.digest import digest_file, digest_json
from raysweep.errors import InputError
from raysweep.settings import TINY

# Weights are safetensors only (a pickle runs code); the tokenizer comes from its own files.
WANTED = (
    "*.safetensors",
    "*.safetensors.index.json",
    "config.json",
    "generation_config.json",
    "special_tokens_map.json",
    "tokenizer.json",
    "tokenizer.model",
    "tokenizer_config.json",
    "vocab.json",
    "merges.txt",
)
HUB_ID = re.compile(r"^[\w.-]+/[\w.-]+$")


@dataclass(frozen=True)
class Checkpoint:
    """A folder with a LLaMA's configuration, safetensors weights and tokenizer.

    Attributes:
        digest: sha256 over the content of all its files: the key of stage 0.
        max_positions: longest sequence the model was made for.
    """

    folder: Path
    digest: str
    num_parameters: int
    max_positions: int
    architecture: Architecture


def find_checkpoint(model: str) -> Checkpoint:
    """Finds and checks what a search space calls its model.

    Args:
        model: "tiny" for the embedded base, a local folder, or a hub id such as
            "meta-llama/Llama-2-7b-hf", which is fetched (weights as safetensors only).

    Raises:
        InputError: there is no such model, or it is no LLaMA with safetensors weights.
    """
    folder = locate(model)
    config = _read_config(folder)
    kind = config.get("model_type")
    if kind != "llama":
        raise InputError(
            str(folder / "config.json"),
            f"model_type = {kind!r} is no LLaMA",
            "give a model of model_type 'llama'",
        )
    weights = sorted(folder.glob("*.safetensors"))
    if not weights:
        raise InputError(
            f"model {folder}",
            "has no *.safetensors weights",
            "convert them with save_pretrained; pickled weights are never loaded",
        )
    if not any((folder / name).is_file() for name in ("tokenizer.json", "tokenizer.model")):
        raise InputError(
            f"model {folder}", "has no tokenizer", "save its tokenizer into the same folder"
        )
    files = sorted({path for pattern in WANTED for path in folder.glob(pattern)})
    return Checkpoint(
        folder=folder,
        digest=digest_json({path.name: digest_file(path) for path in files}),
        num_parameters=sum(_count_parameters(path) for path in weights),
        max_positions=int(config.get("max_position_embeddings", 2048)),
        architecture=read_architecture(config, folder / "config.json"),
    )


def find_judge(judge: str) -> str:
    """Checks what a search space calls its judge, and returns a digest that identifies it.

    Args:
        judge: "tiny" for the closed world's, else a folder or a hub id of a toxicity classifier
            with two classes and safetensors weights.

    Raises:
        InputError: there is no such classifier.
    """
    if judge == TINY:
        return TINY
    folder = locate(judge)
    config = _read_config(folder)
    kinds = config.get("architectures") or []
    if not any(str(kind).endswith("ForSequenceClassification") for kind in kinds):
        problem = f"architectures = {kinds!r} is no sequence classifier"
        raise InputError(str(folder / "config.json"), problem, "give a toxicity classifier")
    num_labels = len(config.get("id2label") or (0, 1))
    if num_labels != 2:
        problem = f"has {num_labels} classes instead of two"
        raise InputError(str(folder / "config.json"), problem, "give a toxicity classifier")
    if not list(folder.glob("*.safetensors")):
        raise InputError(
            f"judge {folder}",
            "has no *.safetensors weights",
            f"convert them once: python -m raysweep.judge {judge} --out FOLDER",
        )
    files = sorted({path for pattern in WANTED for path in folder.glob(pattern)})
    return digest_json({path.name: digest_file(path) for path in files})


def locate(model: str) -> Path:
    """The local folder of a model, fetched from the hub if need be.

    Raises:
        InputError: there is no such model.
    """
    if model == TINY:
        from raysweep.tiny import BASE

        return BASE
    folder = Path(model).expanduser()
    if folder.is_dir():
        return folder.resolve()
    if not HUB_ID.match(model) or folder.parent.is_dir():
        raise InputError(
            f"model {model}", "no such folder", "give 'tiny', a model folder or a hub id"
        )
    return fetch(model, WANTED)


def fetch(hub_id: str, patterns: Sequence[str]) -> Path:
    """The local copy of the files of a model on the hub.

    Raises:
        InputError: it is not to be had.
    """
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    try:
        return Path(snapshot_download(hub_id, allow_patterns=list(patterns)))
    except (HfHubHTTPError, LocalEntryNotFoundError, OSError) as error:
        reason = str(error).strip().splitlines()[0]
        raise InputError(
            f"model {hub_id}",
            f"neither a folder nor to be had from the hub ({reason})",
            "check the name, the network and `hf auth login`, or give a model folder",
        ) from None


def _read_config(folder: Path) -> dict[str, Any]:
    path = folder / "config.json"
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(
            f"model {folder}", "has no config.json", "give the folder of a model"
        ) from None
    except (OSError, ValueError) as error:
        raise InputError(str(path), f"cannot be read ({error})", "fetch the file again") from None
    if not isinstance(config, dict):
        raise InputError(str(path), "holds no JSON object", "fetch the file again")
    return config


def _count_parameters(path: Path) -> int:
    """Number of elements of all tensors, from the file's header.

    A safetensors file starts with the header's length as a little-endian 64-bit number.
    """
    try:
        with path.open("rb") as stream:
            (length,) = struct.unpack("<Q", stream.read(8))
            header = json.loads(stream.read(length))
    except (struct.error, ValueError, MemoryError, OverflowError) as error:
        raise InputError(
            str(path), f"is no safetensors file ({error})", "fetch the file again"
        ) from None
    return sum(
        math.prod(tensor["shape"]) for name, tensor in header.items() if name != "__metadata__"
    )
