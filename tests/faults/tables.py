"""Comparison of two sweeps' tables, bit for bit and regardless of the order of rows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

import pyarrow as pa

from raysweep.results.columns import SCHEMAS
from raysweep.results.tables import read_table
from raysweep.store.storage import Storage

Tables = Mapping[str, pa.Table]


def load_tables(folder: Storage) -> dict[str, pa.Table]:
    """All tables of a sweep, without the columns of provenance."""
    return {
        name: read_table(folder, name).select(
            [column for column in schema.names if not column.startswith("provenance_")]
        )
        for name, schema in SCHEMAS.items()
    }


def differences(expected: Tables, found: Tables) -> list[str]:
    """What is wrong with the tables found, one sentence per table; nothing when they are equal."""
    problems = []
    for name, table in expected.items():
        if table.schema != found[name].schema:
            problems.append(f"{name}: other columns")
            continue
        wanted, given = _rows(table), _rows(found[name])
        lost, surplus = wanted - given, given - wanted
        twice = sum(count for row, count in surplus.items() if row in wanted)
        other = surplus.total() - twice
        if lost or surplus:
            problems.append(f"{name}: {lost.total()} rows lost, {twice} twice, {other} unknown")
    return problems


def num_rows(tables: Tables) -> int:
    """Rows of all tables together."""
    return sum(table.num_rows for table in tables.values())


def _rows(table: pa.Table) -> Counter[Any]:
    return Counter(_exact(row) for row in table.to_pylist())


def _exact(value: Any) -> Any:
    """A hashable form that is equal exactly when all bits are, also those of NaN and -0.0."""
    if isinstance(value, float):
        return ("float", value.hex())
    if isinstance(value, dict):
        return tuple((name, _exact(one)) for name, one in value.items())
    if isinstance(value, list):
        return tuple(_exact(one) for one in value)
    return value
