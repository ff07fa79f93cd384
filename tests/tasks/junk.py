"""Rows with anything in any place, drawn by hypothesis."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

from hypothesis import strategies as st

JUNK: st.SearchStrategy[Any] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(st.characters(), max_size=8)
    | st.just("\ud800"),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=2)
    ),
    max_leaves=4,
)


def paths(value: Any, prefix: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Of every field and list entry of a row."""
    items: list[tuple[Any, Any]]
    if isinstance(value, dict):
        items = list(value.items())
    elif isinstance(value, list):
        items = list(enumerate(value))
    else:
        return [prefix]
    inner = [path for key, item in items for path in paths(item, (*prefix, key))]
    return [*([prefix] if prefix else []), *inner]


@st.composite
def mutated(draw: st.DrawFn, row: Mapping[str, Any]) -> dict[str, Any]:
    """The row with one field, at any depth, deleted or replaced."""
    changed = copy.deepcopy(dict(row))
    *parents, last = draw(st.sampled_from(paths(changed)))
    holder: Any = changed
    for key in parents:
        holder = holder[key]
    if draw(st.booleans()):
        del holder[last]
    else:
        holder[last] = draw(JUNK)
    return changed
