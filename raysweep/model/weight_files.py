"""The safetensors files of a model: which ones are loaded, and what their headers say."""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open

from raysweep.errors import InputError

SINGLE, INDEX = "model.safetensors", "model.safetensors.index.json"
FLOATS = ("F64", "F32", "F16", "BF16")
CHUNK = 2**24  # bytes that are compared at a time
FETCH = "fetch the file again"


@dataclass(frozen=True)
class StoredTensor:
    """A tensor as its file's header describes it.

    Attributes:
        start, stop: where its bytes lie in the file.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str
    file: Path
    start: int
    stop: int

    @property
    def num_elements(self) -> int:
        """Numbers in it."""
        return prod(self.shape)

    def equals(self, other: StoredTensor) -> bool:
        """Whether both are the same numbers, stored alike."""
        if (self.shape, self.dtype) != (other.shape, other.dtype):
            return False
        with self.file.open("rb") as mine, other.file.open("rb") as others:
            mine.seek(self.start)
            others.seek(other.start)
            left = self.stop - self.start
            while left:
                size = min(left, CHUNK)
                if mine.read(size) != others.read(size):
                    return False
                left -= size
        return True


def weight_files(folder: Path) -> list[Path]:
    """The files that make up a model: ``model.safetensors``, or those of its index.

    Other safetensors files in the folder are none of its weights.

    Raises:
        InputError: there are none, there are both, or the index names a file that is not there.
    """
    single, index = folder / SINGLE, folder / INDEX
    if single.is_file() and index.is_file():
        problem = f"has both {SINGLE} and {INDEX}, two models in one folder"
        raise InputError(f"model {folder}", problem, "remove the one that is not meant")
    if single.is_file():
        return [single]
    if not index.is_file():
        raise InputError(
            f"model {folder}",
            f"has no *.safetensors weights (neither {SINGLE} nor {INDEX})",
            "convert them with save_pretrained; pickled weights are never loaded",
        )
    names = sorted(set(_weight_map(index).values()))
    for name in names:
        if not (folder / name).is_file():
            raise InputError(str(index), f"names {name!r}, which is not there", FETCH)
    return [folder / name for name in names]


def read_tensors(folder: Path) -> dict[str, StoredTensor]:
    """All tensors of a model by name, from the headers alone.

    Raises:
        InputError: a file is damaged, a tensor lies in two files or is missing from the one that
            the index names, or is stored as something else than floating-point numbers.
    """
    tensors: dict[str, StoredTensor] = {}
    for file in weight_files(folder):
        for tensor in read_header(file):
            if tensor.name in tensors:
                problem = f"{tensor.name} is in {tensors[tensor.name].file.name} already"
                raise InputError(str(file), problem, "remove one of the two")
            tensors[tensor.name] = tensor
    index = folder / INDEX
    if index.is_file():
        for name, file_name in _weight_map(index).items():
            if name not in tensors or tensors[name].file.name != file_name:
                raise InputError(str(index), f"{name} is not in {file_name}", FETCH)
    return tensors


def read_header(path: Path) -> Sequence[StoredTensor]:
    """The tensors of one file.

    A safetensors file starts with the header's length as a little-endian 64-bit number.

    Raises:
        InputError: it is no safetensors file, is cut short, or holds something else than floats.
    """
    try:
        with safe_open(path, framework="numpy"):  # checks header, offsets and length
            pass
        with path.open("rb") as stream:
            (length,) = struct.unpack("<Q", stream.read(8))
            header: Mapping[str, Any] = json.loads(stream.read(length))
    except (SafetensorError, OSError, ValueError, struct.error, OverflowError) as error:
        reason = " ".join(str(error).split())
        raise InputError(str(path), f"is no safetensors file ({reason})", FETCH) from None
    tensors = []
    for name, entry in header.items():
        if name == "__metadata__":
            continue
        if entry["dtype"] not in FLOATS:
            problem = f"{name} is stored as {entry['dtype']}"
            remedy = f"give weights that are not quantised ({', '.join(FLOATS)})"
            raise InputError(str(path), problem, remedy)
        start, stop = (8 + length + offset for offset in entry["data_offsets"])
        shape = tuple(entry["shape"])
        tensors.append(StoredTensor(name, shape, entry["dtype"], path, start, stop))
    return tensors


def _weight_map(index: Path) -> dict[str, str]:
    """Tensor -> file, in the index's own words."""
    try:
        content = json.loads(index.read_text(encoding="utf-8"))
        names = {str(name): str(file) for name, file in content["weight_map"].items()}
        dict(content["metadata"])  # transformers cannot do without
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise InputError(str(index), "holds no weight_map and metadata", FETCH) from None
    for file in names.values():
        if Path(file).name != file:
            raise InputError(str(index), f"names {file!r}, outside its folder", FETCH)
    if not names:
        raise InputError(str(index), "names no tensor", FETCH)
    return names
