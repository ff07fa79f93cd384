"""The files of the result tables.

One Arrow IPC file per trial and table, replaced as a whole when the trial has news:

    SWEEP/results/<table>/<trial>.arrow
    SWEEP/results/study/study.arrow        (of an Optuna search)

What their columns are `columns` tells.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

import pyarrow as pa

from raysweep.errors import InputError
from raysweep.results.columns import DERIVED, SCHEMA_VERSION, SCHEMAS, TRIAL_TABLES
from raysweep.store.storage import Storage

NUM_AT_A_TIME = 200  # files


def table(name: str, rows: Iterable[Mapping[str, Any]]) -> pa.Table:
    """A table of that name from plain rows; a missing column is null, a surplus one an error.

    Raises:
        KeyError: a row holds a column that the table does not have.
    """
    schema = (SCHEMAS | DERIVED)[name]
    rows = list(rows)
    surplus = {key for row in rows for key in row} - set(schema.names)
    if surplus:
        raise KeyError(f"table {name!r} has no column {sorted(surplus)}")
    described = schema.with_metadata({"schema_version": SCHEMA_VERSION})
    return pa.Table.from_pylist(rows, schema=described)


def to_bytes(content: pa.Table) -> bytes:
    """The table as an Arrow IPC file."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_file(sink, content.schema) as writer:
        writer.write_table(content)
    return bytes(sink.getvalue())


def from_bytes(content: bytes) -> pa.Table:
    """The table in an Arrow IPC file."""
    with pa.ipc.open_file(pa.BufferReader(content)) as reader:
        return reader.read_all()


def write_trial(
    sweep: Storage, trial: str, tables: Mapping[str, Sequence[Mapping[str, Any]]]
) -> None:
    """Writes the rows of a trial, one file per table, each replaced at once."""
    for name, rows in tables.items():
        sweep.write(f"results/{name}/{trial}.arrow", to_bytes(table(name, rows)))


def table_files(sweep: Storage, name: str) -> list[str]:
    """The files of one table, one per trial, relative to the sweep's folder.

    Hidden files are none: operating systems leave some beside files that are copied.
    """
    folder = f"results/{name}"
    names = sweep.names(folder, ".arrow")
    return [f"{folder}/{file}" for file in names if not file.startswith(".")]


def read_table(sweep: Storage, name: str, columns: Sequence[str] | None = None) -> pa.Table:
    """All trials' rows of one table; empty when there are none yet.

    Columns that a file does not have yet are null.

    Args:
        columns: those to keep; what a few hundred files hold beside them is then held at a time.

    Raises:
        InputError: two files hold the same trial.
    """
    empty, parts = table(name, []), _parts(sweep, name)
    if columns is None:
        return _united([empty, *parts])
    pieces = [empty.select(columns)]
    while some := list(islice(parts, NUM_AT_A_TIME)):
        pieces.append(_united([empty, *some]).select(columns).combine_chunks())
    return _united(pieces).combine_chunks()


def _united(parts: Sequence[pa.Table]) -> pa.Table:
    """One below the other, with the columns of the first."""
    return pa.concat_tables(parts, promote_options="default").select(parts[0].column_names)


def _parts(sweep: Storage, name: str) -> Iterator[pa.Table]:
    """The files of one table."""
    places = dict[str, str]()
    for file in table_files(sweep, name):
        part = from_bytes(sweep.read(file))
        if name in TRIAL_TABLES and part.num_rows:
            trial = part["trial"][0].as_py()
            if (first := places.setdefault(trial, file)) != file:
                problem = f"{first} and {file} hold the same trial {trial} twice"
                remedy = "move one of them out of the folder"
                raise InputError(f"results {sweep.uri}", problem, remedy)
        yield part
