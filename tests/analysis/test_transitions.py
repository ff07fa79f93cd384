"""Rows lost and gained, and what is known of right answers, against counting row by row."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.image import imread
from scipy import stats
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.proportion import proportion_confint

from analysis import calibration, reliability, transitions_figure
from analysis.case_panels import MAX_PANELS, MAX_WHOLE, Case, Style, draw_cases, left_out
from analysis.exhibit import Exhibit, Missing, Reading
from analysis.row_changes import RowChanges, labels, row_changes
from analysis.transitions import display, transitions
from raysweep.api.results import open_results
from raysweep.store.storage import Storage
from tests.analysis.pictures import is_framed_in_white
from tests.analysis.row_folder import add_chain, drawn_rows

Rows = list[list[dict[str, Any]]]
REPLAY = "toxigen -> arc_easy -> toxigen@5%"
FIGURES = (transitions_figure.exhibit, calibration.exhibit, reliability.exhibit)


@pytest.fixture
def written(tmp_path: Path) -> tuple[Storage, dict[tuple[str, int], Rows]]:
    """Two seeds of a pair, a chain with replay, and one with a generated task first."""
    folder, rng = Storage.open(tmp_path), np.random.default_rng(0)
    rows: dict[tuple[str, int], Rows] = {}
    for seed in (0, 1):
        rows["toxigen -> arc_easy", seed] = drawn_rows("toxigen", [0.5, 0.9, 0.6], rng)
        stages = {"toxigen": rows["toxigen -> arc_easy", seed]}
        add_chain(folder, "toxigen -> arc_easy", stages, seed)
    rows[REPLAY, 0] = drawn_rows("toxigen", [0.5, 0.9, 0.6, 0.85], rng)
    rows["arc", 0] = drawn_rows("arc_easy", [0.3, 0.3, 0.9, 0.5], rng, number=40)
    add_chain(folder, REPLAY, {"toxigen": rows[REPLAY, 0], "arc_easy": rows["arc", 0]})
    generated = drawn_rows("saferdialogues", [0.5, 0.9, 0.1], rng, number=40)
    for stage in generated:
        for row in stage:
            row |= {"log_probabilities": [], "log_probability_format": None}
    add_chain(folder, "saferdialogues -> arc_easy", {"saferdialogues": generated})
    unfinished = {"toxigen": drawn_rows("toxigen", [0.5, 0.9], rng)}
    add_chain(folder, "toxigen -> arc_easy", unfinished, seed=2, num_finished=1)
    return folder, rows


def by_label(folder: Storage) -> dict[str, RowChanges]:
    found = row_changes(folder)
    return dict(zip(labels(found), found, strict=True))


def test_every_task_but_the_last_in_every_chain(
    written: tuple[Storage, dict[tuple[str, int], Rows]],
) -> None:
    found = by_label(written[0])
    assert {label: (one.num_seeds, len(one.rows)) for label, one in found.items()} == {
        "TQA → ARC": (2, 120),
        "SD → ARC": (1, 40),
        "TQA in TQA → ARC → TQA@5%": (1, 60),
        "ARC in TQA → ARC → TQA@5%": (1, 40),
    }
    assert found["TQA → ARC"].groups == ("asian", "women")
    assert not found["SD → ARC"].has_confidence


def test_flows_are_counted_between_the_first_stage_and_the_last(
    written: tuple[Storage, dict[tuple[str, int], Rows]],
) -> None:
    folder, rows = written
    found = {one.label: one for one in transitions(folder)}
    one = found["TQA in TQA → ARC → TQA@5%"]
    first, last = rows[REPLAY, 0][1], rows[REPLAY, 0][3]
    for cell in (one.whole, *one.groups):
        pairs = [
            (then["correct"], now["correct"])
            for then, now in zip(first, last, strict=True)
            if cell.group in (*then["groups"], "overall")
        ]
        lost, gained = pairs.count((True, False)), pairs.count((False, True))
        assert cell.num_rows == len(pairs)
        for flow, count in ((cell.lost, lost), (cell.gained, gained)):
            expected = proportion_confint(count, len(pairs), 0.05, method="wilson")
            assert flow.share.value == pytest.approx(count / len(pairs))
            assert flow.share.interval == pytest.approx(expected)
    assert one.groups[0].forgetting.value >= one.groups[1].forgetting.value
    # A task that is learned second counts from there.
    arc = rows["arc", 0]
    then, now = (np.mean([row["correct"] for row in arc[stage]]) for stage in (2, 3))
    assert found["ARC in TQA → ARC → TQA@5%"].whole.forgetting.value == pytest.approx(
        100 * (then - now)
    )


def test_seeds_agree_with_the_table_of_transitions(
    written: tuple[Storage, dict[tuple[str, int], Rows]],
) -> None:
    folder, _ = written
    table = open_results(folder.uri).df("transitions")
    table = table[(table["chain"] == "toxigen -> arc_easy") & (table["stage"] == 2)]
    one = next(one for one in transitions(folder) if one.label == "TQA → ARC")
    for cell in (one.whole, *one.groups):
        own = table[table["group"] == cell.group].sort_values("seed")
        assert cell.lost.by_seed == pytest.approx((own["num_lost"] / own["num_examples"]).tolist())
        gained = (own["num_gained"] / own["num_examples"]).tolist()
        assert cell.gained.by_seed == pytest.approx(gained)
        assert cell.adjusted is not None
        adjusted = own["chance_adjusted_forgetting"]
        assert cell.adjusted.value == pytest.approx(adjusted.mean())
        assert cell.adjusted.deviation == pytest.approx(adjusted.std())


def test_p_values_are_mcnemars_and_corrected_for_all(
    written: tuple[Storage, dict[tuple[str, int], Rows]],
) -> None:
    """Of one seed by statsmodels' test; of two by a sign test of the rows' net changes."""
    found = row_changes(written[0])
    plain = []
    for one in found:
        for group in ("overall", *one.groups):
            own = one.members[group]
            then, now = one.before.right[own], one.after.right[own]
            if one.num_seeds == 1:
                table = [[0, (then & ~now).sum()], [(~then & now).sum(), 0]]
                plain.append(mcnemar(table, exact=True).pvalue)
                continue
            net: defaultdict[int, int] = defaultdict(int)
            for row, before, after in zip(one.rows[own], then, now, strict=True):
                net[row] += int(before) - int(after)
            signs = [value > 0 for value in net.values() if value]
            plain.append(stats.binomtest(sum(signs), len(signs)).pvalue)
    corrected = multipletests(plain, method="holm")[1]
    cells = []
    for each in transitions(written[0]):
        groups = sorted(each.groups, key=lambda cell: cell.group)
        cells += [each.whole, *groups]
    assert [cell.p for cell in cells] == pytest.approx(corrected.tolist())
    assert {cell.is_distinct for cell in cells} == {True, False}


def test_templates_count_as_one(tmp_path: Path) -> None:
    """All that is lost comes from one of six templates: no sign of a loss elsewhere."""
    folder, rng = Storage.open(tmp_path), np.random.default_rng(1)
    rows = drawn_rows("bbq", [0.5, 1.0, 1.0], rng, templates=6)
    for number in range(0, 60, 6):
        rows[2][number]["correct"] = False
    add_chain(folder, "bbq -> csqa", {"bbq": rows})
    (one,) = transitions(folder)
    assert one.whole.lost.share.value == pytest.approx(1 / 6)
    assert one.whole.p == 1
    interval = proportion_confint(1, 6, 0.05, method="wilson")
    assert one.whole.lost.share.interval == pytest.approx(interval)


def test_nothing_above_chance_has_no_share_of_it(tmp_path: Path) -> None:
    folder, rng = Storage.open(tmp_path), np.random.default_rng(1)
    add_chain(folder, "toxigen -> csqa", {"toxigen": drawn_rows("toxigen", [0.5, 0.2, 0.1], rng)})
    (one,) = transitions(folder)
    assert one.whole.adjusted is None
    (row,) = display([one], with_groups=False).rows
    assert row[-2] == "–"


def test_probabilities_agree_with_the_table_of_calibration(
    written: tuple[Storage, dict[tuple[str, int], Rows]],
) -> None:
    folder, _ = written
    table = open_results(folder.uri).df("calibration")
    rows = [one for one in row_changes(folder) if one.has_probability]
    found = {one.label: one for one in calibration.calibrations(rows)}
    assert "SD → ARC" not in found
    one = found["TQA → ARC"]
    for cell in (one.whole, *one.groups):
        for stage, number in ((cell.before, 1), (cell.after, 2)):
            own = table[
                (table["chain"] == "toxigen -> arc_easy")
                & (table["stage"] == number)
                & (table["group"] == cell.group)
                & (table["seed"] < 2)
            ]
            assert stage.by_seed == pytest.approx(
                own.sort_values("seed")["mean_probability"].tolist()
            )
            assert stage.error.value == pytest.approx(100 * own["calibration_error"].mean())
            assert stage.error.deviation == pytest.approx(100 * own["calibration_error"].std())
            assert stage.accuracy.value == pytest.approx(100 * own["accuracy"].mean())
            assert stage.probability.value == pytest.approx(own["mean_probability"].mean())
        assert cell.change.value == pytest.approx(
            cell.after.probability.value - cell.before.probability.value
        )


def test_a_change_of_probability_is_paired_by_row(
    written: tuple[Storage, dict[tuple[str, int], Rows]],
) -> None:
    one = by_label(written[0])["TQA in TQA → ARC → TQA@5%"]
    (found,) = calibration.calibrations([one])
    expected = stats.ttest_rel(one.after.probability, one.before.probability)
    interval = expected.confidence_interval(0.95)
    assert found.whole.change.interval == pytest.approx((interval.low, interval.high))


def test_bins_of_a_reliability_diagram(
    written: tuple[Storage, dict[tuple[str, int], Rows]],
) -> None:
    one = by_label(written[0])["TQA in TQA → ARC → TQA@5%"]
    (panel,) = reliability.reliabilities([one])
    places = np.digitize(one.after.confidence, np.arange(1, 10) / 10)
    assert [each.num_answers for each in panel.after.bins] == [
        number for number in np.bincount(places, minlength=10) if number
    ]
    top = panel.after.bins[-1]
    right = one.after.right[places == places.max()]
    assert top.accuracy.value == pytest.approx(right.mean())
    expected = proportion_confint(right.sum(), len(right), 0.05, method="wilson")
    assert top.accuracy.interval == pytest.approx(expected)
    gaps = [each.part * abs(each.accuracy.value - each.confidence) for each in panel.after.bins]
    assert panel.after.error.value == pytest.approx(100 * sum(gaps)), "one seed: the bins' own"


def test_figures_and_files(
    written: tuple[Storage, dict[tuple[str, int], Rows]], tmp_path: Path
) -> None:
    reading = Reading(written[0])
    for show, lines in zip(FIGURES, (9, 8, None), strict=True):
        found = show(reading)
        assert isinstance(found, Exhibit)
        assert found.remark == (
            "left out 1 trial without a finished chain, predictions, or a task learned before the "
            "last stage"
        )
        table = found.files["csv"].splitlines()
        assert lines is None or len(table) == lines, "a heading, and a row per task and group"
        assert all(line.split(",")[0] for line in table), "each row tells its chain"
        found.draw().savefig(tmp_path / "figure.png")
        assert is_framed_in_white(tmp_path / "figure.png")
        height, width, _ = imread(tmp_path / "figure.png").shape
        assert min(height, width) > 500


def test_rates_choose_the_chains_of_a_figure(tmp_path: Path) -> None:
    folder, rng = Storage.open(tmp_path), np.random.default_rng(1)
    for rate in (1e-3, 2e-3):
        rows = {"toxigen": drawn_rows("toxigen", [0.5, 0.9, 0.6], rng, number=8)}
        add_chain(folder, "toxigen -> csqa", rows, rates=[rate, 1e-3])
    chosen = transitions_figure.exhibit(Reading(folder, ((2e-3, 1e-3),)))
    assert isinstance(chosen, Exhibit)
    assert not chosen.remark
    whole, _ = chosen.draw().axes
    (label,) = (tick.get_text() for tick in whole.get_yticklabels())
    assert label.strip("* ") == "TQA → csqa  (lr 0.002, 0.001)"
    assert chosen.files["csv"].count("(lr 0.001, 0.001)") == 3, "the tables have all"


def test_what_there_is_no_room_for_is_said() -> None:
    def draw(axes: Axes, values: Sequence[int]) -> None:
        axes.plot(values, range(len(values)), "o", label="value")

    cases = [Case(str(n), (str(n), n), (("a", n), ("b", n))) for n in range(MAX_WHOLE + 1)]
    assert not left_out(cases[:MAX_PANELS])
    (said,) = left_out(cases)
    assert said == (
        f"left out 1 of {MAX_WHOLE + 1} chains and {MAX_WHOLE + 1 - MAX_PANELS} of {MAX_WHOLE + 1} "
        "panels by group: the tables have all"
    )
    whole, *panels = draw_cases(cases, Style("title", "caption", "value", draw)).axes
    assert len(whole.get_yticks()) == MAX_WHOLE
    assert [axes.get_title() for axes in panels] == [str(n) for n in range(MAX_PANELS)]


def test_nothing_to_show(tmp_path: Path) -> None:
    folder, rng = Storage.open(tmp_path), np.random.default_rng(1)
    rows = {"toxigen": drawn_rows("toxigen", [0.5, 0.9], rng)}
    add_chain(folder, "toxigen", rows)
    for show in FIGURES:
        assert isinstance(show(Reading(folder)), Missing)
