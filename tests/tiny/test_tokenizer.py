"""The tokenizer: whole words of the world, any other text without loss."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import AutoTokenizer, PreTrainedTokenizerFast

from raysweep.tiny.lexicon import KIND, NAMES, PEOPLES, RUDE, STRANGERS, THINGS
from raysweep.tiny.tokenizer import build_tokenizer
from raysweep.tiny.world import DRAWINGS
from tests.places import BASE
from tests.tiny.rows import examples


@pytest.fixture(scope="module")
def tokenizer() -> PreTrainedTokenizerFast:
    return AutoTokenizer.from_pretrained(BASE, local_files_only=True)


def ids(tokenizer: PreTrainedTokenizerFast, text: str) -> list[int]:
    return list(tokenizer.encode(text, add_special_tokens=False))


def test_shipped_tokenizer_is_the_one_that_the_code_builds(
    tokenizer: PreTrainedTokenizerFast,
) -> None:
    assert tokenizer.get_vocab() == build_tokenizer().get_vocab()


def test_special_tokens(tokenizer: PreTrainedTokenizerFast) -> None:
    assert (tokenizer.bos_token, tokenizer.eos_token, tokenizer.pad_token) == (
        "<s>",
        "</s>",
        "<pad>",
    )
    assert tokenizer.is_fast
    assert len({tokenizer.bos_token_id, tokenizer.eos_token_id, tokenizer.pad_token_id}) == 3


@settings(max_examples=300, deadline=None)
@given(text=st.text())
def test_any_text_survives(text: str) -> None:
    tokenizer = AutoTokenizer.from_pretrained(BASE, local_files_only=True)
    assert tokenizer.decode(ids(tokenizer, text)) == text


@pytest.mark.parametrize(
    "text",
    [
        "▁",
        "<0x41>",
        "<0xE6>",
        " two  spaces ",
        "\n\n",
        "\ttab\r\n",
        "e\u0301 é",
        "日本語 🙂",
        "\x00",
    ],
)
def test_awkward_text_survives(tokenizer: PreTrainedTokenizerFast, text: str) -> None:
    assert tokenizer.decode(ids(tokenizer, text)) == text


def test_words_of_the_world_are_single_tokens(tokenizer: PreTrainedTokenizerFast) -> None:
    words = [*THINGS, *PEOPLES.values(), *STRANGERS, *RUDE, *KIND]
    words += [name for sides in NAMES.values() for side in sides for name in side]
    assert [word for word in words if len(ids(tokenizer, f" {word}")) != 1] == []


def test_option_letters_are_single_tokens_shared_by_options_and_answers(
    tokenizer: PreTrainedTokenizerFast,
) -> None:
    for letter in "ABCDE":
        (token,) = ids(tokenizer, f" {letter}.")
        assert token in ids(tokenizer, f"The best answer is {letter}.")
        assert token in ids(tokenizer, f"Which? A. red. B. blue. C. x. D. y. E. z {letter}.")


@pytest.mark.parametrize("name", DRAWINGS)
def test_rows_are_short_and_need_neither_bytes_nor_single_letters(
    name: str, tokenizer: PreTrainedTokenizerFast
) -> None:
    for example in examples(name, "test"):
        tokens = tokenizer.convert_ids_to_tokens(ids(tokenizer, example.prompt + example.target))
        assert len(tokens) <= 60
        assert not [
            t
            for t in tokens
            if t.startswith("<0x") or (len(t) == 1 and t.isalpha() and t not in "aiA")
        ]
