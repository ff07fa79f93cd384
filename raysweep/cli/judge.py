"""``raysweep judge``: converts a published toxicity classifier, once."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from transformers.utils.logging import disable_progress_bar

from raysweep.cli.console import console
from raysweep.measures.judge_conversion import convert


def main(
    source: Annotated[str, typer.Argument(help="Folder or hub id, e.g. tomh/toxigen_roberta.")],
    out: Annotated[Path, typer.Option(help="Folder to write, for the setting 'judge'.")],
    toxic_class: Annotated[
        str | None,
        typer.Option("--toxic", help="The class that means toxic; known for the paper's judge."),
    ] = None,
) -> None:
    """Converts a pickled toxicity classifier to safetensors, once."""
    disable_progress_bar()  # of one small file
    written = convert(source, out, toxic_class)
    console().print(f"Wrote {written}; set judge: {out} in the search space.", markup=False)
