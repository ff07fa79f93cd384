"""Encoding, the order of rows, and batches."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from raysweep.errors import InputError
from raysweep.model.encoding import EncodedRow, Encoder, encode_answer, encode_prompt, encode_rows
from raysweep.model.parts import Part
from raysweep.tasks.task import Example
from raysweep.tiny.tokenizer import build_tokenizer
from raysweep.training.batches import IGNORED, collate, micro_batches, num_micro_steps, step_indices
from tests.models import random_rows
from tests.tokenizers import byte_level_bpe, encoder_of, sentencepiece_bpe, sentencepiece_unigram

TOKENIZER = encoder_of(build_tokenizer())
TEXT = st.text(min_size=1, max_size=60).map(str.strip).filter(bool)
TOKENIZERS: dict[str, Callable[[], Encoder]] = {
    "closed world": lambda: TOKENIZER,
    "SentencePiece BPE": cache(lambda: encoder_of(sentencepiece_bpe())),
    "SentencePiece unigram": cache(lambda: encoder_of(sentencepiece_unigram())),
    "byte-level BPE": cache(lambda: encoder_of(byte_level_bpe())),
}


def example(instruction: str, context: str, question: str) -> Example:
    return Example("7", instruction, context, question, ("yes.", "no."), 0, "yes.")


@settings(max_examples=80, deadline=None)
@pytest.mark.parametrize("kind", TOKENIZERS)
@given(question=TEXT, target=TEXT)
def test_prompt_and_answer_share_no_token(kind: str, question: str, target: str) -> None:
    tokenizer = TOKENIZERS[kind]()
    row = Example("7", "", "", question, (target,), 0, target)
    (encoded,) = encode_rows([row], tokenizer, 10_000)
    assert encoded.prompt == encode_prompt(row, tokenizer, 10_000)
    assert encoded.answer == encode_answer(target, tokenizer)
    assert encoded.answer[-1] == tokenizer.end
    assert tokenizer.text(encoded.prompt[1:], with_marks=True) == f"{question}\n"
    assert tokenizer.text(encoded.answer[:-1], with_marks=True) == target
    together = [*encoded.prompt[1:], *encoded.answer[:-1]]
    assert tokenizer.text(together, with_marks=True) == f"{question}\n{target}"


def test_a_token_across_the_break_is_not_used() -> None:
    joint = sentencepiece_bpe(across_lines=True).tokenize("a\nThe end.")
    tokenizer = encoder_of(sentencepiece_bpe(across_lines=True))
    assert any("\nT" in token for token in joint), "the case exists"
    row = Example("7", "", "", "a", ("The end.",), 0, "The end.")
    (encoded,) = encode_rows([row], tokenizer, 100)
    assert tokenizer.text(encoded.prompt[1:], with_marks=True) == "a\n"
    assert tokenizer.text(encoded.answer[:-1], with_marks=True) == "The end."


PARTS: tuple[Part, ...] = ("whole", "format", "content")
CANDIDATES = [
    (("The best answer is A.", "The best answer is B."), ("A.", "B."), ""),  # one token each
    (("It is toxic now", "It is not toxic now"), ("toxic", "not toxic"), "now"),
    (("yes", "yes sir"), ("", " sir"), ""),
    (("red", "blue"), ("red", "blue"), ""),
]


@pytest.mark.parametrize(("answers", "contents", "suffix"), CANDIDATES)
@pytest.mark.parametrize("label", [0, 1])
def test_rows_know_where_the_content_of_their_answer_is(
    answers: tuple[str, ...], contents: tuple[str, ...], suffix: str, label: int
) -> None:
    row = Example("7", "", "", "what?", answers, label, answers[label])
    (encoded,) = encode_rows([row], TOKENIZER, 100)
    assert encoded.content
    start, stop = encoded.content
    assert 0 <= start < stop <= len(encoded.answer)
    told = TOKENIZER.text(encoded.answer[start:stop])
    assert told.strip() == contents[label].strip()
    decides = encoded.answer[start:stop][-1] == TOKENIZER.end
    assert decides == (contents[0] == ""), "the end mark, where one begins another"
    batch = collate([encoded, EncodedRow((5,) * 20, (6, 7))], 0)
    second = [batch.labels_of(part)[1] for part in PARTS]
    assert [int((labels != IGNORED).sum()) for labels in second] == [2, 2, 0], "has no candidates"
    of_content = batch.labels_of("content")[0]
    of_format = batch.labels_of("format")[0]
    assert of_content[of_content != IGNORED].tolist() == list(encoded.answer[start:stop])
    rest = [*encoded.answer[:start], *encoded.answer[stop:]]
    assert of_format[of_format != IGNORED].tolist() == rest
    assert suffix in TOKENIZER.text(encoded.answer[stop:])


def test_a_row_without_candidates_has_no_content() -> None:
    (encoded,) = encode_rows([Example("7", "", "", "say!", (), 0, "I am sorry.")], TOKENIZER, 100)
    assert encoded.content is None


@settings(max_examples=80, deadline=None)
@pytest.mark.parametrize("kind", TOKENIZERS)
@given(instruction=TEXT, context=st.text(max_size=80), question=TEXT, cut=st.integers(0, 60))
def test_a_long_row_loses_the_beginning_of_its_context_and_nothing_else(
    kind: str, instruction: str, context: str, question: str, cut: int
) -> None:
    tokenizer = TOKENIZERS[kind]()
    row = example(instruction, context, question)
    answer = encode_answer(row.target, tokenizer)
    whole = encode_prompt(row, tokenizer, 10_000)
    shortest = len(encode_prompt(example(instruction, "", question), tokenizer, 10_000)) + 3
    limit = max(len(whole) - cut, shortest)
    (encoded,) = encode_rows([row], tokenizer, limit + len(answer))
    assert encoded.num_tokens <= limit + len(answer)
    assert encoded.answer == answer
    text = tokenizer.text(encoded.prompt[1:], with_marks=True)
    assert text.startswith(f"{instruction}\n")
    assert text.endswith(f"{question}\n")
    kept = text[len(instruction) + 1 : -len(question) - 1]
    assert f"{context}\n".endswith(kept)


def test_what_is_left_of_a_context_is_its_end() -> None:
    row = example("I.", "0123456789", "Q?")
    whole = encode_prompt(row, TOKENIZER, 100)
    assert (
        TOKENIZER.text(encode_prompt(row, TOKENIZER, len(whole) - 4)[1:], with_marks=True)
        == "I.\n456789\nQ?\n"
    )


def test_a_row_that_cannot_fit_is_an_error_that_names_it() -> None:
    with pytest.raises(InputError, match=r"row 7: \d+ tokens without its context.*sequence_limit"):
        encode_prompt(example("instruction", "context", "question"), TOKENIZER, 5)


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 40), st.integers(1, 30), st.integers(0, 5))
def test_each_epoch_visits_every_row_once(num_rows: int, batch: int, seed: int) -> None:
    steps = 3 * num_rows
    order = [i for step in range(steps) for i in step_indices(num_rows, batch, seed, step)]
    for epoch in range(len(order) // num_rows):
        assert sorted(order[epoch * num_rows : (epoch + 1) * num_rows]) == list(range(num_rows))


def test_the_order_of_rows_is_fixed_for_ever() -> None:
    assert step_indices(10, 12, 0, 0) == [3, 8, 4, 9, 2, 5, 0, 6, 1, 7, 3, 8]
    assert step_indices(10, 4, 1, 0) != step_indices(10, 4, 0, 0)


@pytest.mark.parametrize(("world", "size"), [(1, 16), (1, 3), (2, 4), (3, 2), (4, 5), (12, 1)])
def test_micro_batches_cover_a_global_batch_once_in_equal_numbers_of_steps(
    world: int, size: int
) -> None:
    rows = random_rows(10)
    parts = [list(micro_batches(rows, rank, world, size)) for rank in range(world)]
    assert {len(part) for part in parts} == {num_micro_steps(10, world, size)}
    assert max(len(piece) for part in parts for piece in part) <= size
    spread = sorted(row.prompt for part in parts for piece in part for row in piece)
    assert spread == sorted(row.prompt for row in rows)


def test_rows_are_padded_on_the_left_and_only_answers_are_labelled() -> None:
    rows = random_rows(4)
    batch = collate(rows, pad_token_id=0)
    for index, row in enumerate(rows):
        assert batch.input_ids[index, -row.num_tokens :].tolist() == [*row.prompt, *row.answer]
        assert batch.attention_mask[index].sum() == row.num_tokens
        assert batch.position_ids[index, -row.num_tokens :].tolist() == list(range(row.num_tokens))
        assert batch.labels[index, -len(row.answer) :].tolist() == list(row.answer)
        assert (batch.labels[index, : -len(row.answer)] == IGNORED).all()
    assert batch.longest_answer == max(len(row.answer) for row in rows)
    assert batch.num_answer_tokens == sum(len(row.answer) for row in rows)


def test_no_rows_make_a_batch_without_labels() -> None:
    batch = collate([], pad_token_id=0)
    assert batch.num_answer_tokens == 0
    assert torch.isfinite(batch.input_ids.float()).all()
