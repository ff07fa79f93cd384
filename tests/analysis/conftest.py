"""Sweeps that several tables and figures show."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.analysis.sweep_folder import Sweep


@pytest.fixture
def sweep(tmp_path: Path) -> Sweep:
    return Sweep(tmp_path / "lr-0123abcd")


@pytest.fixture
def measured(sweep: Sweep) -> Sweep:
    """Two orders of one pair with two seeds, one order of another pair, and a replay chain."""
    for seed, (final, women) in enumerate([(60, 10), (64, 14)]):
        sweep.add(
            "toxigen -> arc_easy",
            {"toxigen": final, "arc_easy": 80},
            {"women": (40, women, 50), "muslim": (50, 50, 50)},
            before=90,
            seed=seed,
        )
        sweep.add(
            "arc_easy -> toxigen",
            {"arc_easy": 78, "toxigen": 91},
            before=77,
            seed=seed,
        )
    sweep.add(
        "csqa -> saferdialogues",
        {"csqa": 20, "saferdialogues": 95},
        before=70,
        constant=("csqa",),
    )
    sweep.add(
        "toxigen -> arc_easy -> toxigen@5%",
        {"toxigen": 1, "arc_easy": 1},
        before=90,
        rates=(1e-3, 1e-3, 1e-3),
    )
    sweep.add("bbq@5% -> arc_easy", {"bbq": 2, "arc_easy": 2}, before=90)
    return sweep
