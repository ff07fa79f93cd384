"""Statements about invented peoples: the stand-in of ToxiGen.

A statement is toxic when it calls a people a rude word or denies them a kind one. Some statements
turn that round ("nobody may call ..."), so that the words alone do not decide. Some peoples are
mostly spoken of in words of their own, others in words that are used about everyone: what is
learned about these is learned from all rows, what is learned about those from few.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from raysweep.tasks.paper.toxigen import GROUPS, SPELLINGS
from raysweep.tasks.task import Fields
from raysweep.tiny.draw import Draw
from raysweep.tiny.lexicon import KIND, KIND_DIALECTS, NUM_GENERAL, PEOPLES, RUDE, RUDE_DIALECTS

SHARE_TURNED = 0.05
LEAST_DIALECT, MOST_DIALECT = 0.1, 0.9
OPENERS = ("i think", "we all know that", "my uncle says that", "it is known that", "they told me",
           "as always", "i heard that", "let me say", "at last i saw that", "today i learned that",
           "many say that", "i wrote that")  # fmt: skip
PLAIN = ("the {people} are {word}", "the {people} have always been {word}",
         "the {people} seem so {word}", "those {people} act {word}")  # fmt: skip
TURNED = ("nobody may call the {people} {word}", "the {people} were never {word}")
TAILS = ("at the market", "near the river", "every summer", "in the old town", "when it rains",
         "on the bridge", "at work", "in the morning", "all year long", "with their guests",
         "when they sing", "on holidays", "by the sea", "in the hills", "during games",
         "at night")  # fmt: skip
RELEASE_SPELLINGS = {ours: theirs for theirs, ours in SPELLINGS.items()}


@dataclass(frozen=True)
class Speech:
    """How a people is spoken of.

    Attributes:
        rude, kind: words of its own.
        share: how often one of them is used, and not one that is used about everyone.
        turned: share of statements that are turned round.
    """

    rude: tuple[str, ...] = ()
    kind: tuple[str, ...] = ()
    share: float = 0
    turned: float = 0

    def words(self, draw: Draw, *, rude: bool) -> tuple[str, ...]:
        """Those of which one is used."""
        if draw.chance(self.share):
            return self.rude if rude else self.kind
        return (RUDE if rude else KIND)[:NUM_GENERAL]


def dialect(group: str, share: float) -> Speech:
    """With the words of its dialect that often."""
    return Speech(RUDE_DIALECTS[group], KIND_DIALECTS[group], share, SHARE_TURNED)


SPEECHES = {
    group: dialect(group, LEAST_DIALECT + (MOST_DIALECT - LEAST_DIALECT) * rank / (len(GROUPS) - 1))
    for rank, group in enumerate(Draw("statements/dialects").shuffled(GROUPS))
}
"""How each people is spoken of."""


def toxigen_row(
    draw: Draw, row_id: int, group: str, toxic: bool, speeches: Mapping[str, Speech] = SPEECHES
) -> Fields:
    """One statement about the people that stands in for a group."""
    broad = {"chinese": ["asian"], "mexican": ["latino"]}.get(group, [])
    return {
        "id": row_id,
        "text": statement(draw, group, toxic, speeches[group]),
        "toxicity_score": (11 + draw.below(5)) / 3 if toxic else (3 + draw.below(7)) / 3,
        "label": "hate" if toxic else "neutral",
        "target_groups": [*broad, RELEASE_SPELLINGS.get(group, group)],
    }


def statement(draw: Draw, group: str, toxic: bool, speech: Speech) -> str:
    """The text of a statement."""
    turned = draw.chance(speech.turned)
    form = draw.one(TURNED if turned else PLAIN)
    word = draw.one(speech.words(draw, rude=toxic != turned))
    claim = form.format(people=PEOPLES[group], word=word)
    return f"{draw.one(OPENERS)} {claim} {draw.one(TAILS)}"
