"""Pretraining: the schedule, and a few steps that are decided by the seed."""

import pytest
import torch
from rich.progress import Progress

from raysweep.tiny.corpus import EVERYTHING, LOOKUPS, Document
from raysweep.tiny.pretrain import IGNORED, Recipe, _rows, pretrain
from raysweep.tiny.tokenizer import build_tokenizer


def test_learning_rate_rises_stays_and_falls():
    recipe = Recipe(num_steps=100, num_warmup_steps=10, num_decay_steps=20, learning_rate=1.0)
    assert recipe.rate(0) == pytest.approx(0.1)
    assert recipe.rate(50) == 1.0
    assert recipe.rate(90) == pytest.approx(0.5)
    assert recipe.rate(99) == pytest.approx(0.05)


def test_shares_of_documents_sum_to_one():
    assert sum(EVERYTHING.values()) == pytest.approx(1)
    assert sum(LOOKUPS.values()) == pytest.approx(1)


def test_rows_hold_labels_for_the_answer_and_the_thought_at_its_first_token():
    tokenizer = build_tokenizer()
    (row,) = _rows(tokenizer, [Document("What?\n", "It is red.", " red")])
    red = tokenizer.convert_tokens_to_ids(" red")
    assert row.ids[0] == tokenizer.bos_token_id
    assert row.ids[-1] == row.labels[-1] == tokenizer.eos_token_id
    first = next(place for place, label in enumerate(row.labels) if label != IGNORED)
    assert tokenizer.decode(row.ids[first:-1]) == "It is red."
    assert row.labels[first:] == row.ids[first:]
    assert [place for place, thought in enumerate(row.thoughts) if thought == red] == [first]


def test_same_seed_gives_same_weights():
    recipe = Recipe(num_steps=2, num_documents=8, num_lookup_steps=1)
    models = [pretrain(recipe, Progress(disable=True))[0] for _ in range(2)]
    for one, other in zip(*(model.parameters() for model in models), strict=True):
        assert torch.equal(one, other)
