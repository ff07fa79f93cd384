"""The benchmark of scale: what it measures is there, and its fits are right."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks import scale


def test_every_phase_of_a_small_space_is_measured(tmp_path: Path) -> None:
    found = scale.measured(100, tmp_path)
    assert found.seconds.keys() == found.peak_mib.keys()
    assert next(iter(found.seconds)) == "plan"
    assert [*found.seconds][-1] == "table at the end"
    assert all(seconds >= 0 for seconds in found.seconds.values())
    assert [*found.peak_mib.values()] == sorted(found.peak_mib.values()), "the peak so far"
    assert len(list((tmp_path / "results" / "results" / "evaluations").iterdir())) == 100
    assert len(list((tmp_path / "store").rglob("manifest.json"))) > 100


def test_a_space_has_as_many_trials_as_it_is_asked_for() -> None:
    space = scale.space_of(2000)
    assert len(space.chains) * 25 * len(space.seeds) == 2000


def test_fits_of_known_laws() -> None:
    sizes = [10, 100, 1000]
    assert scale.exponent(sizes, [3.0, 300.0, 30_000.0]) == pytest.approx(2)
    line = scale.per_trial(sizes, [2 + 0.5 * size for size in sizes])
    assert line == pytest.approx((0.5, 2))
