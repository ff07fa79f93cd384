"""Chains with braces, against chains written out."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from raysweep.space.chains import Chain, expand


def written(*chains: str) -> list[tuple[tuple[str, ...], ...]]:
    """``"a b+c"`` is a chain of the stage a and the mixture of b and c."""
    return [tuple(tuple(stage.split("+")) for stage in chain.split(" ")) for chain in chains]


@pytest.mark.parametrize(
    ("chain", "expected"),
    [
        (["a", "b"], ["a b"]),
        (["a", ["b", "a@5%"]], ["a b+a@5%"]),
        (["{a,b}", "{c, d}"], ["a c", "a d", "b c", "b d"]),
        (["a", "b", "a@{1,5}%"], ["a b a@1%", "a b a@5%"]),
        (["a", "b", "a@{0,5}%"], ["a b", "a b a@5%"]),
        (["a", ["b", "a@{0.0,5}%"]], ["a b", "a b+a@5%"]),
        (["a", "b", "a@{0,5}%", "b"], ["a b b", "a b a@5% b"]),
        (["{a,b}", "c", "stage1@{0,5}%"], ["a c", "a c a@5%", "b c", "b c b@5%"]),
        (["a", ["b", "stage1@5%"], "stage2"], ["a b+a@5% b"]),
        (["{a,a}", "b"], ["a b"]),
        (["a@0%"], ["a@0%"]),  # said outright it is a mistake, which the settings refuse
    ],
)
def test_braces_stand_for_each_of_their_parts(
    chain: list[str | list[str]], expected: list[str]
) -> None:
    assert expand(chain) == written(*expected)


@pytest.mark.parametrize(
    ("chain", "problem"),
    [
        (["a", "stage2"], "refers to stage 2, which is not before it"),
        (["stage1", "a"], "refers to stage 1"),
        (["a@{0,5}%", "b"], "the first stage has a share of 0 %"),
        (["a", "b@{0,5}%", "stage2"], "refers to stage 2"),
    ],
)
def test_references_to_nothing(chain: list[str | list[str]], problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        expand(chain)


shares = st.integers(1, 10**9).map(lambda n: n / 10**7)  # percent, as a person writes them
parts = st.tuples(st.sampled_from(["bbq", "csqa2", "toxigen_v1"]), shares)


@given(st.lists(st.lists(parts, min_size=1, max_size=3, unique_by=lambda p: p[0]), min_size=1))
def test_a_chain_is_what_its_text_says(stages: list[list[tuple[str, float]]]) -> None:
    texts = [[f"{task}@{Decimal(repr(percent)):f}%" for task, percent in stage] for stage in stages]
    chain = TypeAdapter(Chain).validate_python(texts)
    assert Chain.parse(str(chain)) == chain
    assert [[part.fraction for part in mixture] for mixture in chain] == [
        [percent / 100 for _, percent in stage] for stage in stages
    ]


@pytest.mark.parametrize("text", ["", "a -> ", "a@0%", "a@5", "a + a@5%", "a -> b@101%"])
def test_a_text_of_no_chain(text: str) -> None:
    with pytest.raises(ValidationError):
        Chain.parse(text)
