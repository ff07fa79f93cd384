"""An Optuna study of trials: seeded, persistent, and never left with an open trial."""

from __future__ import annotations

from pathlib import Path

import pytest

from raysweep.plan.plan import Plan
from raysweep.plan.trials import Trial
from raysweep.results.tables import read_table
from raysweep.store.storage import Storage
from raysweep.sweep.study import JOURNAL, Study
from tests.plans import plan

TWO = {"capability_accuracy": "max", "safety_forgetting": "min"}


def made(num_samples: int = 8, sampler: str = "tpe", **changes: object) -> Plan:
    return plan(
        **{
            "chains": [["toxigen", "csqa2"], ["toxigen", ["csqa2", "toxigen@{5,20}%"]]],
            "stages": {
                1: {"learning_rate": {"choice": [1e-3, 2e-3]}},
                2: {"learning_rate": {"loguniform": [1e-5, 1e-2]}},
            },
            "search": {
                "method": "optuna",
                "num_samples": num_samples,
                "objectives": TWO,
                "sampler": sampler,
                "seed": 5,
            },
            **changes,
        }
    )


def outcome(trial: Trial) -> dict[str, float]:
    """Made-up objectives that depend on the trial alone."""
    rate = trial.stages[1].hyperparameters.learning_rate
    return {"capability_accuracy": min(1.0, 100 * rate), "safety_forgetting": rate**0.5}


def run(study: Study, count: int) -> list[str]:
    """Proposes and tells so many trials; their ids."""
    names = []
    for _ in range(count):
        proposal = study.propose()
        names.append(proposal.trial.id)
        study.tell(proposal.number, outcome(proposal.trial))
    return names


@pytest.mark.parametrize("sampler", ["tpe", "nsga2", "random"])
def test_an_interrupted_search_proposes_what_an_undisturbed_one_would(
    tmp_path: Path, sampler: str
) -> None:
    undisturbed = run(Study(made(sampler=sampler), Storage.open(tmp_path / "a")), 8)
    folder = Storage.open(tmp_path / "b")
    first = Study(made(sampler=sampler), folder)
    names = run(first, 3)
    running = first.propose()
    again = Study(made(sampler=sampler), folder)
    assert again.num_left == 5
    resumed = again.propose()
    assert resumed == running, "the trial that was running is run again, under its number"
    again.tell(resumed.number, outcome(resumed.trial))
    names += [resumed.trial.id, *run(again, 4)]
    assert names == undisturbed
    assert len(set(names)) > 4, "not the same point over and over"
    assert again.num_left == 0
    assert {trial.id for trial in again.finished_trials()} == set(names)
    assert states(again) == ["complete"] * 8


def test_trials_share_their_first_stages(tmp_path: Path) -> None:
    study = Study(made(), Storage.open(tmp_path))
    firsts = {study.propose().trial.stages[0].key for _ in range(8)}
    assert len(firsts) == 2


def states(study: Study) -> list[str]:
    """Of the trials, one after the other."""
    return list({row["number"]: row["state"] for row in study.rows()}.values())


def test_failed_and_pruned_trials_are_closed(tmp_path: Path) -> None:
    study = Study(made(3), Storage.open(tmp_path))
    failed, pruned, complete = (study.propose() for _ in range(3))
    study.fail(failed.number)
    study.tell(pruned.number, {"capability_accuracy": 0.5, "safety_forgetting": None})
    study.tell(complete.number, outcome(complete.trial))
    assert states(study) == ["fail", "pruned", "complete"]
    assert study.num_left == 1, "a failed trial is not done"


def test_the_pareto_front(tmp_path: Path) -> None:
    study = Study(made(4), Storage.open(tmp_path))
    points = [(0.5, 0.1), (0.9, 0.3), (0.4, 0.2), (0.8, 0.3)]
    names = []
    for accuracy, forgetting in points:
        proposal = study.propose()
        names.append(proposal.trial.id)
        study.tell(
            proposal.number, {"capability_accuracy": accuracy, "safety_forgetting": forgetting}
        )
    best = [row for row in study.rows() if row["is_best"]]
    assert [row["value"] for row in best] == [0.5, 0.1, 0.9, 0.3]
    assert list(dict.fromkeys(row["trial"] for row in best)) == names[:2]


def test_the_results_tell_of_the_study(tmp_path: Path) -> None:
    folder = Storage.open(tmp_path)
    study = Study(made(3), folder)
    first, second, _ = (study.propose() for _ in range(3))
    study.tell(first.number, {"capability_accuracy": 0.9, "safety_forgetting": 0.1})
    study.fail(second.number)
    rows = read_table(folder, "study").to_pylist()
    assert [(r["number"], r["state"], r["objective"], r["value"], r["is_best"]) for r in rows] == [
        (0, "complete", "capability_accuracy", 0.9, True),
        (0, "complete", "safety_forgetting", 0.1, True),
        (1, "fail", "capability_accuracy", None, False),
        (1, "fail", "safety_forgetting", None, False),
        (2, "running", "capability_accuracy", None, False),
        (2, "running", "safety_forgetting", None, False),
    ]
    assert rows[0]["trial"] == first.trial.id
    assert "stages.2.learning_rate" in rows[0]["params"]


def test_a_study_without_results_has_no_best_trial(tmp_path: Path) -> None:
    study = Study(made(), Storage.open(tmp_path))
    study.propose()
    assert [row["is_best"] for row in study.rows()] == [False, False]


def test_a_search_can_be_prolonged(tmp_path: Path) -> None:
    folder = Storage.open(tmp_path)
    names = run(Study(made(2), folder), 2)
    assert made(2).sweep == made(6).sweep
    longer = Study(made(6), folder)
    assert longer.num_left == 4
    assert names + run(longer, 4) == run(Study(made(6), Storage.open(tmp_path / "other")), 6)


def test_the_journal_is_optunas_own(tmp_path: Path) -> None:
    import optuna
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend

    run(Study(made(), Storage.open(tmp_path)), 2)
    storage = JournalStorage(JournalFileBackend(str(tmp_path / JOURNAL)))
    loaded = optuna.load_study(study_name=made().sweep, storage=storage)
    assert len(loaded.trials) == 2


def test_a_point_that_is_proposed_has_every_setting(tmp_path: Path) -> None:
    space = made(
        stage={"weight_decay": {"uniform": [0.0, 0.2]}, "num_steps": {"choice": [5, 10]}},
        chains=[["toxigen", "csqa2"]],
        search={"method": "optuna", "num_samples": 2, "objectives": {"forgetting": "min"}},
    )
    trial = Study(space, Storage.open(tmp_path)).propose().trial
    first, second = (stage.hyperparameters for stage in trial.stages)
    assert first.weight_decay == second.weight_decay
    assert first.num_steps in (5, 10)
    assert 1e-5 <= second.learning_rate <= 1e-2
    assert first.learning_rate in (1e-3, 2e-3)
