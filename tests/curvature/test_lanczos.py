"""The solver on matrices whose spectrum is known."""

from __future__ import annotations

import pytest
import torch

from raysweep.curvature import spectral_radius


class Matrix:
    """A dense symmetric matrix as an operator."""

    def __init__(self, matrix: torch.Tensor) -> None:
        self.matrix, self.num_parameters = matrix, len(matrix)

    def product(self, vector: torch.Tensor) -> torch.Tensor:
        return self.matrix @ vector

    def dot(self, left: torch.Tensor, right: torch.Tensor) -> float:
        return float(torch.dot(left.double(), right.double()))

    def random_vector(self, seed: int) -> torch.Tensor:
        generator = torch.Generator().manual_seed(seed)
        return torch.randn(self.num_parameters, generator=generator, dtype=self.matrix.dtype)


def with_spectrum(values: torch.Tensor, dtype: torch.dtype = torch.float64) -> Matrix:
    generator = torch.Generator().manual_seed(5)
    size = len(values)
    basis, _ = torch.linalg.qr(torch.randn(size, size, generator=generator, dtype=torch.float64))
    return Matrix((basis * values.double() @ basis.T).to(dtype))


def bulk(*extremes: float) -> torch.Tensor:
    """400 eigenvalues in [-1, 1] and some outside."""
    return torch.cat([torch.linspace(-1, 1, 400), torch.tensor(extremes)])


def test_the_dominant_eigenvalue_and_both_ends() -> None:
    found = spectral_radius(with_spectrum(bulk(43.267, -1.681)), seed=0, relative_tolerance=1e-8)
    assert found.value == found.eigenvalue == pytest.approx(43.267, rel=1e-6)
    assert found.converged
    assert found.largest_ritz_value == pytest.approx(43.267, rel=1e-6)
    assert found.smallest_ritz_value == pytest.approx(-1.681, rel=1e-2)


def test_a_negative_eigenvalue_may_dominate() -> None:
    found = spectral_radius(with_spectrum(bulk(10.0, -12.5)), seed=0)
    assert found.eigenvalue == pytest.approx(-12.5, rel=1e-3)
    assert found.value == -found.eigenvalue


def test_the_sign_follows_the_matrix() -> None:
    up = spectral_radius(with_spectrum(bulk(7.0)), seed=3)
    down = spectral_radius(with_spectrum(-bulk(7.0)), seed=3)
    assert up.eigenvalue == pytest.approx(-down.eigenvalue, rel=1e-9)


@pytest.mark.parametrize(
    "extremes", [(2.791, -2.664), (43.267, 37.444), (30.594, 18.006), (5.0, 4.9, -4.95)]
)
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_close_rivals_never_cost_more_than_a_hundredth(
    extremes: tuple[float, ...], dtype: torch.dtype
) -> None:
    operator = with_spectrum(bulk(*extremes), dtype)
    for seed in range(40):
        found = spectral_radius(operator, seed=seed)
        if found.converged:
            assert found.value == pytest.approx(max(map(abs, extremes)), rel=1e-2), seed


def test_the_residual_is_that_of_the_ritz_vector() -> None:
    values = bulk(9.0)
    found = spectral_radius(with_spectrum(values), seed=1, max_products=12, relative_tolerance=1e-9)
    nearest = (values - found.eigenvalue).abs().min()
    assert nearest <= found.residual * (1 + 1e-6), "some eigenvalue lies within the residual"


def test_too_few_products_are_reported_as_unconverged() -> None:
    found = spectral_radius(with_spectrum(bulk(1.01)), seed=0, min_products=2, max_products=5)
    assert not found.converged
    assert found.num_products == 5


@pytest.mark.parametrize("values", [(3.0,), (3.0, -5.0), (2.0, 2.0, 2.0)])
def test_small_and_degenerate_matrices_are_solved_exactly(values: tuple[float, ...]) -> None:
    found = spectral_radius(with_spectrum(torch.tensor(values)), seed=0)
    assert found.converged
    assert found.value == pytest.approx(max(map(abs, values)), rel=1e-9)


def test_the_zero_matrix() -> None:
    found = spectral_radius(Matrix(torch.zeros(4, 4, dtype=torch.float64)), seed=0)
    assert found.value == found.relative_residual == 0
    assert found.converged
