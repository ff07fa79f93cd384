"""Heat maps and the table of what chains know, from rows of known content."""

from __future__ import annotations

from pathlib import Path

import pytest
from matplotlib.patches import Rectangle

from analysis.beyond.matrix import MAX_PANELS, display, exhibit, matrices, picture
from analysis.beyond.transfer import display as display_summaries
from analysis.beyond.transfer import exhibit as transfer_exhibit
from analysis.beyond.transfer import summaries
from analysis.exhibit import Exhibit, Missing, Reading
from raysweep.results.tables import write_trial
from raysweep.store.storage import Storage
from raysweep.tasks.registry import TASKS
from tests.analysis.pictures import is_framed_in_white

REPLAY = "toxigen -> arc_easy -> toxigen@5%"


def add(
    folder: Storage,
    chain: str,
    percents: dict[str, list[int]],
    seed: int = 0,
    rates: tuple[float, ...] = (1e-3, 1e-3, 1e-3),
) -> None:
    """Accuracies in percent by task and stage, from 0."""
    rates = rates[: len(chain.split(" -> "))]
    common = {"sweep": "s", "trial": f"{chain}-{rates}-{seed}", "chain": chain, "seed": seed}
    common |= {"settings": "[]", "learning_rates": list(rates)}
    rows = [
        {**common, "stage": stage, "task": task, "title": TASKS[task].title, "group": "overall"}
        | {"subset": "all", "accuracy": percent / 100, "chance": TASKS[task].chance}
        for task, values in percents.items()
        for stage, percent in enumerate(values)
    ]
    write_trial(folder, str(common["trial"]), {"evaluations": rows})


@pytest.fixture
def folder(tmp_path: Path) -> Storage:
    storage = Storage.open(tmp_path / "s")
    for seed, more in ((0, 0), (1, 4)):
        toxigen, arc = [50, 90, 60 + more, 80], [30, 28, 88, 85]
        add(storage, REPLAY, {"toxigen": toxigen, "arc_easy": arc}, seed)
    add(
        storage,
        "saferdialogues -> toxigen",
        {"saferdialogues": [5, 98, 40], "toxigen": [50, 52, 91]},
    )
    add(storage, "csqa -> toxigen", {"csqa": [20, 60], "toxigen": [50, 49]})
    return storage


def test_shares_stand_in_the_order_of_their_size(tmp_path: Path) -> None:
    folder = Storage.open(tmp_path)
    for share in ("@20%", "", "@5%"):
        percents = {"toxigen": [50, 90, 60, 80], "csqa": [20, 20, 80, 80]}
        add(folder, f"toxigen -> csqa -> toxigen{share}", percents)
    last = [one.chain.stage_titles[-1] for one in matrices(folder)]
    assert last == ["TQA@5%", "TQA@20%", "TQA"]


def test_cells_are_means_over_seeds_in_the_order_of_the_chain(folder: Storage) -> None:
    pair, replay = matrices(folder)
    assert pair.chain.title == "SD → TQA"
    assert replay.chain.title == "TQA → ARC → TQA@5%"
    assert [task.title for task in replay.tasks] == ["TQA", "ARC"]
    assert replay.num_seeds == 2
    assert [replay.stage_title(stage) for stage in replay.stages] == [
        "base", "1 TQA", "2 ARC", "3 TQA@5%",
    ]  # fmt: skip
    assert replay.cells[2, "toxigen"].value == pytest.approx(62)
    assert replay.cells[2, "toxigen"].deviation == pytest.approx(4 / 2**0.5)
    assert replay.cells[3, "arc_easy"].value == pytest.approx(85)
    before = [[replay.is_before(stage, task) for task in replay.tasks] for stage in range(4)]
    assert before == [[True, True], [False, True], [False, False], [False, False]]


def test_the_table_has_every_chain_and_chance(folder: Storage) -> None:
    table = display(matrices(folder))
    assert [column.name for column in table.columns[2:]] == [
        "ARC (25.0)",
        "TQA (50.0)",
        "SD",
        "seeds",
    ]
    rows = [" ".join(filter(None, row)) for row in table.rows]
    assert rows == [
        "SD → TQA base 50.0° 5.0° 1",
        "1 SD 52.0° 98.0",
        "2 TQA 91.0 40.0",
        "TQA → ARC → TQA@5% base 30.0 ± 0.0° 50.0 ± 0.0° 2",
        "1 TQA 28.0 ± 0.0° 90.0 ± 0.0",
        "2 ARC 88.0 ± 0.0 62.0 ± 2.8",
        "3 TQA@5% 85.0 ± 0.0 80.0 ± 0.0",
    ]
    written = display(matrices(folder), in_each_row=True).texts()["csv"].splitlines()
    assert written[-1] == "TQA → ARC → TQA@5%,3 TQA@5%,85.0 ± 0.0,80.0 ± 0.0,,2"


def test_the_picture_tells_learned_cells_apart(folder: Storage, tmp_path: Path) -> None:
    figure = picture(matrices(folder))
    axes = figure.axes[1]
    numbers = [text.get_text() for text in axes.texts]
    assert numbers == ["50.0", "30.0", "90.0", "28.0", "62.0", "88.0", "80.0", "85.0"]
    patches = [patch for patch in axes.patches if isinstance(patch, Rectangle)]
    is_white = [patch.get_facecolor()[:3] == (1, 1, 1) for patch in patches if patch.get_fill()]
    assert is_white == [True, True, False, True, False, False, False, False]
    framed = [patch.get_xy() for patch in patches if not patch.get_fill()]
    assert framed == [(0, 1), (1, 2)], "where each is learned; not the replay"
    figure.savefig(tmp_path / "matrix.png")
    assert is_framed_in_white(tmp_path / "matrix.png")


def test_numbers_of_chains_by_hand(folder: Storage) -> None:
    pair, replay = summaries(folder)
    means = {name: one and one.value for name, one in replay.means.items()}
    assert means == {
        "average_accuracy": pytest.approx(0.825),
        "average_forgetting": pytest.approx((0.10 + 0.03) / 2),
        "backward_transfer": pytest.approx((-0.10 - 0.03) / 2),
        "forward_transfer": pytest.approx(-0.02),
    }
    table = display_summaries([pair, replay])
    assert table.rows[0] == (
        "SD → TQA", "1", "65.5", "–", "58.0", "–", "-58.0", "–", "2.0", "–",
    )  # fmt: skip
    assert table.rows[1][:3] == ("TQA → ARC → TQA@5%", "2", "82.5 ± 0.0")
    alone = display_summaries([pair])
    assert [column.group for column in alone.columns] == [""] * 5, "no heading over one column"
    assert alone.rows == (("SD → TQA", "65.5", "58.0", "-58.0", "2.0"),)


def test_there_is_room_for_so_many(tmp_path: Path) -> None:
    folder = Storage.open(tmp_path)
    for number in range(MAX_PANELS + 2):
        rates = (1e-3 * (number + 1), 1e-3)
        add(folder, "toxigen -> csqa", {"toxigen": [50, 90, 60], "csqa": [20, 20, 80]}, rates=rates)
    found = exhibit(Reading(folder))
    assert isinstance(found, Exhibit)
    assert found.remark == f"left out 2 of {MAX_PANELS + 2} heat maps: the table has all"
    assert found.files["csv"].count("\n") == 1 + 3 * (MAX_PANELS + 2)
    assert found.files["csv"].count("(lr 0.003, 0.001)") == 3
    chosen = exhibit(Reading(folder, ((2e-3, 1e-3),)))
    assert isinstance(chosen, Exhibit)
    assert not chosen.remark
    assert len(chosen.draw().axes) == 2, "one heat map and the scale"
    assert isinstance(exhibit(Reading(folder, ((5e-9, 1e-3),))), Missing)


def test_rates_of_the_first_stages_choose_longer_chains(folder: Storage) -> None:
    found = exhibit(Reading(folder, ((1e-3, 1e-3),)))
    assert isinstance(found, Exhibit)
    assert len(found.draw().axes) == 3


def test_trials_that_are_not_finished_are_counted(folder: Storage) -> None:
    found = exhibit(Reading(folder))
    assert isinstance(found, Exhibit)
    assert found.remark == "left out 1 trial without a finished chain"


def test_nothing_is_finished(tmp_path: Path) -> None:
    folder = Storage.open(tmp_path)
    add(folder, "csqa -> toxigen", {"csqa": [20, 60], "toxigen": [50, 49]})
    for show in (exhibit, transfer_exhibit):
        assert isinstance(show(Reading(folder)), Missing)
