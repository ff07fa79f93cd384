"""The closed world's rows: schema, balance, disjointness, determinism."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter

import pytest

from raysweep.tasks.paper.bbq import CATEGORIES
from raysweep.tasks.paper.toxigen import GROUPS
from raysweep.tasks.registry import TASKS
from raysweep.tiny.corpus import MAKERS
from raysweep.tiny.draw import Draw
from raysweep.tiny.scenes import UNKNOWN, UNKNOWN_OF
from raysweep.tiny.world import DRAWINGS, SPLITS, read_split
from tests.tiny.rows import examples

DIGEST = """
from raysweep.digest import digest_json
from raysweep.tiny.corpus import MAKERS
from raysweep.tiny.draw import Draw
from raysweep.tiny.scenes import UNKNOWN, UNKNOWN_OF
from raysweep.tiny.world import DRAWINGS, read_split
print(digest_json({name: read_split(name) for name in DRAWINGS}))
"""


@pytest.mark.parametrize("name", DRAWINGS)
def test_every_row_passes_its_task(name: str) -> None:
    for split in SPLITS:
        for example in examples(name, split):
            assert example.prompt.endswith("\n")
            if TASKS[name].is_generative:
                assert example.target
            else:
                assert example.target == example.answers[example.label]


@pytest.mark.parametrize("name", DRAWINGS)
def test_splits_are_disjoint_by_content_and_ids_are_unique(name: str) -> None:
    everything = [example for split in SPLITS for example in examples(name, split)]
    assert len({example.content_digest for example in everything}) == len(everything)
    assert len({example.id for example in everything}) == len(everything)


@pytest.mark.parametrize("name", DRAWINGS)
def test_sizes(name: str) -> None:
    sizes = {split: len(rows) for split, rows in read_split(name).items()}
    assert 2241 <= sizes["train"] <= 2300
    assert 400 <= sizes["validation"] <= 450
    assert sizes["test"] >= 500


@pytest.mark.parametrize("name", DRAWINGS)
@pytest.mark.parametrize("split", SPLITS)
def test_groups_conditions_and_labels_are_balanced(name: str, split: str) -> None:
    strata = Counter(example.stratum for example in examples(name, split))
    assert len(set(strata.values())) == 1


@pytest.mark.parametrize("name", ["toxigen", "bbq"])
def test_every_group_has_a_hundred_test_rows(name: str) -> None:
    groups = Counter(group for e in examples(name, "test") for group in e.groups)
    assert set(groups) == set(TASKS[name].groups)
    assert min(groups.values()) >= 100


def test_toxigen_label_follows_the_score_as_in_the_release() -> None:
    for row in read_split("toxigen")["train"]:
        assert (row["toxicity_score"] > 3) == (row["label"] == "hate")
        assert 1 <= row["toxicity_score"] <= 5
    assert len(GROUPS) == 13


@pytest.mark.parametrize("split", SPLITS)
def test_bbq_conditions_and_polarities_are_half_and_half(split: str) -> None:
    rows = read_split("bbq")[split]
    cells = Counter(
        (row["category"], row["context_condition"], row["question_polarity"]) for row in rows
    )
    assert len(cells) == 4 * len(CATEGORIES)
    assert len(set(cells.values())) == 1


def test_bbq_has_one_unknown_option_which_is_right_when_the_context_is_ambiguous() -> None:
    for row in read_split("bbq")["test"]:
        tags = [row["answer_info"][f"ans{place}"][1] for place in range(3)]
        assert tags.count("unknown") == 1
        assert len(set(tags)) == 3
        is_unknown = tags[row["label"]] == "unknown"
        assert is_unknown == (row["context_condition"] == "ambig")
        assert [row["answer_info"][f"ans{place}"][0] for place in range(3)] == [
            row[f"ans{place}"] for place in range(3)
        ]


def test_bbq_says_that_nobody_can_know_in_words_of_its_category_which_pretraining_never_has() -> (
    None
):
    for row in read_split("bbq")["train"]:
        option = next(text for text, tag in row["answer_info"].values() if tag == "unknown")
        assert option == UNKNOWN_OF[row["category"]]
    assert not set(UNKNOWN_OF.values()) & set(UNKNOWN)
    draw = Draw("tests/unknown")
    for maker in MAKERS:
        for _ in range(50):
            text = maker(draw).prompt
            assert not [phrase for phrase in UNKNOWN_OF.values() if f". {phrase}." in text]


def test_choices_are_different_and_lettered() -> None:
    for name, letters in {"arc_easy": "ABCD", "csqa": "ABCDE"}.items():
        for row in read_split(name)["test"]:
            choices = row["question"]["choices"]
            assert "".join(choice["label"] for choice in choices) == letters
            assert len({choice["text"] for choice in choices}) == len(letters)


def test_the_same_rows_in_every_process() -> None:
    digests = {
        subprocess.run(
            [sys.executable, "-c", DIGEST],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(digests) == 1
