"""Rows that cannot fit are told of before anything starts, with what the encoder would need."""

from __future__ import annotations

from dataclasses import replace

import pytest

from raysweep.config import DataSettings
from raysweep.data import encode_rows
from raysweep.errors import InputError
from raysweep.lengths import check_rows_fit
from raysweep.model import load_tokenizer
from raysweep.tasks import TASKS
from raysweep.tasks.splits import Splits, load_splits
from raysweep.tiny import BASE


def splits_of(name: str) -> Splits:
    return load_splits(TASKS[name], DataSettings(num_train=40, num_test=20))


@pytest.mark.parametrize("name", ["bbq", "arc_easy", "saferdialogues"])
def test_the_limit_named_is_enough_and_the_encoder_agrees(name: str) -> None:
    splits = splits_of(name)
    with pytest.raises(InputError, match=r"too small for row .* set it to at least") as caught:
        check_rows_fit(splits, 10, BASE)
    needed = int(str(caught.value).rsplit(" ", 1)[1])
    check_rows_fit(splits, needed, BASE)
    with pytest.raises(InputError, match=f"set it to at least {needed}"):
        check_rows_fit(splits, needed - 1, BASE)
    rows = encode_rows(splits.train, load_tokenizer(BASE), needed)
    assert max(row.num_tokens for row in rows) <= needed


def test_a_context_is_no_obstacle() -> None:
    splits = splits_of("bbq")
    longer = [replace(example, context="word " * 5000) for example in splits.train]
    check_rows_fit(replace(splits, train=tuple(longer)), 2048, BASE)


def test_without_a_tokenizer_file_nothing_is_refused(tmp_path) -> None:
    check_rows_fit(splits_of("bbq"), 10, tmp_path)
