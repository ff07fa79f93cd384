"""What a person reads: the line per stage and the table at the end."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console

from raysweep.plan.names import full_name, short_id
from raysweep.results.summary import summary_table
from raysweep.results.tables import write_trial
from raysweep.store.storage import Storage
from raysweep.sweep.monitor import _stage_line
from raysweep.tasks.registry import TASKS
from tests.plans import plan

COMMON = {"stage": 2, "kind": "safety"}


def test_a_stage_line_gives_chance_beside_every_accuracy() -> None:
    trial = plan().trials[0]
    result = {
        "stage": 1,
        "accuracy_toxigen": 0.9,
        "accuracy_csqa2": 0.5,
        "constant_prediction_toxigen": False,
        "constant_prediction_csqa2": True,
        "forgetting": None,
        "spectral_radius": 12.3456,
    }
    line = _stage_line(trial, TASKS, result)
    assert "toxigen 90.0 % (chance 50)" in line
    assert "csqa2 50.0 %! (chance 50)" in line, "a constant answer is flagged"
    assert "spectral radius 12.35" in line


def predicted(stage: int) -> list[dict[str, object]]:
    """All of 80 rows right at first; then 26 of women's 40 and 38 of asian's."""
    kept = {"women": 26, "asian": 38} if stage == 2 else {"women": 40, "asian": 40}
    return [
        {
            "example_id": f"{group}-{number}",
            "groups": [group],
            "subset": "all",
            "answer": "toxic",
            "correct": number < num_right,
        }
        for group, num_right in kept.items()
        for number in range(40)
    ]


def test_the_table_shows_finished_trials_with_their_worst_group(tmp_path: Path) -> None:
    made, folder = plan(), Storage.open(tmp_path)
    done = made.trials[0]

    def accuracy(task: str, value: float, constant: bool, stage: int = 2) -> dict[str, object]:
        return {
            **COMMON,
            "stage": stage,
            "trial": done.id,
            "task": task,
            "title": TASKS[task].title,
            "group": "overall",
            "subset": "all",
            "accuracy": value,
            "chance": 0.5,
            "constant_prediction": constant,
        }

    def forgotten(group: str, value: float) -> dict[str, object]:
        return {
            **COMMON,
            "trial": done.id,
            "task": "toxigen",
            "group": group,
            "forgetting": value,
            "biased_forgetting": None if group == "overall" else value - 0.2,
        }

    write_trial(
        folder,
        done.id,
        {
            "evaluations": [
                accuracy("toxigen", 0.9, False, stage=1),
                accuracy("csqa2", 0.6, False, stage=1),
                accuracy("toxigen", 0.7, False),
                accuracy("csqa2", 0.5, True),
            ],
            "predictions": [
                {**COMMON, "stage": stage, "trial": done.id, "task": "toxigen", **row}
                for stage in (1, 2)
                for row in predicted(stage)
            ],
            "forgetting": [
                forgotten(*row) for row in (("overall", 0.2), ("women", 0.35), ("asian", 0.1))
            ],
            "curvature": [
                {
                    **COMMON,
                    "stage": 1,
                    "trial": done.id,
                    "task": "toxigen",
                    "spectral_radius": 41.5,
                    "converged": False,
                },
                {
                    **COMMON,
                    "stage": 1,
                    "trial": done.id,
                    "task": "toxigen",
                    "part": "content",
                    "spectral_radius": 7.0,
                    "converged": True,
                },
            ],
        },
    )
    console = Console(width=300)
    with console.capture() as capture:
        console.print(summary_table(made.sweep, made.trials, folder, 300))
    text = capture.get()
    missing = ", ".join(trial.id[-8:] for trial in made.trials[1:])
    assert f"1 of 8 trials finished; missing: {missing}. " in " ".join(text.split())
    (row,) = [line for line in text.splitlines() if "toxigen -> csqa2" in line]
    cells = [cell.strip() for cell in row.strip("│").split("│")]
    assert cells == [
        done.id[-8:],
        "toxigen -> csqa2",
        "0.001, 0.001",
        "0",
        "TQA 90.0 -> 70.0 (50)  CQA2 50.0! (50)",
        "20.0",
        "women (n 40)",
        "15.0; 3.5 by chance, p .002",
        "41.5 ~",
    ]
    assert len([line for line in text.splitlines() if line.startswith("│")]) == 1
    narrow = Console(width=80)
    with narrow.capture() as capture:
        narrow.print(summary_table(made.sweep, made.trials, folder, 80))
    rows = [line.split() for line in capture.get().splitlines()]
    assert ["toxigen", "0.001", "TQA", "90.0", "->", "70.0", "(50)"] in [row[1:8] for row in rows]
    assert [done.id[-8:]] in [row[:1] for row in rows], "nothing of the id is cut"
    assert all(len(line) <= 80 for line in capture.get().splitlines())


def test_a_line_a_table_and_the_results_name_a_trial_alike() -> None:
    trial = plan().trials[1]
    name = f"toxigen -> csqa2 (0.001, 0.002) {trial.id[-8:]}"
    assert full_name(trial) == name
    assert f"{name}[/] stage 0 (base model)" in _stage_line(trial, TASKS, {"stage": 0})
    assert trial.id.endswith(short_id(trial.id))
    assert len({short_id(one.id) for one in plan().trials}) == len(plan().trials)
