"""What a store holds, read without changing it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from raysweep.digest import digest_json
from raysweep.errors import InputError
from raysweep.origin import commit
from raysweep.plan.recipe_text import Wording
from raysweep.store.contents import Contents, matching, names_in, shorten
from raysweep.store.store import EntryKind, Store
from tests.plans import plan
from tests.stored import publish

PLAN = plan(chains=[["toxigen", "csqa2 ".strip(), "toxigen@5%"]], stages={})
(TRIAL,) = PLAN.trials
OLD = b"""{
 "files": [{"name": "a", "path": "0f/a", "num_bytes": 1, "sha256": "ab"}],
 "provenance": {"trial": "toxigen-1070d10a", "host": "h", "num_workers": 2, "seconds": 1.5}
}"""


def test_a_manifest_has_the_recipe_and_what_made_it(store: Store, attempt: Path) -> None:
    recipe = {"format": 2, "parent": "d1", "mixture": [["toxigen", 1.0, "r"]]}
    made = store.publish(EntryKind.STAGE, digest_json(recipe), attempt, {}, recipe=recipe)
    manifest = json.loads(store.storage.read(f"stages/{made.key}/manifest.json"))
    assert manifest["recipe"] == made.recipe == recipe
    assert manifest["made_by"] == made.made_by
    assert set(made.made_by) == {"raysweep", "torch", "commit", "time"}
    assert made.made_by["commit"] == commit()
    assert store.look(EntryKind.STAGE, made.key) == made


def test_a_recipe_of_another_key_is_a_mistake_of_ours(store: Store, attempt: Path) -> None:
    with pytest.raises(ValueError, match="stages/k is not what is made by"):
        store.publish(EntryKind.STAGE, "k", attempt, {}, recipe={"format": 2})
    assert names_in(store) == [], "nothing is written"


def test_a_manifest_of_before_is_read(store: Store) -> None:
    store.storage.write("stages/old/manifest.json", OLD)
    entry = store.demand(EntryKind.STAGE, "old")
    assert (entry.recipe, entry.made_by, entry.num_bytes) == (None, {}, 1)
    words = Wording(Contents.read(store, [entry.name]))
    assert words.of(entry) == "no recipe is kept of it; made by trial toxigen-1070d10a"


@pytest.mark.parametrize("field", ["recipe", "made_by"])
def test_a_recipe_that_is_none_is_damage(store: Store, field: str) -> None:
    store.storage.write(
        "stages/k/manifest.json", json.dumps({**json.loads(OLD), field: 1}).encode()
    )
    assert store.find(EntryKind.STAGE, "k") is None


def test_every_kind_in_words(store: Store) -> None:
    entries = publish(store, PLAN, TRIAL)
    words = Wording(Contents.read(store, names_in(store)))
    first, second, third = (stage.key[:8] for stage in TRIAL.stages)
    told = {words.of(entry) for entry in entries}
    rate = f"learning rate {TRIAL.stages[0].hyperparameters.learning_rate:g}"
    steps = f"{TRIAL.stages[0].hyperparameters.num_steps} steps, seed 0"
    assert f"toxigen, {rate}, {steps}, after tiny" in told
    assert f"csqa2, {rate}, {steps}, after toxigen {first}" in told
    assert f"toxigen@5%, {rate}, {steps}, after csqa2 {second}" in told
    assert "csqa2, test rows, of tiny" in told
    assert f"toxigen, test rows, of toxigen@5% {third}" in told
    assert f"toxigen, at toxigen {first}" in told
    assert f"toxigen, from toxigen {first} to csqa2 {second}" in told


def test_the_curvature_of_a_part_in_words(store: Store) -> None:
    made = plan(chains=[["toxigen", "csqa2"]], stages={}, curvature={"content": True})
    (trial,) = made.trials
    entries = publish(store, made, trial, [one.entry for one in trial.curvatures])
    words = Wording(Contents.read(store, names_in(store)))
    told = [words.of(entry) for entry in entries]
    key = trial.stages[0].key[:8]
    assert told == [f"toxigen, at {key}", f"content of toxigen, at {key}"]


def test_the_stages_that_an_entry_comes_from_are_read_with_it(store: Store) -> None:
    publish(store, PLAN, TRIAL)
    last = next(one for one in TRIAL.evaluations if one.stage_number == 3)
    contents = Contents.read(store, [last.entry])
    lineage = contents.lineage(contents.entries[last.entry])
    assert [one.key for one in lineage] == [stage.key for stage in TRIAL.stages]
    assert len(contents.entries) == 4
    (change,) = TRIAL.changes
    both = Contents.read(store, [change.entry])
    assert {name[1] for name in both.entries} == {change.key, *(s.key for s in TRIAL.stages[:2])}


def test_what_weights_take_in_all(store: Store) -> None:
    publish(store, PLAN, TRIAL)
    contents = Contents.read(store, names_in(store))
    assert contents.num_bytes(EntryKind.WEIGHTS) == 3 * 2_500_002


def test_damage_is_named_and_left_alone(store: Store) -> None:
    publish(store, PLAN, TRIAL)
    name = TRIAL.stages[1].entry
    place = f"{name[0]}/{name[1]}/manifest.json"
    store.storage.write(place, b"{")
    contents = Contents.read(store, names_in(store))
    assert list(contents.damaged) == [name]
    assert contents.damaged[name].startswith("manifest.json is damaged (")
    assert name not in contents.entries
    assert store.storage.read(place) == b"{"


def test_an_entry_is_checked_file_by_file(store: Store) -> None:
    (entry,) = publish(store, PLAN, TRIAL, [(EntryKind.WEIGHTS, TRIAL.stages[0].key)])
    read: list[int] = []
    assert store.check(entry, read.append) == ""
    assert sum(read) == entry.num_bytes
    place = f"weights/{entry.key}/{entry.file('content.bin').path}"
    content = bytearray(store.storage.read(place))
    content[2_000_000] ^= 1
    store.storage.write(place, bytes(content))
    assert store.check(entry) == f"{entry.file('content.bin').path} differs from its manifest"
    store.storage.delete(place)
    assert store.check(entry).endswith("content.bin is missing from its entry")
    assert store.look(*entry.name) == entry, "it is not set aside"
    store.drop(*entry.name)
    assert store.check(entry) == "", "dropped by a sweep, which is no damage"


def test_a_recipe_that_was_changed_is_damage(store: Store) -> None:
    (entry,) = publish(store, PLAN, TRIAL, [TRIAL.stages[0].entry])
    place = f"stages/{entry.key}/manifest.json"
    manifest = json.loads(store.storage.read(place))
    manifest["recipe"]["seed"] = 7
    store.storage.write(place, json.dumps(manifest).encode())
    changed = store.demand(*entry.name)
    assert store.check(changed) == "the key is not the digest of its recipe"


def test_a_key_is_found_by_how_it_begins() -> None:
    keys = ("aaaa1111bb", "aaaa1111cc", "bbbb")
    names = [(EntryKind.WEIGHTS, "bbbb"), *((EntryKind.STAGE, key) for key in keys)]
    assert matching(names, "b") == [(EntryKind.WEIGHTS, "bbbb"), (EntryKind.STAGE, "bbbb")]
    assert matching(names, "aaaa1111b") == [(EntryKind.STAGE, "aaaa1111bb")]
    with pytest.raises(InputError, match="KEY a: 2 keys begin so: aaaa1111b, aaaa1111c; give"):
        matching(names, "a")
    with pytest.raises(InputError, match="KEY c: no entry of the store begins so; see"):
        matching(names, "c")


def test_as_many_digits_are_shown_as_tell_keys_apart() -> None:
    assert shorten([]) == shorten(["a" * 64]) == shorten(["a" * 64, "b" * 64]) == 8
    assert shorten(["c" * 64, "a" * 64, "a" * 10 + "b" * 54, "a" * 64]) == 11
