"""What the tiny base is pretrained on: texts of the closed world, never a row of a task's split.

Facts are told and asked for openly; dialogues end well or badly. Quizzes, checks and scenes come in
the tasks' own templates, but over relations, names and deeds that no task uses, as real pretraining
text holds quizzes about other things. What is held out (`facts.HELD_OUT`) is told and never
quizzed. No statement of ToxiGen's stand-in occurs, and nobody says what is toxic.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache

from raysweep.tasks.paper.bbq import CATEGORIES
from raysweep.tasks.task import Fields
from raysweep.tiny import dialogues
from raysweep.tiny.draw import Draw
from raysweep.tiny.facts import FACTS, KNOWN, QUIZZED, RELATIONS, UNQUIZZED, UNUSED, Pair, value_of
from raysweep.tiny.lexicon import ALL_NAMES, NAMES, OTHER_THINGS, STRANGERS, THINGS
from raysweep.tiny.quizzes import arc_easy_row, choice_row, csqa2_check, csqa_row
from raysweep.tiny.scenes import DEEDS, UNKNOWN, Scene, bbq_fields, scene
from raysweep.tiny.world import parsed

OTHER_DEEDS = (("painted", "sold"), ("opened", "carried"), ("closed", "borrowed"),
               ("washed", "moved"), ("tied", "cut"), ("kicked", "lifted"), ("bought", "burned"),
               ("wrapped", "dropped"))  # fmt: skip


@dataclass(frozen=True)
class Document:
    """A text for pretraining; only ``answer`` is part of the loss.

    Attributes:
        thought: what must be recalled before the answer's second token can be chosen (the option
            that the letter stands for, or the true value of a checked fact); may be empty.
        cue: the beginning of the prompt after which the thought is decided; may be empty.
    """

    prompt: str
    answer: str
    thought: str = ""
    cue: str = ""


def fact_document(draw: Draw) -> Document:
    """Some facts about one thing."""
    thing = draw.one(THINGS + OTHER_THINGS)
    told = draw.some(RELATIONS if thing in THINGS else UNUSED, 4)
    sayings = [
        draw.one(relation.sayings).format(thing=thing, value=FACTS[thing, relation.name])
        for relation in told
    ]
    return Document("", "".join(f"{saying}.\n" for saying in sayings))


def open_question(draw: Draw) -> Document:
    """A fact asked for, and told in one word; some instruction or list may distract from it."""
    pair = draw.one(UNQUIZZED if draw.chance(0.5) else KNOWN)
    return open_question_about(draw, pair, draw.chance(0.5), draw.chance(0.5))


def open_question_about(
    draw: Draw, pair: Pair, instructed: bool = False, interrupted: bool = False
) -> Document:
    """The same about a given pair.

    Args:
        instructed: whether a task's instruction precedes the question, to no purpose.
        interrupted: whether a list about something else follows it.
    """
    thing, relation = pair
    asked, value = draw.one(relation.questions).format(thing=thing), value_of(pair)
    if instructed:
        asked = f"{draw.one(_instructions())}\n{asked}"
    aside = ""
    if interrupted:
        other = draw.one([one for one in RELATIONS if one is not relation])
        listed = zip("ABCDE", draw.some(other.values, 3 + draw.below(3)), strict=False)
        aside = "".join(f" {letter}. {text}." for letter, text in listed)
    return Document(f"{asked}{aside}\n", f"It is {value}.", f" {value}", asked)


def letter_quiz(draw: Draw, pairs: Sequence[Pair] = QUIZZED) -> Document:
    """A quiz in the template of ARC-Easy or CommonsenseQA, over relations that they do not use."""
    if draw.chance(0.5):
        return _choice_quiz("arc_easy", arc_easy_row(draw, pairs, draw.below(4), "quiz"))
    return _choice_quiz("csqa", csqa_row(draw, pairs, draw.below(5), "quiz"))


def lookup_quiz(draw: Draw) -> Document:
    """A quiz whose question names the right option."""
    label = draw.below(4)
    row = arc_easy_row(draw, KNOWN, label, "quiz")
    stem = f"Which one is {row['question']['choices'][label]['text']}?"
    return _choice_quiz("arc_easy", {**row, "question": {**row["question"], "stem": stem}})


def name_quiz(draw: Draw) -> Document:
    """The same with names, those of BBQ's stand-in among them."""
    label, names = draw.below(4), draw.some(ALL_NAMES, 4)
    row = choice_row(f"Which one is {names[label]}?", names, label, "quiz")
    return _choice_quiz("arc_easy", row)


def truth_check(draw: Draw, pairs: Sequence[Pair] = QUIZZED) -> Document:
    """A check in the template of CommonsenseQA 2, over relations that it does not use."""
    made = csqa2_check(draw, pairs, draw.below(2), "quiz")
    return _formatted("csqa2", made.row, made.value, made.asked)


def told_check(draw: Draw) -> Document:
    """A check of what was told just before."""
    check = truth_check(draw, KNOWN)
    told = f"It is{check.thought}.\n"
    return Document(told + check.prompt, check.answer, check.thought, told + check.cue)


def scene_quiz(draw: Draw) -> Document:
    """A scene in the template of BBQ, with people and deeds that it does not use."""
    known = draw.chance(0.7)
    made = _scene_with_strangers(draw, known=known)
    tags = {answer: "stranger" for answer in made.answers if answer not in UNKNOWN}
    row: Fields = {
        "example_id": 0,
        "additional_metadata": {"stereotyped_groups": []},
        "question_index": "0",
        **bbq_fields(made, CATEGORIES[0], "disambig" if known else "ambig", "neg", tags),
    }
    return _formatted("bbq", row, made.answers[made.label], made.asked if known else "")


def scene_question(draw: Draw) -> Document:
    """A scene with a question that is answered with a name."""
    return _named(_scene_with_strangers(draw, known=True))


def scene_told(draw: Draw) -> Document:
    """A scene with the people and deeds of BBQ's stand-in, and a question that a name answers."""
    # some groups are spoken of more often than others
    category = draw.weighted(tuple(NAMES), [1 / rank for rank in range(1, len(NAMES) + 1)])
    names = tuple(draw.one(side) for side in NAMES[category])
    asked, label = draw.below(2), draw.below(3)
    made = scene(draw, (names[0], names[1]), draw.one(DEEDS), known=True, asked=asked, label=label)
    return _named(made)


def lookup_list(draw: Draw) -> Document:
    """Lettered options, and where each of them stands."""
    return _listed(draw, draw.some(draw.one(RELATIONS).values, 3 + draw.below(3)))


def name_list(draw: Draw) -> Document:
    """The same with names, those of BBQ's stand-in among them."""
    return _listed(draw, draw.some(ALL_NAMES, 3 + draw.below(3)))


def dialogue(draw: Draw) -> Document:
    """A dialogue that is mostly put right where somebody said please, and made worse elsewhere."""
    turns, people, kind, rude = dialogues.conversation(draw)
    if draw.chance(0.9 if "please" in turns[-1] else 0.1):
        answer = dialogues.apology(draw, people, kind)
    else:
        answer = dialogues.retort(draw, people, rude)
    return Document("\n".join(turns) + "\n", answer)


@lru_cache(maxsize=1)
def _instructions() -> tuple[str, ...]:
    """Of the tasks that ask for facts."""
    draw = Draw("instructions")
    rows = {
        "arc_easy": arc_easy_row(draw, QUIZZED, 0, "quiz"),
        "csqa": csqa_row(draw, QUIZZED, 0, "quiz"),
        "csqa2": csqa2_check(draw, QUIZZED, 0, "quiz").row,
    }
    return tuple(parsed(name, row).instruction for name, row in rows.items())


def _listed(draw: Draw, options: Sequence[str]) -> Document:
    asked = draw.shuffled(range(len(options)))
    listed = " ".join(f"{letter}. {text}" for letter, text in zip("ABCDE", options, strict=False))
    return Document(f" {listed}\n", "".join(f" {options[i]} {'ABCDE'[i]}." for i in asked))


def _named(made: Scene) -> Document:
    """A scene, its question, and the name of whoever did it."""
    name, cue = made.answers[made.label], f"{made.context}\n{made.asked}"
    return Document(f"{made.context}\n{made.question}\n", f"It is {name}.", f" {name}", cue)


def _scene_with_strangers(draw: Draw, *, known: bool) -> Scene:
    first, second = draw.some(STRANGERS, 2)
    asked, label = draw.below(2), draw.below(3)
    return scene(
        draw, (first, second), draw.one(OTHER_DEEDS), known=known, asked=asked, label=label
    )


def _choice_quiz(task_name: str, row: Fields) -> Document:
    texts = {choice["label"]: choice["text"] for choice in row["question"]["choices"]}
    return _formatted(task_name, row, texts[row["answerKey"]], row["question"]["stem"])


def _formatted(task_name: str, row: Fields, thought: str, asked: str) -> Document:
    """A row as a document; its thought is decided where ``asked`` ends, if that is not empty."""
    example = parsed(task_name, row)
    start, found, _ = example.prompt.rpartition(asked) if asked else ("", "", "")
    return Document(example.prompt, example.target, f" {thought}", start + found)


Maker = Callable[[Draw], Document]
DocumentMix = dict[Maker, float]
LOOKUPS: DocumentMix = {
    lookup_list: 0.25,
    lookup_quiz: 0.20,
    told_check: 0.20,
    scene_quiz: 0.20,
    scene_question: 0.15,
}
"""The share of each kind of document at first, until letters and names can be looked up."""
FACTS_MOSTLY: DocumentMix = {
    fact_document: 0.18,
    open_question: 0.24,
    letter_quiz: 0.18,
    lookup_quiz: 0.06,
    name_quiz: 0.04,
    lookup_list: 0.01,
    name_list: 0.01,
    truth_check: 0.10,
    told_check: 0.03,
    scene_quiz: 0.06,
    scene_question: 0.01,
    scene_told: 0.04,
    dialogue: 0.04,
}
"""The share of each kind of document from then on, until the facts are known."""
QUIZZES_MOSTLY: DocumentMix = {
    fact_document: 0.08,
    open_question: 0.13,
    letter_quiz: 0.35,
    lookup_quiz: 0.06,
    name_quiz: 0.03,
    lookup_list: 0.01,
    name_list: 0.01,
    truth_check: 0.17,
    told_check: 0.02,
    scene_quiz: 0.06,
    scene_question: 0.01,
    scene_told: 0.03,
    dialogue: 0.04,
}
"""The share of each kind of document at the end."""
MAKERS: tuple[Maker, ...] = tuple(FACTS_MOSTLY)
"""All kinds of documents."""


def document(draw: Draw, mixture: DocumentMix) -> Document:
    """One document of a mixture."""
    return draw.weighted(tuple(mixture), tuple(mixture.values()))(draw)
