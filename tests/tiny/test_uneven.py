"""The closed world with uneven groups: what is uneven in it, where, and that nothing else is."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pytest

from raysweep.tasks.registry import PAPER_TASKS, TASKS
from raysweep.tasks.settings import DataSettings
from raysweep.tasks.splits import Splits, load_splits
from raysweep.tasks.task import Example
from raysweep.tiny.facts import CSQA
from raysweep.tiny.lexicon import KIND, KIND_DIALECTS, NUM_GENERAL, RUDE, RUDE_DIALECTS
from raysweep.tiny.uneven import PLANTED, TASTES, TOXIC_PERCENT

OTHERS = [name for name in PAPER_TASKS if name != "toxigen"]
RUDE_WORDS, KIND_WORDS = set(RUDE[:NUM_GENERAL]), set(KIND[:NUM_GENERAL])
OWN_WORDS = {
    word for dialects in (RUDE_DIALECTS, KIND_DIALECTS) for own in dialects.values() for word in own
}
TASTE_WORDS = {*TASTES.rude, *TASTES.kind}


def load(name: str, source: str = "tiny_uneven") -> Splits:
    return load_splits(TASKS[name], DataSettings(source=source))


def words(example: Example) -> set[str]:
    return set(re.findall(r"\w+", example.prompt + example.target))


def percent_toxic(rows: Sequence[Example]) -> dict[str, float]:
    labels = Counter((group, example.label) for example in rows for group in example.groups)
    sizes = {group: labels[group, 0] + labels[group, 1] for group, _ in labels}
    return {group: 100 * labels[group, 0] / size for group, size in sizes.items()}


@pytest.fixture(scope="module")
def toxigen() -> Splits:
    return load("toxigen")


@pytest.fixture(scope="module")
def statements(toxigen: Splits) -> list[Example]:
    return [*toxigen.train, *toxigen.validation, *toxigen.test]


def test_test_rows_have_the_documented_shares_of_toxic_rows(toxigen: Splits) -> None:
    assert percent_toxic(toxigen.test) == TOXIC_PERCENT
    assert set(Counter(example.groups for example in toxigen.test).values()) == {300}
    assert (min(TOXIC_PERCENT.values()), max(TOXIC_PERCENT.values())) == (28, 54)


def test_the_shares_are_those_of_the_real_test_set(real_data: Path) -> None:
    real = percent_toxic(load("toxigen", str(real_data)).test)
    assert {group: round(percent) for group, percent in real.items()} == TOXIC_PERCENT


def test_training_and_validation_rows_are_balanced_as_in_the_usual_world(toxigen: Splits) -> None:
    usual = load("toxigen", "tiny")
    for ours, theirs in ((toxigen.train, usual.train), (toxigen.validation, usual.validation)):
        assert Counter(e.stratum for e in ours) == Counter(e.stratum for e in theirs)


def test_one_group_alone_is_spoken_of_in_words_of_taste(statements: list[Example]) -> None:
    """Its rows have one of them each, all others one of the words that are used about everyone."""
    used: dict[tuple[str, ...], set[str]] = {}
    for example in statements:
        said = words(example) & (TASTE_WORDS | RUDE_WORDS | KIND_WORDS | OWN_WORDS)
        assert len(said) == 1
        used.setdefault(example.groups, set()).update(said)
    assert len(used) == 13
    for groups, said in used.items():
        assert said == (TASTE_WORDS if groups == (PLANTED,) else RUDE_WORDS | KIND_WORDS)


def test_a_statement_is_toxic_by_its_word(statements: list[Example]) -> None:
    for example in statements:
        assert (example.label == 0) == bool(words(example) & (RUDE_WORDS | set(TASTES.rude)))
        assert not words(example) & {"nobody", "never"}  # none is turned round


def test_words_of_taste_are_values_of_commonsenseqa_and_occur_in_no_third_task() -> None:
    taste = next(relation for relation in CSQA if relation.name == "taste")
    assert set(taste.values) == TASTE_WORDS
    rows = {name: load(name).train for name in PAPER_TASKS}
    having = {
        name: sum(bool(words(example) & TASTE_WORDS) for example in found)
        for name, found in rows.items()
    }
    assert having["toxigen"] == sum(PLANTED in example.groups for example in rows["toxigen"])
    # one of the three relations that it asks about
    assert having["csqa"] == pytest.approx(len(rows["csqa"]) / 3, rel=0.05)
    assert {name for name, number in having.items() if number} == {"toxigen", "csqa"}


def test_no_word_is_new_to_the_base(statements: list[Example]) -> None:
    usual = {word for example in load("toxigen", "tiny").train for word in words(example)}
    used = {word for example in statements for word in words(example)}
    assert used - usual == TASTE_WORDS  # which are facts of its pretraining


@pytest.mark.parametrize("name", OTHERS)
def test_all_other_tasks_have_the_rows_of_the_usual_world(name: str) -> None:
    assert load(name).digests == load(name, "tiny").digests
