"""How alike rows of a template were lost in finished trials: planted answers in a store."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from raysweep.measures.scores import Prediction
from raysweep.plan.plan import Plan
from raysweep.results.correlations import measured_correlations
from raysweep.results.records import PREDICTIONS, write_records
from raysweep.store.storage import Storage
from raysweep.store.store import EntryKind, Store
from tests.plans import plan


@pytest.fixture
def made() -> Plan:
    """BBQ is forgotten in one cell of two seeds, and learned last in another one."""
    chains = [["bbq", "csqa2"], ["csqa2", "bbq"]]
    return plan(data={"num_train": 100}, chains=chains, stages={}, seeds=[0, 1])


def publish(made: Plan, place: Path, seeds: list[int]) -> pd.DataFrame:
    """BBQ's answers of the first chain's trials; returns the losses of rows by seed."""
    store, frames = Store(Storage.open(place / "storage").sub("store")), []
    test = made.splits["bbq"].test
    names = sorted({example.cluster for example in test})
    lost = dict(zip(names, np.random.default_rng(0).random(len(names)) < 0.3, strict=True))
    for trial in (one for one in made.trials if one.first_task == "bbq" and one.seed in seeds):
        rng = np.random.default_rng(trial.seed)
        for one in trial.evaluations:
            if one.task != "bbq" or one.stage_number == 0:
                continue
            chance = [0.5 if lost[e.cluster] and one.stage_number == 2 else 0.9 for e in test]
            right = rng.random(len(test)) < chance
            rows = [
                Prediction(e.id, e.groups, e.subset, str(e.label), "", bool(r), cluster=e.cluster)
                for e, r in zip(test, right, strict=True)
            ]
            folder = place / one.key
            folder.mkdir()
            write_records(folder / PREDICTIONS, rows)
            store.publish(EntryKind.EVALUATION, one.key, folder, {})
            frames.append(
                pd.DataFrame(
                    {
                        "id": [row.example_id for row in rows],
                        "cluster": [row.cluster for row in rows],
                        "stratum": [f"{row.answer} {row.subset}" for row in rows],
                        "seed": trial.seed,
                        "loss": right * (1.0 if one.stage_number == 1 else -1.0),
                    }
                )
            )
    keys = ["id", "cluster", "stratum", "seed"]
    return pd.concat(frames).groupby(keys, as_index=False)["loss"].sum()


@pytest.mark.parametrize("seeds", [[0, 1], [1]])
def test_it_is_that_of_the_rows_mean_losses(made: Plan, tmp_path: Path, seeds: list[int]) -> None:
    losses = publish(made, tmp_path, seeds)
    losses["beyond"] = losses["loss"] - losses.groupby(["stratum", "seed"])["loss"].transform(
        "mean"
    )
    rows = losses.groupby(["id", "cluster"], as_index=False)["beyond"].mean()
    products, pairs = 0.0, 0
    for _, inside in rows.groupby("cluster")["beyond"]:
        outer = np.outer(inside, inside)
        products += outer.sum() - np.trace(outer)
        pairs += len(inside) * (len(inside) - 1)
    expected = products / pairs / (rows["beyond"] ** 2).mean()
    assert expected > 0.05
    found = measured_correlations(made, str(tmp_path / "storage"))
    assert found.keys() == {"bbq"}
    assert found["bbq"].icc == pytest.approx(expected)
    assert found["bbq"].num_clusters == 54


def test_nothing_has_been_measured_yet(made: Plan, tmp_path: Path) -> None:
    assert measured_correlations(made, str(tmp_path / "storage")) == {}
    assert not (tmp_path / "storage").exists(), "looking changes nothing"
