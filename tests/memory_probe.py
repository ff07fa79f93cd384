"""What PyTorch really holds: independent of any formula, on any device."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves


def _parameter_storages(module: nn.Module) -> set[int]:
    return {parameter.untyped_storage()._cdata for parameter in module.parameters()}


def saved_bytes(module: nn.Module, forward: Callable[[], Any]) -> int:
    """Bytes of all distinct storages that autograd keeps of a forward pass, without parameters."""
    parameters, saved = _parameter_storages(module), dict[int, torch.UntypedStorage]()

    def pack(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        if storage._cdata not in parameters:
            saved[storage._cdata] = storage
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        kept = forward()
    assert kept is not None
    return sum(storage.nbytes() for storage in saved.values())


class PeakBytes(TorchDispatchMode):
    """The most bytes that tensors made within the context, by forward or backward, held at once."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._ignored, self._alive = _parameter_storages(module), dict[int, int]()
        self.now = self.peak = 0

    def __torch_dispatch__(
        self,
        function: Callable[..., object],
        types: Sequence[type],
        args: tuple[object, ...] = (),
        kwargs: dict[str, object] | None = None,
    ) -> object:
        result = function(*args, **(kwargs or {}))
        for tensor in tree_leaves(result):
            if isinstance(tensor, torch.Tensor):
                self._add(tensor.untyped_storage())
        return result

    def _add(self, storage: torch.UntypedStorage) -> None:
        key = storage._cdata
        if key not in self._alive and key not in self._ignored:
            self._alive[key] = storage.nbytes()
            self.now += storage.nbytes()
            self.peak = max(self.peak, self.now)
            weakref.finalize(storage, self._remove, key)

    def _remove(self, key: int) -> None:
        self.now -= self._alive.pop(key)
