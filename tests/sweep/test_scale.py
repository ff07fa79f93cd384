"""What a sweep of many trials does beside them grows with their number, not with its square."""

from __future__ import annotations

import random
from collections.abc import Mapping
from pathlib import Path

import pytest

from raysweep.plan.trials import Trial
from raysweep.store.storage import Storage
from raysweep.store.store import EntryKind, EntryName, Store
from raysweep.sweep import work_clock
from raysweep.sweep.eta import Estimator, pieces
from raysweep.sweep.work_clock import WorkClock
from raysweep.worker.surroundings import Work
from tests.plans import plan


def trials(num_seeds: int) -> Mapping[str, Trial]:
    return {trial.id: trial for trial in plan(seeds=list(range(num_seeds))).trials}


def counting(monkeypatch: pytest.MonkeyPatch, owner: type, name: str) -> list[EntryName]:
    """The arguments of each call of a method from now on."""
    calls: list[EntryName] = []
    method = getattr(owner, name)

    def called(self: object, *arguments: EntryKind) -> object:
        calls.append(arguments)  # type: ignore[arg-type]
        return method(self, *arguments)

    monkeypatch.setattr(owner, name, called)
    return calls


@pytest.mark.parametrize("num_seeds", [2, 4])
def test_each_entry_is_looked_up_once_and_each_kind_listed_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, num_seeds: int
) -> None:
    known = trials(num_seeds)
    store = Store(Storage.open(tmp_path / "store"))
    (tmp_path / "a").mkdir()
    shared = next(iter(known.values())).evaluations[0]
    store.publish(shared.kind, shared.key, tmp_path / "a", {})
    clock = WorkClock(known, Estimator(1, len(known)), store)
    looks, listings = counting(monkeypatch, Store, "look"), counting(monkeypatch, Store, "keys")
    for now in (1.0, 2.0):
        clock.left({}, {}, now)
    assert looks == [shared.entry], "which every trial asks for; others are not listed"
    assert len(listings) == len(set(listings)) <= len(EntryKind)


def test_the_work_of_trials_is_gone_through_a_few_times_each(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From the first to the last trial's end, with a look at the time left after each."""
    calls = []

    def counted(trial: Trial) -> object:
        calls.append(trial.id)
        return pieces(trial)

    monkeypatch.setattr(work_clock, "pieces", counted)
    per_trial = set()
    for num_seeds in (2, 4):
        calls.clear()
        known = trials(num_seeds)
        store = Store(Storage.open(tmp_path / f"store-{num_seeds}"))
        clock = WorkClock(known, Estimator(1, len(known)), store)
        for now, trial in enumerate(known.values()):
            clock.left({}, {}, float(now))
            clock.end(trial)
        per_trial.add(len(calls) / len(known))
    assert per_trial == {4.0}, "counted, planned, no longer needed, and what nobody needs"


def test_what_no_open_trial_needs_is_not_waited_for(tmp_path: Path) -> None:
    """Against the definition: what is left is the union of the pieces of trials that are open."""
    known = trials(2)
    work = Estimator(1, len(known))
    store = Store(Storage.open(tmp_path / "store"))
    clock = WorkClock(known, work, store)
    open_trials = dict(known)
    clock.left({}, {}, 0.0)
    for name in random.Random(0).sample(sorted(known), len(known)):
        clock.end(open_trials.pop(name))
        clock.end(known[name])  # Tune may tell of it twice
        wanted = {one.entry: one for trial in open_trials.values() for one in pieces(trial)}
        assert work._missing == wanted
        for kind in Work:
            assert work._sizes[kind] == sum(p.size for p in wanted.values() if p.kind == kind)
            assert work._left[kind] == sum(p.kind == kind for p in wanted.values())
