"""The table of what chains know in the end, against pandas and scipy on the same rows."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from raysweep.api.results import open_results
from raysweep.results.chain_summary import QUANTITIES, chain_matrices
from raysweep.results.columns import DERIVED
from raysweep.results.tables import write_trial
from raysweep.store.storage import Storage

TASKS = ("toxigen", "csqa", "bbq")
CHAIN = "toxigen -> csqa -> bbq"


def write(
    folder: Storage, seed: int, frame: pd.DataFrame, chain: str = CHAIN, settings: str = "[]"
) -> None:
    """The accuracies of a trial, by stage and task, with rows that are to be left alone."""
    common = {"sweep": "s", "trial": f"{chain}-{settings}-{seed}", "chain": chain, "seed": seed}
    common |= {"settings": settings, "learning_rates": [1e-3] * 3}
    rows = [
        {**common, "stage": stage, "task": task, "group": group, "subset": subset}
        | {"accuracy": value if (group, subset) == ("overall", "all") else 0.123}
        for stage, accuracies in frame.iterrows()
        for task, value in accuracies.items()
        for group, subset in (("overall", "all"), ("women", "all"), ("overall", "ambig"))
    ]
    write_trial(folder, str(common["trial"]), {"evaluations": rows})


def drawn(seed: int) -> pd.DataFrame:
    return pd.DataFrame(np.random.default_rng(seed).random((4, 3)), columns=TASKS)


def expected(frame: pd.DataFrame) -> dict[str, float]:
    last = frame.loc[3]
    return {
        "average_accuracy": last.mean(),
        "average_forgetting": (frame.loc[1:2].max() - last)[["toxigen", "csqa"]].mean(),
        "backward_transfer": np.mean(
            [last["toxigen"] - frame["toxigen"][1], last["csqa"] - frame["csqa"][2]]
        ),
        "forward_transfer": np.mean(
            [frame["csqa"][1] - frame["csqa"][0], frame["bbq"][2] - frame["bbq"][0]]
        ),
    }


def test_the_seeds_of_a_chain_are_put_together(tmp_path: Path) -> None:
    folder = Storage.open(tmp_path)
    for seed in (5, 0, 3):
        write(folder, seed, drawn(seed))
    write(folder, 0, drawn(9), settings='[{"stage": "toxigen", "num_steps": 5}]')
    write(folder, 7, drawn(7).loc[:2])  # not finished
    table = open_results(tmp_path).table("chain_summary")
    assert table.schema.names == DERIVED["chain_summary"].names
    alone, row = sorted(table.to_pylist(), key=lambda one: len(one["seeds"]))
    assert row["seeds"] == [0, 3, 5]
    by_seed = pd.DataFrame([expected(drawn(seed)) for seed in (0, 3, 5)])
    for quantity in QUANTITIES:
        values = by_seed[quantity]
        interval = stats.ttest_1samp(values, 0).confidence_interval(0.95)
        assert row[quantity] == pytest.approx(values.mean())
        assert row[f"{quantity}_deviation"] == pytest.approx(values.std())
        assert row[f"{quantity}_low"] == pytest.approx(interval.low)
        assert row[f"{quantity}_high"] == pytest.approx(interval.high)
        assert row[f"{quantity}_by_seed"] == pytest.approx(values.tolist())
    assert alone["average_forgetting"] == pytest.approx(expected(drawn(9))["average_forgetting"])
    assert alone["average_forgetting_deviation"] is None
    assert alone["average_forgetting_low"] is None


def test_what_is_not_measured_is_null(tmp_path: Path) -> None:
    folder = Storage.open(tmp_path)
    write(folder, 0, drawn(0).loc[1:])
    write(folder, 1, drawn(1))
    (row,) = open_results(tmp_path).table("chain_summary").to_pylist()
    assert row["forward_transfer_by_seed"][0] is None
    assert row["forward_transfer"] == row["forward_transfer_by_seed"][1]
    assert row["forward_transfer_deviation"] is None
    assert row["average_accuracy_low"] is not None


def test_a_task_with_a_share_only_is_in_the_matrix_and_in_no_mean(tmp_path: Path) -> None:
    folder = Storage.open(tmp_path)
    write(folder, 0, drawn(0), "toxigen -> bbq@5% -> csqa + toxigen@20%")
    (found,) = chain_matrices(folder)
    (matrix,) = found.by_seed.values()
    assert dict(matrix.learned_at) == {"toxigen": 1, "csqa": 3}
    assert matrix.accuracies[2, "bbq"] == drawn(0)["bbq"][2]
    last = drawn(0).loc[3]
    assert matrix.average_accuracy == pytest.approx(last[["toxigen", "csqa"]].mean())
    best = drawn(0)["toxigen"].loc[1:2].max()
    assert matrix.average_forgetting == pytest.approx(best - last["toxigen"])


def test_sql_asks_for_columns(tmp_path: Path) -> None:
    write(Storage.open(tmp_path), 0, drawn(0))
    found = open_results(tmp_path).sql(
        "SELECT chain, average_forgetting >= - backward_transfer AS is_larger FROM chain_summary"
    )
    assert found.to_pylist() == [{"chain": CHAIN, "is_larger": True}]
