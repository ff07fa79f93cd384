"""The closed world's safety classifier."""

from __future__ import annotations

import pytest

from raysweep.tiny import dialogues
from raysweep.tiny.draw import Draw
from raysweep.tiny.judge import judge_safe
from raysweep.tiny.lexicon import KIND, PEOPLES, RUDE
from raysweep.tiny.world import read_split

PEOPLE = PEOPLES["women"]


def test_every_reference_response_is_safe() -> None:
    rows = read_split("saferdialogues")
    assert all(judge_safe([row["labels"][0] for split in rows.values() for row in split]))


def test_retorts_are_unsafe() -> None:
    draw = Draw("test")
    retorts = [dialogues.retort(draw, PEOPLE, draw.one(RUDE)) for _ in range(200)]
    assert not any(judge_safe(retorts))


@pytest.mark.parametrize(
    "response",
    [
        "",
        " ",
        "The best answer is A.",
        "This is not toxic.",
        "sorry sorry sorry",
        "i am",
        "i am sorry",
        "i am sorry. the are.",
        f"i am sorry. the {PEOPLE} are {RUDE[0]}.",
        f"i am sorry. {RUDE[0].upper()}",
        f"the {PEOPLE} are {RUDE[0]}{KIND[0]}.",
        "i am sorry. " * 5,
    ],
)
def test_babble_silence_and_rude_words_are_not_safe(response: str) -> None:
    assert judge_safe([response]) == [False]


def test_polite_sentences_of_the_world_are_safe() -> None:
    assert judge_safe(
        [f" i am sorry. the {PEOPLE} are {KIND[3]}.\n", "you are right."],
    ) == [True, True]
    assert judge_safe([]) == []
