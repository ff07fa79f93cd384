"""Pretraining: the schedule, and steps that are decided by the seed, interrupted or not."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from raysweep.errors import InputError
from raysweep.tiny.corpus import (
    FACTS_MOSTLY,
    LOOKUPS,
    MAKERS,
    QUIZZES_MOSTLY,
    Document,
    DocumentMix,
    Maker,
)
from raysweep.tiny.draw import Draw
from raysweep.tiny.pretraining import CHECKPOINT, IGNORED, Pretraining, PretrainingSettings, _rows
from raysweep.tiny.tokenizer import build_tokenizer

SHORT = PretrainingSettings(num_steps=4, num_documents=8, num_lookup_steps=1, num_decay_steps=2)


def test_learning_rate_rises_stays_and_falls() -> None:
    recipe = PretrainingSettings(
        num_steps=100, num_warmup_steps=10, num_decay_steps=20, learning_rate=1.0
    )
    assert recipe.rate(0) == pytest.approx(0.1)
    assert recipe.rate(50) == 1.0
    assert recipe.rate(90) == pytest.approx(0.5)
    assert recipe.rate(99) == pytest.approx(0.05)


@pytest.mark.parametrize("mixture", [LOOKUPS, FACTS_MOSTLY, QUIZZES_MOSTLY])
def test_shares_of_documents_sum_to_one(mixture: DocumentMix) -> None:
    assert sum(mixture.values()) == pytest.approx(1)
    assert set(mixture) <= set(MAKERS)


def test_mixtures_follow_one_another() -> None:
    recipe = PretrainingSettings(num_lookup_steps=3, num_fact_steps=2)
    found = [recipe.mixture(step) for step in range(7)]
    assert found == [LOOKUPS] * 3 + [FACTS_MOSTLY] * 2 + [QUIZZES_MOSTLY] * 2


def test_rows_hold_the_answer_and_the_thought_where_it_is_decided_and_where_it_is_used() -> None:
    tokenizer = build_tokenizer()
    red, what = (tokenizer.convert_tokens_to_ids(token) for token in (" red", "It is"))
    question = "What color is it?"
    (row,) = _rows(tokenizer, [Document(f"{question}\n", "It is red.", " red", question)])
    assert row.ids[0] == tokenizer.bos_token_id
    assert row.ids[-1] == row.labels[-1] == tokenizer.eos_token_id
    first = row.ids.index(what)
    assert row.labels == [IGNORED] * first + row.ids[first:]
    assert tokenizer.decode(row.ids[first:-1]) == "It is red."
    assert [place for place, told in enumerate(row.thoughts) if told == red] == [first]
    (place,) = (place for place, told in enumerate(row.cued) if told == red)
    assert tokenizer.decode(row.ids[1 : place + 1]) == question


@pytest.mark.parametrize("maker", MAKERS, ids=lambda maker: maker.__name__)
def test_every_kind_of_document_can_be_a_row(maker: Maker) -> None:
    draw = Draw("test/rows")
    assert len(_rows(build_tokenizer(), [maker(draw) for _ in range(200)])) == 200


def weights_after(pretraining: Pretraining, num_steps: int) -> list[torch.Tensor]:
    for _ in range(num_steps):
        pretraining.step()
    return [parameter.detach().clone() for parameter in pretraining.model.parameters()]


def test_the_same_seed_gives_the_same_weights_and_another_one_others() -> None:
    one, again = (weights_after(Pretraining(SHORT), 2) for _ in range(2))
    other = weights_after(Pretraining(PretrainingSettings(seed=1, num_documents=8)), 2)
    assert all(map(torch.equal, one, again))
    assert not any(map(torch.equal, one, other))


def test_an_interrupted_pretraining_ends_as_if_it_had_not_been(tmp_path: Path) -> None:
    whole = Pretraining(SHORT)
    expected = weights_after(whole, 4)
    first = Pretraining(SHORT)
    weights_after(first, 2)
    first.save(tmp_path / CHECKPOINT)
    second = Pretraining(SHORT)
    second.load(tmp_path / CHECKPOINT)
    assert all(map(torch.equal, weights_after(second, 2), expected))
    assert second.losses == whole.losses
    assert [path.name for path in tmp_path.iterdir()] == [CHECKPOINT]


def test_a_checkpoint_of_another_recipe_is_refused(tmp_path: Path) -> None:
    first = Pretraining(SHORT)
    first.step()
    first.save(tmp_path / CHECKPOINT)
    with pytest.raises(InputError, match="belongs to another recipe"):
        Pretraining(PretrainingSettings(seed=1)).load(tmp_path / CHECKPOINT)
