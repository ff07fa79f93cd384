"""Rankings of groups that two chains have in common."""

from __future__ import annotations

from io import StringIO

import pytest
from rich.console import Console
from scipy.stats import kendalltau

from analysis.drawing.group_panels import group_panels
from analysis.effects.agreement import Agreement, agreements
from analysis.paper.figure3 import listing
from tests.analysis.sweep_folder import Sweep

LOST = {
    "toxigen -> arc_easy": {"women": 40, "muslim": 30, "jewish": 20, "latino": 10},
    "toxigen -> csqa": {"women": 30, "muslim": 40, "jewish": 20, "latino": 10},
    "toxigen -> csqa2": {"women": 10, "muslim": 20, "jewish": 30, "latino": 30},
    "bbq -> csqa": {"age": 30, "ses": 20},
    "bbq -> csqa2": {"age": 30, "ses": 20},
}


def _add(sweep: Sweep, chain: str, **settings: object) -> None:
    first, second = chain.split(" -> ")
    groups = {group: (50, 50 - lost, 50) for group, lost in LOST[chain].items()}
    sweep.add(chain, {first: 50, second: 60}, groups, before=60, **settings)  # type: ignore[arg-type]


@pytest.fixture
def four_groups(sweep: Sweep) -> Sweep:
    for chain in LOST:
        _add(sweep, chain)
    return sweep


def _found(sweep: Sweep) -> tuple[Agreement, ...]:
    return agreements({panel.chain: panel.ranking for panel in group_panels(sweep.storage)})


def test_every_two_chains_of_a_safety_task(four_groups: Sweep) -> None:
    """One of six pairs of groups is in another order: tau 4/6. p: 8 of 24 orders are as extreme."""
    first, second, third, bbq = _found(four_groups)
    assert [(one.first.title, one.second.title) for one in (first, second, third, bbq)] == [
        ("TQA → ARC", "TQA → CQA"),
        ("TQA → ARC", "TQA → CQA2"),
        ("TQA → CQA", "TQA → CQA2"),
        ("BBQ → CQA", "BBQ → CQA2"),
    ]
    assert first.ranks is not None
    assert (first.ranks.num, first.num_groups) == (4, 4)
    assert first.ranks.tau == pytest.approx(4 / 6)
    assert first.ranks.p == pytest.approx(8 / 24)


def test_ties_are_taken_into_account(four_groups: Sweep) -> None:
    """Five pairs of groups in opposite orders, one tied on one side: tau-b -5 / sqrt(6 x 5)."""
    _, second, *_ = _found(four_groups)
    assert second.ranks is not None
    assert second.ranks.tau == pytest.approx(-5 / 30**0.5)
    expected = kendalltau([40, 30, 20, 10], [10, 20, 30, 30])
    assert second.ranks.p == pytest.approx(expected.pvalue)


def test_two_groups_say_nothing(four_groups: Sweep) -> None:
    assert (_found(four_groups)[-1].ranks, _found(four_groups)[-1].num_groups) == (None, 2)


def test_other_settings_are_not_compared(sweep: Sweep) -> None:
    _add(sweep, "toxigen -> arc_easy")
    _add(sweep, "toxigen -> csqa", rates=(1e-3, 2e-3))
    assert _found(sweep) == ()


def test_only_groups_that_both_have_measured_count(sweep: Sweep) -> None:
    _add(sweep, "toxigen -> arc_easy")
    groups = {"women": (50, 40, 50), "muslim": (50, 30, 50), "asian": (50, 10, 50)}
    sweep.add("toxigen -> csqa", {"toxigen": 50, "csqa": 60}, groups, before=60)
    (one,) = _found(sweep)
    assert (one.num_groups, one.ranks) == (2, None)


def test_the_listing_of_figure_3_ends_with_them(four_groups: Sweep) -> None:
    output = Console(width=120, record=True, file=StringIO())
    output.print(listing(group_panels(four_groups.storage)))
    lines = [" ".join(line.split()) for line in output.export_text().splitlines()]
    assert "TQA → ARC TQA → CQA 0.67 0.333 4" in lines
    assert "BBQ → CQA BBQ → CQA2 – – 2" in lines
