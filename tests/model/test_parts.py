"""Where the candidates of a row are alike, and where they differ."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from raysweep.model.parts import shared_ends

END = 0


@pytest.mark.parametrize(
    ("candidates", "ends"),
    [
        ([(5, 6, 7, 9, END), (5, 6, 8, 9, END)], (2, 2)),  # The answer is A . </s>
        ([(5, 7, END), (5, 8, 7, END)], (1, 1)),  # is toxic, is not toxic: toxic against not
        ([(7, END), (8, END)], (0, 1)),
        ([(5, END), (5, 6, END)], (1, 0)),  # yes, yes sir: the end mark decides
        ([(5, 6, END), (5, 6, 5, 6, END)], (2, 0)),
        ([(5, 5, END), (5, 5, 5, END), (5, 6, END)], (1, 1)),
        ([(5, 6, END)], (2, 0)),  # nothing to decide
    ],
)
def test_by_hand(candidates: list[tuple[int, ...]], ends: tuple[int, int]) -> None:
    assert shared_ends(candidates) == ends


Candidates = st.lists(
    st.lists(st.integers(1, 2), min_size=1, max_size=5).map(lambda ids: (*ids, END)),
    min_size=2,
    max_size=4,
    unique=True,
)


@given(candidates=Candidates)
def test_the_parts_are_the_longest_that_leave_every_candidate_a_content(
    candidates: list[tuple[int, ...]],
) -> None:
    """Against all prefixes and suffixes, tried one by one; the prefix is taken first."""

    def is_shared(first: int, last: int) -> bool:
        ends = {(one[:first], one[len(one) - last :]) for one in candidates}
        return len(ends) == 1 and all(first + last < len(one) for one in candidates)

    longest = max(len(one) for one in candidates)
    pairs = [(i, j) for i in range(longest) for j in range(longest) if is_shared(i, j)]
    assert shared_ends(candidates) == max(pairs)
