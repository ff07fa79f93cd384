"""Prints the tables and figures of a sweep and writes their pictures.

Ends with the paper's claims, and whether the sweep's results bear them out.

raysweep report RESULTS [--out FOLDER] [--learning-rates 1e-5,1e-5]
"""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from raysweep.cli.console import console, reporting_input_errors, run_command
from raysweep.cli.options import ResultsFolder
from raysweep.errors import InputError
from raysweep.results.query import open_results
from raysweep.settings.paths import check_out, shown
from raysweep.store.storage import Storage

from .catalogue import EXHIBITS, title
from .claims import claims, claims_list
from .data.load import num_unfinished, without_first_task
from .drawing.group_panels import group_panels
from .exhibit import Exhibit, Missing, Reading

MAX_LISTED = 8
ENDINGS = ("png", "pdf", "svg")
app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
def main(
    results: ResultsFolder,
    out: Annotated[
        Path | None, typer.Option(help="Folder of the pictures.", show_default="RESULTS/analysis")
    ] = None,
    learning_rates: Annotated[
        list[str] | None,
        typer.Option(help="Panels to show, as 1e-5,1e-5 (first and second stage); repeatable."),
    ] = None,
) -> None:
    """Prints the tables and figures of a sweep and writes their pictures."""
    with reporting_input_errors():
        wanted = tuple(_rates(text) for text in learning_rates or ())
        sweep = open_results(results)
        folder = _folder(sweep, out)
        reading = Reading(sweep, wanted)
        output = console()
        missing: defaultdict[str, list[str]] = defaultdict(list)
        exhibits = {name: show(reading) for name, show in EXHIBITS.items()}  # mistakes come first
        for name, found in exhibits.items():
            if isinstance(found, Missing):
                missing[found.reason].append(title(name))
            else:
                _show(found, folder / name, output)
        for reason, titles in missing.items():
            output.print(f"{', '.join(titles)}: nothing to show; {reason}", markup=False)
        _print_left_out(sweep, output)
        output.print()
        output.print(claims_list.display(claims.judge(sweep, reading.of(group_panels))))


def _show(found: Exhibit, path: Path, output: Console) -> None:
    """Pictures as one for screens and two for papers."""
    if found.text is not None:
        output.print(found.text)
    picture = found.draw()
    for ending in ENDINGS:
        picture.savefig(path.with_suffix(f".{ending}"))
    for ending, text in found.files.items():
        path.with_suffix(f".{ending}").write_text(text)
    first, *others = [*ENDINGS, *found.files]
    listed = f"{path}.{first}, {_listed(others)}"
    remark = f"; {found.remark}" if found.remark else ""
    output.print(f"wrote {listed}{remark}\n", soft_wrap=True, markup=False)


def _listed(endings: list[str]) -> str:
    *most, last = [f".{ending}" for ending in endings]
    return f"{', '.join(most)} and {last}"


def _print_left_out(sweep: Storage, output: Console) -> None:
    if partial := without_first_task(sweep):
        listed = "; ".join(partial[:MAX_LISTED])
        more = f" and {len(partial) - MAX_LISTED} more" if partial[MAX_LISTED:] else ""
        output.print(
            "\nin no figure of the paper's, since the first stage is not one whole task: "
            f"{listed}{more}",
            markup=False,
        )
    if unfinished := num_unfinished(sweep):
        trials = "1 trial has" if unfinished == 1 else f"{unfinished} trials have"
        output.print(f"\n{trials} not finished both stages: left out so far")


def _rates(text: str) -> tuple[float, ...]:
    try:
        return tuple(float(rate) for rate in text.split(","))
    except ValueError:
        remedy = "write those of both stages, as 1e-5,1e-5"
        raise InputError(f"--learning-rates {text}", "not numbers", remedy) from None


def _folder(sweep: Storage, out: Path | None) -> Path:
    if out is None and "://" in sweep.uri:
        raise InputError("--out", f"not given, and {sweep.uri} is not local", "give a folder")
    folder = Path(sweep.root) / "analysis"
    if out is not None:
        folder = check_out(out, f"--out {shown(out)}", is_folder=True)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"--out {folder}", f"cannot be made ({error})", "give a folder") from None
    return folder


def run() -> None:
    """The entry point."""
    run_command(app)


if __name__ == "__main__":
    run()
