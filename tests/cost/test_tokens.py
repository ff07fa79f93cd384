"""Lengths in tokens, against the rows that training encodes."""

from __future__ import annotations

import pytest

from raysweep.cost.tokens import Estimate, ExactCount, count_tokens
from raysweep.model.encoding import encode_rows
from raysweep.model.tokenizer import load_encoder
from raysweep.tasks.registry import TASKS
from raysweep.tasks.settings import DataSettings
from raysweep.tasks.splits import load_splits
from tests.places import BASE


@pytest.mark.parametrize("name", ["bbq", "arc_easy", "saferdialogues"])
def test_counts_are_those_of_the_encoded_rows(name: str) -> None:
    splits = load_splits(TASKS[name], DataSettings(num_train=100, num_test=50))
    encoder = load_encoder(BASE, 1252)
    counts = count_tokens(splits, ExactCount(encoder))
    lengths = [row.num_tokens for row in encode_rows(splits.train, encoder, 2048)]
    assert counts.train_longest == max(lengths)
    assert counts.train_mean == pytest.approx(sum(lengths) / len(lengths))
    assert counts.num_test == 50


def test_without_a_tokenizer_four_characters_are_a_token() -> None:
    assert [Estimate().prompt("abcdefgh"), Estimate().answer("")] == [2, 0]


def test_a_generated_response_has_its_full_length() -> None:
    splits = load_splits(TASKS["saferdialogues"], DataSettings(num_train=20, num_test=20))
    counts = count_tokens(splits, Estimate())
    longest = max(len(example.prompt) for example in splits.test) / 4
    assert counts.test_longest == longest + 64
    assert counts.test_answer == 1
