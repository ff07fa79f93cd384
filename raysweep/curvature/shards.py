"""A model's weights, and vectors beside them, cut into the shards of several workers.

With W workers every parameter is read as one flat row of n numbers and cut into W pieces of
ceil(n / W); the last ones are filled up with zeros. That is ZeRO-3's own cut, so that the live
shards of a DeepSpeed engine serve as they are. A vector is one local tensor: the worker's piece of
each parameter, one after the other.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
import torch.nn.functional as F
from safetensors import safe_open
from torch import nn

from raysweep.curvature.operator import draw_normal, float64_dot

Tensors = dict[str, torch.Tensor]
_Read = Callable[[str], torch.Tensor]
FULL_PRECISION = (torch.float32, torch.float64)


@dataclass(frozen=True)
class _Piece:
    """A worker's piece of one parameter, and where it lies in a local vector."""

    shape: torch.Size
    length: int
    place: slice


class Shards:
    """This worker's shards of a model's weights.

    Made by `from_module`, `from_zero3` or `from_safetensors`.

    Args:
        shapes: of the whole parameters, in an order that is the same on all workers.
        pieces: this worker's flat pieces, filled up to their full length.
        dtype: of gathered weights and of vectors: float32, or float64. The weights themselves may
            be stored in half precision.

    Attributes:
        num_parameters: of the whole model.
        num_local: length of a local vector.

    Raises:
        ValueError: ``dtype`` is a half precision, in which products of a Hessian are noise.
    """

    def __init__(
        self,
        shapes: Mapping[str, torch.Size],
        pieces: Mapping[str, torch.Tensor],
        dtype: torch.dtype = torch.float32,
    ) -> None:
        if dtype not in FULL_PRECISION:
            raise ValueError(
                f"dtype {dtype}: products in half precision are off by a percent or more; "
                "use torch.float32, the weights may stay as they are"
            )
        self.dtype = dtype
        self.device = next(iter(pieces.values())).device
        _, self._world = _rank_and_world()
        self._weights = dict(pieces)
        self._pieces: dict[str, _Piece] = {}
        self.num_local = 0
        for name, shape in shapes.items():
            length = _bounds(shape.numel())[2]
            start = self.num_local
            self.num_local += length
            self._pieces[name] = _Piece(shape, length, slice(start, self.num_local))
        self.num_parameters = sum(shape.numel() for shape in shapes.values())

    @classmethod
    def from_module(cls, module: nn.Module, dtype: torch.dtype = torch.float32) -> Shards:
        """Cuts the parameters of an ordinary module, whole on every worker."""
        whole = {name: p.detach() for name, p in module.named_parameters()}
        return cls(
            {name: tensor.shape for name, tensor in whole.items()},
            {name: _cut(tensor.reshape(-1)) for name, tensor in whole.items()},
            dtype,
        )

    @classmethod
    def from_zero3(cls, module: nn.Module, dtype: torch.dtype = torch.float32) -> Shards:
        """The live shards of a module that DeepSpeed's ZeRO-3 has sharded, without a copy."""
        named: dict[str, Any] = dict(module.named_parameters())
        if missing := [name for name, p in named.items() if not hasattr(p, "ds_tensor")]:
            raise ValueError(f"{missing[0]} is not sharded by ZeRO-3; use from_module")
        return cls(
            {name: p.ds_shape for name, p in named.items()},
            {name: p.ds_tensor.detach().reshape(-1) for name, p in named.items()},
            dtype,
        )

    @classmethod
    def from_safetensors(
        cls,
        files: Sequence[Path],
        names: Iterable[str],
        dtype: torch.dtype = torch.float32,
        device: torch.device | str = "cpu",
    ) -> Shards:
        """Reads this worker's shards of a published model; no worker reads the whole of it.

        Args:
            files: its ``*.safetensors`` files.
            names: of the parameters, in the order of the model's ``named_parameters``.

        Raises:
            ValueError: a parameter is in none of the files.
        """
        shapes: dict[str, torch.Size] = {}
        pieces: Tensors = {}
        with _open_slices(files) as slice_of:
            for name in names:
                whole = slice_of(name)
                shapes[name] = torch.Size(whole.get_shape())
                pieces[name] = _read_piece(whole, shapes[name]).to(device)
        return cls(shapes, pieces, dtype)

    def moved(self, vector: torch.Tensor, share: float) -> Shards:
        """The shards of weights + share x vector, in ``dtype`` and in new memory."""
        there = copy.copy(self)
        there._weights = {
            name: self._weights[name].to(self.dtype).add(vector[piece.place], alpha=share)
            for name, piece in self._pieces.items()
        }
        return there

    @property
    def names(self) -> Collection[str]:
        """Of the parameters."""
        return self._pieces.keys()

    def gather(self, names: Iterable[str], vector: torch.Tensor | None = None) -> Tensors:
        """Whole parameters, or the whole parts of a vector that belong to them, in ``dtype``."""
        chosen = {name: self._pieces[name] for name in names}
        local = [
            self._weights[name] if vector is None else vector[piece.place]
            for name, piece in chosen.items()
        ]
        rows = self._all_gather(torch.cat(local)).to(self.dtype)
        parts = rows.split([piece.length for piece in chosen.values()], dim=1)
        return {
            name: part.reshape(-1)[: piece.shape.numel()].view(piece.shape)
            for (name, piece), part in zip(chosen.items(), parts, strict=True)
        }

    def scatter_add(self, tensors: Mapping[str, torch.Tensor], vector: torch.Tensor) -> None:
        """Adds to a vector what whole parts of it sum up to over all workers."""
        chosen = {name: self._pieces[name] for name in tensors}
        lengths = [piece.length for piece in chosen.values()]
        rows = vector.new_empty(self._world, sum(lengths))
        for part, whole in zip(rows.split(lengths, dim=1), tensors.values(), strict=True):
            part.copy_(F.pad(whole.reshape(-1), (0, part.numel() - whole.numel())).view_as(part))
        parts = self._reduce_scatter(rows).split(lengths)
        for piece, part in zip(chosen.values(), parts, strict=True):
            vector[piece.place] += part

    def zeros(self) -> torch.Tensor:
        """A vector of zeros."""
        return torch.zeros(self.num_local, dtype=self.dtype, device=self.device)

    def vector(self, read: Callable[[str], torch.Tensor]) -> torch.Tensor:
        """A vector of whole tensors that are given by parameter."""
        out = self.zeros()
        for name, piece in self._pieces.items():
            out[piece.place] = _cut(read(name).reshape(-1)).to(out)
        return out

    def random_vector(self, seed: int) -> torch.Tensor:
        """A standard normal vector, the same for any number of workers; its filling is zero."""
        generator = torch.Generator().manual_seed(seed)
        return self.vector(lambda name: draw_normal(self._pieces[name].shape, generator))

    def dot(self, left: torch.Tensor, right: torch.Tensor) -> float:
        """The inner product over all workers, in float64."""
        return self.total(float64_dot(left, right))

    def total(self, value: torch.Tensor) -> float:
        """The sum of a number over all workers."""
        if self._world > 1:
            dist.all_reduce(value)
        return float(value)

    def _all_gather(self, local: torch.Tensor) -> torch.Tensor:
        """The workers' tensors as rows."""
        if self._world == 1:
            return local[None]
        rows = local.new_empty(self._world, local.numel())
        dist.all_gather_single(rows.view(-1), local)
        return rows

    def _reduce_scatter(self, rows: torch.Tensor) -> torch.Tensor:
        """This worker's row of the sum over all workers."""
        if self._world == 1:
            return rows[0]
        local = rows.new_empty(rows.shape[1])
        dist.reduce_scatter_single(local, rows.view(-1))
        return local


def _rank_and_world() -> tuple[int, int]:
    """This worker's rank, and the number of workers."""
    return (dist.get_rank(), dist.get_world_size()) if dist.is_initialized() else (0, 1)


def _bounds(numel: int) -> tuple[int, int, int]:
    """Where this worker's piece of so many numbers starts and stops, and its full length."""
    rank, world = _rank_and_world()
    length = -(-numel // world)
    return min(rank * length, numel), min((rank + 1) * length, numel), length


def _cut(flat: torch.Tensor) -> torch.Tensor:
    """This worker's piece of a flat tensor, filled up with zeros."""
    start, stop, length = _bounds(flat.numel())
    return F.pad(flat[start:stop], (0, length - (stop - start)))


@contextmanager
def open_tensors(files: Sequence[Path]) -> Iterator[_Read]:
    """Reads tensors of ``*.safetensors`` files, by their names.

    Raises:
        ValueError: a tensor is in none of the files.
    """
    with _open_slices(files) as slice_of:
        yield lambda name: slice_of(name)[:]


@contextmanager
def _open_slices(files: Sequence[Path]) -> Iterator[Callable[[str], Any]]:
    """The tensors of the files, which are not read yet."""
    with ExitStack() as stack:
        opened = [stack.enter_context(safe_open(path, framework="pt")) for path in files]
        where = {name: file for file in opened for name in file.keys()}  # noqa: SIM118

        def slice_of(name: str) -> Any:
            if name not in where:
                raise ValueError(
                    f"no safetensors file holds {name}: {[str(path) for path in files]}"
                )
            return where[name].get_slice(name)

        yield slice_of


def _read_piece(whole: Any, shape: torch.Size) -> torch.Tensor:
    """This worker's piece of a tensor in a file: the rows that it touches are read."""
    start, stop, length = _bounds(shape.numel())
    width = shape[1:].numel()
    first, last = start // width, -(-stop // width)
    rows = whole[first:last].reshape(-1)[start - first * width : stop - first * width]
    return F.pad(rows, (0, length - rows.numel()))
