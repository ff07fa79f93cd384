"""SQL over the result tables of a sweep, read-only.

    python -m raysweep.query RESULTS                     # the tables and what their columns mean
    python -m raysweep.query RESULTS "SELECT chain, avg(forgetting) FROM forgetting GROUP BY chain"

DuckDB reads the Arrow files where they lie, local or in an object store, and of those only the
columns and rows that the query needs. ``group`` is a word of SQL: write the column as "group".
"""

from __future__ import annotations

import csv
import json
import math
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Any

import duckdb
import pyarrow as pa
import pyarrow.dataset as ds
import typer
from pyarrow import fs
from rich import box
from rich.table import Table
from rich.text import Text

from raysweep.cli import console, reporting_input_errors, run_command
from raysweep.errors import InputError
from raysweep.result_files import check_results
from raysweep.results import SCHEMAS, TRIAL_TABLES, table_files
from raysweep.storage import Storage

MAX_SHOWN_ROWS = 500  # of --format table; more is for a program, not for eyes
EXPLAIN = re.compile(r"\s*EXPLAIN\s+(ANALYZE\s+)?(\([^)]*\)\s*)?", re.IGNORECASE)
READING = "give a single SELECT, WITH, FROM, DESCRIBE, SHOW, SUMMARIZE or EXPLAIN (of one of those)"
SEE_COLUMNS = "run without a query to see the tables and their columns"
REMEDIES = {
    duckdb.ParserException: 'correct the SQL; the column group is written "group", in quotes',
    duckdb.BinderException: SEE_COLUMNS,
    duckdb.CatalogException: SEE_COLUMNS,
    duckdb.PermissionException: "a query may read the result tables only",
}
OTHERWISE = "correct the query, or the file or place that the message names"


class Format(StrEnum):
    """How the rows are printed."""

    TABLE = "table"
    CSV = "csv"
    JSON = "json"


EVERY_TABLE = "every table but study"


def open_results(uri: str) -> Storage:
    """Opens the folder of a sweep that has results.

    Raises:
        InputError: the folder is missing, cannot be read, holds no results, or holds some that
            do not belong together.
    """
    results = Storage.open(uri)
    remedy = "give the sweep folder that lr_sweep prints"
    with _reading(f"results {uri}"):
        if results.filesystem.get_file_info(results.root).type != fs.FileType.Directory:
            raise InputError(f"results {uri}", "no such folder", remedy)
        files = {name: table_files(results, name) for name in SCHEMAS}
        if not any(files.values()):
            raise InputError(f"results {uri}", "holds no results/<table>/<trial>.arrow", remedy)
        check_results(results, files)
    return results


def query(results: Storage, sql: str) -> pa.Table:
    """The rows of one reading SQL statement over the result tables.

    The tables are registered in an in-memory database that is then locked: no files, no network,
    no other Python objects, no settings.

    Args:
        results: the sweep folder, as of `open_results`.
        sql: a single SELECT, WITH, FROM, DESCRIBE, SHOW, SUMMARIZE or EXPLAIN statement.

    Raises:
        InputError: the statement is wrong or would do more than read; a file cannot be read.
    """
    _check_reads_only(sql)
    with duckdb.connect(":memory:") as connection, _reading("query"):
        for name in SCHEMAS:
            connection.register(name, _dataset(results, name))
        connection.execute("SET python_enable_replacements = false")
        connection.execute("SET enable_external_access = false")
        connection.execute("SET lock_configuration = true")
        return connection.sql(sql).to_arrow_table()


def columns(results: Storage) -> pa.Table:
    """The documented columns of every result table, with the table's number of rows."""
    rows = []
    with _reading(f"results {results.uri}"):
        for name, schema in SCHEMAS.items():
            num_rows = _dataset(results, name).count_rows()
            rows += [
                {
                    "table": name,
                    "num_rows": num_rows,
                    "column": field.name,
                    "type": str(field.type),
                    "meaning": field.metadata[b"meaning"].decode(),
                }
                for field in schema
            ]
    return pa.Table.from_pylist(rows)


def _dataset(results: Storage, name: str) -> ds.Dataset:
    """A table that is read when a query asks for it: predictions can be many gigabytes."""
    files = [f"{results.root}/{file}" for file in table_files(results, name)]
    return ds.dataset(files, schema=SCHEMAS[name], format="ipc", filesystem=results.filesystem)


def _check_reads_only(sql: str) -> None:
    """The lock below keeps files safe; this refuses what the throw-away database would accept."""
    with _reading("query"):
        statements = duckdb.extract_statements(sql)
    if len(statements) != 1:
        raise InputError("query", f"{len(statements)} statements", READING)
    kind = statements[0].type
    if kind == duckdb.StatementType.EXPLAIN and (explained := EXPLAIN.sub("", sql, 1)) != sql:
        _check_reads_only(explained)
    elif kind != duckdb.StatementType.SELECT:
        raise InputError("query", f"a statement of type {kind.name} is not allowed", READING)


@contextmanager
def _reading(place: str) -> Iterator[None]:
    """Turns what DuckDB, Arrow and file systems raise into one line."""
    try:
        yield
    except (duckdb.Error, pa.ArrowException, OSError) as error:
        # What follows is DuckDB's drawing of the line with a caret under the mistake.
        problem = " ".join(str(error).split("\n\nLINE ")[0].split())
        remedy = next(
            (text for kind, text in REMEDIES.items() if isinstance(error, kind)), OTHERWISE
        )
        raise InputError(place, problem, remedy) from error


def _print_rows(rows: pa.Table, form: Format) -> None:
    if form is Format.TABLE:
        _print_table(rows)
    elif form is Format.CSV:
        writer = csv.writer(sys.stdout, lineterminator="\n")
        writer.writerow(rows.column_names)
        for row in _records(rows):
            writer.writerow([_csv_cell(value) for value in row])
    else:
        objects = (dict(zip(rows.column_names, row, strict=True)) for row in _records(rows))
        lines = ",\n".join(json.dumps(_plain(item), ensure_ascii=False) for item in objects)
        print(f"[\n{lines}\n]" if lines else "[]")


def _print_table(rows: pa.Table) -> None:
    shown = Table(box=box.SIMPLE_HEAD, show_edge=False)
    for field in rows.schema:
        is_number = any(
            check(field.type)
            for check in (pa.types.is_integer, pa.types.is_floating, pa.types.is_decimal)
        )
        shown.add_column(
            Text(field.name), justify="right" if is_number else "left", overflow="fold"
        )
    for row in _records(rows.slice(0, MAX_SHOWN_ROWS)):
        shown.add_row(*(_shown_cell(value) for value in row))
    output = console()
    output.print(shown)
    if rows.num_rows > MAX_SHOWN_ROWS:
        output.print(f"the first {MAX_SHOWN_ROWS} of {rows.num_rows:,} rows; --format csv has all")


def _print_columns(documented: pa.Table) -> None:
    """Columns that every table of trials has are listed once."""
    everywhere = set.intersection(*(set(SCHEMAS[name].names) for name in TRIAL_TABLES))
    counts: dict[str, int] = {}
    sections: dict[str, dict[str, tuple[str, str]]] = {EVERY_TABLE: {}}
    for row in documented.to_pylist():
        is_common = row["table"] in TRIAL_TABLES and row["column"] in everywhere
        section = EVERY_TABLE if is_common else row["table"]
        counts[row["table"]] = row["num_rows"]
        sections.setdefault(section, {})[row["column"]] = (row["type"], row["meaning"])
    output = console()
    for section, fields in sections.items():
        num_rows = f" ({counts[section]:,} rows)" if section in counts else ""
        listing = Table(title=f"{section}{num_rows}", title_justify="left", box=box.SIMPLE_HEAD)
        for heading in ("column", "type", "meaning"):
            listing.add_column(heading, overflow="fold")
        for name, (kind, meaning) in fields.items():
            listing.add_row(Text(name, "bold"), Text(kind), Text(meaning))
        output.print(listing)
    output.print('group is a word of SQL: write that column as "group", in double quotes')


def _records(rows: pa.Table) -> Iterator[tuple[Any, ...]]:
    """The rows' values in order; not as dicts, because a query may name two columns alike."""
    for batch in rows.to_batches():
        yield from zip(*(column.to_pylist() for column in batch.columns), strict=True)


def _shown_cell(value: Any) -> Text:
    if value is None:
        return Text("null", "dim")
    if isinstance(value, list | dict):
        return Text(json.dumps(_plain(value), ensure_ascii=False))
    return Text(f"{value:.6g}" if isinstance(value, float) else str(value))


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


app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
def main(
    results: Annotated[str, typer.Argument(help="The sweep folder that lr_sweep prints.")],
    sql: Annotated[str | None, typer.Argument(help="A reading SQL statement.")] = None,
    form: Annotated[Format, typer.Option("--format", help="How to print.")] = Format.TABLE,
) -> None:
    """Runs SQL over a sweep's results; without SQL, lists the tables and their columns."""
    with reporting_input_errors():
        sweep = open_results(results)
        if sql is not None:
            _print_rows(query(sweep, sql), form)
        elif form is Format.TABLE:
            _print_columns(columns(sweep))
        else:
            _print_rows(columns(sweep), form)


if __name__ == "__main__":
    run_command(app)
