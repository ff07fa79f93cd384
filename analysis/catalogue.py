"""All tables and figures by name, in the order in which a report shows them."""

from __future__ import annotations

from collections.abc import Mapping

from .beyond import (
    batch_size,
    calibration,
    matrix,
    pareto,
    reliability,
    shares_and_mixtures,
    transfer,
    transitions_figure,
)
from .exhibit import Show
from .paper import (
    after_replay,
    figure2,
    figure3,
    figure4,
    figure5_6,
    figure7,
    figure8,
    table1,
    table2,
    table3,
)
from .paper.biased_forgetting import biased_forgetting as biased

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
    "figure9": biased("Figure 9", lambda task: task == "toxigen", "no chain begins with ToxiGen"),
    "figure10": biased("Figure 10", lambda task: task == "bbq", "no chain begins with BBQ"),
    "biased_forgetting": biased(
        "Biased forgetting",
        lambda task: task not in ("toxigen", "bbq"),
        "no chain begins with another safety task that has groups",
    ),
    "figure11": after_replay.after_replay(after_replay.FIRST_ACCURACY),
    "figure12": after_replay.after_replay(after_replay.FIRST_FORGETTING),
    "figure13": after_replay.after_replay(after_replay.SECOND_ACCURACY),
    "figure14": after_replay.after_replay(after_replay.SECOND_FORGETTING),
    "batch_size": batch_size.exhibit,
    "shares_and_mixtures": shares_and_mixtures.exhibit,
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
    return f"{letters.replace('_', ' ').capitalize()} {name[len(letters) :]}".strip()
