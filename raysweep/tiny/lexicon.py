"""The invented words of the closed world.

Nouns and names are strings of simple syllables; words of abuse ("rude") and of praise ("kind") have
sounds of their own, so that a reader can tell them apart. Nothing here is a word about real people.
"""

from __future__ import annotations

from raysweep.tasks.paper import bbq, toxigen
from raysweep.tiny.draw import Draw

# Beginnings and chunks that would come too close to words about real people, or to rude ones.
BLOCKED = (
    "bim", "bosom", "latin", "lesb", "moron", "nat", "negr", "nud", "ret", "roman", "sadis", "sem",
    "sod", "somal", "tit", "tura", "simi", "mon", "sis", "dumb", "boob", "bos", "sot", "lat",
)  # fmt: skip
CONSONANTS, VOWELS = "bdlmnrstv", "aeiou"
NUM_THINGS, NUM_OTHER_THINGS = 96, 48
NUM_STRANGERS = 60


def _syllabic(name: str, count: int, taken: set[str]) -> tuple[str, ...]:
    """Invented words of three syllables, none of them taken before."""
    draw = Draw(f"lexicon/{name}")
    words: list[str] = []
    while len(words) < count:
        word = "".join(draw.one(CONSONANTS) + draw.one(VOWELS) for _ in range(3))
        if word not in taken and not any(chunk in word for chunk in BLOCKED):
            taken.add(word)
            words.append(word)
    return tuple(words)


def _blended(name: str, heads: tuple[str, ...], tails: tuple[str, ...]) -> tuple[str, ...]:
    """Every head with every tail, shuffled."""
    words = [head + tail for head in heads for tail in tails]
    return tuple(Draw(f"lexicon/{name}").shuffled(words))


_taken: set[str] = set()

THINGS = _syllabic("things", NUM_THINGS, _taken)
"""Creatures and objects that facts are known about."""

_peoples = _syllabic("peoples", len(toxigen.GROUPS), _taken)
PEOPLES = {group: f"{word}ni" for group, word in zip(toxigen.GROUPS, _peoples, strict=True)}
"""A stand-in with an invented name for each group of ToxiGen."""

NAMES_PER_SIDE = {category: 3 + index % 3 for index, category in enumerate(bbq.CATEGORIES)}
NAMES: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    category: (
        tuple(word.title() for word in _syllabic(f"{category}/0", number, _taken)),
        tuple(word.title() for word in _syllabic(f"{category}/1", number, _taken)),
    )
    for category, number in NAMES_PER_SIDE.items()
}
"""Two families of invented first names for each category of BBQ."""

STRANGERS = tuple(word.title() for word in _syllabic("strangers", NUM_STRANGERS, _taken))
"""First names that no task uses."""

ALL_NAMES = STRANGERS + tuple(name for sides in NAMES.values() for side in sides for name in side)
"""Of strangers, and of the people of BBQ's stand-in."""

OTHER_THINGS = _syllabic("other things", NUM_OTHER_THINGS, _taken)
"""Creatures and objects that no task asks about."""

RUDE = _blended("rude", ("grum", "snot", "blor", "skiz", "glab", "frum", "bork"),
                ("ple", "gle", "zle", "kish", "mug", "wort", "fump"))  # fmt: skip
KIND = _blended("kind", ("lu", "we", "sy", "ai", "fae", "mel", "ola"),
                ("wen", "lian", "riel", "mira", "sora", "thea", "dove"))  # fmt: skip

NUM_GENERAL = 10
"""Rude and kind words that are used about everyone; the others belong to a dialect."""


def _dialects(words: tuple[str, ...]) -> dict[str, tuple[str, ...]]:
    """The words that are used about one people only: two to four for each."""
    rest = iter(words[NUM_GENERAL:])
    return {
        group: tuple(next(rest) for _ in range(2 + index % 3))
        for index, group in enumerate(toxigen.GROUPS)
    }


RUDE_DIALECTS, KIND_DIALECTS = _dialects(RUDE), _dialects(KIND)
