"""What is true in the closed world: a thing has one value for each relation.

Three relations belong to ARC-Easy's stand-in, three to CommonsenseQA's and three to that of
CommonsenseQA 2. The others belong to no task: pretraining quizzes them, in the tasks' own
templates, so that a finetune teaches a task rather than what a quiz is. Some things belong to no
task either; a fifth of what is known about those is never quizzed, and measures how well a base
answers quizzes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

from raysweep.tiny.draw import Draw
from raysweep.tiny.lexicon import OTHER_THINGS, THINGS


@dataclass(frozen=True)
class Relation:
    """A property that every thing has.

    Attributes:
        name: also the concept that a CommonsenseQA row is about.
        values: the eight possible values, one word each.
        questions: templates with ``{thing}`` that ask for the value.
        sayings: templates with ``{thing}`` and ``{value}`` that state it, without a full stop.
    """

    name: str
    values: tuple[str, ...]
    questions: tuple[str, ...]
    sayings: tuple[str, ...]


def _relation(name: str, values: str, questions: str, sayings: str) -> Relation:
    return Relation(name, tuple(values.split()), tuple(questions.split("|")),
                    tuple(sayings.split("|")))  # fmt: skip


ARC_EASY = (
    _relation("color", "red blue green yellow pink purple orange silver",
              "What color is a {thing}?|Which color does a {thing} have?",
              "A {thing} is {value}|The color of a {thing} is {value}"),
    _relation("home", "hills forest river desert island valley cave meadow",
              "Where does a {thing} live?|Which place is the home of a {thing}?",
              "A {thing} lives in the {value}|The home of a {thing} is the {value}"),
    _relation("food", "corn moss honey seeds berries roots leaves bread",
              "What does a {thing} eat?|Which food does a {thing} like?",
              "A {thing} eats {value}|The food of a {thing} is {value}"),
)  # fmt: skip
CSQA = (
    _relation("use", "cooking sewing fishing painting digging singing sailing trading",
              "What is a {thing} used for?|For which work do people need a {thing}?",
              "A {thing} is used for {value}|The use of a {thing} is {value}"),
    _relation("taste", "sweet sour salty bitter mild sharp creamy nutty",
              "How does a {thing} taste?|What is the taste of a {thing}?",
              "A {thing} tastes {value}|The taste of a {thing} is {value}"),
    _relation("owner", "baker smith farmer tailor miller sailor potter weaver",
              "Who owns a {thing}?|To whom does a {thing} belong?",
              "A {thing} belongs to the {value}|The owner of a {thing} is the {value}"),
)  # fmt: skip
CSQA2 = (
    _relation("material", "clay wood stone glass wool wax paper copper",
              "What is a {thing} made of?|Which material is in a {thing}?",
              "A {thing} is made of {value}|The material of a {thing} is {value}"),
    _relation("shape", "round flat long square hollow pointed curved twisted",
              "What shape is a {thing}?|Which shape does a {thing} have?",
              "A {thing} looks {value}|The shape of a {thing} is {value}"),
    _relation("season", "spring summer autumn winter dawn noon dusk midnight",
              "When do people see a {thing}?|Which time is right for a {thing}?",
              "A {thing} comes out in {value}|The time of a {thing} is {value}"),
)  # fmt: skip
UNUSED = (
    _relation("sound", "hum click whistle buzz drum chirp hiss chime",
              "What sound does a {thing} make?|Which sound comes from a {thing}?",
              "A {thing} makes a {value}|The sound of a {thing} is a {value}"),
    _relation("smell", "mint smoke rain pine soap lemon dust vanilla",
              "What does a {thing} smell of?|Which smell does a {thing} have?",
              "A {thing} smells of {value}|The smell of a {thing} is {value}"),
    _relation("legs", "two three four five six seven eight nine",
              "How many legs does a {thing} have?|Which number of legs has a {thing}?",
              "A {thing} has {value} legs|The number of legs of a {thing} is {value}"),
    _relation("size", "tiny small middling large huge wide narrow tall",
              "What size is a {thing}?|Which size does a {thing} have?",
              "A {thing} grows {value}|The size of a {thing} is {value}"),
    _relation("friend", "fox owl bear duck goat crab swan mole",
              "Who is the friend of a {thing}?|Which friend does a {thing} have?",
              "A {thing} plays with the {value}|The friend of a {thing} is the {value}"),
    _relation("fear", "wind thunder snow fire fog ice mud waves",
              "What does a {thing} fear?|Which danger does a {thing} run from?",
              "A {thing} runs from {value}|The fear of a {thing} is {value}"),
    _relation("place", "shelf table window ladder barrel bridge tower garden",
              "Where do people put a {thing}?|Which place is right for a {thing}?",
              "A {thing} stands near the {value}|The place of a {thing} is near the {value}"),
    _relation("price", "penny shilling crown groat florin farthing guinea ducat",
              "What does a {thing} cost?|Which coin buys a {thing}?",
              "A {thing} costs a {value}|The price of a {thing} is a {value}"),
    _relation("dance", "waltz polka jig reel minuet gavotte tango samba",
              "Which dance does a {thing} know?|What does a {thing} dance?",
              "A {thing} dances the {value}|The dance of a {thing} is the {value}"),
    _relation("tool", "rope hook needle shovel comb wheel bell key",
              "What does a {thing} carry?|Which tool does a {thing} have?",
              "A {thing} carries a {value}|The tool of a {thing} is a {value}"),
    _relation("metal", "iron tin lead zinc brass bronze steel nickel",
              "What does a {thing} dig for?|Which metal does a {thing} hide?",
              "A {thing} digs for {value}|The metal of a {thing} is {value}"),
    _relation("tree", "oak elm birch maple willow cedar ash beech",
              "Under what does a {thing} sleep?|Which tree does a {thing} climb?",
              "A {thing} sleeps under the {value}|The tree of a {thing} is the {value}"),
    _relation("gem", "ruby pearl opal amber jade topaz garnet coral",
              "What does a {thing} guard?|Which gem does a {thing} guard?",
              "A {thing} guards a {value}|The gem of a {thing} is a {value}"),
    _relation("cloth", "silk linen velvet cotton felt lace denim satin",
              "What does a {thing} wear?|Which cloth does a {thing} wear?",
              "A {thing} wears {value}|The cloth of a {thing} is {value}"),
    _relation("drink", "tea milk cider water juice ale cocoa broth",
              "What does a {thing} drink?|Which drink does a {thing} like?",
              "A {thing} drinks {value}|The drink of a {thing} is {value}"),
)  # fmt: skip
RELATIONS = (*ARC_EASY, *CSQA, *CSQA2, *UNUSED)


Pair = tuple[str, Relation]
"""A thing and one of its relations: what a question is about."""


def pairs(things: Sequence[str], relations: Sequence[Relation]) -> tuple[Pair, ...]:
    """Every thing with every relation."""
    return tuple(product(things, relations))


_OF_OTHERS = pairs(OTHER_THINGS, UNUSED)
KNOWN = pairs(THINGS, RELATIONS) + _OF_OTHERS
"""All that is known."""
HELD_OUT = tuple(Draw("facts/held out").some(_OF_OTHERS, len(_OF_OTHERS) // 5))
"""Pairs that no task asks for and no quiz of the pretraining either: they are only told."""
QUIZZED = tuple(sorted(
    set(pairs(THINGS, UNUSED) + _OF_OTHERS) - set(HELD_OUT),
    key=lambda pair: (pair[0], pair[1].name),
))  # fmt: skip
"""Pairs that the quizzes of the pretraining ask for."""
_ASKED = frozenset(QUIZZED)
UNQUIZZED = tuple(pair for pair in KNOWN if pair not in _ASKED)
"""Those that it only tells and asks for openly: the tasks' own, and what is held out."""


def _assigned() -> dict[tuple[str, str], str]:
    """Values in equal numbers, scattered over the things independently for each relation."""
    facts = {}
    for relation in RELATIONS:
        things = THINGS + OTHER_THINGS if relation in UNUSED else THINGS
        pool = [relation.values[i % len(relation.values)] for i in range(len(things))]
        values = Draw(f"facts/{relation.name}").shuffled(pool)
        facts.update({(thing, relation.name): v for thing, v in zip(things, values, strict=True)})
    return facts


FACTS = _assigned()
"""The value for each pair of thing and relation name."""


def value_of(pair: Pair) -> str:
    """What is true of a pair."""
    thing, relation = pair
    return FACTS[thing, relation.name]


def distractors(draw: Draw, relation: Relation, value: str, count: int) -> list[str]:
    """Other values of the relation."""
    return draw.some([other for other in relation.values if other != value], count)
