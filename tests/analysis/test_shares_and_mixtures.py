"""First stages that are shares or mixtures, from rows of known content."""

from __future__ import annotations

from pathlib import Path

import pytest

from analysis.beyond.shares_and_mixtures import (
    NONE,
    Forgotten,
    exhibit,
    is_shown,
    listing,
    picture,
    shares_and_mixtures,
)
from analysis.data.load import first_task_forgetting, without_first_task
from analysis.exhibit import Exhibit, Missing, Reading
from raysweep.space.chains import Chain
from tests.analysis.pictures import is_framed_in_white
from tests.analysis.sweep_folder import Sweep


def _add(
    sweep: Sweep, chain: str, before: dict[str, int], after: dict[str, int], seed: int = 0
) -> None:
    """Accuracies of 100 after the first and the second stage."""
    sweep.add_stages(chain, [before, after], seed=seed)


@pytest.fixture
def mixed(sweep: Sweep) -> Sweep:
    for seed, more in ((0, 0), (1, 4)):
        half, both = {"bbq": 80 + more}, {"bbq": 85, "toxigen": 90}
        _add(sweep, "bbq@50% -> arc_easy", half, {"bbq": 70, "arc_easy": 75}, seed)
        after = {"bbq": 60 + more, "toxigen": 88, "arc_easy": 75}
        _add(sweep, "bbq + toxigen@20% -> arc_easy", both, after, seed)
        sweep.add("bbq -> arc_easy", {"bbq": 66, "arc_easy": 75}, before=90 + more, seed=seed)
    return sweep


def test_each_task_of_the_first_stage_is_told_of(mixed: Sweep) -> None:
    mix, toxigen, half = shares_and_mixtures(mixed.storage)
    assert [one.chain for one in (mix, toxigen, half)] == [
        "BBQ + TQA 20 % → ARC",
        "BBQ + TQA 20 % → ARC",
        "BBQ 50 % → ARC",
    ]
    assert [one.task for one in (mix, toxigen, half)] == ["BBQ", "TQA", "BBQ"]
    assert [one.is_alone for one in (mix, toxigen, half)] == [False, False, True]
    assert half.points.value == pytest.approx(12), "80 - 70 and 84 - 70"
    assert half.points.deviation == pytest.approx(8**0.5)
    assert (half.before.value, half.after.value) == pytest.approx((82, 70))
    assert half.chance == pytest.approx(100 / 3)
    assert mix.points.value == pytest.approx(23)
    assert toxigen.points.value == pytest.approx(2)
    assert toxigen.points.deviation == pytest.approx(0)


def test_the_whole_task_alone_is_the_reference(mixed: Sweep) -> None:
    mix, toxigen, half = shares_and_mixtures(mixed.storage)
    (cost,) = first_task_forgetting(mixed.storage)
    assert half.whole == mix.whole == cost.points
    assert half.whole
    assert half.whole.value == pytest.approx(26)
    assert toxigen.whole is None, "toxigen -> arc_easy was not trained"


def test_a_seed_that_lacks_a_stage_does_not_count(mixed: Sweep) -> None:
    mixed.add_stages("bbq@50% -> arc_easy", [{"bbq": 10}], seed=2)
    half = shares_and_mixtures(mixed.storage)[-1]
    assert half.points.num_seeds == half.before.num_seeds == 2


@pytest.mark.parametrize(
    ("chain", "shown"),
    [
        ("bbq@50% -> csqa", True),
        ("bbq + toxigen -> csqa", True),
        ("bbq -> csqa@50%", True),
        ("bbq -> csqa + toxigen", True),
        ("bbq@50% -> csqa + bbq@5%", True),
        ("bbq -> csqa", False),
        ("bbq -> csqa + bbq@5%", False),
        ("bbq@50%", False),
        ("bbq@50% -> csqa -> bbq", False),
    ],
)
def test_which_chains_these_are(chain: str, shown: bool) -> None:
    """Pairs and replay have their own figures, longer chains none of two stages."""
    assert is_shown(Chain.parse(chain)) is shown


def test_the_report_no_longer_leaves_them_out(mixed: Sweep) -> None:
    mixed.add_stages("bbq@50% -> csqa -> bbq", [{"bbq": 1}, {"bbq": 1}, {"bbq": 1}])
    assert without_first_task(mixed.storage) == ["bbq@50% -> csqa -> bbq"]


def test_listing_and_picture(mixed: Sweep, tmp_path: Path) -> None:
    found = exhibit(Reading(mixed.storage))
    assert isinstance(found, Exhibit)
    assert found.files["csv"].splitlines()[3].split(",")[:3] == ["BBQ 50 % → ARC", "BBQ", "2"]
    path = tmp_path / "shares.png"
    found.draw().savefig(path)
    assert is_framed_in_white(path)


def test_one_bar_without_seeds_or_reference(sweep: Sweep, tmp_path: Path) -> None:
    _add(sweep, "bbq@50% -> csqa", {"bbq": 80}, {"bbq": 90, "csqa": 75})
    (one,) = found = shares_and_mixtures(sweep.storage)
    assert isinstance(one, Forgotten)
    assert one.points.value == pytest.approx(-10)
    assert (one.points.deviation, one.whole) == (None, None)
    assert listing(found).rows[0][-2:] == ("-10.0", "–")
    figure = picture(found)
    assert "one seed" in figure.get_supxlabel()
    assert [bar.get_width() for bar in figure.axes[0].patches] == [pytest.approx(-10)]  # type: ignore[attr-defined]
    figure.savefig(tmp_path / "one.png")
    assert is_framed_in_white(tmp_path / "one.png")


def test_pairs_alone_have_nothing_to_show(sweep: Sweep) -> None:
    sweep.add("bbq -> arc_easy", {"bbq": 66, "arc_easy": 75}, before=90)
    assert exhibit(Reading(sweep.storage)) == Missing(NONE)
