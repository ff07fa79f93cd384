"""Sampling, and the splits of the embedded world and of the real files."""

from __future__ import annotations

import random
from collections import Counter
from pathlib import Path

import pytest

from raysweep.config import DataSettings
from raysweep.errors import InputError
from raysweep.tasks import TASKS, Example
from raysweep.tasks.sampling import stratified_order
from raysweep.tasks.splits import load_splits


def made_up(number: int) -> list[Example]:
    draw = random.Random(0)
    return [
        Example(
            str(i), "", "", f"text {i}", ("a", "b"), int(draw.random() < 0.3), "a", (f"g{i % 3}",)
        )
        for i in range(number)
    ]


def test_order_is_nested_balanced_and_blind_to_the_files_order() -> None:
    rows = made_up(300)
    order = stratified_order(rows, seed=1)
    shuffled = rows[:]
    random.Random(9).shuffle(shuffled)
    assert stratified_order(shuffled, seed=1) == order
    assert stratified_order(rows, seed=2) != order
    assert sorted(e.id for e in order) == sorted(e.id for e in rows)
    for size in (6, 30, 60, 96):
        cells = Counter(example.stratum for example in order[:size])
        assert len(cells) == 6
        assert max(cells.values()) - min(cells.values()) <= 1


@pytest.mark.parametrize("name", TASKS)
def test_training_and_test_rows_of_the_closed_world_are_disjoint(name: str) -> None:
    splits = load_splits(name, DataSettings(num_train=600, num_test=300))
    train = {example.content_digest for example in splits.train}
    test = {example.content_digest for example in splits.test}
    assert len(train) == len(splits.train) == 600
    assert len(test) == len(splits.test) == 300
    assert not train & test


def test_parts_of_the_training_set_are_nested() -> None:
    splits = load_splits("toxigen", DataSettings(num_train=200, num_test=10))
    sizes = [len(splits.train_part(fraction)) for fraction in (0.01, 0.05, 0.5, 1.0)]
    assert sizes == [2, 10, 100, 200]
    assert splits.train_part(0.5)[:10] == splits.train_part(0.05)


def test_digests_follow_the_rows() -> None:
    one, same, other = (
        load_splits("csqa", DataSettings(num_train=n, num_test=t))
        for n, t in [(50, 20), (50, 30), (51, 20)]
    )
    assert one.train_digest == same.train_digest != other.train_digest
    assert one.test_digest != same.test_digest


def test_data_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such data folder"):
        load_splits("bbq", DataSettings(source=str(tmp_path / "none")))
    with pytest.raises(InputError, match=r"Age\.jsonl: no such file"):
        load_splits("bbq", DataSettings(source=str(tmp_path)))
    with pytest.raises(InputError, match="choose among arc_easy, bbq"):
        load_splits("csqa", DataSettings(source=str(tmp_path)))


def test_lines_that_are_no_rows(tmp_path: Path) -> None:
    folder = tmp_path / "arc_easy"
    folder.mkdir()
    (folder / "ARC-Easy-Train.jsonl").write_text("{}\n{oops\n")
    with pytest.raises(InputError, match=r"ARC-Easy-Train\.jsonl:2: not JSON"):
        load_splits("arc_easy", DataSettings(source=str(tmp_path)))
    (folder / "ARC-Easy-Train.jsonl").write_text("[1]\n")
    with pytest.raises(InputError, match=r"ARC-Easy-Train\.jsonl:1: not a JSON object"):
        load_splits("arc_easy", DataSettings(source=str(tmp_path)))


def test_arc_easy_has_the_papers_counts(real_data: Path) -> None:
    splits = load_splits("arc_easy", DataSettings(source=str(real_data), num_train=100_000))
    assert len(splits.train) == 2241
    # The paper's 2,365 rows with four choices, less two that repeat a training row word for word.
    assert len(splits.test) == 2365 - 2


def test_bbq_fills_every_cell_and_leaves_the_rest_for_the_test(real_data: Path) -> None:
    splits = load_splits("bbq", DataSettings(source=str(real_data), num_train=2241))
    cells = Counter(example.stratum for example in splits.train)
    # nine categories x (ambiguous or not) x three labels: 2,241 = 54 x 41.5
    assert len(cells) == 54
    assert set(cells.values()) == {41, 42}
    groups = Counter(example.groups for example in splits.test)
    assert len(groups) == 9
    # 31,372 rows, of which ten repeat another one's content
    assert len(splits.train) + len(splits.test) == sum(groups.values()) + 2241 == 31_362
