"""``python -m raysweep.tasks``: Table 2 for one's own data, an example, a check of files."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.text import Text

from raysweep.cli.console import console, say
from raysweep.cli.options import Data, Model, Seed, SpaceOption
from raysweep.errors import InputError, MissingDataError
from raysweep.model.architecture import read_architecture
from raysweep.model.checkpoint import locate, read_config
from raysweep.model.encoding import encode_rows
from raysweep.model.token_check import SAMPLE_SIZE, describe
from raysweep.model.tokenizer import load_encoder
from raysweep.settings.base import TINY
from raysweep.settings.mistakes import checked
from raysweep.space.packaged import space_path
from raysweep.space.space import load_space
from raysweep.tasks.census import account, table2, take_census
from raysweep.tasks.finding import find_task
from raysweep.tasks.loading import check_rows
from raysweep.tasks.registry import PAPER_TASKS, TASKS
from raysweep.tasks.settings import DataSettings
from raysweep.tasks.sources import known_sources, read_release
from raysweep.tasks.splits import load_splits
from raysweep.tasks.task import Example, Task

FAILED = 2
SHOWN_MISTAKES = 20
LAYOUT = "docs/reference/tasks.md has the layout"

Show = Annotated[
    str | None, typer.Option(help="Print an example of a task (its name, or its YAML file).")
]
Validate = Annotated[
    Path | None, typer.Option(help="Check every row of a data folder, or of a task's YAML file.")
]
Index = Annotated[int, typer.Option(help="With --show: which training row, from 0.", min=0)]


def main(
    data: Data[str] = TINY,
    space: SpaceOption = None,
    show: Show = None,
    validate: Validate = None,
    index: Index = 0,
    model: Model[str] = TINY,
    seed: Seed = 0,
) -> None:
    """Shows the sizes of all tasks' training and test sets beside the paper's Table 2.

    With --space, data and tasks are those of a search space; the model's tokenizer is for --show.
    """
    output = console()
    settings = checked(DataSettings, {"source": data, "seed": seed}, "command line")
    tasks: Mapping[str, Task] = PAPER_TASKS
    if space:
        configured = load_space(space_path(space))
        tasks = configured.find_tasks()
        data_seed, *others = configured.data_seeds
        settings = configured.data.drawn(data_seed)
        if others:
            output.print(f"Drawn with data seed {data_seed}, the first of {1 + len(others)}.")
    _check_exists(str(validate or settings.source))
    if validate:
        raise typer.Exit(_validate(validate, output))
    if show:
        _show(tasks.get(show) or find_task(show, "--show"), settings, index, model, output)
    else:
        _table(tasks.values(), settings, output)


def _check_exists(source: str) -> None:
    if source not in known_sources() and not Path(source).expanduser().exists():
        raise InputError(source, "no such file or folder", "give a folder of raw files")


def _table(tasks: Iterable[Task], settings: DataSettings, output: Console) -> None:
    censuses = [take_census(task, settings) for task in tasks]
    if not any(census.disjoint for census in censuses):
        raise InputError(settings.source, "holds no task's files", LAYOUT)
    output.print(table2(censuses, settings.source))
    say(output, (line for census in censuses for line in account(census)))


def _show(task: Task, settings: DataSettings, index: int, model: str, output: Console) -> None:
    splits = load_splits(task, settings)
    if index >= len(splits.train):
        problem = f"there are {len(splits.train):,} training rows"
        raise InputError(f"--index {index}", problem, "give a smaller one")
    example = splits.train[index]
    folder = locate(model)
    sizes = read_architecture(read_config(folder), folder / "config.json")
    encoder = load_encoder(folder, sizes.vocabulary_size)
    (row,) = encode_rows([example], encoder, 10**6)
    output.print(Text(example.prompt, style="dim"), end="", highlight=False)
    tokens = (encoder.text([token], with_marks=True) for token in row.answer)
    marked = [piece for token in tokens for piece in ("⟦", (token, "bold reverse"), "⟧")]
    output.print(Text.assemble(*marked), highlight=False)
    facts = _facts(task, example, len(row.prompt), len(row.answer))
    say(output, [*facts, *describe(encoder, splits.train[:SAMPLE_SIZE])])


def _facts(task: Task, example: Example, num_prompt: int, num_answer: int) -> list[str]:
    pairs = zip(task.labels, example.answers, strict=True)
    answers = [f"{label} = {text!r}" for label, text in pairs]
    return [
        "",
        f"task {task.name} ({task.kind.value}), row {example.id}",
        f"{num_prompt} prompt tokens, {num_answer} answer tokens (in brackets: what is trained on)",
        f"answers: {'; '.join(answers) or 'generated, then judged'}",
        f"groups: {', '.join(example.groups) or 'none'}; subset: {example.subset}",
    ]


def _validate(path: Path, output: Console) -> int:
    """Checks all rows of the tasks whose files are at a path; returns the exit code."""
    if path.suffix in (".yaml", ".yml"):
        tasks = [find_task(str(path))]
    elif path.name.endswith(".tar.gz"):
        tasks = [TASKS["saferdialogues"]]  # the only one whose source may be a single file
    elif path.is_file():
        raise InputError(str(path), "is one file", "give the folder, or a task's YAML file")
    else:
        tasks = list(TASKS.values())
    num_wrong = num_found = 0
    for task in tasks:
        try:
            release = read_release(task, str(path))
            num_rows, mistakes = check_rows(task, release)
        except MissingDataError as error:
            output.print(f"{task.name}: not there ({error})", highlight=False, markup=False)
            continue
        num_found += 1
        num_wrong += len(mistakes)
        say(output, (f"error: {mistake}" for mistake in mistakes[:SHOWN_MISTAKES]))
        if len(mistakes) > SHOWN_MISTAKES:
            output.print(f"... and {len(mistakes) - SHOWN_MISTAKES} more")
        output.print(f"{task.name}: {num_rows:,} rows, {len(mistakes):,} wrong", highlight=False)
    if not num_found:
        raise InputError(str(path), "no task's files are there", LAYOUT)
    return FAILED if num_wrong else 0
