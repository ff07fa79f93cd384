"""SQL over the result tables of a sweep, read-only.

    raysweep query RESULTS                     # the tables and what their columns mean
    raysweep query RESULTS "SELECT chain, avg(forgetting) FROM forgetting GROUP BY chain"

DuckDB reads the Arrow files where they lie, local or in an object store, and of those only the
columns and rows that the query needs. ``group`` is a word of SQL: write the column as "group".
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

import duckdb
import pyarrow as pa
import pyarrow.dataset as ds
from pyarrow import fs

from raysweep.errors import InputError
from raysweep.results.columns import DERIVED, SCHEMAS
from raysweep.results.effects import derived_table
from raysweep.results.files import check_results
from raysweep.results.tables import table, table_files
from raysweep.results.views import VIEWS
from raysweep.store.storage import Storage

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
        for name, view in VIEWS.items():
            connection.execute(f"CREATE TEMP VIEW {name} AS {view}")
        for name in DERIVED.keys() - VIEWS.keys():
            is_named = re.search(rf"\b{name}\b", sql, re.IGNORECASE)
            connection.register(name, derived_table(results, name) if is_named else table(name, []))
        connection.execute("SET python_enable_replacements = false")
        connection.execute("SET enable_external_access = false")
        connection.execute("SET lock_configuration = true")
        return connection.sql(sql).to_arrow_table()


def columns(results: Storage) -> pa.Table:
    """The documented columns of every result table.

    With the number of the table's rows; null for one that is made when it is asked for.
    """
    rows = []
    with _reading(f"results {results.uri}"):
        for name, schema in (SCHEMAS | DERIVED).items():
            num_rows = None if name in DERIVED else _dataset(results, name).count_rows()
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
        remedies = (text for kind, text in REMEDIES.items() if isinstance(error, kind))
        raise InputError(place, problem, next(remedies, OTHERWISE)) from error
