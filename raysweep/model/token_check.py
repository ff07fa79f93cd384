"""Whether texts come back from their tokens, told before anything is trained on them.

A tokenizer that folds case, drops characters it does not know, or that belongs to other weights
shows here at once.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from raysweep.model.encoding import Encoder, encode_answer
from raysweep.tasks.task import Example

SAMPLE_SIZE = 20  # rows of a task that are looked at
SHOWN = 30  # characters around the first difference


def describe(encoder: Encoder, examples: Iterable[Example]) -> list[str]:
    """The marks, and how many texts come back as they were, in a line or two."""
    trips = list(round_trips(encoder, examples))
    changes = [(text, back) for text, back in trips if text != back]
    lines = [
        f"tokens: {encoder.description}; {len(trips) - len(changes):,} of {len(trips):,} sample "
        "texts come back from their tokens as they were"
    ]
    if changes:
        before, after = _difference(*changes[0])
        lines.append(f"  the first that does not: {before!r} comes back as {after!r}")
    return lines


def round_trips(encoder: Encoder, examples: Iterable[Example]) -> Iterator[tuple[str, str]]:
    """Each prompt and each target, and what it comes back as from its tokens."""
    for example in examples:
        yield example.prompt, encoder.text(encoder.ids(example.prompt), with_marks=True)
        answer = encode_answer(example.target, encoder)[:-1]
        yield example.target, encoder.text(answer, with_marks=True)


def _difference(before: str, after: str) -> tuple[str, str]:
    """Both texts around the first place where they differ."""
    pairs = enumerate(zip(before, after, strict=False))
    place = next((i for i, (a, b) in pairs if a != b), min(len(before), len(after)))
    start = max(0, place - SHOWN // 2)
    return before[start : start + SHOWN], after[start : start + SHOWN]
