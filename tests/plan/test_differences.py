"""Two recipes compared, field by field."""

from __future__ import annotations

import copy
import json
from typing import Any

from hypothesis import assume, given
from hypothesis import strategies as st

from raysweep.digest import digest_json
from raysweep.plan.differences import Difference, differences, fields

VALUES = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=5)
)
NAMES = st.text(max_size=3)
RECIPES = st.recursive(
    VALUES, lambda parts: st.lists(parts, max_size=3) | st.dictionaries(NAMES, parts, max_size=3)
)


@given(RECIPES, RECIPES)
def test_recipes_differ_in_a_field_exactly_if_their_digests_do(one: Any, other: Any) -> None:
    assert differences(one, copy.deepcopy(one)) == ()
    assert bool(differences(one, other)) == (digest_json(one) != digest_json(other))


@given(RECIPES, st.data())
def test_a_changed_field_alone_is_named_with_both_values(recipe: Any, data: st.DataObject) -> None:
    path = data.draw(st.sampled_from(list(fields(recipe))))
    there, here = json.loads(fields(recipe)[path]), data.draw(VALUES)
    assume(json.dumps(there) != json.dumps(here))
    changed = _with(copy.deepcopy(recipe), path, here)
    (one,) = differences(recipe, changed)
    assert one == Difference(path, json.dumps(there), json.dumps(here))
    assert differences(changed, recipe) == (Difference(path, one.here, one.there),)


def _with(recipe: Any, path: tuple[str | int, ...], value: Any) -> Any:
    if not path:
        return value
    recipe[path[0]] = _with(recipe[path[0]], path[1:], value)
    return recipe


def test_a_difference_in_words() -> None:
    there = {"hyperparameters": {"num_steps": 100}, "parent": "ab" * 32}
    here = {"hyperparameters": {"num_steps": 150, "warmup_steps": 5}, "parent": "cd" * 32}
    assert [str(one) for one in differences(there, here)] == [
        "hyperparameters.num_steps: 100 there, 150 here",
        "parent: abababab there, cdcdcdcd here",
        "hyperparameters.warmup_steps: nothing there, 5 here",
    ]
