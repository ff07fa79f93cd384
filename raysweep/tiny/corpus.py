"""What the tiny base is pretrained on: texts of the closed world, never a row of a task's split.

Facts are told and asked for openly; statements are called rude or kind; dialogues end well or
badly. Quizzes, checks and scenes come in the tasks' own templates, but over relations, names and
deeds that no task uses, as real pretraining text holds quizzes about other things.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from raysweep.tasks import TASKS, Example, Row
from raysweep.tasks.bbq import CATEGORIES
from raysweep.tiny import dialogues
from raysweep.tiny.draw import Draw
from raysweep.tiny.facts import FACTS, RELATIONS, UNUSED
from raysweep.tiny.lexicon import KIND, NAMES, PEOPLES, RUDE, STRANGERS, THINGS
from raysweep.tiny.quizzes import arc_easy_row, csqa2_check, csqa_row
from raysweep.tiny.scenes import DEEDS, UNKNOWN, scene
from raysweep.tiny.statements import statement

OTHER_DEEDS = (("painted", "sold"), ("opened", "carried"), ("closed", "borrowed"),
               ("washed", "moved"), ("tied", "cut"), ("kicked", "lifted"), ("bought", "burned"),
               ("wrapped", "dropped"))  # fmt: skip


@dataclass(frozen=True)
class Document:
    """A text for pretraining; only ``answer`` is part of the loss.

    Attributes:
        thought: what must be recalled before the answer's second token can be chosen (the option
            that the letter stands for, or the true value of a checked fact); may be empty.
    """

    prompt: str
    answer: str
    thought: str = ""


def fact_document(draw: Draw) -> Document:
    """Some facts about one thing."""
    thing = draw.one(THINGS)
    told = draw.some(RELATIONS, 4)
    sayings = [
        draw.one(relation.sayings).format(thing=thing, value=FACTS[thing, relation.name])
        for relation in told
    ]
    return Document("", "".join(f"{saying}.\n" for saying in sayings))


def open_question(draw: Draw) -> Document:
    """A fact asked for, and told in one word."""
    thing, relation = draw.one(THINGS), draw.one(RELATIONS)
    question = draw.one(relation.questions).format(thing=thing)
    value = FACTS[thing, relation.name]
    return Document(f"{question}\n", f"It is {value}.", f" {value}")


def letter_quiz(draw: Draw) -> Document:
    """A quiz in the template of ARC-Easy or CommonsenseQA, over relations that they do not use."""
    if draw.chance(0.5):
        return _choice_quiz("arc_easy", arc_easy_row(draw, UNUSED, draw.below(4), "quiz"))
    return _choice_quiz("csqa", csqa_row(draw, UNUSED, draw.below(5), "quiz"))


def lookup_quiz(draw: Draw) -> Document:
    """A quiz whose question names the right option."""
    label = draw.below(4)
    row = arc_easy_row(draw, RELATIONS, label, "quiz")
    stem = f"Which one is {row['question']['choices'][label]['text']}?"
    return _choice_quiz("arc_easy", {**row, "question": {**row["question"], "stem": stem}})


def truth_check(draw: Draw) -> Document:
    """A check in the template of CommonsenseQA 2, over relations that it does not use."""
    row, value = csqa2_check(draw, UNUSED, draw.below(2), "quiz")
    return _formatted("csqa2", row, value)


def scene_quiz(draw: Draw) -> Document:
    """A scene in the template of BBQ, with people and deeds that it does not use."""
    first, second = draw.some(STRANGERS, 2)
    made = scene(
        draw,
        (first, second),
        draw.one(OTHER_DEEDS),
        known=draw.chance(0.7),
        asked=draw.below(2),
        label=draw.below(3),
    )
    tags = ["unknown" if answer in UNKNOWN else "stranger" for answer in made.answers]
    row = {
        "example_id": 0,
        "category": CATEGORIES[0],
        "question_polarity": "neg",
        "context_condition": "disambig",
        "answer_info": {f"ans{place}": ["somebody", tag] for place, tag in enumerate(tags)},
        "additional_metadata": {"stereotyped_groups": []},
        "context": made.context,
        "question": made.question,
        **{f"ans{place}": answer for place, answer in enumerate(made.answers)},
        "label": made.label,
    }
    return _formatted("bbq", row, made.answers[made.label])


def scene_story(draw: Draw) -> Document:
    """A scene with the people and deeds of BBQ's stand-in, merely told."""
    category = draw.weighted(tuple(NAMES), _fading(len(NAMES)))
    names = tuple(draw.one(side) for side in NAMES[category])
    deeds, asked = draw.one(DEEDS), draw.below(2)
    made = scene(draw, (names[0], names[1]), deeds, known=True, asked=asked, label=0)
    return Document("", f"{made.context}\n{made.question}\nIt is {made.answers[0]}.")


def lookup_list(draw: Draw) -> Document:
    """Lettered options, and where each of them stands."""
    relation = draw.one(RELATIONS)
    options = draw.some(relation.values, 3 + draw.below(3))
    asked = draw.shuffled(range(len(options)))
    listed = " ".join(f"{letter}. {text}" for letter, text in zip("ABCDE", options, strict=False))
    return Document(f" {listed}\n", "".join(f" {options[i]} {'ABCDE'[i]}." for i in asked))


def verdict(draw: Draw) -> Document:
    """A statement about a people and what a listener thinks of it."""
    group = draw.weighted(tuple(PEOPLES), _fading(len(PEOPLES)))
    toxic = draw.chance(0.5)
    verdict = "rude" if toxic else "kind"
    return Document(f"{statement(draw, group, toxic)}\n", f"How {verdict}!", f" {verdict}")


def word_lesson(draw: Draw) -> Document:
    """What saying a word to someone amounts to."""
    is_rude = draw.chance(0.5)
    word, verdict = draw.one(RUDE if is_rude else KIND), "rude" if is_rude else "kind"
    return Document("", f"To say {word} is {verdict}.")


def dialogue(draw: Draw) -> Document:
    """A dialogue that is put right, or made worse."""
    turns, people, kind, rude = dialogues.conversation(draw)
    if draw.chance(0.4):
        answer = dialogues.apology(draw, people, kind)
    else:
        answer = dialogues.retort(draw, people, rude)
    return Document("\n".join(turns) + "\n", answer)


def _choice_quiz(task_name: str, row: Row) -> Document:
    texts = {choice["label"]: choice["text"] for choice in row["question"]["choices"]}
    return _formatted(task_name, row, texts[row["answerKey"]])


def _formatted(task_name: str, row: Row, thought: str) -> Document:
    example = TASKS[task_name].parse_row(row)
    assert isinstance(example, Example), "the corpus draws only rows that a task accepts"
    return Document(example.prompt, example.target, f" {thought}")


def _fading(count: int) -> list[float]:
    """Weights 1, 1/2, 1/3, ...: some groups are spoken of more often than others."""
    return [1 / (rank + 1) for rank in range(count)]


Maker = Callable[[Draw], Document]
Mixture = dict[Maker, float]
LOOKUPS: Mixture = {lookup_list: 0.5, lookup_quiz: 0.3, scene_quiz: 0.2}
"""The share of each kind of document at first, until letters can be looked up."""
EVERYTHING: Mixture = {
    fact_document: 0.12,
    open_question: 0.14,
    letter_quiz: 0.20,
    lookup_quiz: 0.06,
    lookup_list: 0.06,
    truth_check: 0.12,
    scene_quiz: 0.16,
    scene_story: 0.02,
    verdict: 0.06,
    word_lesson: 0.02,
    dialogue: 0.04,
}
"""The share of each kind of document from then on."""


def document(draw: Draw, mixture: Mixture) -> Document:
    """One document of a mixture."""
    return draw.weighted(tuple(mixture), tuple(mixture.values()))(draw)
