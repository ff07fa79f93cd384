"""``raysweep query``: SQL over the results of a sweep, as a table, CSV or JSON."""

from __future__ import annotations

from typing import Annotated

import pyarrow as pa
import typer
from rich import box
from rich.table import Table
from rich.text import Text

from raysweep.cli.console import console, reporting_input_errors
from raysweep.cli.options import ResultsFolder
from raysweep.cli.rows import Format, print_rows
from raysweep.results.columns import SCHEMAS, TRIAL_TABLES
from raysweep.results.query import columns, open_results, query

EVERY_TABLE = "every table but study"


def _print_columns(documented: pa.Table) -> None:
    """Columns that every table of trials has are listed once."""
    everywhere = set.intersection(*(set(SCHEMAS[name].names) for name in TRIAL_TABLES))
    counts: dict[str, int | None] = {}
    sections: dict[str, dict[str, tuple[str, str]]] = {EVERY_TABLE: {}}
    for row in documented.to_pylist():
        is_common = row["table"] in TRIAL_TABLES and row["column"] in everywhere
        section = EVERY_TABLE if is_common else row["table"]
        counts[row["table"]] = row["num_rows"]
        sections.setdefault(section, {})[row["column"]] = (row["type"], row["meaning"])
    output = console()
    for section, fields in sections.items():
        count = counts.get(section)
        num_rows = "" if count is None else f" ({count:,} rows)"
        listing = Table(title=f"{section}{num_rows}", title_justify="left", box=box.SIMPLE_HEAD)
        for heading in ("column", "type", "meaning"):
            listing.add_column(heading, overflow="fold")
        for name, (kind, meaning) in fields.items():
            listing.add_row(Text(name, "bold"), Text(kind), Text(meaning))
        output.print(listing)
    output.print('group is a word of SQL: write that column as "group", in double quotes')


def main(
    results: ResultsFolder,
    sql: Annotated[str | None, typer.Argument(help="A reading SQL statement.")] = None,
    form: Annotated[Format, typer.Option("--format", help="How to print.")] = Format.TABLE,
) -> None:
    """Runs SQL over a sweep's results; without SQL, lists the tables and their columns."""
    with reporting_input_errors():
        sweep = open_results(results)
        if sql is not None:
            print_rows(query(sweep, sql), form)
        elif form is Format.TABLE:
            _print_columns(columns(sweep))
        else:
            print_rows(columns(sweep), form)
