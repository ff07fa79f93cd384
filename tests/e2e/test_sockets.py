"""What others add in one file of their own: a hyperparameter, a task, a source, a measurement.

The file is installed as pip would install it, with its entry points, and found by real commands.
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Annotated

import pytest
import yaml
from safetensors import safe_open

from raysweep.measures.custom import NAME
from raysweep.plan import points
from raysweep.settings.identity import Key, part_of
from raysweep.training.settings import Hyperparameters
from tests.e2e.conftest import User, results_folder
from tests.places import BASE
from tests.plans import plan

PACKAGE = '''
"""One task, one source of rows, one measurement."""

from raysweep.measures.custom import CustomMeasurement, Subject
from raysweep.tasks.sources import Source, not_there
from raysweep.tasks.task import Example, Kind, RawRow, Task, Text

ANSWERS = ("Yes, it counts up.", "No, it does not.")


class Row(RawRow):
    numbers: Text
    rising: bool


def parse(row):
    label = 0 if row.rising else 1
    text = row.numbers
    return Example(text, "Does it count up?", "", text, ANSWERS, label, ANSWERS[label])


def read(task):
    if task.name != "counting":
        raise not_there(task, "only counting is there")
    pairs = [(n, n + 1 if n % 2 else n - 1) for n in range(1, 301)]
    rows = [{"numbers": f"{n}, {m}", "rising": m > n} for n, m in pairs]
    return {"pool": [(f"row {n}", row) for n, row in enumerate(rows)]}


def norm(subject: Subject):
    assert subject.rows and subject.task.labels
    squares = sum(float(p.detach().double().square().sum()) for p in subject.model.parameters())
    return {"weight_norm": squares**0.5, "undefined": None}


TASK = Task("counting", "CNT", Kind.CAPABILITY, ("up", "other"), Row, parse)
SOURCE = Source(read)
NORM = CustomMeasurement("norm", {"weight_norm": "of all weights", "undefined": "nothing"}, norm)
'''
ENTRY_POINTS = """
[raysweep.tasks]
counting = theirs:TASK

[raysweep.sources]
elsewhere = theirs:SOURCE

[raysweep.measurements]
norm = theirs:NORM
"""


class Warm(Hyperparameters):
    """With a setting that came later."""

    warmup_steps: Annotated[int, part_of(Key.STAGE, formerly=0)] = 0


def test_a_later_hyperparameter_with_a_default_changes_no_key(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    before = [trial.id for trial in plan().trials]
    monkeypatch.setattr(points, "Hyperparameters", Warm)
    assert [trial.id for trial in plan().trials] == before
    monkeypatch.setattr("raysweep.space.space.Hyperparameters", Warm)
    warm = plan(stage={"warmup_steps": 3}).trials
    assert not {trial.id for trial in warm} & set(before)


@pytest.fixture
def installed(tmp_path: Path) -> User:
    """A user who has installed the package."""
    (tmp_path / "theirs.py").write_text(PACKAGE)
    metadata = tmp_path / "theirs-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: theirs\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text(ENTRY_POINTS)
    user = User(tmp_path)
    user.environment["PYTHONPATH"] += f":{tmp_path}"
    return user


def norm_of_base() -> float:
    with safe_open(BASE / "model.safetensors", "np") as file:
        names = list(file.keys())
        return math.sqrt(sum(float((file.get_tensor(name) ** 2.0).sum()) for name in names))


SPACE = {
    "name": "theirs",
    "data": {"num_train": 64, "num_test": 26, "sources": {"counting": "elsewhere"}},
    "chains": [["counting", "csqa"]],
    "stage": {"num_steps": 2, "learning_rate": 1e-3},
    "curvature": {"enabled": False},
    "workers": {"num_workers": 1, "zero_stage": 0},
}


@pytest.mark.ray
def test_what_a_package_adds_is_swept_like_everything_else(installed: User) -> None:
    space = installed.folder / "space.yaml"
    space.write_text(yaml.safe_dump({**SPACE, "measurements": ["norm"]}))
    run = installed.run("raysweep.sweep", "space.yaml", "--storage", "storage")
    assert run.returncode == 0, run.stdout + run.stderr
    sql = "SELECT stage, task, quantity, value FROM measurements ORDER BY ALL"
    asked = installed.run("raysweep.query", results_folder(run.stdout), sql, "--format", "json")
    rows = json.loads(asked.stdout)
    assert {(row["stage"], row["task"]) for row in rows} == {
        (stage, task) for stage in range(3) for task in ("counting", "csqa")
    }
    assert {row["value"] for row in rows if row["quantity"] == "undefined"} == {None}
    norms = {row["stage"]: row["value"] for row in rows if row["quantity"] == "weight_norm"}
    assert norms[0] == pytest.approx(norm_of_base(), rel=1e-6)
    assert len(set(norms.values())) == 3, "two stages have moved the weights"

    space.write_text(yaml.safe_dump(SPACE))
    again = installed.run("raysweep.sweep", "space.yaml", "--storage", "storage")
    assert "All of it is in the store already" in again.stdout, "no key knows of the measurement"


def test_mistakes_in_a_packages_names_are_one_line(installed: User) -> None:
    space = installed.folder / "space.yaml"
    space.write_text(yaml.safe_dump({**SPACE, "measurements": ["norms"]}))
    run = installed.run("raysweep.plan", "space.yaml")
    assert run.returncode == 2
    assert "unknown measurement 'norms' (did you mean 'norm'?); known: norm" in run.stderr
    assert len(run.stderr.splitlines()) == 1
    assert NAME.fullmatch("norm")
    points = installed.folder / "theirs-1.0.dist-info" / "entry_points.txt"
    points.write_text("[raysweep.measurements]\nnorm = theirs:TASK\n")
    space.write_text(
        yaml.safe_dump({**SPACE, "data": {}, "chains": [["csqa"]], "measurements": ["x"]})
    )
    run = installed.run("raysweep.plan", "space.yaml")
    assert "is no raysweep.measures.custom.CustomMeasurement; correct that package" in run.stderr
