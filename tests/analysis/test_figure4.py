"""Curvature and forgetting, from rows of known content."""

from __future__ import annotations

import math
from pathlib import Path
from statistics import correlation

import pyarrow.compute as pc
import pytest

from analysis.figure4 import figure4, listing, picture
from raysweep.results.tables import from_bytes, to_bytes, write_trial
from raysweep.store.storage import Storage
from raysweep.tasks.task import Kind

RADII = {("toxigen", 0): 80.0, ("toxigen", 1): 120.0, ("csqa", 0): 4.0, ("csqa", 1): 6.0}


def add_trial(results: Storage, chain: tuple[str, ...], seed: int, drop: float) -> None:
    first = chain[0]
    common = {
        "sweep": "s",
        "trial": f"{'-'.join(chain)}-{seed}",
        "chain": " -> ".join(chain),
        "seed": seed,
        "settings": "[]",
        "learning_rates": [1e-3] * len(chain),
        "task": first,
        "title": {"toxigen": "TQA", "csqa": "CQA"}[first],
        "kind": "safety" if first == "toxigen" else "capability",
    }
    stage_1 = {"stage": 1, "stage_task": first, "stage_key": f"{first}{seed}"}
    radius = RADII[first, seed]
    other = {**common, **stage_1, "task": "bbq", "spectral_radius": 1e6, "converged": True}
    part = "whole" if seed else None  # of a file from before there was the column
    whole = {**common, **stage_1, "part": part}
    tables = {
        "curvature": [
            {**whole, "spectral_radius": radius, "converged": radius != 6.0},
            {**whole, "part": "content", "spectral_radius": 1e5, "converged": True},
            other,
        ],
        "forgetting": [
            {**common, "stage": 2, "group": "overall", "forgetting": drop},
            {**common, "stage": 2, "group": "women", "forgetting": 9.0},
        ],
        "changes": [
            {
                **common,
                "stage": 2,
                "loss_increase": 0.3,
                "linear_term": 0.1,
                "quadratic_form": 0.15,
                "bound": 2.0,
            }
        ],
    }
    write_trial(results, str(common["trial"]), tables)


@pytest.fixture
def results(tmp_path: Path) -> Storage:
    folder = Storage.open(tmp_path)
    for seed in (0, 1):
        add_trial(folder, ("toxigen", "csqa"), seed, 0.2 + 0.1 * seed)
        add_trial(folder, ("toxigen", "csqa2"), seed, 0.1)
        add_trial(folder, ("csqa", "toxigen"), seed, 0.0)
    return folder


def test_a_first_stage_counts_once_however_many_trials_share_it(results: Storage) -> None:
    capability, safety = figure4(results).curvatures
    assert (safety.title, safety.kind, safety.radius.num_seeds) == ("TQA", Kind.SAFETY, 2)
    assert safety.radius.value == 100
    assert safety.seeds == (80, 120)
    assert safety.radius.deviation == pytest.approx(20 * 2**0.5)
    assert (capability.radius.value, capability.num_unconverged) == (5, 1)


def test_files_without_a_column_for_the_part_are_of_whole_answers(results: Storage) -> None:
    def radii() -> tuple[list[tuple[float, ...]], list[tuple[float, ...]]]:
        found = figure4(results)
        return [one.seeds for one in found.curvatures], [pair.seeds for pair in found.pairs]

    before = radii()
    assert before == ([(4, 6), (80, 120)], [(4,), (80, 120), (80, 120)])
    for path in Path(results.root).glob("results/curvature/*.arrow"):
        content = from_bytes(path.read_bytes())
        rows = content.filter(pc.not_equal(pc.fill_null(content["part"], "whole"), "content"))
        path.write_bytes(to_bytes(rows.drop_columns(["part"])))
    assert radii() == before


def test_forgetting_against_converged_curvature(results: Storage) -> None:
    pairs = {str(pair.chain): pair for pair in figure4(results).pairs}
    assert set(pairs) == {"toxigen -> csqa", "toxigen -> csqa2", "csqa -> toxigen"}
    assert pairs["toxigen -> csqa"].forgetting.value == pytest.approx(25)
    assert pairs["csqa -> toxigen"].radius.value == 4, "the one that converged"
    assert pairs["csqa -> toxigen"].seeds == (4,)
    assert (pairs["toxigen -> csqa2"].first, pairs["toxigen -> csqa2"].rest) == ("toxigen", "csqa2")
    expected = correlation([math.log(radius) for radius in (4, 100, 100)], [0, 25, 10])
    assert figure4(results).correlation == pytest.approx(expected)


def test_the_expansion_of_each_change(results: Storage) -> None:
    changes = figure4(results).changes
    assert len(changes) == 6
    assert changes[0].predicted == pytest.approx(0.25)
    assert (changes[0].increase, changes[0].bound) == (0.3, 2.0)


def test_the_table_and_the_picture(results: Storage, tmp_path: Path) -> None:
    found = figure4(results)
    assert listing(found).row_count == 2
    picture(found).savefig(tmp_path / "figure4.png")
    assert (tmp_path / "figure4.png").read_bytes().startswith(b"\x89PNG")


def test_a_sweep_without_curvature(tmp_path: Path) -> None:
    found = figure4(Storage.open(tmp_path))
    assert [*found.curvatures, *found.pairs, *found.changes] == []
    assert found.correlation is None
