"""The pictures by name: of Table 1, Figures 3, 4 and 7, and of a search."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from matplotlib.figure import Figure

from raysweep.store.storage import Storage

from . import figure3, figure4, figure7, pareto, table1


def _table1(results: Storage) -> Figure | None:
    rows = table1.table1(results)
    return table1.display(rows).picture() if rows else None


def _figure3(results: Storage) -> Figure | None:
    shown = figure3.select(figure3.figure3(results)).shown
    return figure3.picture(shown) if shown else None


def _figure4(results: Storage) -> Figure | None:
    found = figure4.figure4(results)
    return figure4.picture(found) if found.curvatures else None


def _figure7(results: Storage) -> Figure | None:
    curves = figure7.figure7(results)
    return figure7.picture(curves) if curves else None


def _search(results: Storage) -> Figure | None:
    found = pareto.search(results)
    return pareto.picture(found) if found else None


PICTURES: Mapping[str, Callable[[Storage], Figure | None]] = {
    "table1": _table1,
    "figure3": _figure3,
    "figure4": _figure4,
    "figure7": _figure7,
    "search": _search,
}
"""Each draws the results of a sweep; None where these have nothing to show there."""
