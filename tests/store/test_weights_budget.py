"""The budget of weights: what is dropped, in which order, and what never is."""

from __future__ import annotations

from pathlib import Path

import pytest

from raysweep.cost.weights_room import check_budget
from raysweep.errors import InputError
from raysweep.store.storage import Storage
from raysweep.store.store import EntryKind, Store
from raysweep.store.weights_budget import GB, NoRoomError, WeightsBudget
from raysweep.sweep.coordinator import Coordinator
from tests.plans import plan

SIZE = 100


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(Storage.open(tmp_path / "storage" / "store"))


def publish(store: Store, *keys: str) -> None:
    for key in keys:
        folder = Path(store.storage.root).parent / f"attempt-{key}"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "model.safetensors").write_bytes(b"w" * (SIZE - 1))
        (folder / "config.json").write_bytes(b"c")
        store.publish(EntryKind.WEIGHTS, key, folder, {})


def kept(store: Store) -> set[str]:
    return {key for key in store.keys(EntryKind.WEIGHTS) if store.find(EntryKind.WEIGHTS, key)}


def test_what_no_trial_needs_goes_first_then_what_is_needed_last(store: Store) -> None:
    needed = {"t1": ["a", "b"], "t2": ["a", "c"], "t3": ["d", "e"]}
    budget = WeightsBudget(store, 3 * SIZE, needed)
    publish(store, "a", "d", "old")
    assert budget.make_room("b", SIZE) == ["old"]
    publish(store, "b")
    assert budget.make_room("x", SIZE) == ["d"], "t3 comes last"
    assert kept(store) == {"a", "b"}


def test_weights_of_running_trials_stay(store: Store) -> None:
    budget = WeightsBudget(store, 2 * SIZE, {"t1": ["a", "b"]})
    budget.begin("t1", ["a", "b"])
    publish(store, "a", "b")
    with pytest.raises(NoRoomError, match=r"weights\.budget_gb = 2e-07 has no room"):
        budget.make_room("c", SIZE)
    assert kept(store) == {"a", "b"}
    budget.end("t1")
    assert set(budget.make_room("c", 2 * SIZE)) == {"a", "b"}
    assert kept(store) == set()


def test_weights_that_are_made_again_need_no_more_room(store: Store) -> None:
    budget = WeightsBudget(store, 2 * SIZE, {})
    publish(store, "a", "b")
    assert budget.make_room("a", SIZE) == []
    assert kept(store) == {"a", "b"}


def test_a_dropped_entry_leaves_no_files_and_can_come_back(store: Store) -> None:
    publish(store, "a")
    store.drop(EntryKind.WEIGHTS, "a")
    assert not [path for path in Path(store.storage.root).rglob("*") if path.is_file()]
    store.drop(EntryKind.WEIGHTS, "a")
    publish(store, "a")
    assert kept(store) == {"a"}


def test_without_a_budget_everything_stays(store: Store) -> None:
    publish(store, "a")
    coordinator = Coordinator(str(Path(store.storage.root).parent), None, {})
    coordinator.begin("t", ["a"])
    coordinator.make_room("b", 10**12)
    coordinator.end("t")
    assert kept(store) == {"a"}


def test_the_coordinator_drops_by_its_budget(store: Store) -> None:
    publish(store, "a")
    coordinator = Coordinator(str(Path(store.storage.root).parent), SIZE / GB, {})
    coordinator.make_room("b", SIZE)
    assert kept(store) == set()


def test_a_budget_that_cannot_do_is_refused_beforehand() -> None:
    made = plan(weights={"budget_gb": 1e-6})
    with pytest.raises(InputError, match=r"too small for 2 trials at once of up to 2 stages"):
        check_budget(made, 2)
    check_budget(plan(weights={"budget_gb": 1.0}), 2)
    check_budget(plan(), 1000)
