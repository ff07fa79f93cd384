"""The options that several commands have, each declared once: ``Model[str | None]``."""

from __future__ import annotations

from typing import Annotated, TypeVar

import typer

T = TypeVar("T")
"""Of an option: ``str`` where the command has a default, ``str | None`` where its space has."""

Model = Annotated[
    T, typer.Option(help="'tiny' (embedded), a folder of LLaMA safetensors, or a hub id.")
]
Data = Annotated[
    T,
    typer.Option(
        help="'tiny' or 'tiny_uneven' (embedded), 'hub', or a folder of the datasets' raw files; "
        "of all tasks, whatever a search space names for single ones."
    ),
]
SpaceOption = Annotated[
    str | None,
    typer.Option(
        "--space",
        help="A search space: a file, or the name of a packaged one (`raysweep spaces`).",
        show_default=False,
    ),
]
StorageUri = Annotated[
    T,
    typer.Option(
        "--storage",
        help="Where trained stages and results are kept: a folder or URI that every host reaches.",
        envvar="RAYSWEEP_STORAGE",
    ),
]
NumWorkers = Annotated[int | None, typer.Option(help="Workers per trial.")]
NumTest = Annotated[int | None, typer.Option(help="Test rows per task (stratified).")]
NumSteps = Annotated[int | None, typer.Option(help="Optimizer steps of every stage.")]
Seed = Annotated[int, typer.Option(help="Of all that is drawn.", min=0)]
Device = Annotated[T, typer.Option(help="cpu or cuda; cuda where there is one.")]
Verbose = Annotated[
    bool, typer.Option("--verbose", "-v", help="Say more of what happens beside the results.")
]
Json = Annotated[bool, typer.Option("--json", help="Print the numbers as JSON.")]
ResultsFolder = Annotated[
    str, typer.Argument(metavar="RESULTS", help="The folder of results that a sweep prints.")
]
Wait = Annotated[
    float,
    typer.Option("--wait-for-workers", help="Minutes to wait until the cluster is large enough."),
]
Dashboard = Annotated[
    bool,
    typer.Option(
        help="Whether a Ray cluster that is started here has the dashboard; it takes seconds.",
        envvar="RAYSWEEP_DASHBOARD",
    ),
]
