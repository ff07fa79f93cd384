"""Rows that cannot fit are told of before anything starts, with what the encoder would need."""

from __future__ import annotations

from dataclasses import replace

import pytest

from raysweep.errors import InputError
from raysweep.model.encoding import encode_rows
from raysweep.model.tokenizer import load_encoder
from raysweep.plan.lengths import check_rows_fit
from raysweep.tasks.registry import TASKS
from raysweep.tasks.settings import DataSettings
from raysweep.tasks.splits import Splits, load_splits
from tests.places import BASE

ENCODER = load_encoder(BASE, 1252)


def splits_of(name: str) -> Splits:
    return load_splits(TASKS[name], DataSettings(num_train=40, num_test=20))


@pytest.mark.parametrize("name", ["bbq", "arc_easy", "saferdialogues"])
def test_the_limit_named_is_enough_and_the_encoder_agrees(name: str) -> None:
    splits = splits_of(name)
    with pytest.raises(InputError, match=r"too small for row .* set it to at least") as caught:
        check_rows_fit(splits, 10, ENCODER)
    needed = int(str(caught.value).rsplit(" ", 1)[1])
    check_rows_fit(splits, needed, ENCODER)
    with pytest.raises(InputError, match=f"set it to at least {needed}"):
        check_rows_fit(splits, needed - 1, ENCODER)
    rows = encode_rows(splits.train, ENCODER, needed)
    assert max(row.num_tokens for row in rows) <= needed


def test_a_context_is_no_obstacle() -> None:
    splits = splits_of("bbq")
    longer = [replace(example, context="word " * 5000) for example in splits.train]
    check_rows_fit(replace(splits, train=tuple(longer)), 2048, ENCODER)


def test_without_a_tokenizer_nothing_is_refused() -> None:
    check_rows_fit(splits_of("bbq"), 10, None)
