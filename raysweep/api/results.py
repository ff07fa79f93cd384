"""The results of a sweep, for a notebook: tables, SQL and pictures."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa

from raysweep.analysis_folder import import_analysis
from raysweep.errors import InputError
from raysweep.results import query
from raysweep.results.columns import DERIVED, SCHEMAS
from raysweep.results.tables import read_table
from raysweep.settings.mistakes import check_known
from raysweep.store.storage import Storage

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from pandas import DataFrame


@dataclass(frozen=True)
class Results:
    """The result tables of one sweep, read when they are asked for."""

    folder: Storage

    @property
    def uri(self) -> str:
        """Of the sweep's folder."""
        return self.folder.uri

    def columns(self) -> pa.Table:
        """The columns of every table, with their meaning."""
        return query.columns(self.folder)

    def table(self, name: str) -> pa.Table:
        """A whole table, such as "forgetting".

        Raises:
            InputError: there is no such table.
        """
        check_known(f"table {name}", name, SCHEMAS | DERIVED)
        if name in DERIVED:
            return query.query(self.folder, f"FROM {name}").cast(DERIVED[name])
        return read_table(self.folder, name)

    def df(self, name: str) -> DataFrame:
        """A whole table as a data frame; see `table`."""
        return self.table(name).to_pandas()

    def sql(self, statement: str) -> pa.Table:
        """The rows of one reading SQL statement (DuckDB's) over the tables.

        Raises:
            InputError: the statement is wrong, or would do more than read.
        """
        return query.query(self.folder, statement)

    def figure(self, name: str) -> Figure:
        """A picture of a table or figure, such as "table1", "figure3" or "search".

        Raises:
            InputError: there is no such picture, or the sweep has nothing to show in it.
        """
        exhibits = import_analysis("catalogue").EXHIBITS
        check_known(f"figure {name}", name, exhibits)
        found = exhibits[name](import_analysis("exhibit").Reading(self.folder))
        if reason := getattr(found, "reason", None):
            raise InputError(f"figure {name}", f"{self.uri} has nothing to show there", reason)
        drawn: Figure = found.draw()
        return drawn


def open_results(uri: str | Path) -> Results:
    """Opens the folder of a sweep that has results.

    Raises:
        InputError: it is missing, cannot be read, or holds no results that belong together.
    """
    return Results(query.open_results(str(uri)))
