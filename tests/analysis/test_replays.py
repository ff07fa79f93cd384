"""Replay curves and Figures 7 and 11 to 14, from rows of known content."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.container import ErrorbarContainer
from scipy.stats import ttest_1samp

from analysis.catalogue import EXHIBITS
from analysis.data.replays import Curve, Replay, is_mixed_replay, replays
from analysis.exhibit import Exhibit, Missing, Reading
from analysis.paper import after_replay
from analysis.paper.figure7 import listing, picture
from raysweep.cli.console import console
from raysweep.results.tables import write_trial
from raysweep.space.chains import Chain
from raysweep.store.storage import Storage
from tests.analysis.pictures import is_framed_in_white

TITLES = {
    "toxigen": ("TQA", "safety"),
    "bbq": ("BBQ", "safety"),
    "csqa": ("CQA", "capability"),
    "csqa2": ("CQA2", "capability"),
}
CHANCE = {"toxigen": 0.5, "bbq": 1 / 3, "csqa": 0.2, "csqa2": 0.5}
LEARNED = 0.9


def add_trial(
    results: Storage,
    chain: str,
    forgetting: float,
    accuracy: float,
    seed: int = 0,
    steps: int = 40,
    cost: float | None = 0.02,
    rate: float = 1e-3,
    earlier: tuple[float, float] | None = None,
) -> None:
    """``steps`` and ``rate`` are those of the third stage, ``cost`` what the second task loses.

    ``earlier`` is forgetting and accuracy after the second stage.
    """
    labels = chain.split(" -> ")
    first = labels[0].split("@")[0]
    second = labels[1].split(" + ")[0].split("@")[0]
    settings = [
        {"stage": label, "learning_rate": rate, "num_steps": number}
        for label, rate, number in zip(labels, (1e-3, 2e-3, rate), (100, 100, steps), strict=False)
    ]
    common = {
        "sweep": "s",
        "trial": f"{chain}-{steps}-{rate}-{seed}",
        "chain": chain,
        "seed": seed,
        "settings": json.dumps(settings),
        "learning_rates": [stage["learning_rate"] for stage in settings],
        "stage": len(labels),
        "group": "overall",
    }
    ends = {len(labels): (forgetting, accuracy)} | ({2: earlier} if earlier else {})
    evaluations = [
        {**common, "stage": stage, "task": task, "title": TITLES[task][0], "kind": TITLES[task][1]}
        | {"subset": "all", "accuracy": value, "chance": CHANCE[task]}
        for stage, (drop, kept) in ends.items()
        for task, value in ((first, LEARNED - drop), (second, kept))
    ]
    lost = [
        {**common, "stage": stage, "task": first, "forgetting": drop, "learned_at": 1}
        for stage, (drop, _) in ends.items()
    ]
    lost += [{**lost[0], "stage": 1, "forgetting": 0.99}, {**lost[0], "group": "women"}]
    if len(labels) == 3 and cost is not None:
        lost.append({**common, "task": second, "forgetting": cost, "learned_at": 2})
    write_trial(results, str(common["trial"]), {"evaluations": evaluations, "forgetting": lost})


def values(curve: Curve, quantity: str) -> list[float]:
    """Means of a curve's points."""
    means = [getattr(point, quantity).mean for point in curve.points]
    return [round(mean.value, 9) for mean in means]


@pytest.fixture
def results(tmp_path: Path) -> Storage:
    return Storage.open(tmp_path)


def test_shares_of_replayed_data(results: Storage) -> None:
    for seed, more in ((0, 0.0), (1, 0.1)):
        add_trial(results, "toxigen -> csqa", 0.4 + more, 0.7, seed)
        add_trial(results, "toxigen -> csqa -> toxigen@5%", 0.1 + more, 0.6, seed, cost=0.1)
        add_trial(results, "toxigen -> csqa -> toxigen", -0.05 + more, 0.5, seed, cost=0.2)
    (curve,) = replays(results)
    assert curve.replay is Replay.SHARE
    assert curve.title == "TQA → CQA"
    assert curve.setting.learning_rates == (1e-3, 2e-3, 1e-3)
    assert curve.chances == (50, 20)
    assert [point.amount for point in curve.points] == [0, 5, 100]
    assert values(curve, "accuracy") == [45, 75, 90]
    assert values(curve, "forgetting") == [45, 15, 0]
    assert values(curve, "second_accuracy") == [70, 60, 50]
    assert values(curve, "second_forgetting") == [0, 10, 20]
    mean = curve.points[1].forgetting.mean
    assert mean
    assert mean.deviation == pytest.approx(10 / 2**0.5)
    assert mean.num_seeds == 2
    assert curve.points[1].learned == pytest.approx({(0, None): 90, (1, None): 90})


def test_no_replay_is_what_any_chain_has_after_two_stages(results: Storage) -> None:
    """Of the chain with a third stage, too, whose rows after the second hold the same."""
    add_trial(results, "toxigen -> csqa -> toxigen@5%", 0.1, 0.6)
    (curve,) = replays(results)
    assert [point.amount for point in curve.points] == [5]
    add_trial(results, "toxigen -> csqa -> toxigen@5%", 0.1, 0.6, seed=1, earlier=(0.4, 0.7))
    add_trial(results, "toxigen -> csqa -> bbq", 0.2, 0.5, seed=2, earlier=(0.3, 0.8))
    (curve,) = replays(results)
    none, some = curve.points
    assert none.forgetting.values == pytest.approx({(1, None): 40, (2, None): 30})
    assert none.second_accuracy.values == pytest.approx({(1, None): 70, (2, None): 80})
    assert some.forgetting.values == pytest.approx({(0, None): 10, (1, None): 10})


def test_numbers_of_replay_steps(results: Storage) -> None:
    add_trial(results, "toxigen -> csqa", 0.4, 0.7)
    for steps, forgetting in ((20, 0.02), (5, 0.2), (100, 0.0)):
        add_trial(results, "toxigen -> csqa -> toxigen", forgetting, 0.6, steps=steps)
    (curve,) = replays(results)
    assert curve.replay is Replay.STEPS
    assert [point.amount for point in curve.points] == [0, 5, 20, 100]
    assert values(curve, "forgetting") == [40, 20, 2, 0]
    assert "num_steps3" not in dict(curve.setting.others), "it is what varies"


def test_shares_mixed_into_the_second_stage(results: Storage) -> None:
    add_trial(results, "toxigen -> csqa", 0.4, 0.7)
    add_trial(results, "toxigen -> csqa + toxigen@20%", 0.1, 0.6)
    (curve,) = replays(results)
    assert curve.replay is Replay.MIXED
    assert [point.amount for point in curve.points] == [0, 20]
    assert is_mixed_replay(Chain.parse("toxigen -> csqa + toxigen@20%"))
    assert not is_mixed_replay(Chain.parse("toxigen -> csqa + bbq@20%"))
    assert not is_mixed_replay(Chain.parse("toxigen -> csqa"))


def test_a_share_of_the_second_task_is_another_chain(results: Storage) -> None:
    """It was not learned whole: nothing says what of it is forgotten."""
    for second in ("csqa", "csqa@50%"):
        cost = 0.1 if second == "csqa" else None
        add_trial(results, f"toxigen -> {second}", 0.4, 0.7)
        add_trial(results, f"toxigen -> {second} -> toxigen@5%", 0.1, 0.6, cost=cost)
    whole, half = replays(results)
    assert [whole.title, half.title] == ["TQA → CQA", "TQA → CQA (50 %)"]
    assert [len(whole.points), len(half.points)] == [2, 2]
    assert half.points[1].second_forgetting.mean is None


def test_what_is_recovered_is_a_ratio_of_means_with_bounds(results: Storage) -> None:
    """Of 40, 44 and 36 points 8, 9 and 7.6 are left; at the ends a t test has 5 %."""
    before, after = (40, 44, 36), (8, 9, 7.6)
    for seed, (most, left) in enumerate(zip(before, after, strict=True)):
        add_trial(results, "toxigen -> csqa", most / 100, 0.7, seed)
        add_trial(results, "toxigen -> csqa -> toxigen@5%", left / 100, 0.7, seed)
    (curve,) = replays(results)
    assert curve.recovered(curve.points[0]) is None
    share = curve.recovered(curve.points[1])
    assert share
    assert share.value == pytest.approx(1 - 24.6 / 120)
    assert share.interval
    for end in share.interval:
        rest = [left - (1 - end) * most for left, most in zip(after, before, strict=True)]
        assert ttest_1samp(rest, 0).pvalue == pytest.approx(0.05)
    (*_, cell), *_ = [row[:6] for row in listing([curve]).rows[1:]]
    assert cell == "79.5 ({:.1f} to {:.1f})".format(*(100 * end for end in share.interval))


@pytest.mark.parametrize(
    ("before", "after", "shown"),
    [
        ((0.4,), (0.1,), "75.0"),
        ((0.4,), (-0.02,), "> 100"),
        ((0.4,), (0.5,), "< 0"),
        ((0.4, 0.42, 0.41), (-0.1, -0.12, -0.11), "> 100"),
        ((0.009,), (0.0,), "–"),
        ((-0.01,), (0.0,), "–"),
        ((0.3, 0.0, 0.02), (0.01, 0.0, 0.0), "96.9 (no bounds)"),
    ],
)
def test_what_is_recovered_is_bounded(
    results: Storage, before: tuple[float, ...], after: tuple[float, ...], shown: str
) -> None:
    for seed, (most, left) in enumerate(zip(before, after, strict=True)):
        add_trial(results, "toxigen -> csqa", most, 0.7, seed)
        add_trial(results, "toxigen -> csqa -> toxigen@20%", left, 0.6, seed)
    (rows,) = listing(replays(results)).sections
    assert [row[5] for row in rows] == ["–", shown]


@pytest.mark.parametrize(
    "chain",
    ["toxigen -> csqa", "toxigen -> csqa -> csqa", "toxigen@5% -> csqa -> toxigen",
     "toxigen -> csqa -> csqa + toxigen"],
)  # fmt: skip
def test_other_chains_have_no_curve(results: Storage, chain: str) -> None:
    add_trial(results, chain, 0.4, 0.7)
    assert replays(results) == ()


def test_amounts_stand_in_order_though_not_every_curve_has_all(results: Storage) -> None:
    add_trial(results, "bbq -> csqa -> bbq@5%", 0.1, 0.6)
    add_trial(results, "toxigen -> csqa", 0.4, 0.7)
    for share in (5, 20):
        add_trial(results, f"toxigen -> csqa -> toxigen@{share}%", 0.1, 0.6)
    left, right = picture(replays(results)).axes
    for axes in (left, right):
        assert [tick.get_text() for tick in axes.get_xticklabels()] == ["0", "5", "20"]
    assert [np.rint(x).tolist() for x, _ in drawn(left)] == [[0, 1, 2], [1]]


def drawn(axes: Axes) -> list[tuple[np.ndarray, np.ndarray]]:
    """Places and values of its lines with error bars."""
    bars = [one for one in axes.containers if isinstance(one, ErrorbarContainer)]
    return [
        (np.asarray(bar.lines[0].get_xdata(), float), np.asarray(bar.lines[0].get_ydata(), float))
        for bar in bars
    ]


@pytest.fixture
def nine(results: Storage) -> Storage:
    """Of all pairs of two and two tasks; each loses other points."""
    for number, first in enumerate(("toxigen", "bbq")):
        for place, second in enumerate(("csqa", "csqa2")):
            lost = 0.1 * (1 + 2 * number + place)
            for seed in (0, 1):
                add_trial(results, f"{first} -> {second}", lost, 0.7, seed)
                chain = f"{first} -> {second} -> {first}"
                add_trial(results, f"{chain}@5%", lost / 10, 0.6 - lost / 10, seed, cost=lost / 5)
                for steps in (5, 40):
                    add_trial(results, chain, lost / 20, 0.65, seed, steps, cost=lost / 4)
    return results


FIGURES = {
    "11": (after_replay.FIRST_ACCURACY, ["(a) TQA", "(a) BBQ"], [[80, 89], [70, 88]]),
    "12": (after_replay.FIRST_FORGETTING, ["(a) TQA", "(a) BBQ"], [[10, 1], [20, 2]]),
    "13": (after_replay.SECOND_ACCURACY, ["(a) CQA", "(a) CQA2"], [[70, 59], [70, 57]]),
    "14": (after_replay.SECOND_FORGETTING, ["(a) CQA", "(a) CQA2"], [[0, 2], [0, 6]]),
}
"""What is shown, the panels of the shares, and the two lines of the first one at 0 and 5 %."""


@pytest.mark.parametrize("number", FIGURES)
def test_each_task_has_a_panel_and_each_chain_a_line(
    nine: Storage, tmp_path: Path, number: str
) -> None:
    quantity, panels, first = FIGURES[number]
    curves = [curve for curve in replays(nine) if quantity.shows(curve)]
    figure = after_replay.picture(curves, quantity)
    assert [axes.get_title() for axes in figure.axes[:2]] == panels
    assert [axes.get_title()[:3] for axes in figure.axes[2:]] == ["(b)", "(b)"]
    shares = [y[[0, 1]].tolist() for _, y in drawn(figure.axes[0])]
    assert np.round(shares, 9).tolist() == first, "40 steps on 5 % of the data and on all of them"
    assert len({axes.get_ylim() for axes in figure.axes}) == 1
    labels = [text.get_text() for text in figure.legends[0].get_texts()]
    words = ["then CQA", "then CQA2"] if number in ("11", "12") else ["TQA first", "BBQ first"]
    assert labels[:2] == words
    assert labels[2:] == {"11": ["after its own stage", "chance"], "13": ["chance"]}.get(number, [])
    levels = {round(y, 6) for axes in figure.axes for y in horizontal(axes)}
    assert levels == {
        "11": {90, 50, round(100 / 3, 6)},
        "13": {20, 50},
    }.get(number, {0})
    path = tmp_path / f"figure{number}.png"
    figure.savefig(path)
    assert is_framed_in_white(path)


def horizontal(axes: Axes) -> list[float]:
    """Of lines across the whole panel."""
    lines = [np.asarray(line.get_xydata()) for line in axes.get_lines()]
    return [float(one[0, 1]) for one in lines if one[:, 0].tolist() == [0, 1]]


def test_lines_are_told_apart_by_what_differs(results: Storage) -> None:
    add_trial(results, "toxigen -> csqa", 0.4, 0.7)
    for rate in (1e-3, 2e-3):
        add_trial(results, "toxigen -> csqa -> toxigen@5%", 0.1, 0.6, rate=rate)
    figure = after_replay.picture(replays(results), after_replay.FIRST_FORGETTING)
    labels = [text.get_text() for text in figure.legends[0].get_texts()]
    assert labels == [
        "then CQA  (lr 0.001, 0.002, 0.001)",
        "then CQA  (lr 0.001, 0.002, 0.002)",
    ]


def test_no_scale_goes_beyond_what_there_is(results: Storage) -> None:
    """Of 90, 0 and 2 points lost the deviation is 51: accuracy's error bar ends above 100."""
    for seed, lost in enumerate((0.9, 0.0, 0.02)):
        add_trial(results, "toxigen -> csqa", lost, 0.7, seed)
        add_trial(results, "toxigen -> csqa -> toxigen@5%", lost, 0.7, seed)
    (axes,) = after_replay.picture(replays(results), after_replay.FIRST_ACCURACY).axes
    low, high = axes.get_ylim()
    assert -5 < low < 10
    assert 100 < high < 105


def test_what_follows_a_mixed_second_stage_is_nothing(results: Storage) -> None:
    add_trial(results, "toxigen -> csqa", 0.4, 0.7)
    add_trial(results, "toxigen -> csqa + toxigen@20%", 0.1, 0.6)
    reading = Reading(results)
    assert EXHIBITS["figure14"](reading) == Missing("no third stage replays the first task")
    assert isinstance(EXHIBITS["figure13"](reading), Exhibit)


def test_listing_and_picture(
    nine: Storage, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    curves = replays(nine)
    console().print(listing(curves))
    output = capsys.readouterr().out
    assert "TQA → CQA" in output
    assert "90.0" in output
    path = tmp_path / "figure7.png"
    picture(curves).savefig(path)
    assert is_framed_in_white(path)


def test_colour_and_marker_tell_nine_curves_apart(nine: Storage) -> None:
    figure = picture(replays(nine))
    (legend,) = figure.legends
    looks = {(one.get_color(), one.get_marker()) for one in legend.get_lines()}
    assert len(looks) == len(legend.get_texts()) == 4
    assert len({colour for colour, _ in looks}) == len({marker for _, marker in looks}) == 2
    assert "sample standard deviation" in figure.get_supxlabel()
