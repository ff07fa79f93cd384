"""The QA tasks cannot be solved without reading: a bag of words stays near chance."""

from __future__ import annotations

import re

import pytest
import torch
import torch.nn.functional as F

from raysweep.tasks.task import Example
from raysweep.tiny.facts import ARC_EASY, CSQA, CSQA2, FACTS, HELD_OUT, KNOWN, QUIZZED, pairs
from raysweep.tiny.lexicon import THINGS
from raysweep.tiny.world import read_split
from tests.tiny.rows import examples

WORD = re.compile(r"[A-E]\. \S+|\w+")  # a lettered option is a word of its own
STEPS = 200


def bags(name: str, split: str, columns: dict[str, int]) -> tuple[torch.Tensor, torch.Tensor]:
    """Word counts of each row's question and options, and the right labels."""
    rows = examples(name, split)
    counts = torch.zeros(len(rows), len(columns))
    for bag, example in zip(counts, rows, strict=True):
        for word in words(example):
            if word in columns:
                bag[columns[word]] += 1
    return counts, torch.tensor([example.label for example in rows])


def words(example: Example) -> list[str]:
    return WORD.findall(f"{example.context} {example.question}")


def logistic_regression(features: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    weights = torch.zeros(features.shape[1], int(labels.max()) + 1, requires_grad=True)
    optimizer = torch.optim.LBFGS([weights], max_iter=STEPS)

    def closure() -> torch.Tensor:
        optimizer.zero_grad()
        loss = F.cross_entropy(features @ weights, labels) + 1e-3 * weights.square().sum()
        loss.backward()
        return loss

    optimizer.step(closure)
    return weights.detach()


def bag_of_words_accuracy(name: str) -> float:
    vocabulary = {word for example in examples(name, "train") for word in words(example)}
    columns = {word: number for number, word in enumerate(sorted(vocabulary))}
    weights = logistic_regression(*bags(name, "train", columns))
    features, labels = bags(name, "test", columns)
    return float(((features @ weights).argmax(dim=1) == labels).float().mean())


@pytest.mark.parametrize(("name", "chance"), [("arc_easy", 0.25), ("csqa", 0.2), ("csqa2", 0.5)])
def test_a_bag_of_words_stays_near_chance(name: str, chance: float) -> None:
    num_rows = len(read_split(name)["test"])
    error = (chance * (1 - chance) / num_rows) ** 0.5
    assert abs(bag_of_words_accuracy(name) - chance) < 4 * error


def test_a_bag_of_words_solves_what_words_decide() -> None:
    """The baseline works: it finds toxic words."""
    assert bag_of_words_accuracy("toxigen") > 0.65


def test_no_quiz_of_the_pretraining_asks_what_a_task_asks() -> None:
    asked = set(pairs(THINGS, ARC_EASY + CSQA + CSQA2))
    assert not asked & set(QUIZZED)
    assert not asked & set(HELD_OUT)


def test_what_is_held_out_is_known_and_belongs_to_no_task_and_no_quiz() -> None:
    assert set(HELD_OUT) <= set(KNOWN)
    assert not set(HELD_OUT) & set(QUIZZED)
    assert not {thing for thing, _ in HELD_OUT} & set(THINGS)
    assert len(HELD_OUT) >= 100


def test_everything_known_has_a_value_of_its_relation() -> None:
    assert set(FACTS) == {(thing, relation.name) for thing, relation in KNOWN}
    assert all(FACTS[thing, relation.name] in relation.values for thing, relation in KNOWN)
