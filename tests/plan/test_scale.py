"""Twice the trials take twice the work: counted, not timed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import given
from hypothesis import strategies as st

from raysweep import digest
from raysweep.cost.measured import find_finished
from raysweep.digest import BLANKS, Form, digest_json, digest_list
from raysweep.plan import planner, recipes
from raysweep.plan.plan import Plan
from raysweep.plan.start_order import schedule
from raysweep.settings import identity
from raysweep.store.storage import Storage
from raysweep.store.store import Store
from tests.plans import plan

TEXT = st.text(max_size=8).filter(lambda text: "\0" not in text)
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=6,
)


@given(JSON, TEXT, TEXT)
def test_a_form_has_the_digest_of_what_it_stands_for(rest: Any, one: str, other: str) -> None:
    def value(one: str, other: str) -> Any:
        return {"model": one, "rest": rest, "changed": [other, one]}

    assert Form(value(*BLANKS)).digest(one, other) == digest_json(value(one, other))


@given(st.lists(JSON, max_size=4))
def test_a_list_in_pieces_has_the_digest_of_the_whole(items: list[Any]) -> None:
    assert digest_list(iter(items)) == digest_json(items)


@contextmanager
def counted(*places: tuple[object, str]) -> Iterator[Counter[str]]:
    """How often functions are called, by name."""
    calls = Counter[str]()

    def counting(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def called(*arguments: Any, **options: Any) -> Any:
            calls[name] += 1
            return function(*arguments, **options)

        return called

    patches = [patch.object(p, n, counting(n, getattr(p, n))) for p, n in places]
    for one in patches:
        one.start()
    try:
        yield calls
    finally:
        for one in patches:
            one.stop()


def planned(num_seeds: int) -> Plan:
    return plan(seeds=list(range(num_seeds)), curvature={"changes": True})


def distinct(made: Plan) -> int:
    """The keys of all that is planned, whatever it is."""
    return len({entry for trial in made.trials for entry in trial.entries})


def test_every_key_is_digested_once_and_settings_are_written_once_for_all_trials() -> None:
    """Of 16 and 32 trials: digests as many as keys; recipes by settings and seeds, not by trial."""
    made, calls = {}, {}
    for num_seeds in (2, 4):
        with counted(
            (digest.Form, "digest"), (planner, "digest_json"), (identity, "decisive")
        ) as calls[num_seeds]:
            made[num_seeds] = planned(num_seeds)
        assert len(made[num_seeds].trials) == 8 * num_seeds
        assert calls[num_seeds]["digest"] == distinct(made[num_seeds])
        assert calls[num_seeds]["digest_json"] == 0
    assert calls[2]["decisive"] == calls[4]["decisive"], "settings are the same for every seed"


def test_trials_share_what_is_equal() -> None:
    """Of equal stages and measurements a plan of any size holds one object."""
    made = planned(2)
    for group in ("stages", "evaluations", "curvatures", "changes"):
        found = [one for trial in made.trials for one in getattr(trial, group)]
        assert len({id(one) for one in found}) == len({one.key for one in found}), group


def test_what_is_kept_for_making_trials_is_dropped_when_they_are_made() -> None:
    made = planned(2).planner
    assert not made._stages
    assert not any(made._measured.values())


def test_chains_that_are_written_apart_share_their_recipes() -> None:
    """Three chains begin alike, with mixtures that are equal and not the same."""
    chains = [["toxigen", other] for other in ("csqa2", "arc_easy", "bbq")]
    with counted((recipes.Recipes, "training")) as calls:
        made = plan(chains=chains, stages={})
    assert calls["training"] == made.num_stages_distinct == 4


def test_starting_order_takes_each_trial_once_however_uneven_the_branches() -> None:
    """One branch of many trials and many of one: in turn, not in a square of turns and branches."""
    rates = [1e-5 * (n + 1) for n in range(20)]
    made = plan(
        chains=[["toxigen", "csqa2"], ["bbq"]],
        stages={2: {"learning_rate": {"grid": rates}}},
        stage={"num_steps": 10},
    )
    wide = plan(chains=[["csqa2"]], stages={1: {"learning_rate": {"grid": rates}}})
    trials = [*made.trials, *wide.trials]
    ordered = schedule(trials)
    assert sorted(t.id for t in ordered) == sorted(t.id for t in trials)
    firsts = [trial.stages[0].key for trial in ordered]
    num_branches = len(set(firsts))
    assert len(set(firsts[:num_branches])) == num_branches, "one of every branch comes first"
    assert len(set(firsts[num_branches:])) == 1, "the rest is of the one that has more"


@pytest.mark.parametrize("num_seeds", [2, 4])
def test_a_store_is_listed_once_per_kind_and_asked_for_what_it_has(
    tmp_path: Path, num_seeds: int
) -> None:
    """Nothing of the plan is there but one stage's entry: one look at a manifest, for any size."""
    made = planned(num_seeds)
    store = Store(Storage.open(tmp_path / "store"))
    one = made.trials[0].evaluations[0]
    (tmp_path / "file").mkdir()
    (tmp_path / "file" / "a").write_text("a")
    store.publish(one.kind, one.key, tmp_path / "file", {})
    with counted((Storage, "folders"), (Store, "look")) as calls:
        found = find_finished(made, str(tmp_path))
    assert found.entries == {one.entry}
    assert calls["look"] == 1
    assert calls["folders"] <= 6 + 1, "each kind of entry, and the sweeps"
