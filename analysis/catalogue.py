"""All tables and figures by name, in the order in which a report shows them."""

from __future__ import annotations

from collections.abc import Mapping

from . import figure2, figure3, figure4, figure5_6, figure7, figure8, pareto, table1, table2, table3
from .exhibit import Show

EXHIBITS: Mapping[str, Show] = {
    "table1": table1.exhibit,
    "figure2": figure2.exhibit,
    "figure3": figure3.exhibit,
    "figure4": figure4.exhibit,
    "figure5": figure5_6.figure5,
    "figure6": figure5_6.figure6,
    "figure7": figure7.exhibit,
    "table2": table2.exhibit,
    "table3": table3.exhibit,
    "figure8": figure8.exhibit,
    "search": pareto.exhibit,
}
"""Each shows the results of a sweep, or says why these have nothing to show there."""


def title(name: str) -> str:
    """As a reader says it: "Table 1", "Figure 4"."""
    letters = name.rstrip("0123456789")
    return f"{letters.capitalize()} {name[len(letters) :]}".strip()
