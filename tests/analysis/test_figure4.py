"""Curvature and forgetting, from rows of known content."""

from __future__ import annotations

import json
import math
from io import StringIO
from pathlib import Path
from statistics import correlation, linear_regression

import pyarrow.compute as pc
import pytest
from matplotlib.container import ErrorbarContainer
from rich.console import Console

from analysis.paper.figure4 import figure4, listing, picture
from raysweep.results.tables import from_bytes, to_bytes, write_trial
from raysweep.store.storage import Storage
from raysweep.tasks.task import Kind
from tests.analysis.pictures import is_framed_in_white

TITLES = {"toxigen": "TQA", "csqa": "CQA"}
RADII = {("toxigen", 0): 80.0, ("toxigen", 1): 120.0, ("csqa", 0): 4.0, ("csqa", 1): 6.0}


def add_trial(
    results: Storage,
    chain: tuple[str, ...],
    seed: int,
    drop: float,
    rate: float = 1e-3,
    batch: int = 16,
    radius: float | None = None,
) -> None:
    """``rate`` and ``batch`` are the first stage's; ``radius`` is that of `RADII` otherwise."""
    first = chain[0]
    rates = [rate, *[1e-3] * (len(chain) - 1)]
    settings = [
        {"stage": label, "learning_rate": one, "global_batch_size": batch}
        for label, one in zip(chain, rates, strict=True)
    ]
    common = {
        "sweep": "s",
        "trial": f"{'-'.join(chain)}-{seed}-{rate}-{batch}",
        "chain": " -> ".join(chain),
        "seed": seed,
        "data_seed": 0,
        "settings": json.dumps(settings),
        "learning_rates": rates,
        "task": first,
        "title": TITLES.get(first, first),
        "kind": "safety" if first == "toxigen" else "capability",
    }
    stage_1 = {"stage": 1, "stage_task": first, "stage_key": f"{first}-{seed}-{rate}-{batch}"}
    radius = RADII[first, seed] if radius is None else radius
    other = {**common, **stage_1, "task": "bbq", "spectral_radius": 1e6, "converged": True}
    part = "whole" if seed else None  # of a file from before there was the column
    whole = {**common, **stage_1, "part": part}
    overall = {**common, "group": "overall"}
    tables = {
        "curvature": [
            {**whole, "spectral_radius": radius, "converged": radius != 6.0},
            {**whole, "part": "content", "spectral_radius": 1e5, "converged": True},
            other,
        ],
        "forgetting": [
            {**overall, "stage": number, "forgetting": drop + len(chain) - number}
            for number in range(2, len(chain) + 1)
        ]
        + [{**common, "stage": len(chain), "group": "women", "forgetting": 9.0}],
        "changes": [
            {
                **common,
                "stage": 2,
                "loss_increase": 0.3,
                "linear_term": 0.1,
                "quadratic_form": 0.15,
                "bound": 2.0,
                "path_increase": 0.29 if seed else None,
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
        points = [tuple(point.radii.values()) for point in found.stages.points]
        return [one.seeds for one in found.curvatures], points

    before = radii()
    assert before == ([(4, 6), (80, 120)], [(4,), (80, 120)])
    for path in Path(results.root).glob("results/curvature/*.arrow"):
        content = from_bytes(path.read_bytes())
        rows = content.filter(pc.not_equal(pc.fill_null(content["part"], "whole"), "content"))
        path.write_bytes(to_bytes(rows.drop_columns(["part"])))
    assert radii() == before


def test_a_point_is_a_first_stage_over_the_chains_that_follow(results: Storage) -> None:
    """TQA: seed 0 loses 20 and 10 points, seed 1 loses 30 and 10."""
    points = {point.title: point for point in figure4(results).stages.points}
    assert set(points) == {"TQA", "CQA"}
    toxigen = points["TQA"]
    assert (toxigen.num_chains, toxigen.kind) == (2, Kind.SAFETY)
    assert toxigen.radii == {(0, 0): 80, (1, 0): 120}
    assert toxigen.forgetting == {(0, 0): pytest.approx(15), (1, 0): pytest.approx(20)}
    assert toxigen.mean_forgetting.value == pytest.approx(17.5)
    assert toxigen.radius.value == 100
    assert points["CQA"].radii == {(0, 0): 4}, "the one that converged"
    assert points["CQA"].mean_forgetting.num_seeds == 1


@pytest.mark.parametrize(
    "chain",
    [
        ("toxigen", "csqa", "toxigen@5%"),
        ("toxigen", "csqa", "bbq"),
        ("toxigen", "csqa + toxigen@5%"),
        ("toxigen", "csqa@50%"),
        ("toxigen", "toxigen"),
        ("toxigen@5%", "csqa"),
        ("toxigen + csqa", "csqa2"),
    ],
)
def test_only_chains_of_two_whole_tasks_enter(results: Storage, chain: tuple[str, ...]) -> None:
    before = figure4(results).stages
    add_trial(results, chain, 0, 0.9, radius=500.0)
    after = figure4(results).stages
    assert before.left_out == ()
    assert after.left_out == (" -> ".join(chain),)
    assert after.points == before.points
    assert "left out: 1" in _listed(results)


def test_settings_of_the_first_stage_make_points_of_their_own(results: Storage) -> None:
    add_trial(results, ("csqa", "toxigen"), 0, 0.1, rate=2e-3, radius=40.0)
    add_trial(results, ("csqa", "toxigen"), 0, 0.2, batch=32, radius=60.0)
    found = [(p.title, p.rate, p.radius.value) for p in figure4(results).stages.points]
    assert found == [("CQA", 1e-3, 4), ("CQA", 1e-3, 60), ("CQA", 2e-3, 40), ("TQA", 1e-3, 100)]


def test_correlation_and_lines_count_first_stages(results: Storage) -> None:
    """With one more, and however many chains each has: radii 4, 100, 50 and 0, 17.5, 30 points."""
    for second in ("toxigen", "bbq", "saferdialogues"):
        add_trial(results, ("csqa2", second), 0, 0.3, radius=50.0)
    plain, logarithmic = figure4(results).stages.fits
    radii, lost = [50, 100, 4], [30, 17.5, 0]
    assert plain.correlation is not None
    assert logarithmic.correlation is not None
    assert plain.correlation.num == logarithmic.correlation.num == 3
    assert plain.correlation.r == pytest.approx(correlation(radii, lost))
    expected = correlation([math.log(radius) for radius in radii], lost)
    assert logarithmic.correlation.r == pytest.approx(expected)
    assert plain.line is not None
    assert plain.line.slope == pytest.approx(linear_regression(radii, lost).slope)
    assert plain.line.r_squared == pytest.approx(plain.correlation.r**2)
    assert plain.by_task is None, "each task has one first stage"
    text = _listed(results)
    assert f"log10 radius 3 {expected:.2f} (-1.00 to 1.00)" in text


def test_first_stages_of_one_task_are_a_cluster(results: Storage) -> None:
    for rate, radius, lost in ((2e-3, 10.0, 0.1), (4e-3, 20.0, 0.3)):
        add_trial(results, ("csqa2", "toxigen"), 0, lost, rate=rate, radius=radius)
    fit = figure4(results).stages.fits[0]
    assert fit.by_task is not None
    assert fit.line is not None
    assert (fit.by_task.num, fit.by_task.num_clusters) == (4, 3)
    assert fit.by_task.slope == pytest.approx(fit.line.slope)
    assert "errors by task (3)" in _listed(results)


def test_two_first_stages_have_no_correlation(results: Storage) -> None:
    plain, logarithmic = figure4(results).stages.fits
    for fit in (plain, logarithmic):
        assert fit.correlation is None
        assert fit.line is None
    assert "radius 2 – – – –" in _listed(results)
    titles = [axes.get_title() for axes in picture(figure4(results)).axes]
    assert any("n = 2: no correlation" in title for title in titles)


def test_first_stages_without_a_converged_radius_are_counted(results: Storage) -> None:
    add_trial(results, ("csqa2", "bbq"), 0, 0.3, radius=6.0)
    stages = figure4(results).stages
    assert stages.num_unconverged == 1
    assert len(stages.points) == 2
    assert "radius not converged: 1" in _listed(results)


def test_the_expansion_of_each_change(results: Storage) -> None:
    changes = figure4(results).changes
    assert len(changes) == 6
    assert changes[0].predicted == pytest.approx(0.25)
    assert {one.along_path for one in changes} == {0.29, None}, "also of files without it"
    assert (changes[0].increase, changes[0].bound) == (0.3, 2.0)


def test_the_picture_says_what_it_counts(results: Storage, tmp_path: Path) -> None:
    add_trial(results, ("csqa2", "bbq"), 0, 0.3, radius=50.0)
    figure = picture(figure4(results))
    radii, stages, _ = figure.axes
    assert radii.get_ylim() == stages.get_xlim()
    found = figure4(results).stages.fits[1].correlation
    assert found is not None
    assert f"r = {found.r:.2f}, n = 3, p = {found.p:.3f}" in stages.get_title()
    caption = " ".join(figure.get_supxlabel().split())
    assert "bars from the lowest seed to the highest" in caption
    assert "chains with replay, shares or mixtures left out: 0" in caption
    bars = [one for one in stages.containers if isinstance(one, ErrorbarContainer)]
    ends = [segment[:, 1].tolist() for bar in bars for segment in bar[2][1].get_segments()]
    assert [pytest.approx([15, 20])] == [end for end in ends if end[0] != end[1]]
    figure.savefig(tmp_path / "figure4.png")
    assert is_framed_in_white(tmp_path / "figure4.png")


def test_a_sweep_without_curvature(tmp_path: Path) -> None:
    found = figure4(Storage.open(tmp_path))
    assert [*found.curvatures, *found.stages.points, *found.changes] == []
    assert found.stages.fits[0].correlation is None


def _listed(results: Storage) -> str:
    """The listing in a wide terminal, with single spaces."""
    output = Console(width=300, record=True, file=StringIO())
    output.print(listing(figure4(results)))
    return " ".join(output.export_text().split())
