"""A LLaMA checkpoint on disk: found, checked and identified without loading it."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from raysweep.digest import digest_file, digest_json
from raysweep.errors import InputError
from raysweep.model.architecture import (
    EMBEDDING,
    HEAD,
    Architecture,
    read_architecture,
    tensor_shapes,
)
from raysweep.model.config import check_config
from raysweep.model.json_files import read_object
from raysweep.model.tokenizer import ENCODING
from raysweep.model.weight_files import StoredTensor, read_tensors
from raysweep.settings.base import TINY

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
PACKAGED = {TINY: Path(__file__).parents[1] / "tiny" / "base"}
"""Models that come with raysweep."""
ADAPTER = "adapter_config.json"
SHOWN = 3  # names of tensors in a message
HUB_ID = re.compile(r"^[\w.-]+/[\w.-]+$")


@dataclass(frozen=True)
class Checkpoint:
    """A folder with a LLaMA's configuration, safetensors weights and tokenizer.

    Attributes:
        digest: sha256 over the content of all its files: the key of stage 0.
        num_parameters: that are trained; tied ones count once.
        max_positions: longest sequence the model was made for.
        was_misread: whether layer-wise curvature took it for another model until keys told the two
            apart: where its config.json ties the output layer to the embedding and its weights do
            not, or where the padding token is one that texts have.
    """

    folder: Path
    digest: str
    num_parameters: int
    max_positions: int
    architecture: Architecture
    was_misread: bool = False


def find_checkpoint(model: str) -> Checkpoint:
    """Finds and checks what a search space calls its model.

    Args:
        model: "tiny" for the embedded base, a local folder, or a hub id such as
            "meta-llama/Llama-2-7b-hf", which is fetched (weights as safetensors only).

    Raises:
        InputError: there is no such model, it is no LLaMA with safetensors weights, or its weights
            are not those that its config.json describes.
    """
    folder = locate(model)
    config = read_config(folder)
    path = folder / "config.json"
    kind = config.get("model_type")
    if kind != "llama":
        problem = f"model_type = {kind!r} is no LLaMA"
        raise InputError(str(path), problem, "give a model of model_type 'llama'")
    if (folder / ADAPTER).is_file():
        problem = f"holds an adapter ({ADAPTER}) beside the weights"
        raise InputError(f"model {folder}", problem, "merge it, or take the file away")
    architecture = read_architecture(config, path)
    check_config(config, path)
    tensors = read_tensors(folder)
    tied = is_tied(config, tensors)
    check_tensors(tensors, config, architecture, folder)
    trained = [name for name in tensor_shapes(config, architecture) if name != HEAD or not tied]
    positions = config.get("max_position_embeddings", 2048)
    if not isinstance(positions, int) or isinstance(positions, bool) or positions < 1:
        problem = f"max_position_embeddings = {positions!r} is no positive whole number"
        raise InputError(str(path), problem, "fetch the file again")
    return Checkpoint(
        folder=folder,
        digest=digest_files(folder),
        num_parameters=sum(tensors[name].num_elements for name in trained),
        max_positions=positions,
        architecture=architecture,
        was_misread=tied != config.get("tie_word_embeddings", False)
        or _pads_with_text(folder, config),
    )


def is_tied(config: Mapping[str, Any], tensors: Mapping[str, StoredTensor]) -> bool:
    """Whether the output layer is the embedding.

    It is where the configuration says so, unless the file has an output layer that differs: then
    the file is right, as for transformers.
    """
    if not config.get("tie_word_embeddings", False):
        return False
    if HEAD not in tensors or EMBEDDING not in tensors:
        return True
    return tensors[EMBEDDING].equals(tensors[HEAD])


def check_tensors(
    tensors: Mapping[str, StoredTensor],
    config: Mapping[str, Any],
    architecture: Architecture,
    folder: Path,
) -> None:
    """Checks that the weights are those of the configuration, no more and no less.

    Raises:
        InputError: naming the first few that are missing, have no place, or are of another shape.
    """
    wanted = tensor_shapes(config, architecture)
    optional = {HEAD} if config.get("tie_word_embeddings", False) else set()
    # Earlier conversions stored this table, which follows from the configuration.
    found = {n: one.shape for n, one in tensors.items() if not n.endswith("rotary_emb.inv_freq")}
    mistakes = {
        "lack": [name for name in wanted if name not in found and name not in optional],
        "hold, without a place in the model,": [name for name in found if name not in wanted],
        "hold in another shape": [
            f"{name} {list(found[name])} instead of {list(shape)}"
            for name, shape in wanted.items()
            if name in found and found[name] != shape
        ],
    }
    told = [f"{what} {_listed(names)}" for what, names in mistakes.items() if names]
    if told:
        raise InputError(
            f"model {folder}",
            f"its weights are not those of its config.json: they {'; they '.join(told)}",
            "save the model again with save_pretrained, merged and without prefixes",
        )


def digest_files(folder: Path) -> str:
    """sha256 over the content of a model's files.

    Raises:
        InputError: one cannot be read.
    """
    files = sorted({path for pattern in WANTED for path in folder.glob(pattern)})
    digests = {}
    for path in files:
        try:
            digests[path.name] = digest_file(path)
        except OSError as error:
            problem = f"cannot be read ({error.strerror})"
            raise InputError(str(path), problem, "fetch the file again") from None
    return digest_json(digests)


def locate(model: str, what: str = "model") -> Path:
    """The local folder of a model, fetched from the hub if need be.

    Args:
        what: it is, for messages.

    Raises:
        InputError: there is no such model.
    """
    if model in PACKAGED:
        return PACKAGED[model]
    folder = Path(model).expanduser()
    if folder.is_dir():
        return folder.resolve()
    if not HUB_ID.match(model) or folder.parent.is_dir():
        remedy = f"give 'tiny', the folder of a {what} or a hub id"
        raise InputError(f"{what} {model}", "no such folder", remedy)
    return fetch(model, (*WANTED, ENCODING), what)


def fetch(hub_id: str, patterns: Sequence[str], what: str = "model") -> Path:
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
            f"{what} {hub_id}",
            f"neither a folder nor to be had from the hub ({reason})",
            "check the name, the network and `hf auth login`, or give a folder",
        ) from None


def read_config(folder: Path) -> dict[str, Any]:
    """The content of a model's config.json.

    Raises:
        InputError: there is none, or it is no JSON object.
    """
    try:
        return read_object(folder / "config.json", "fetch the file again")
    except FileNotFoundError:
        remedy = "give the folder of a model"
        raise InputError(f"model {folder}", "has no config.json", remedy) from None


def _pads_with_text(folder: Path, config: Mapping[str, Any]) -> bool:
    """Whether the model's padding token, whose embedding is not trained, may stand in a text."""
    pad = config.get("pad_token_id")
    if pad is None:
        return False
    try:
        added = json.loads((folder / "tokenizer.json").read_text(encoding="utf-8"))["added_tokens"]
        special = {token["id"] for token in added if token["special"]}
    except (OSError, ValueError, KeyError, TypeError):
        return True
    return pad == config.get("bos_token_id") or pad not in special


def _listed(names: Sequence[str]) -> str:
    more = len(names) - SHOWN
    return ", ".join(names[:SHOWN]) + (f" and {more} more" if more > 0 else "")
