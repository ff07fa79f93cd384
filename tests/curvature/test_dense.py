"""Both operators against the whole Hessian of a small LLaMA in true float64."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache

import pytest
import torch
from transformers import LlamaForCausalLM

from benchmarks.curvature_work import double_arithmetic
from raysweep.curvature import (
    LayerwiseHessian,
    ReplicaHessian,
    expand_change,
    power_iteration,
    spectral_radius,
)
from raysweep.curvature.change import integral
from raysweep.model.parts import Part
from raysweep.training.loss import Reduction, answer_loss_sum, normaliser
from tests.curvature.double import (
    batches_of,
    dense_content_hessian,
    dense_hessian,
    layerwise,
    replica,
    rows,
    tiny_llama,
)

PARTS: tuple[Part, ...] = ("whole", "format", "content")
Make = Callable[..., ReplicaHessian | LayerwiseHessian]
OPERATORS: list[Make] = [replica, layerwise]
Case = tuple[LlamaForCausalLM, torch.Tensor]


@pytest.fixture(scope="module", autouse=True)
def _double() -> Iterator[None]:
    with double_arithmetic():
        yield


@cache
def known(tied: bool, steps: int) -> Case:
    """A model after some steps of training, and its Hessian."""
    model = tiny_llama(tied=tied, steps=steps)
    return model, dense_hessian(model)


@pytest.fixture(params=[(True, 0), (True, 60), (False, 60)], ids=["fresh", "tied", "untied"])
def case(request: pytest.FixtureRequest) -> Case:
    return known(*request.param)


def relative(found: torch.Tensor, expected: torch.Tensor) -> float:
    return float((found - expected).norm() / expected.norm())


@pytest.mark.parametrize("make", OPERATORS)
def test_products_equal_those_of_the_dense_matrix(case: Case, make: Make) -> None:
    model, matrix = case
    assert relative(matrix.T, matrix) < 1e-13, "the oracle is symmetric"
    operator = make(model)
    for seed in range(3):
        vector = operator.random_vector(seed)
        assert relative(operator.product(vector), matrix @ vector) < 1e-12


@pytest.mark.parametrize("make", OPERATORS)
def test_products_equal_differences_of_gradients(case: Case, make: Make) -> None:
    """Richardson's extrapolation of central differences of this operator's own gradients."""
    model, _ = case
    operator = make(model)
    vector = operator.random_vector(7)
    vector /= vector.norm()
    start = torch.nn.utils.parameters_to_vector(model.parameters()).detach()

    def gradient(offset: float) -> torch.Tensor:
        torch.nn.utils.vector_to_parameters(start + offset * vector, model.parameters())
        return make(model).loss_and_gradient()[1]

    def slope(step: float) -> torch.Tensor:
        return (gradient(step) - gradient(-step)) / (2 * step)

    step = 1e-3
    numeric = (64 * slope(step / 4) - 20 * slope(step / 2) + slope(step)) / 45
    torch.nn.utils.vector_to_parameters(start, model.parameters())
    assert relative(operator.product(vector), numeric) < 1e-9


@pytest.mark.parametrize("make", OPERATORS)
def test_the_spectral_radius_to_eight_digits(case: Case, make: Make) -> None:
    model, matrix = case
    spectrum = torch.linalg.eigvalsh(matrix)
    expected = float(spectrum[spectrum.abs().argmax()])
    found = spectral_radius(make(model), seed=0, relative_tolerance=1e-6, max_products=150)
    assert found.converged
    assert found.eigenvalue == pytest.approx(expected, rel=1e-8)
    assert found.largest_ritz_value == pytest.approx(float(spectrum[-1]), rel=1e-8)
    default = spectral_radius(make(model), seed=1)
    assert default.converged
    assert default.value == pytest.approx(abs(expected), rel=1e-3)
    assert abs(default.eigenvalue - expected) <= default.residual + 1e-9 * default.value, (
        "its bound"
    )


@pytest.mark.parametrize("make", OPERATORS)
def test_the_sign_flips_with_the_loss(case: Case, make: Make) -> None:
    up = spectral_radius(make(case[0]), seed=3)
    down = spectral_radius(make(case[0], sign=-1), seed=3)
    assert up.eigenvalue == pytest.approx(-down.eigenvalue, rel=1e-9)
    assert up.value == pytest.approx(down.value, rel=1e-9)


def test_power_iteration_finds_the_same(case: Case) -> None:
    model, matrix = case
    spectrum = torch.linalg.eigvalsh(matrix)
    found = power_iteration(replica(model), seed=0, max_products=2000)
    assert found.converged
    assert found.value == pytest.approx(float(spectrum.abs().max()), rel=1e-3)


def test_what_converged_is_never_more_than_a_hundredth_off() -> None:
    """Before training the two ends of the spectrum are close rivals of opposite sign."""
    model, matrix = known(True, 0)
    expected = float(torch.linalg.eigvalsh(matrix).abs().max())
    operator = replica(model, keep=True)
    found = [spectral_radius(operator, seed=seed) for seed in range(25)]
    assert all(one.value == pytest.approx(expected, rel=1e-2) for one in found if one.converged)
    assert sum(one.converged for one in found) >= 24


@pytest.mark.parametrize("make", OPERATORS)
def test_reductions_differ_and_each_is_right(make: Make) -> None:
    model, _ = known(True, 60)
    vector = make(model).random_vector(0)
    by_sample = make(model, "sample").product(vector)
    assert relative(by_sample, dense_hessian(model, "sample") @ vector) < 1e-12
    assert relative(by_sample, make(model, "token").product(vector)) > 1e-2


@pytest.mark.parametrize("reduction", ["token", "sample"])
def test_the_hessian_of_the_content_is_that_of_its_tokens_under_the_same_normaliser(
    reduction: Reduction,
) -> None:
    model, _ = known(True, 60)
    matrix = dense_content_hessian(model, reduction)
    radius = float(torch.linalg.eigvalsh(matrix).abs().max())
    for make in OPERATORS:
        whole, shared, deciding = (make(model, reduction, 1, part) for part in PARTS)
        vector = whole.random_vector(1)
        assert relative(deciding.product(vector), matrix @ vector) < 1e-12
        both = shared.product(vector) + deciding.product(vector)
        assert relative(both, whole.product(vector)) < 1e-12
        assert relative(shared.product(vector), whole.product(vector)) > 1e-2
        assert shared.loss() + deciding.loss() == pytest.approx(whole.loss(), rel=1e-14)
        assert whole.loss() == whole.loss_and_gradient()[0]
        found = spectral_radius(deciding, seed=0, relative_tolerance=1e-6, max_products=150)
        assert found.value == pytest.approx(radius, rel=1e-8)


@pytest.mark.parametrize("make", OPERATORS)
def test_loss_and_gradient_are_those_of_autograd(make: Make) -> None:
    model = tiny_llama(steps=5)
    sums = [answer_loss_sum(model, batch) for batch in batches_of(rows(), 2)]
    value = torch.stack(sums).sum() / normaliser(rows())
    expected = torch.autograd.grad(value, list(model.parameters()))
    loss, gradient = make(model).loss_and_gradient()
    assert loss == pytest.approx(value.item(), rel=1e-12)
    assert relative(gradient, torch.cat([g.reshape(-1) for g in expected])) < 1e-12


def test_a_kept_graph_gives_the_same_products() -> None:
    model = tiny_llama(steps=5)
    vector = replica(model).random_vector(0)
    keeping = replica(model, keep=True)
    for factor in (1, 2):
        expected = replica(model).product(factor * vector)
        assert relative(keeping.product(factor * vector), expected) < 1e-13


@pytest.mark.parametrize("make", OPERATORS)
def test_the_expansion_of_a_change(make: Make) -> None:
    """Every term from the dense matrix; its error is of third order in the change."""
    model, matrix = known(True, 60)
    names = dict(model.named_parameters())
    direction = {name: torch.randn_like(p) for name, p in names.items()}
    flat = torch.cat([direction[name].reshape(-1) for name in names])
    radius = float(torch.linalg.eigvalsh(matrix).abs().max())
    errors = []
    for size in (1e-2, 1e-3):
        step = size / float(flat.norm())
        moved = {name: step * one for name, one in direction.items()}
        change = expand_change(make(model), moved.__getitem__)
        assert change.change_norm == pytest.approx(size)
        quadratic = 0.5 * step**2 * float(flat @ matrix @ flat)
        assert change.quadratic_form == pytest.approx(quadratic, rel=1e-9)
        assert abs(quadratic) <= change.bound(radius)
        with torch.no_grad():
            for name, parameter in names.items():
                parameter += step * direction[name]
        after, _ = make(model).loss_and_gradient()
        with torch.no_grad():
            for name, parameter in names.items():
                parameter -= step * direction[name]
        errors.append(abs(after - change.loss - change.predicted_increase))
    assert errors[1] < errors[0] / 500, "a thousandth for a tenth of the change"


@pytest.mark.parametrize("make", OPERATORS)
def test_along_a_path_every_gradient_is_that_of_the_moved_model(make: Make) -> None:
    model, _ = known(True, 60)
    names = list(dict(model.named_parameters()))
    operator, change = make(model), far_from(model)
    flat = torch.cat([change[name].reshape(-1) for name in names])
    before = [p.detach().clone() for p in model.parameters()]
    vector = operator.vector(change.__getitem__)
    for share in (0.0, 0.3, 1.0):
        moved = tiny_llama(tied=True)
        start = torch.cat([p.reshape(-1) for p in before])
        torch.nn.utils.vector_to_parameters(start + share * flat, moved.parameters())
        loss = answer_loss_sum(moved, batches_of(rows(), 100)[0]) / normaliser(rows())
        wanted = torch.autograd.grad(loss, list(moved.parameters()))
        whole = torch.cat([g.reshape(-1) for g in wanted])
        assert relative(operator.gradient_at(vector, share), whole) < 1e-12
    assert all(torch.equal(p, q) for p, q in zip(model.parameters(), before, strict=True))


@pytest.mark.parametrize("make", OPERATORS)
def test_a_path_recovers_the_increase_where_the_expansion_is_far_off(make: Make) -> None:
    """What is to be found say the loss at both ends, and the products on the way."""
    model, _ = known(True, 60)
    change, moved = far_from(model), tiny_llama(tied=True)
    found, finer = (expand_change(make(model), change.__getitem__, k) for k in (8, 16))
    start = torch.nn.utils.parameters_to_vector(model.parameters()).detach()
    vector = make(model).vector(change.__getitem__)

    def form(share: float) -> float:
        torch.nn.utils.vector_to_parameters(start + share * vector, moved.parameters())
        operator = make(moved)
        return operator.dot(vector, operator.product(vector))

    assert found.mean_quadratic == pytest.approx(integral(form, 16), rel=1e-7)
    assert found.mean_quadratic == finer.mean_quadratic
    form(1.0)
    increase = make(moved).loss_and_gradient()[0] - found.loss
    assert increase > 0.05
    assert abs(found.predicted_increase - increase) > 0.5 * increase, "by what is at its start"
    assert found.path_increase == pytest.approx(increase, rel=1e-5)
    assert finer.path_increase == pytest.approx(increase, rel=1e-11)


def far_from(model: LlamaForCausalLM) -> dict[str, torch.Tensor]:
    """A change that is no small one to this model, by parameter."""
    torch.manual_seed(5)
    return {name: 0.03 * torch.randn_like(p) for name, p in model.named_parameters()}
