"""The closed world's tokenizer: its words whole, any other text byte by byte, without loss.

A Unigram model without pre-tokenisation: pieces are literal strings, a word carries the space
before it, and sentences that the templates repeat word for word (instructions, the beginnings of
answers) are pieces of their own, so that a row has some thirty tokens instead of a hundred. Single
ASCII characters and the 256 bytes cover everything else.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from tokenizers import Tokenizer, decoders
from tokenizers.models import Unigram
from transformers import PreTrainedTokenizerFast

from raysweep.tasks.registry import PAPER_TASKS
from raysweep.tiny.corpus import MAKERS
from raysweep.tiny.draw import Draw
from raysweep.tiny.facts import RELATIONS
from raysweep.tiny.lexicon import ALL_NAMES, KIND, PEOPLES, RUDE, THINGS
from raysweep.tiny.scenes import UNKNOWN
from raysweep.tiny.world import parsed, read_split

SPECIAL = ("<unk>", "<s>", "</s>", "<pad>")
LETTERS = tuple(f" {letter}." for letter in "ABCDE")
BEGINNINGS = ("The best answer is", "The answer is", "This is", "It is")
WORD = re.compile(r" ?[A-Za-z']+")
NUM_SAMPLES = 400  # documents of each kind that are searched for words
# Unigram takes the cheapest cover: a piece costs less than its characters, and bytes, which only
# stand in for what nothing else covers, cost more than any text.
PIECE, CHARACTER, BYTE = -10.0, -20.0, -10_000.0


def build_tokenizer() -> PreTrainedTokenizerFast:
    """The same tokenizer on every call."""
    vocabulary = [(token, 0.0) for token in SPECIAL]
    vocabulary += [(f"<0x{byte:02X}>", BYTE) for byte in range(256)]
    vocabulary += [(chr(code), CHARACTER) for code in (10, *range(32, 127))]
    vocabulary += [(piece, PIECE) for piece in _pieces()]
    tokenizer = Tokenizer(Unigram(vocabulary, unk_id=0, byte_fallback=True))
    tokenizer.decoder = decoders.Sequence([decoders.ByteFallback(), decoders.Fuse()])
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        unk_token="<unk>",
        bos_token="<s>",
        eos_token="</s>",
        pad_token="<pad>",
        padding_side="left",
        clean_up_tokenization_spaces=False,
        split_special_tokens=True,
    )


def encoded(tokenizer: PreTrainedTokenizerFast, texts: Sequence[str]) -> list[list[int]]:
    """Texts as tokens, without marks."""
    encodings = tokenizer.backend_tokenizer.encode_batch(list(texts), add_special_tokens=False)
    return [encoding.ids for encoding in encodings]


def _pieces() -> list[str]:
    """Phrases, option letters and words, in a fixed order."""
    phrases = set(_instructions()) | {f" {phrase}" for phrase in UNKNOWN} | set(BEGINNINGS)
    words = {f" {word}" for word in _invented()}
    for text in _texts():
        words.update(WORD.findall(text))
    return [*LETTERS, *sorted(phrases), *sorted(word for word in words - phrases if len(word) > 1)]


def _instructions() -> Iterator[str]:
    """The two sentences of each task's instruction."""
    for name in PAPER_TASKS:
        instruction = parsed(name, read_split(name)["train"][0]).instruction
        if instruction:
            first, second = instruction.split(" Your ")
            yield from (first, f" Your {second}")


def _invented() -> Iterator[str]:
    yield from (*THINGS, *PEOPLES.values(), *ALL_NAMES, *RUDE, *KIND)
    for relation in RELATIONS:
        yield from relation.values


def _texts() -> Iterator[str]:
    """Texts of the world in which every word of its templates occurs."""
    for name in PAPER_TASKS:
        for row in read_split(name)["train"]:
            example = parsed(name, row)
            yield from (example.context, example.question, example.target)
    for maker in MAKERS:
        draw = Draw(f"tokenizer/{maker.__name__}")
        for _ in range(NUM_SAMPLES):
            made = maker(draw)
            yield from (made.prompt, made.answer)
