"""Where numbers stop being numbers: which parameter, or which layer's result, is not finite."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

import torch
from torch import nn

from raysweep.model.encoding import Encoded


class NotFiniteError(FloatingPointError):
    """A model's weights or logits hold NaN or infinity."""


def first_not_finite(weights: Mapping[str, torch.Tensor]) -> str | None:
    """The first parameter that holds NaN or infinity."""
    return next((name for name, one in weights.items() if not one.isfinite().all()), None)


@torch.no_grad()
def describe(model: nn.Module, ids: Encoded) -> str:
    """Where a model's numbers stop being finite on one row: the first parameter or module."""
    name = first_not_finite({name: p.detach() for name, p in model.named_parameters()})
    if name is not None:
        return f"parameter {name} is not finite"
    found: list[str] = []

    def look(name: str, module: nn.Module, inputs: object, output: object) -> None:
        outputs = output if isinstance(output, Sequence) else [output]
        tensors = [one for one in outputs if isinstance(one, torch.Tensor)]
        if not all(one.isfinite().all() for one in tensors if one.is_floating_point()):
            found.append(name)

    leaves = [(name, one) for name, one in model.named_modules() if not list(one.children())]
    handles = [one.register_forward_hook(partial(look, name)) for name, one in leaves]
    try:
        model(input_ids=torch.tensor([ids], device=next(model.parameters()).device))
    finally:
        for handle in handles:
            handle.remove()
    return f"the result of {found[0]} is not finite" if found else "its logits are not finite"
