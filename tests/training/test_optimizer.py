"""The optimizer that goes piece by piece: AdamW's own results, and how far they are apart."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import torch

from raysweep.training.optimizer import PIECE, NormedAdamW

SHAPES = [(7,), (PIECE - 9,), (3, 5), (2, PIECE + 11), (1,), (3 * PIECE,), (64, 64)]
SETTINGS: dict[str, Any] = {"betas": (0.9, 0.95), "eps": 1e-8, "weight_decay": 0.1}


@pytest.fixture(params=[1, 2])
def _threads(request: pytest.FixtureRequest) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(request.param)
    yield
    torch.set_num_threads(before)


def parameters() -> list[torch.Tensor]:
    torch.manual_seed(0)
    return [torch.randn(shape).requires_grad_() for shape in SHAPES]


@pytest.mark.usefixtures("_threads")
def test_piece_by_piece_every_bit_is_that_of_adamw() -> None:
    own, plain = parameters(), parameters()
    ours, theirs = NormedAdamW(own, **SETTINGS), torch.optim.AdamW(plain, fused=True, **SETTINGS)
    for step in range(6):
        for number, (one, other) in enumerate(zip(own, plain, strict=True)):
            is_left_out = number == step  # its next step has bias corrections of its own
            gradient = torch.randn(one.shape) * 10.0**-step
            one.grad = None if is_left_out else gradient
            other.grad = None if is_left_out else gradient.clone()
        for group in (*ours.param_groups, *theirs.param_groups):
            group["lr"] = 1e-2 / (step + 1)
        before = [one.detach().clone() for one in own]
        ours.step()
        theirs.step()
        assert all(torch.equal(one, other) for one, other in zip(own, plain, strict=True))
        moved = [(a.detach() - b).double() for a, b in zip(own, before, strict=True)]
        squared, number = ours.pop_change()
        # float64 sums of other pieces: the summands are the same
        assert float(squared) == pytest.approx(float(sum(d.square().sum() for d in moved)), 1e-13)
        assert number == sum(p.numel() for p in own if p.grad is not None)


def test_the_change_is_counted_from_one_look_to_the_next() -> None:
    (one,) = own = [torch.ones(3, requires_grad=True)]
    optimizer = NormedAdamW(own, lr=1.0, weight_decay=0.0, eps=0.0, betas=(0.0, 0.0))
    for _ in range(2):  # without memory AdamW moves each number by the rate against its gradient
        one.grad = torch.tensor([2.0, -3.0, 0.5])
        optimizer.step()
    assert [float(one) for one in optimizer.pop_change()] == [6.0, 6.0]
    assert [float(one) for one in optimizer.pop_change()] == [0.0, 0.0]
