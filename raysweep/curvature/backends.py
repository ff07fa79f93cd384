"""Implementations of operations that can be differentiated twice."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
import torch.nn.functional as F
from torch.nn.attention import SDPBackend, sdpa_kernel


@contextmanager
def twice_differentiable() -> Iterator[None]:
    """Within it, attention and linear layers have second derivatives.

    The fused kernels of scaled dot-product attention have none. And DeepSpeed's ZeRO-3 puts a
    function of its own in the place of ``torch.nn.functional.linear``, for the whole process, that
    has no forward-mode derivative. Both are as they were afterwards.
    """
    replaced = F.linear
    F.linear = torch._C._nn.linear
    try:
        with sdpa_kernel(SDPBackend.MATH):
            yield
    finally:
        F.linear = replaced
