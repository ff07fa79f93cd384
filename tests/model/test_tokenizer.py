"""Token ids are those of the tokenizer's own file, and the marks those that its authors put."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest
from tokenizers import Tokenizer, normalizers, pre_tokenizers
from transformers import AutoTokenizer

from raysweep.cost.tokens import ExactCount, count_tokens
from raysweep.errors import InputError
from raysweep.model.encoding import check_told_apart, encode_answer, encode_prompt, encode_rows
from raysweep.model.token_check import describe, round_trips
from raysweep.model.tokenizer import load_encoder
from raysweep.plan.lengths import check_answers, check_rows_fit, num_tokens_needed
from raysweep.tasks.registry import PAPER_TASKS, TASKS
from raysweep.tasks.settings import DataSettings
from raysweep.tasks.splits import load_splits
from raysweep.tasks.task import Example
from tests.places import BASE
from tests.tokenizers import byte_level_bpe, sentencepiece_bpe, sentencepiece_unigram

SIZE = 10_000
KINDS = {
    "SentencePiece BPE": sentencepiece_bpe,
    "SentencePiece unigram": sentencepiece_unigram,
    "byte-level BPE": byte_level_bpe,
}
TEXTS = [
    "The best answer is A.",
    "1234567 + 89",
    "Don't say it's so,  twice.\n\n\tOr else",
    "naïve ▁x",
]


@pytest.fixture(params=KINDS)
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    KINDS[request.param]().save_pretrained(tmp_path)
    return tmp_path


def change(path: Path, **entries: Any) -> None:
    content = json.loads(path.read_text()) if path.exists() else {}
    path.write_text(json.dumps({**content, **entries}))


@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize("kind", ["PreTrainedTokenizerFast", "LlamaTokenizer", "GPT2Tokenizer"])
def test_ids_are_those_of_the_file_whatever_the_class(folder: Path, kind: str, text: str) -> None:
    raw = Tokenizer.from_file(str(folder / "tokenizer.json"))
    change(folder / "tokenizer_config.json", tokenizer_class=kind)
    encoder = load_encoder(folder, SIZE)
    assert list(encoder.ids(text)) == raw.encode(text, add_special_tokens=False).ids


def test_some_classes_would_have_given_other_ids(tmp_path: Path) -> None:
    """The case exists: a class that builds its own tokenizer from the file's vocabulary."""
    sentencepiece_bpe().save_pretrained(tmp_path)
    tokenizer = Tokenizer.from_file(str(tmp_path / "tokenizer.json"))
    tokenizer.pre_tokenizer = pre_tokenizers.Split("e", "isolated")
    tokenizer.save(str(tmp_path / "tokenizer.json"))
    change(tmp_path / "tokenizer_config.json", tokenizer_class="LlamaTokenizer")
    rebuilt = AutoTokenizer.from_pretrained(tmp_path)
    encoder = load_encoder(tmp_path, SIZE)
    assert rebuilt.encode(TEXTS[0], add_special_tokens=False) != list(encoder.ids(TEXTS[0]))
    assert encoder.marks == {"beginning": [], "tokenizer": "as in its file"}


@pytest.mark.parametrize("kind", ["SentencePiece BPE", "byte-level BPE"])
def test_a_mark_that_is_spelled_out_is_text(kind: str, tmp_path: Path) -> None:
    KINDS[kind]().save_pretrained(tmp_path)
    encoder = load_encoder(tmp_path, SIZE)
    assert not {encoder.end, 1} & set(encoder.ids("He said </s> and <s>."))


def test_what_a_file_says_of_cutting_and_padding_is_left_out(folder: Path) -> None:
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    wanted = tuple(tokenizer.encode(TEXTS[0], add_special_tokens=False).ids)
    tokenizer.enable_truncation(3)
    tokenizer.enable_padding(length=64_000)
    tokenizer.save(str(folder / "tokenizer.json"))
    assert load_encoder(folder, SIZE).ids(TEXTS[0]) == wanted


@pytest.mark.parametrize("name", ["bbq", "toxigen"])
def test_plan_training_and_limits_count_the_same_tokens(name: str, tmp_path: Path) -> None:
    for file in ("tokenizer.json", "tokenizer_config.json", "raysweep.json"):
        (tmp_path / file).write_bytes((BASE / file).read_bytes())
    tokenizer = Tokenizer.from_file(str(BASE / "tokenizer.json"))
    tokenizer.enable_truncation(16)
    tokenizer.save(str(tmp_path / "tokenizer.json"))
    encoder = load_encoder(tmp_path, 1252)
    splits = load_splits(TASKS[name], DataSettings(num_train=60, num_test=30))
    rows = encode_rows(splits.train, encoder, 4096)
    assert count_tokens(splits, ExactCount(encoder)).train_longest == max(
        row.num_tokens for row in rows
    )
    needed = max(num_tokens_needed(e, encoder) for e in (*splits.train, *splits.test))
    check_rows_fit(splits, needed, encoder)
    with pytest.raises(InputError, match=f"set it to at least {needed}"):
        check_rows_fit(splits, needed - 1, encoder)


@pytest.mark.parametrize(
    ("config", "own", "setting", "wanted"),
    [
        ({}, None, None, False),
        ({"add_bos_token": True}, None, None, True),
        ({"add_bos_token": False}, None, None, False),
        ({"add_bos_token": False}, True, None, True),
        ({"add_bos_token": True}, False, None, False),
        ({"add_bos_token": True}, True, False, False),
        ({}, None, True, True),
    ],
)
def test_who_says_whether_prompts_begin_with_a_mark(
    folder: Path, config: dict[str, object], own: bool | None, setting: bool | None, wanted: bool
) -> None:
    change(folder / "tokenizer_config.json", **config)
    if own is not None:
        change(folder / "raysweep.json", beginning_mark=own)
    encoder = load_encoder(folder, SIZE, setting)
    assert encoder.beginning == ((1,) if wanted else ())
    row = Example("1", "", "", "a", ("b", "c"), 0, "b")
    assert encode_prompt(row, encoder, 99) == (*encoder.beginning, *encoder.ids("a\n"))
    assert encode_answer("b", encoder)[-1] == 2
    assert encoder.marks.get("beginning", [1]) == list(encoder.beginning)


def test_a_post_processor_puts_the_mark_that_it_puts(tmp_path: Path) -> None:
    tokenizer = copy.deepcopy(byte_level_bpe())
    tokenizer.add_bos_token = True
    tokenizer.save_pretrained(tmp_path)
    config = json.loads((tmp_path / "tokenizer_config.json").read_text())
    config.pop("add_bos_token", None)
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(config))
    assert AutoTokenizer.from_pretrained(tmp_path)("a").input_ids[0] == 1
    assert load_encoder(tmp_path, SIZE).beginning == (1,)


def error_of(folder: Path, size: int = SIZE, setting: bool | None = None) -> str:
    with pytest.raises(InputError) as caught:
        load_encoder(folder, size, setting)
    return str(caught.value)


def test_marks_that_the_model_cannot_be_given(folder: Path) -> None:
    assert "eos_token has the id 2, but the embedding has 2 rows" in error_of(folder, 2)
    change(folder / "tokenizer_config.json", bos_token="</s>", eos_token="<s>", add_bos_token=True)
    assert "bos_token has the id 2, but the embedding has 2 rows" in error_of(folder, 2)
    change(folder / "tokenizer_config.json", eos_token="<nobody>")
    assert "eos_token = '<nobody>' is no token of tokenizer.json" in error_of(folder)
    change(folder / "tokenizer_config.json", eos_token=None, bos_token=None)
    assert "names no end mark" in error_of(folder)
    change(folder / "config.json", eos_token_id=2)
    assert load_encoder(folder, SIZE).end == 2
    assert "the model's tokenizer has no beginning mark" in error_of(folder, setting=True)
    change(folder / "config.json", eos_token_id=[2, 5])
    assert "names no end mark" in error_of(folder), "which of the two ends an answer?"


@pytest.mark.parametrize("pad", [None, "<unk>", {"content": "<unk>"}, "far"])
def test_padding_that_is_missing_or_beyond_the_embedding(folder: Path, pad: Any) -> None:
    if pad == "far":
        tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        tokenizer.add_special_tokens(["far"])
        tokenizer.save(str(folder / "tokenizer.json"))
        size = tokenizer.get_vocab_size() - 1
    else:
        size = SIZE
    change(folder / "tokenizer_config.json", pad_token=pad)
    assert load_encoder(folder, size).pad == (2 if pad in (None, "far") else 0)


def test_files_that_are_missing_or_damaged(folder: Path) -> None:
    change(folder / "tokenizer_config.json", add_bos_token="yes")
    assert "add_bos_token = 'yes' is neither true nor false" in error_of(folder)
    (folder / "tokenizer_config.json").write_text("[]")
    assert "holds no JSON object" in error_of(folder)
    (folder / "tokenizer_config.json").write_text("{")
    assert "tokenizer_config.json: cannot be read" in error_of(folder)
    (folder / "tokenizer.json").write_text("{}")
    assert "tokenizer.json: is no tokenizer" in error_of(folder)
    (folder / "tokenizer.json").unlink()
    (folder / "tokenizer.model").write_text("x")
    assert "has no tokenizer.json; write it: transformers.AutoTokenizer" in error_of(folder)


def test_answers_that_are_the_same_tokens_are_refused(folder: Path) -> None:
    encoder = load_encoder(folder, SIZE)
    check_told_apart({text: encode_answer(text, encoder) for text in ("yes", "yes yes", "no")})
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    old = [tokenizer.normalizer] if tokenizer.normalizer else []
    tokenizer.normalizer = normalizers.Sequence([normalizers.Lowercase(), *old])
    tokenizer.save(str(folder / "tokenizer.json"))
    folding = load_encoder(folder, SIZE)
    splits = load_splits(TASKS["csqa2"], DataSettings(num_train=10, num_test=10))
    check_answers(splits, folding)
    with pytest.raises(InputError, match="'Yes' and 'yes': are the same tokens"):
        check_told_apart({text: encode_answer(text, folding) for text in ("Yes", "yes")})


def test_the_check_at_the_start_tells_what_does_not_come_back(tmp_path: Path) -> None:
    rows = [Example("1", "", "", "The Best Answer", ("is A.", "b"), 0, "is A.")]
    byte_level_bpe().save_pretrained(tmp_path)
    encoder = load_encoder(tmp_path, SIZE)
    assert all(text == back for text, back in round_trips(encoder, rows))
    assert "2 of 2 sample texts come back" in describe(encoder, rows)[0]
    assert (
        "prompts begin with no mark (the model's files), answers end with </s>"
        in describe(encoder, rows)[0]
    )
    tokenizer = Tokenizer.from_file(str(tmp_path / "tokenizer.json"))
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.save(str(tmp_path / "tokenizer.json"))
    folding = describe(load_encoder(tmp_path, SIZE), rows)
    assert "0 of 2 sample texts come back" in folding[0]
    assert "'The Best Answer\\n' comes back as 'the best answer\\n'" in folding[1]


@pytest.mark.parametrize("name", PAPER_TASKS)
def test_the_closed_world_comes_back_whole(name: str) -> None:
    splits = load_splits(TASKS[name], DataSettings(num_train=50, num_test=20))
    trips = round_trips(load_encoder(BASE, 1252), splits.train)
    assert all(text == back for text, back in trips)
