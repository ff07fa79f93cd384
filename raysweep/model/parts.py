"""The parts of an answer: its format, which all candidates share, and its content, which decides.

    The best answer is | B | . </s>        prefix | content | suffix

The format is what all of a row's candidates begin with and what they end with, the end mark
included. Each candidate keeps a content: where one is the beginning of another ("yes", "yes sir")
it is the end mark that tells them apart, and the suffix is shorter by so much.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import takewhile
from typing import Literal

Part = Literal["whole", "format", "content"]
"""What of a row's answer a loss is taken over."""


def num_shared(rows: Sequence[Sequence[int]]) -> int:
    """Leading tokens that all rows share; each keeps at least one of its own."""
    columns = zip(*(row[:-1] for row in rows), strict=False)
    return len(list(takewhile(lambda column: len(set(column)) == 1, columns)))


def shared_ends(candidates: Sequence[Sequence[int]]) -> tuple[int, int]:
    """How many tokens all candidates begin with, and with how many they end.

    Args:
        candidates: token ids with the end mark; no one equals another.

    Returns:
        Lengths of prefix and suffix; between them every candidate has at least one token.
    """
    num_first = num_shared(candidates)
    return num_first, num_shared([one[num_first:][::-1] for one in candidates])
