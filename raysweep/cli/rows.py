"""Rows of a table as a person or a program reads them."""

from __future__ import annotations

import csv
import json
import math
import sys
from collections.abc import Iterator
from decimal import Decimal
from enum import StrEnum
from typing import Any

import pyarrow as pa
from rich import box
from rich.table import Table
from rich.text import Text

from raysweep.cli.console import console

MAX_SHOWN_ROWS = 500  # of --format table; more is for a program, not for eyes


NUMBERS = (pa.types.is_integer, pa.types.is_floating, pa.types.is_decimal)


class Format(StrEnum):
    """How the rows are printed."""

    TABLE = "table"
    CSV = "csv"
    JSON = "json"


def print_rows(rows: pa.Table, form: Format) -> None:
    """Prints a table; for eyes only its beginning."""
    if form is Format.TABLE:
        _print_table(rows)
    elif form is Format.CSV:
        writer = csv.writer(sys.stdout, lineterminator="\n")
        writer.writerow(rows.column_names)
        writer.writerows(map(_csv_cell, row) for row in _records(rows))
    else:
        objects = (dict(zip(rows.column_names, row, strict=True)) for row in _records(rows))
        lines = ",\n".join(json.dumps(_plain(item), ensure_ascii=False) for item in objects)
        print(f"[\n{lines}\n]" if lines else "[]")


def _print_table(rows: pa.Table) -> None:
    shown = Table(box=box.SIMPLE_HEAD, show_edge=False)
    for field in rows.schema:
        is_number = any(check(field.type) for check in NUMBERS)
        shown.add_column(
            Text(field.name), justify="right" if is_number else "left", overflow="fold"
        )
    for row in _records(rows.slice(0, MAX_SHOWN_ROWS)):
        shown.add_row(*(_shown_cell(value) for value in row))
    output = console()
    output.print(shown)
    if rows.num_rows > MAX_SHOWN_ROWS:
        output.print(f"the first {MAX_SHOWN_ROWS} of {rows.num_rows:,} rows; --format csv has all")


def _records(rows: pa.Table) -> Iterator[tuple[Any, ...]]:
    """The rows' values in order; not as dicts, because a query may name two columns alike."""
    for batch in rows.to_batches():
        yield from zip(*(column.to_pylist() for column in batch.columns), strict=True)


def _shown_cell(value: Any) -> Text:
    if value is None:
        return Text("null", "dim")
    return Text(f"{value:.6g}" if isinstance(value, float) else str(_csv_cell(value)))


def _csv_cell(value: Any) -> Any:
    nested = isinstance(value, list | dict)
    return json.dumps(_plain(value), ensure_ascii=False) if nested else value


def _plain(value: Any) -> Any:
    """The value with what JSON can hold; it has neither dates nor numbers that are not finite."""
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, Decimal):  # the sum of integers
        return int(value) if value == value.to_integral_value() else float(value)
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value if isinstance(value, str | int | None) else str(value)
