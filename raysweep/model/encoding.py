"""From text to token ids: one way for the plan, training, scoring, curvature and generation.

The ids are those of the checkpoint's ``tokenizer.json`` itself. No tokenizer class comes between,
since some of them build the tokenizer anew, and differently.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache, partial
from typing import Any

from tokenizers import Tokenizer

from raysweep.errors import InputError
from raysweep.model.parts import shared_ends
from raysweep.tasks.task import Example

BREAK = "\n"  # the last character of every prompt


@dataclass(frozen=True)
class EncodedRow:
    """A training row: token ids of the prompt (with the beginning mark) and of the answer.

    Attributes:
        content: where the answer's content starts and stops (see `parts`); None for a row without
            candidates.
    """

    prompt: tuple[int, ...]
    answer: tuple[int, ...]
    content: tuple[int, int] | None = None

    @property
    def num_tokens(self) -> int:
        """Tokens of prompt and answer."""
        return len(self.prompt) + len(self.answer)


@dataclass(frozen=True)
class Encoder:
    """A tokenizer and the marks around a text; made by `tokenizer.load_encoder`.

    Attributes:
        tokenizer: neither cuts nor pads. A mark that is spelled out in a text, such as ``<s>``, is
            plain text, unless the tokenizer's model itself (Unigram) has it among its pieces.
        beginning: ids before every prompt; empty where the model has seen none.
        end: the mark after every answer.
        pad: fills rows up; masked, so that which one it is is all the same.
        marks: what of the encoding is part of the keys, empty where all was ever done so.
        description: of the marks, in words.
    """

    tokenizer: Tokenizer = field(repr=False)
    beginning: tuple[int, ...]
    end: int
    pad: int
    marks: Mapping[str, Any] = field(default_factory=dict)
    description: str = ""

    @cached_property
    def line_break(self) -> tuple[int, ...]:
        """The tokens of the last character of every prompt, as if it were a text."""
        return self.ids(BREAK)

    def ids(self, text: str) -> tuple[int, ...]:
        """The tokens of a text, without marks."""
        return tuple(self.tokenizer.encode(text, add_special_tokens=False).ids)

    def text(self, ids: Sequence[int], *, with_marks: bool = False) -> str:
        """The text of tokens; marks are left out, or spelled out."""
        return self.tokenizer.decode(list(ids), skip_special_tokens=not with_marks)


def encode_answer(text: str, encoder: Encoder) -> tuple[int, ...]:
    """Token ids of an answer that follows a prompt, with the end mark.

    Prompts end with a line break, and the answer is encoded as what follows one: so it starts as it
    would in running text, without the space that SentencePiece puts before a text of its own, and
    no token spans the two. Where a tokenizer has a token across the break, the answer is encoded
    alone.

    This is what training teaches, and what an answer's likelihood is taken over.
    """
    head, both = encoder.line_break, encoder.ids(f"{BREAK}{text}")
    answer = both[len(head) :] if both[: len(head)] == head else encoder.ids(text)
    return (*answer, encoder.end)


def encode_prompt(example: Example, encoder: Encoder, limit: int) -> tuple[int, ...]:
    """Token ids of the prompt, with the beginning mark, at most ``limit`` of them.

    A longer prompt loses the beginning of its context, character by character until it fits;
    instruction and question stay whole.

    Raises:
        InputError: instruction and question alone exceed the limit.
    """

    def encoded(num_cut: int) -> tuple[int, ...]:
        cut = replace(example, context=example.context[num_cut:]) if num_cut else example
        return (*encoder.beginning, *encoder.ids(cut.prompt))

    whole = encoded(0)
    if len(whole) <= limit:
        return whole
    length = len(example.context)
    shortest = encoded(length)
    if len(shortest) > limit:
        raise InputError(
            f"row {example.id}",
            f"{len(shortest)} tokens without its context exceed the limit of {limit} left for the "
            "prompt",
            "raise sequence_limit",
        )
    return encoded(bisect_left(range(length), True, key=lambda cut: len(encoded(cut)) <= limit))


def encode_rows(examples: Sequence[Example], encoder: Encoder, limit: int) -> list[EncodedRow]:
    """Training rows: the target, followed by the end mark, is what the loss is taken over."""
    rows, known = [], dict[tuple[str, ...], tuple[int, int]]()
    encoded = lru_cache(partial(encode_answer, encoder=encoder))
    for example in examples:
        answer, content = encoded(example.target), None
        if candidates := example.answers:
            if candidates not in known:
                known[candidates] = shared_ends([encoded(one) for one in candidates])
            num_first, num_last = known[candidates]
            content = (num_first, len(answer) - num_last)
        prompt = encode_prompt(example, encoder, limit - len(answer))
        rows.append(EncodedRow(prompt, answer, content))
    return rows


def check_told_apart(encoded: Mapping[str, Sequence[int]]) -> None:
    """Checks that no two answers, by their texts, have the same tokens.

    Raises:
        InputError: two have, so that none could ever be the likelier one.
    """
    seen: dict[tuple[int, ...], str] = {}
    for text, ids in encoded.items():
        first = seen.setdefault(tuple(ids), text)
        if first != text:
            raise InputError(
                f"answers {first!r} and {text!r}",
                "are the same tokens to this model's tokenizer",
                "give answers that differ in more than what the tokenizer leaves out",
            )


Encoded = tuple[int, ...]
