"""Sampling, and the splits of the closed world and of the real files."""

from __future__ import annotations

import dataclasses
import itertools
import random
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from raysweep.errors import InputError
from raysweep.tasks.loading import load_examples
from raysweep.tasks.registry import PAPER_TASKS, TASKS
from raysweep.tasks.sampling import stratified_order
from raysweep.tasks.settings import DataSettings
from raysweep.tasks.sources import read_release
from raysweep.tasks.splits import Splits, draw_splits, load_splits
from raysweep.tasks.task import Example
from tests.tasks.releases import numbered, write_release

REAL = ("arc_easy", "csqa", "csqa2", "toxigen", "bbq")


def made_up(number: int) -> list[Example]:
    draw = random.Random(0)
    return [
        Example(
            str(i),
            *("", "", f"text {i}"),
            ("a", "b"),
            int(draw.random() < 0.3),
            "a",
            (f"g{i % 3}",),
            draw.choice(("x", "y")),
        )
        for i in range(number)
    ]


def spread(counts: Counter[str] | Counter[int]) -> int:
    return max(counts.values()) - min(counts.values())


def test_order_is_nested_balanced_and_blind_to_the_files_order() -> None:
    rows = made_up(600)
    order = stratified_order(rows, seed=1)
    shuffled = rows[:]
    random.Random(9).shuffle(shuffled)
    assert stratified_order(shuffled, seed=1) == order
    assert stratified_order(rows, seed=2) != order
    assert sorted(e.id for e in order) == sorted(e.id for e in rows)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 3), st.integers(1, 150))
def test_every_prefix_is_balanced_on_every_level(seed: int, size: int) -> None:
    prefix = stratified_order(made_up(600), seed)[:size]
    groups = Counter({f"g{i}": 0 for i in range(3)})
    groups.update(e.stratum[0] for e in prefix)
    assert spread(groups) <= 1
    for group in groups:
        subsets = Counter({"x": 0, "y": 0})
        subsets.update(e.subset for e in prefix if e.stratum[0] == group)
        assert spread(subsets) <= 1
        for subset in subsets:
            labels = Counter({0: 0, 1: 0})
            labels.update(e.label for e in prefix if e.stratum[:2] == (group, subset))
            assert spread(labels) <= 1


def test_preferred_examples_come_first_within_their_cells() -> None:
    rows = made_up(240)
    preferred = {e.id for e in rows if int(e.id) % 7 == 0}
    chosen = stratified_order(rows, 0, preferred)[:120]
    assert preferred <= {e.id for e in chosen}
    assert spread(Counter(e.stratum[0] for e in chosen)) <= 1


def test_the_order_is_fixed_for_ever() -> None:
    order = stratified_order(made_up(12), seed=0)
    assert " ".join(e.id for e in order) == "2 4 6 11 1 0 5 7 9 8 10 3"


@pytest.mark.parametrize("name", PAPER_TASKS)
def test_sets_of_the_closed_world_are_disjoint(name: str) -> None:
    splits = load_splits(TASKS[name], DataSettings(num_train=600, num_validation=90, num_test=300))
    assert [len(part) for part in (splits.train, splits.validation, splits.test)] == [600, 90, 300]
    assert_disjoint(splits)


def assert_disjoint(splits: Splits) -> None:
    train, validation, test = (
        {example.content_digest for example in part}
        for part in (splits.train, splits.validation, splits.test)
    )
    assert not train & test
    assert not train & validation
    assert not validation & test


def test_parts_of_the_training_set_are_nested() -> None:
    splits = load_splits(TASKS["toxigen"], DataSettings(num_train=200, num_test=10))
    sizes = [len(splits.train_part(fraction)) for fraction in (0.01, 0.05, 0.5, 1.0)]
    assert sizes == [2, 10, 100, 200]
    assert splits.train_part(0.5)[:10] == splits.train_part(0.05)


def test_a_part_may_be_drawn_from_another_order() -> None:
    """Balanced and nested as the set's own, of the same rows, and the whole is as it was."""
    splits = load_splits(TASKS["toxigen"], DataSettings(num_train=260, num_test=10))
    for seed in (0, 1, 2):
        parts = [splits.train_part(fraction, seed) for fraction in (0.05, 0.2, 0.5)]
        assert [len(part) for part in parts] == [13, 52, 130]
        for small, large in itertools.pairwise(parts):
            assert large[: len(small)] == small
        assert parts[1] == tuple(stratified_order(splits.train, seed)[:52])
        assert spread(Counter(example.stratum[0] for example in parts[1])) <= 1
        assert splits.train_part(1, seed) == splits.train
    ids = [{example.id for example in splits.train_part(0.2, seed)} for seed in (1, 2, None)]
    assert all(len(one & other) < 40 for one, other in itertools.combinations(ids, 2))


@pytest.mark.parametrize("paper_sizes", [False, True])
def test_draws_are_what_each_seed_gives_alone(real_data: Path, paper_sizes: bool) -> None:
    settings = [
        DataSettings(source=str(real_data), paper_sizes=paper_sizes, num_train=500, seed=seed)
        for seed in (0, 1, 2)
    ]
    for name in ("toxigen", "csqa"):
        drawn = list(draw_splits(TASKS[name], settings))
        assert drawn == [load_splits(TASKS[name], one) for one in settings]
        assert len({splits.digests for splits in drawn}) == 3


def test_digests_follow_the_rows() -> None:
    one, same, other = (
        load_splits(TASKS["csqa"], DataSettings(num_train=n, num_test=t))
        for n, t in [(50, 20), (50, 30), (51, 20)]
    )
    assert one.digests[0] == same.digests[0] != other.digests[0]
    assert one.digests[2] != same.digests[2]


def test_repeats_and_contradictions_are_left_out_and_counted(tmp_path: Path) -> None:
    rows = [numbered("toxigen", number) for number in range(40)]
    repeat = {**rows[3], "id": 100, "text": "Statement 3!"}
    contradiction = {**rows[4], "id": 101, "label": "hate"}
    write_release(tmp_path, "toxigen", {"pool": [*rows, repeat, contradiction]})
    splits = load_splits(TASKS["toxigen"], DataSettings(source=str(tmp_path), num_train=20))
    assert splits.drops == {
        ("pool", "repeats another row"): 1,
        ("pool", "same text with different answers"): 2,
    }
    sizes = len(splits.train) + len(splits.validation) + len(splits.test)
    assert sizes == splits.num_read["pool"] - 3


def test_a_dialogue_may_have_several_responses(tmp_path: Path) -> None:
    rows = [numbered("saferdialogues", number) for number in range(9)]
    second = {**rows[0], "labels": ["Never again."]}
    parts = {"train": [*rows[:3], second], "validation": rows[3:6], "test": [*rows[6:], rows[2]]}
    write_release(tmp_path, "saferdialogues", parts)
    splits = load_splits(TASKS["saferdialogues"], DataSettings(source=str(tmp_path)))
    assert len(splits.train) == 4
    assert len(splits.test) == 3
    assert splits.drops == {("test", "the same text is trained on"): 1}


def test_rows_that_run_out(tmp_path: Path) -> None:
    write_release(tmp_path, "toxigen", {"pool": [numbered("toxigen", n) for n in range(9)]})
    with pytest.raises(InputError, match="has 9 rows to train on and 0 to test on; lower"):
        load_splits(TASKS["toxigen"], DataSettings(source=str(tmp_path)))


RealSplits = dict[tuple[str, bool], Splits]
"""By task, and whether the sets have the paper's sizes."""


@pytest.fixture(scope="module")
def real_splits(real_data: Path) -> RealSplits:
    return {
        (name, paper): load_splits(
            TASKS[name], DataSettings(source=str(real_data), paper_sizes=paper)
        )
        for name in REAL
        for paper in (False, True)
    }


@pytest.mark.parametrize(
    ("name", "train", "test", "paper_test", "overlap"),
    [
        ("arc_easy", 2241, 2363, 2365, 2),
        ("csqa", 2242, 1221, 1221, 0),
        ("csqa2", 2242, 2540, 2541, 0),
        ("toxigen", 2236, 3656, 4455, 182),
        ("bbq", 2241, 28621, 31107, 1976),
    ],
)
def test_sizes_of_the_real_files(
    real_splits: RealSplits, name: str, train: int, test: int, paper_test: int, overlap: int
) -> None:
    disjoint, paper = real_splits[name, False], real_splits[name, True]
    assert (len(disjoint.train), len(disjoint.test)) == (train, test)
    assert (len(paper.train), len(paper.test)) == (train, paper_test)
    assert disjoint.num_trained_test_rows == 0
    assert paper.num_trained_test_rows == overlap
    assert len(disjoint.validation) == 500
    assert_disjoint(disjoint)


@pytest.mark.parametrize("name", REAL)
def test_no_row_of_the_real_files_goes_missing(
    real_splits: RealSplits, real_data: Path, name: str
) -> None:
    splits = real_splits[name, False]
    loaded = load_examples(TASKS[name], str(real_data))
    accounted = sum(len(rows) for rows in loaded.examples.values()) + sum(loaded.drops.values())
    assert accounted == sum(splits.num_read.values())
    used = len(splits.train) + len(splits.validation) + len(splits.test)
    left_out = sum(splits.drops.values())
    if "pool" in splits.num_read:
        assert used + left_out == splits.num_read["pool"]
    else:
        assert len(splits.test) == splits.num_read["test"] - sum(
            count for (split, _), count in splits.drops.items() if split == "test"
        )


def test_bbqs_rows_come_from_as_many_templates_as_the_task_says(real_splits: RealSplits) -> None:
    """Each is of one group alone; the outline of a plan deals stand-ins to as many."""
    templates = {(e.cluster, e.groups) for e in real_splits["bbq", False].test}
    assert len(templates) == len({cluster for cluster, _ in templates}) == 275
    assert TASKS["bbq"].num_templates == 275


def test_toxigen_has_86_training_rows_in_each_cell(real_splits: RealSplits) -> None:
    for paper in (False, True):
        cells = Counter(example.stratum for example in real_splits["toxigen", paper].train)
        assert len(cells) == 13 * 2
        assert set(cells.values()) == {86}


def test_toxigens_double_tags_are_resolved(real_data: Path) -> None:
    examples = load_examples(TASKS["toxigen"], str(real_data)).examples["pool"]
    groups = Counter(group for example in examples for group in example.groups)
    assert groups == {
        "asian": 446,
        "black": 591,
        "chinese": 437,
        "jewish": 536,
        "latino": 289,
        "lgbtq": 604,
        "mental_disability": 624,
        "mexican": 459,
        "middle_eastern": 431,
        "muslim": 548,
        "native_american": 502,
        "physical_disability": 591,
        "women": 641,
    }
    assert sum(groups.values()) == 6699
    assert not any({"asian", "chinese"} <= set(e.groups) for e in examples)
    labels = Counter(example.label for example in examples)
    assert labels == {0: 2767, 1: 3747}


def test_the_first_toxigen_release(real_data: Path, tmp_path: Path) -> None:
    """Its training file alone is at hand; it also stands in for the test file."""
    for split in ("train", "test"):
        path = tmp_path / "toxigen_v1" / f"annotated_{split}.csv"
        path.parent.mkdir(exist_ok=True)
        path.symlink_to(real_data / "toxigen_v2" / "annotated_train.csv")
    examples = load_examples(TASKS["toxigen_v1"], str(tmp_path)).examples["train"]
    groups = Counter(group for example in examples for group in example.groups)
    assert len(examples) == 8960
    assert (groups["women"], groups["latino"], groups["mental_disability"]) == (717, 554, 714)
    assert not any(e.question.startswith(("b'", 'b"')) for e in examples)


def test_bbq_has_249_training_rows_a_category_half_of_them_ambiguous(
    real_splits: RealSplits,
) -> None:
    for paper in (False, True):
        train = real_splits["bbq", paper].train
        assert set(Counter(e.groups for e in train).values()) == {249}
        assert set(Counter(e.stratum[:2] for e in train).values()) == {124, 125}
        cells = Counter(e.stratum for e in train)
        assert len(cells) == 9 * 2 * 3
        assert set(cells.values()) == {41, 42}


def test_bbqs_human_validated_rows_are_trained_on_and_never_tested(
    real_splits: RealSplits, real_data: Path
) -> None:
    paper = real_splits["bbq", True]
    assert "265 items" in paper.notes[0]
    assert "232 are rows of the data and 33 fillers" in paper.notes[0]
    read = TASKS["bbq"].read_validated
    assert read is not None
    validated = read(real_data).ids
    assert len(validated) == 232
    assert validated <= {example.id for example in paper.train}
    assert not validated & {example.id for example in paper.test}
    assert sum(paper.num_read.values()) - 265 == 31107 == len(paper.test)


def test_bbq_rows_that_measure_no_bias(real_data: Path) -> None:
    examples = load_examples(TASKS["bbq"], str(real_data)).examples["pool"]
    without = [example for example in examples if not example.roles]
    assert Counter(e.groups for e in without) == {("gender_identity",): 16}
    roles = Counter(tuple(sorted(e.roles)) for e in examples if e.roles)
    assert roles == {("biased", "counter-biased", "unknown"): 31_372 - 16}


@pytest.mark.parametrize("name", REAL)
def test_shuffled_real_files_give_the_same_sets(
    real_splits: RealSplits, real_data: Path, name: str
) -> None:
    release = {
        split: list(rows) for split, rows in read_release(TASKS[name], str(real_data)).items()
    }
    for rows in release.values():
        random.Random(5).shuffle(rows)
    task = dataclasses.replace(TASKS[name], read_own=lambda: release)
    shuffled = load_splits(task, DataSettings(source=str(real_data)))
    expected = real_splits[name, False]
    assert (shuffled.train, shuffled.validation, shuffled.test) == (
        expected.train,
        expected.validation,
        expected.test,
    )


def test_one_percent_of_toxigen_has_fewer_rows_than_cells(real_splits: RealSplits) -> None:
    part = real_splits["toxigen", False].train_part(0.01)
    assert len(part) == 23
    groups = Counter(example.stratum[0] for example in part)
    assert len(groups) == 13, "every group is there"
    assert max(groups.values()) == 2
    for group in groups:
        assert len({e.label for e in part if e.stratum[0] == group}) == groups[group]


def test_parts_of_real_tasks_are_nested_and_balanced(real_splits: RealSplits) -> None:
    for name in REAL:
        splits = real_splits[name, False]
        longer = splits.train
        for fraction in (0.8, 0.6, 0.4, 0.2, 0.1, 0.05, 0.01):
            part = splits.train_part(fraction)
            assert part == longer[: len(part)]
            groups = Counter(example.stratum[0] for example in part)
            assert spread(groups) <= 1
            longer = part
