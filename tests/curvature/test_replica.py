"""Hessian-vector products against closed forms, a dense Hessian and other numbers of workers."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import pytest
import torch
from torch import nn

from raysweep.curvature import ReplicaHessian, expand_change, spectral_radius
from raysweep.training.batches import collate
from raysweep.training.loss import answer_loss_sum
from tests.models import random_rows, small_llama
from tests.processes import run_group

ROWS = random_rows(11, seed=3)
NUM_TOKENS = sum(len(row.answer) for row in ROWS)


def test_a_quadratic_has_its_own_matrix() -> None:
    generator = torch.Generator().manual_seed(0)
    root = torch.randn(6, 6, generator=generator, dtype=torch.float64)
    matrix = root + root.T
    module = nn.Linear(6, 1, bias=False, dtype=torch.float64)
    weight = module.weight[0]
    hessian = ReplicaHessian(
        module, [lambda: 0.5 * module.weight[0] @ matrix @ module.weight[0]], 1
    )
    vector = torch.randn(6, generator=generator, dtype=torch.float64)
    torch.testing.assert_close(hessian.product(vector), matrix @ vector)
    found = spectral_radius(hessian, seed=0, relative_tolerance=1e-10)
    assert found.value == pytest.approx(float(torch.linalg.eigvalsh(matrix).abs().max()), rel=1e-9)
    assert weight.grad_fn is not None


@pytest.mark.parametrize("num_points", [1, 2, 8])
def test_a_quadratic_rises_along_the_path_as_it_does_at_its_end(num_points: int) -> None:
    """L = x'Ax / 2 + b'x: L(x + d) - L(x) = (Ax + b)'d + d'Ad / 2, and H is A everywhere."""
    generator = torch.Generator().manual_seed(3)
    root, linear, change = (
        torch.randn(*size, generator=generator, dtype=torch.float64)
        for size in ((6, 6), (6,), (6,))
    )
    matrix = root + root.T
    module = nn.Linear(6, 1, bias=False, dtype=torch.float64)
    start = module.weight[0].detach().clone()

    def loss() -> torch.Tensor:
        return 0.5 * module.weight[0] @ matrix @ module.weight[0] + linear @ module.weight[0]

    numbers = iter(range(100))
    hessian = ReplicaHessian(module, [loss], 1)
    found = expand_change(hessian, lambda name: change, num_points, lambda: next(numbers))
    increase = float((matrix @ start + linear) @ change + 0.5 * change @ matrix @ change)
    assert found.path_increase == pytest.approx(increase, rel=1e-12)
    assert found.mean_quadratic == pytest.approx(float(change @ matrix @ change), rel=1e-12)
    assert found.path_points == num_points
    assert next(numbers) == num_points + 1, "one gradient a point, and one at the end"
    assert torch.equal(module.weight[0], start)
    without = expand_change(hessian, lambda name: change)
    assert (without.path_increase, without.mean_quadratic, without.path_points) == (None, None, 0)
    assert without.predicted_increase == pytest.approx(increase, rel=1e-12)


def test_k_points_are_exact_to_the_degree_of_twice_as_many() -> None:
    """L = sum of x^n along the diagonal from 1 to 3: 4 (3^n - 1), and d'Hd on the mean by hand."""
    module = nn.Linear(4, 1, bias=False, dtype=torch.float64)
    nn.init.ones_(module.weight)
    for degree in range(2, 9):
        loss = partial(lambda power: (module.weight**power).sum(), degree)
        exact = 4 * (3.0**degree - 1)
        mean = 2 * 4 * degree * (3.0 ** (degree - 1) - 1)
        for num_points in range(1, 6):
            hessian = ReplicaHessian(module, [loss], 1)
            found = expand_change(hessian, lambda name: 2 * torch.ones(1, 4).double(), num_points)
            is_exact = found.path_increase == pytest.approx(exact, rel=1e-12)
            assert is_exact == (degree <= 2 * num_points)
            assert found.mean_quadratic == pytest.approx(mean, rel=1e-12)


def test_parameters_are_the_same_memory_after_a_look_elsewhere() -> None:
    module = nn.Linear(3, 1, bias=False, dtype=torch.float64)
    calls = list[int]()

    def loss() -> torch.Tensor:
        calls.append(1)
        if len(calls) > 3:
            raise RuntimeError("out of memory")
        return (module.weight**4).sum()

    hessian = ReplicaHessian(module, [loss], 1, keep_graph=True)
    place, values = module.weight.data_ptr(), module.weight.detach().clone()
    vector = torch.ones(3, dtype=torch.float64)
    product = hessian.product(vector)
    with pytest.raises(RuntimeError, match="out of memory"):
        hessian.gradient_at(vector, 0.5)
    assert module.weight.data_ptr() == place
    assert torch.equal(module.weight, values)
    assert torch.equal(hessian.product(vector), product), "of the kept graph"


def test_logistic_regression_has_the_textbook_hessian() -> None:
    generator = torch.Generator().manual_seed(1)
    inputs = torch.randn(40, 5, generator=generator, dtype=torch.float64)
    labels = torch.randint(2, (40,), generator=generator, dtype=torch.float64)
    module = nn.Linear(5, 1, bias=False, dtype=torch.float64)

    def loss_of(part: slice) -> Callable[[], torch.Tensor]:
        def loss() -> torch.Tensor:
            return nn.functional.binary_cross_entropy_with_logits(
                module(inputs[part])[:, 0], labels[part], reduction="sum"
            )

        return loss

    # Unequal pieces under one normaliser: the mean over all 40, not a mean of means.
    hessian = ReplicaHessian(module, [loss_of(slice(0, 33)), loss_of(slice(33, 40))], 40)
    p = torch.sigmoid(module(inputs)[:, 0]).detach()
    expected = inputs.T @ (inputs * (p * (1 - p))[:, None]) / 40
    columns = [hessian.product(unit) for unit in torch.eye(5, dtype=torch.float64)]
    torch.testing.assert_close(torch.stack(columns), expected)


def llama_hessian(size: int = 4, rank: int = 0, world: int = 1) -> ReplicaHessian:
    model = small_llama(tied=True, attention="eager")
    own = ROWS[rank::world]
    batches = [collate(own[i : i + size], 0) for i in range(0, len(own), size)]
    losses = [lambda batch=batch: answer_loss_sum(model, batch) for batch in batches]
    return ReplicaHessian(model, losses, NUM_TOKENS)


def test_products_equal_central_differences_of_plain_gradients() -> None:
    """Differences of float32 gradients: their rounding, 1e-7 / step, and the step's square."""
    hessian = llama_hessian()
    model = small_llama(tied=True, attention="eager")
    vector = hessian.random_vector(2)
    vector = vector / vector.norm()
    step = 1e-2

    def gradient(offset: float) -> torch.Tensor:
        pieces = vector.split([p.numel() for p in model.parameters()])
        with torch.no_grad():
            for parameter, piece in zip(model.parameters(), pieces, strict=True):
                parameter += offset * piece.view_as(parameter)
        loss = answer_loss_sum(model, collate(ROWS, 0)) / NUM_TOKENS
        found = torch.autograd.grad(loss, list(model.parameters()))
        with torch.no_grad():
            for parameter, piece in zip(model.parameters(), pieces, strict=True):
                parameter -= offset * piece.view_as(parameter)
        return torch.cat([g.reshape(-1) for g in found]).double()

    numeric = (gradient(step) - gradient(-step)) / (2 * step)
    exact = hessian.product(vector).double()
    assert float((numeric - exact).norm() / exact.norm()) < 5e-3


def test_the_operator_is_symmetric_and_blind_to_batches() -> None:
    hessian = llama_hessian()
    left, right = hessian.random_vector(0), hessian.random_vector(1)
    forth = hessian.dot(left, hessian.product(right))
    assert forth == pytest.approx(hessian.dot(right, hessian.product(left)), rel=1e-4)
    whole = llama_hessian(size=100).product(right)
    torch.testing.assert_close(hessian.product(right), whole, rtol=1e-4, atol=1e-5)


def _radius() -> tuple[float, int]:
    import torch.distributed as dist

    hessian = llama_hessian(2, dist.get_rank(), dist.get_world_size())
    found = spectral_radius(hessian, seed=0)
    return found.eigenvalue, found.num_products


@pytest.mark.distributed
@pytest.mark.parametrize("world", [2, 3])
def test_workers_with_unequal_shares_find_what_one_process_finds(world: int) -> None:
    alone = spectral_radius(llama_hessian(), seed=0)
    for eigenvalue, _ in run_group(world, _radius):
        assert eigenvalue == pytest.approx(alone.eigenvalue, rel=1e-5)


def test_a_random_loss_is_refused() -> None:
    module = nn.Sequential(nn.Linear(4, 4), nn.Dropout(0.5))
    with pytest.raises(ValueError, match="not deterministic"):
        ReplicaHessian(module, [lambda: module(torch.ones(2, 4)).sum()], 1)


@pytest.mark.parametrize("loss", [float("nan"), float("inf")])
def test_a_loss_that_is_no_number_is_refused_as_such(loss: float) -> None:
    module = nn.Linear(4, 4)
    with pytest.raises(ValueError, match=f"the loss is {loss}: there is no curvature"):
        ReplicaHessian(module, [lambda: module(torch.ones(2, 4)).sum() * loss], 1)
