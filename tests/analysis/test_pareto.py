"""The picture of an Optuna search."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure

from analysis.beyond import pareto
from raysweep.results.tables import write_trial
from raysweep.store.storage import Storage

POINTS = [(0.5, 0.1, True), (0.9, 0.3, True), (0.4, 0.2, False)]


def sweep(
    folder: Path, objectives: tuple[str, ...] = ("capability_accuracy", "forgetting")
) -> Storage:
    rows: list[dict[str, object]] = [
        {
            "sweep": "s",
            "number": number,
            "trial": f"toxigen-csqa-t{number}",
            "params": "{}",
            "state": "complete",
            "objective": objective,
            "mode": "max" if "accuracy" in objective else "min",
            "value": value,
            "is_best": is_best,
        }
        for number, (*values, is_best) in enumerate(POINTS)
        for objective, value in zip(objectives, values, strict=False)
    ]
    rows.append({**rows[0], "number": 9, "state": "fail", "value": None, "is_best": False})
    write_trial(Storage.open(folder), "study", {"study": rows})
    return Storage.open(folder)


def test_the_finished_trials_with_their_objectives(tmp_path: Path) -> None:
    found = pareto.search(sweep(tmp_path))
    assert found is not None
    assert found.objectives == (
        pareto.Objective("capability_accuracy", "max"),
        pareto.Objective("forgetting", "min"),
    )
    assert [(one.number, *one.values, one.is_best) for one in found.candidates] == [
        (number, *point) for number, point in enumerate(POINTS)
    ]


def test_a_sweep_without_a_study(tmp_path: Path) -> None:
    write_trial(Storage.open(tmp_path), "t", {"steps": []})
    assert pareto.search(Storage.open(tmp_path)) is None


def test_the_front_is_a_staircase_with_the_names_of_its_trials(tmp_path: Path) -> None:
    found = pareto.search(sweep(tmp_path))
    assert found is not None
    axes = Figure().subplots()
    pareto._draw_front(axes, found)
    (line,) = axes.get_lines()
    corners = np.asarray(line.get_path().vertices).tolist()
    assert corners == [[0.5, 0.1], [0.5, 0.3], [0.9, 0.3]], "0.6 of accuracy costs 0.3 forgetting"
    assert [text.get_text() for text in axes.texts] == ["t0", "t1", "2"]
    assert "capability accuracy (max)" in axes.get_xlabel()
    pareto.picture(found).savefig(tmp_path / "pareto.png")
    assert (tmp_path / "pareto.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(("mode", "best"), [("max", [3, 3, 5]), ("min", [3, 1, 1])])
def test_the_best_so_far(mode: str, best: list[float]) -> None:
    assert pareto._best_so_far([3, 1, 5], mode) == best


def test_one_objective_is_drawn_by_trial(tmp_path: Path) -> None:
    found = pareto.search(sweep(tmp_path, ("accuracy_bbq",)))
    assert found is not None
    pareto.picture(found).savefig(tmp_path / "search.png")
    assert (tmp_path / "search.png").stat().st_size > 5_000
