"""``python -m raysweep.cli.notebook SPACE.json``: the process of a sweep that a notebook runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from raysweep.cli.console import run_command
from raysweep.cli.options import Dashboard, StorageUri, Wait
from raysweep.cli.sweep import run_plan
from raysweep.model.checkpoint import find_checkpoint
from raysweep.plan.plan import make_plan
from raysweep.space.space import SearchSpace
from raysweep.store.storage import Storage


def main(
    space: Annotated[Path, typer.Argument(help="A search space as pydantic has written it.")],
    storage: StorageUri[str],
    wait_for_workers: Wait = 0.0,
    dashboard: Dashboard = True,
) -> None:
    """Runs a sweep."""
    settings = SearchSpace.model_validate_json(space.read_bytes())
    plan = make_plan(settings, find_checkpoint(settings.model))
    raise typer.Exit(run_plan(plan, Storage.open(storage), wait_for_workers, dashboard=dashboard))


if __name__ == "__main__":
    run_command(main, outlives_output=True)
