"""Replay curves, from rows of known content."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from matplotlib.container import ErrorbarContainer
from matplotlib.image import imread

from analysis.figure7 import Replay, figure7, listing, picture
from raysweep.cli.console import console
from raysweep.results.tables import write_trial
from raysweep.store.storage import Storage

TITLES = {"toxigen": ("TQA", "safety"), "bbq": ("BBQ", "safety"), "csqa": ("CQA", "capability")}


def add_trial(
    results: Storage, chain: str, forgetting: float, accuracy: float, seed: int = 0, steps: int = 40
) -> None:
    """``steps`` are those of the third stage."""
    labels = chain.split(" -> ")
    first = labels[0].split("@")[0]
    settings = [
        {"stage": label, "learning_rate": rate, "num_steps": number}
        for label, rate, number in zip(labels, (1e-3, 2e-3, 1e-3), (100, 100, steps), strict=False)
    ]
    common = {
        "sweep": "s",
        "trial": f"{chain}-{steps}-{seed}",
        "chain": chain,
        "seed": seed,
        "settings": json.dumps(settings),
        "learning_rates": [stage["learning_rate"] for stage in settings],
        "stage": len(labels),
        "group": "overall",
    }
    evaluations = [
        {**common, "task": task, "title": title, "kind": kind, "subset": "all"}
        | {"accuracy": accuracy if task == "csqa" else 0.5}
        for task, (title, kind) in TITLES.items()
        if task in (first, "csqa")
    ]
    lost = [{**common, "task": first, "forgetting": forgetting, "learned_at": 1}]
    lost += [{**lost[0], "stage": 1, "forgetting": 0.99}, {**lost[0], "group": "women"}]
    write_trial(results, str(common["trial"]), {"evaluations": evaluations, "forgetting": lost})


@pytest.fixture
def results(tmp_path: Path) -> Storage:
    return Storage.open(tmp_path)


def test_shares_of_replayed_data(results: Storage) -> None:
    for seed, more in ((0, 0.0), (1, 0.1)):
        add_trial(results, "toxigen -> csqa", 0.4 + more, 0.7, seed)
        add_trial(results, "toxigen -> csqa -> toxigen@5%", 0.1 + more, 0.6, seed)
        add_trial(results, "toxigen -> csqa -> toxigen", -0.05 + more, 0.5, seed)
    (curve,) = figure7(results)
    assert curve.replay is Replay.SHARE
    assert curve.title == "TQA → CQA"
    assert curve.rates == (1e-3, 2e-3)
    assert [point.amount for point in curve.points] == [0, 5, 100]
    assert [point.forgetting.value for point in curve.points] == pytest.approx([45, 15, 0])
    assert [point.accuracy.value for point in curve.points] == pytest.approx([70, 60, 50])
    assert curve.points[1].forgetting.deviation == pytest.approx(10 / 2**0.5)
    assert curve.points[1].forgetting.num_seeds == 2
    assert [curve.recovered(point) for point in curve.points] == [
        None,
        pytest.approx(2 / 3),
        pytest.approx(1),
    ]


def test_numbers_of_replay_steps(results: Storage) -> None:
    add_trial(results, "toxigen -> csqa", 0.4, 0.7)
    for steps, forgetting in ((20, 0.02), (5, 0.2), (100, 0.0)):
        add_trial(results, "toxigen -> csqa -> toxigen", forgetting, 0.6, steps=steps)
    (curve,) = figure7(results)
    assert curve.replay is Replay.STEPS
    amounts = [(point.amount, round(point.forgetting.value)) for point in curve.points]
    assert amounts == [(0, 40), (5, 20), (20, 2), (100, 0)]
    assert curve.points[0].forgetting.deviation is None


def test_shares_mixed_into_the_second_stage(results: Storage) -> None:
    add_trial(results, "toxigen -> csqa", 0.4, 0.7)
    add_trial(results, "toxigen -> csqa + toxigen@20%", 0.1, 0.6)
    (curve,) = figure7(results)
    assert curve.replay is Replay.MIXED
    assert [point.amount for point in curve.points] == [0, 20]


def test_a_chain_that_forgets_nothing_recovers_nothing(results: Storage) -> None:
    add_trial(results, "toxigen -> csqa", -0.01, 0.7)
    add_trial(results, "toxigen -> csqa -> toxigen@20%", 0.0, 0.6)
    (curve,) = figure7(results)
    assert curve.recovered(curve.points[1]) is None


@pytest.mark.parametrize(
    "chain",
    ["toxigen -> csqa", "toxigen -> csqa -> csqa", "toxigen@5% -> csqa -> toxigen",
     "toxigen -> csqa -> csqa + toxigen"],
)  # fmt: skip
def test_other_chains_have_no_curve(results: Storage, chain: str) -> None:
    add_trial(results, chain, 0.4, 0.7)
    assert figure7(results) == ()


def test_amounts_stand_in_order_though_not_every_curve_has_all(results: Storage) -> None:
    add_trial(results, "bbq -> csqa -> bbq@5%", 0.1, 0.6)
    add_trial(results, "toxigen -> csqa", 0.4, 0.7)
    for share in (5, 20):
        add_trial(results, f"toxigen -> csqa -> toxigen@{share}%", 0.1, 0.6)
    left, right = picture(figure7(results)).axes
    for axes in (left, right):
        assert [tick.get_text() for tick in axes.get_xticklabels()] == ["0", "5", "20"]
    bars = [one for one in left.containers if isinstance(one, ErrorbarContainer)]
    places = [np.rint(np.asarray(bar.lines[0].get_xdata(), float)).tolist() for bar in bars]
    assert places == [[1], [0, 1, 2]]


def test_listing_and_picture(
    results: Storage, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    add_trial(results, "toxigen -> csqa", 0.4, 0.7)
    add_trial(results, "toxigen -> csqa -> toxigen@5%", 0.1, 0.6)
    add_trial(results, "toxigen -> csqa + toxigen@20%", 0.2, 0.65)
    curves = figure7(results)
    console().print(listing(curves))
    output = capsys.readouterr().out
    assert "TQA → CQA" in output
    assert "75.0" in output
    picture(curves).savefig(tmp_path / "figure7.png")
    height, width, _ = imread(tmp_path / "figure7.png").shape
    assert height > 1000
    assert width > 1000
