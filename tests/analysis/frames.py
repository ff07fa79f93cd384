"""Result tables as pandas reads them, for recomputation without the query engine."""

from __future__ import annotations

import json

import pandas as pd

from raysweep.results.tables import read_table
from tests.analysis.sweep_folder import Sweep


def frame(sweep: Sweep, table: str) -> pd.DataFrame:
    """A table with the learning rates of both stages in columns of their own."""
    found = read_table(sweep.storage, table).to_pandas()
    rates = [[one["learning_rate"] for one in json.loads(text)] for text in found["settings"]]
    return found.assign(first_rate=[one[0] for one in rates], last_rate=[one[-1] for one in rates])


def forgotten(sweep: Sweep) -> pd.DataFrame:
    """Of each chain of two tasks and seed the overall forgetting, in points and relative."""
    found = frame(sweep, "forgetting")
    lost = found["accuracy_before"] - found["accuracy_after"]
    found = found.assign(points=100 * lost, relative=100 * lost / found["accuracy_before"])
    return found[(found["group"] == "overall") & (found["stage"] == 2)]
