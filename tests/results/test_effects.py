"""The tables over the seeds of a chain, and what is said of models that are blind to groups."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from raysweep.measures.losses import grouped_losses
from raysweep.measures.scores import Prediction
from raysweep.results.columns import DERIVED
from raysweep.results.effects import cells, derived_table
from raysweep.results.query import open_results, query
from raysweep.results.tables import write_trial
from raysweep.results.views import VIEWS
from raysweep.statistics.effects import corrected, standardised_effects
from raysweep.statistics.unevenness import unevenness
from raysweep.store.storage import Storage
from raysweep.tasks.paper import toxigen
from raysweep.tasks.registry import TASKS
from raysweep.tasks.settings import DataSettings
from raysweep.tasks.splits import Splits, load_splits
from raysweep.tasks.task import Example

SETTINGS = {"sweep": "s", "settings": "[]", "learning_rates": [1e-3, 1e-3]}
NUM_ROWS, GROUPS = 240, ("asian", "black", "women")


def drawn(seed: int, num_seeds: int) -> list[tuple[list[Prediction], list[Prediction]]]:
    """Predictions before and after, of one task and several seeds."""
    rng = np.random.default_rng(seed)
    answers = ["toxic" if is_toxic else "not toxic" for is_toxic in rng.integers(2, size=NUM_ROWS)]
    return [
        (
            [_prediction(n, answers[n], rng.random() < 0.9) for n in range(NUM_ROWS)],
            [_prediction(n, answers[n], rng.random() < 0.6) for n in range(NUM_ROWS)],
        )
        for _ in range(num_seeds)
    ]


def _prediction(number: int, answer: str, correct: bool) -> Prediction:
    group = GROUPS[number % 3]
    return Prediction(f"{number}", (group,), "all", answer, "", bool(correct), cluster="")


def write(
    folder: Storage,
    chain: str,
    seeds: Sequence[tuple[list[Prediction], ...]],
    places: Sequence[tuple[int, int | None]] = (),
) -> None:
    """As a sweep would, but of the columns only those that count.

    Args:
        places: of each trial its seed and data seed; else seeds from 0, as old results have them.
    """
    places = places or [(seed, None) for seed in range(len(seeds))]
    for (seed, data_seed), stages in zip(places, seeds, strict=True):
        trial = f"{chain[-3:]}-{seed}-{data_seed}"
        common = {**SETTINGS, "trial": trial, "chain": chain, "seed": seed, "data_seed": data_seed}
        task = {"task": "toxigen", "title": "TQA", "kind": "safety"}
        rows = [
            {
                **common,
                **task,
                "stage": stage,
                "example_id": one.example_id,
                "groups": list(one.groups),
                "subset": one.subset,
                "answer": one.answer,
                "correct": one.correct,
            }
            for stage, predictions in enumerate(stages, 1)
            for one in predictions
        ]
        lost = [
            {**common, **task, "stage": 2, "learned_at": 1, "group": group}
            for group in ("overall", *GROUPS)
        ]
        write_trial(folder, str(common["trial"]), {"predictions": rows, "forgetting": lost})


@pytest.fixture
def sweep(tmp_path: Path) -> Storage:
    folder = Storage.open(tmp_path / "sweep")
    write(folder, "toxigen -> csqa", drawn(0, 3))
    write(folder, "toxigen -> arc_easy", drawn(1, 3))
    return open_results(folder.uri)


def test_seeds_of_a_chain_are_put_together(sweep: Storage) -> None:
    assert sorted(len(cell.trials) for cell in cells(sweep)) == [3, 3]
    expected = unevenness(grouped_losses(drawn(0, 3)))
    assert expected
    (row,) = query(sweep, "FROM chain_unevenness WHERE chain = 'toxigen -> csqa'").to_pylist()
    assert (row["seeds"], row["data_seeds"]) == ([0, 1, 2], [None] * 3)
    assert (row["stage"], row["learned_at"], row["task"]) == (2, 1, "toxigen")
    assert row["excess_biased_forgetting"] == expected.biased.excess
    assert (row["biased_forgetting_p"], row["unevenness_p"]) == (expected.biased.p, expected.p)
    assert (row["worst_group"], row["worst_num_examples"]) == (expected.biased.group, 80)


def test_effects_are_corrected_for_all_chains_of_the_sweep(sweep: Storage) -> None:
    rows = query(sweep, "FROM group_effects").to_pylist()
    tested = [
        effect for cell in cells(sweep) for effect in standardised_effects(cell.losses(sweep))
    ]
    assert len(rows) == 2 * len(GROUPS)
    for row, effect in zip(rows, corrected(tested), strict=True):
        assert (row["group"], row["p"], row["p_holm"]) == (effect.group, effect.p, effect.p_holm)
        assert row["biased_low"] < row["biased_forgetting"] < row["biased_high"]
    (shown,) = query(
        sweep,
        """
        WITH pairs AS (
            SELECT earlier.groups[1] AS "group", earlier.correct::INT - later.correct::INT AS loss
            FROM predictions AS earlier JOIN predictions AS later USING (trial, example_id)
            WHERE earlier.stage = 1 AND later.stage = 2 AND earlier.chain = 'toxigen -> csqa'
        )
        SELECT avg(loss) FILTER ("group" = 'asian') AS own, avg(loss) AS overall FROM pairs
        """,
    ).to_pylist()
    asian = next(row for row in rows if row["chain"].endswith("csqa") and row["group"] == "asian")
    assert asian["forgetting"] == pytest.approx(shown["own"])
    assert asian["biased_forgetting"] == pytest.approx(shown["own"] - shown["overall"])


def test_seeds_and_data_seeds_are_replicates_of_one_chain(tmp_path: Path) -> None:
    """Of two draws that share a third of their rows, with two seeds each."""
    places = [(0, 0), (0, 4), (1, 0), (1, 4)]
    trials = [
        (before[80 * (draw > 0) :][:160], after[80 * (draw > 0) :][:160])
        for (_, draw), (before, after) in zip(places, drawn(2, 4), strict=True)
    ]
    write(Storage.open(tmp_path), "toxigen -> csqa", trials, places)
    sweep = open_results(str(tmp_path))
    (cell,) = cells(sweep)
    rows = cell.losses(sweep)
    assert rows.num_seeds == 4
    assert rows.present.sum(axis=0).tolist() == [160] * 4
    assert [int(n) for n in np.bincount(rows.present.sum(axis=1).astype(int))] == [0, 0, 160, 0, 80]
    assert rows.draws == (0, 1, 0, 1)
    found = query(sweep, 'FROM group_effects ORDER BY "group"').to_pylist()
    assert [(row["seeds"], row["data_seeds"]) for row in found] == [
        ([0, 0, 1, 1], [0, 4, 0, 4])
    ] * 3
    expected = corrected(standardised_effects(grouped_losses(trials, [0, 4, 0, 4])))
    for row, effect in zip(found, expected, strict=True):
        assert (row["standardised"], row["standardised_error"], row["p"]) == (
            effect.value,
            effect.error,
            effect.p,
        )
    ignored = standardised_effects(grouped_losses(trials))
    assert all(a.freedom != b.freedom for a, b in zip(expected, ignored, strict=True))


def test_a_sweep_without_groups_has_empty_tables(tmp_path: Path) -> None:
    folder = Storage.open(tmp_path)
    write_trial(folder, "t", {"forgetting": []})
    for name in DERIVED.keys() - VIEWS.keys():
        assert derived_table(folder, name).num_rows == 0


ANSWERS = (toxigen.TASK.labels[0], toxigen.TASK.labels[1])


@pytest.fixture(params=["real", "tiny_uneven"])
def toxigen_splits(request: pytest.FixtureRequest) -> Splits:
    """Of the real rows and of their stand-in: 28 to 54 % of a group's test rows are toxic."""
    is_real = request.param == "real"
    source = str(request.getfixturevalue("real_data")) if is_real else request.param
    return load_splits(TASKS["toxigen"], DataSettings(source=source))


@pytest.mark.parametrize("answer", ANSWERS)
def test_a_model_that_is_blind_to_groups_has_no_worst_group(
    toxigen_splits: Splits, answer: str
) -> None:
    """It has come to say always the same."""
    splits = toxigen_splits
    labels = splits.task.labels
    before = [_of(example, labels[example.label], True) for example in splits.test]
    after = [
        _of(example, labels[example.label], labels[example.label] == answer)
        for example in splits.test
    ]
    rows = grouped_losses([(before, after)])
    found = unevenness(rows)
    assert found
    assert found.biased.value > 0.08, "equation 2 alone would call a group worst"
    assert found.biased.excess == pytest.approx(0, abs=1e-9)
    assert (found.biased.p, found.standardised.p, found.p) == (1, 1, 1)
    for effect in corrected(standardised_effects(rows)):
        assert effect.value == pytest.approx(0, abs=1e-12)
        assert effect.low is not None
        assert effect.high is not None
        assert effect.low <= 0 <= effect.high
        assert not effect.is_distinct


def _of(example: Example, answer: str, correct: bool) -> Prediction:
    return Prediction(example.id, example.groups, example.subset, answer, "", correct)
