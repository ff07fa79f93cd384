"""Names that rich would take for markup, or matplotlib for mathematics, are shown as they are."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
import typer
from matplotlib.figure import Figure
from rich.console import Console, RenderableType
from typer.testing import CliRunner

from analysis.__main__ import app
from analysis.drawing.literal import literal
from raysweep.cli import query
from raysweep.results.summary import summary_table
from raysweep.results.tables import write_trial
from raysweep.store.storage import Storage
from raysweep.tasks.census import Census, table2
from raysweep.tasks.registry import TASKS
from tests.plans import plan

NAMES = ("[/red]", "[bold]x", "[red]", "\\[x]", "[link=a]b[/link]", "$x_1$", "=1+1")


def printed(shown: RenderableType) -> str:
    text = io.StringIO()
    Console(file=text, width=1000, force_terminal=False).print(shown)
    return text.getvalue()


def write_results(folder: Path, name: str) -> None:
    """Of a chain of two tasks: the first one's title and one of its groups have that name."""
    trial = plan().trials[0]
    tasks = [stage.label for stage in trial.stages]
    common = {"sweep": "lr-0123abcd", "trial": trial.id, "chain": str(trial.chain), "seed": 0}
    common |= {"settings": "[]", "learning_rates": [1e-3, 1e-3]}
    evaluations, forgetting = [], []
    for stage in (0, 1, 2):
        for task in tasks:
            title = name if task == tasks[0] else TASKS[task].title
            row = {**common, "stage": stage, "task": task, "title": title}
            row |= {"kind": TASKS[task].kind.value, "group": "overall"}
            counts = {"num_examples": 10, "num_correct": 5, "accuracy": 0.5, "chance": 0.5}
            evaluations.append({**row, **counts, "subset": "all", "constant_prediction": False})
            if stage == 2 and task == tasks[0]:
                drop = {"learned_at": 1, "num_examples": 10, "forgetting": 0.5}
                forgetting.append({**row, **drop})
                forgetting.append({**row, **drop, "group": name, "biased_forgetting": 0.0})
    predictions = [
        {
            **common,
            "stage": stage,
            "task": tasks[0],
            "example_id": f"{number}",
            "groups": [name] if number % 2 else [],
            "answer": "toxic",
            "subset": "all",
            "correct": stage == 1 or number % 3 > 0,
        }
        for stage in (1, 2)
        for number in range(40)
    ]
    tables = {"evaluations": evaluations, "forgetting": forgetting, "predictions": predictions}
    write_trial(Storage.open(folder), trial.id, tables)


@pytest.mark.parametrize("name", NAMES)
def test_names_in_every_table(tmp_path: Path, name: str) -> None:
    folder = tmp_path / "lr-0123abcd"
    write_results(folder, name)
    summary = printed(summary_table("lr", plan().trials, Storage.open(folder)))
    assert summary.count(name) >= 2, "title and worst group"
    done = CliRunner().invoke(app, [str(folder), "--out", str(tmp_path / "[red]")])
    assert done.exit_code == 0, done.output
    assert done.stdout.count(name) >= 2
    assert f"wrote {tmp_path}/[red]/figure3.png" in done.stdout
    sql = 'SELECT DISTINCT "group" FROM forgetting ORDER BY ALL'
    query_app = typer.Typer()
    query_app.command()(query.main)
    assert name in CliRunner().invoke(query_app, [str(folder), sql]).stdout


def test_a_source_in_the_title_of_table_2() -> None:
    census = Census(TASKS["bbq"], None, None)
    assert "the data of '/a/[/red]'" in printed(table2([census], "/a/[/red]"))


def test_nothing_is_mathematics_in_a_picture() -> None:
    figure = Figure()
    for name in (*NAMES, "$", "a$b", "$\\frac$"):
        text = figure.text(0, 0, literal(name))
        cleaned, is_mathematics = text._preprocess_math(text.get_text())  # type: ignore[attr-defined]
        assert not is_mathematics
        assert cleaned == name
