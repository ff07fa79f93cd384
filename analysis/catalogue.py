"""All tables and figures by name, in the order in which a report shows them."""

from __future__ import annotations

from collections.abc import Mapping

from . import (
    calibration,
    figure3,
    figure4,
    figure7,
    matrix,
    pareto,
    reliability,
    table1,
    transfer,
    transitions_figure,
)
from .exhibit import Show

EXHIBITS: Mapping[str, Show] = {
    "table1": table1.exhibit,
    "figure3": figure3.exhibit,
    "figure4": figure4.exhibit,
    "figure7": figure7.exhibit,
    "matrix": matrix.exhibit,
    "transfer": transfer.exhibit,
    "transitions": transitions_figure.exhibit,
    "calibration": calibration.exhibit,
    "reliability": reliability.exhibit,
    "search": pareto.exhibit,
}
"""Each shows the results of a sweep, or says why these have nothing to show there."""


def title(name: str) -> str:
    """As a reader says it: "Table 1", "Figure 4"."""
    letters = name.rstrip("0123456789")
    return f"{letters.capitalize()} {name[len(letters) :]}".strip()
