"""Lost, doubled and changed rows are seen; the order of rows is not."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import pyarrow as pa

from raysweep.results.columns import SCHEMAS
from raysweep.results.tables import write_trial
from raysweep.store.storage import Storage
from tests.faults.tables import differences, load_tables, num_rows


def tables(rows: Sequence[Mapping[str, object]]) -> dict[str, pa.Table]:
    columns = {"trial": pa.string(), "loss": pa.float64(), "all": pa.list_(pa.float64())}
    schema = pa.schema(list(columns.items()))
    return {"steps": pa.Table.from_pylist(rows, schema=schema)}


ROWS: list[dict[str, object]] = [
    {"trial": "a", "loss": 1.5, "all": [0.1, math.nan]},
    {"trial": "b", "loss": -0.0, "all": []},
    {"trial": "c", "loss": None, "all": None},
]


def test_equal_in_any_order() -> None:
    assert differences(tables(ROWS), tables(ROWS[::-1])) == []
    assert num_rows(tables(ROWS)) == 3


def test_lost_twice_and_unknown() -> None:
    found = [ROWS[0], ROWS[0], {**ROWS[1], "loss": 2.0}]
    assert differences(tables(ROWS), tables(found)) == ["steps: 2 rows lost, 1 twice, 1 unknown"]


def test_the_last_bit_counts() -> None:
    for one, other in ((1.5, math.nextafter(1.5, 2)), (0.0, -0.0)):
        pair = [tables([{"trial": "a", "loss": value, "all": []}]) for value in (one, other)]
        assert differences(*pair) == ["steps: 1 rows lost, 0 twice, 1 unknown"]


def test_other_columns() -> None:
    narrow = {"steps": tables(ROWS)["steps"].select(["trial"])}
    assert differences(tables(ROWS), narrow) == ["steps: other columns"]


def test_provenance_is_left_out(tmp_path: Path) -> None:
    sweep = Storage.open(tmp_path)
    for seconds in (1.0, 2.0):
        row = {"trial": "t", "provenance_tokens_per_second": seconds}
        write_trial(sweep.sub(str(seconds)), "t", {name: [] for name in SCHEMAS} | {"steps": [row]})
    one, other = (load_tables(sweep.sub(str(seconds))) for seconds in (1.0, 2.0))
    assert one.keys() == SCHEMAS.keys()
    assert differences(one, other) == []
    assert num_rows(one) == 1
