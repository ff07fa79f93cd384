"""Prints Table 1, Figures 3, 4 and 7 of a sweep and writes their pictures, and a search's.

Ends with the paper's claims, and whether the sweep's results bear them out.

raysweep report RESULTS [--out FOLDER] [--learning-rates 1e-5,1e-5]
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from matplotlib.figure import Figure
from rich.console import Console

from raysweep.cli.console import console, reporting_input_errors, run_command
from raysweep.cli.options import ResultsFolder
from raysweep.errors import InputError
from raysweep.results.query import open_results
from raysweep.settings.paths import check_out, shown
from raysweep.store.storage import Storage

from . import claims, claims_list, figure3, figure4, figure7, order_effect, pareto, table1
from .load import num_unfinished, without_first_task

MAX_LISTED = 8
ENDINGS = (".png", ".pdf", ".svg")
NO_PAIR = (
    "no trial has finished a chain of two full stages, one on a capability and one on a safety task"
)
app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
def main(
    results: ResultsFolder,
    out: Annotated[
        Path | None, typer.Option(help="Folder of the pictures.", show_default="RESULTS/analysis")
    ] = None,
    learning_rates: Annotated[
        list[str] | None,
        typer.Option(help="Figure 3's panels, as 1e-5,1e-5 (first and second stage); repeatable."),
    ] = None,
) -> None:
    """Prints Table 1, Figures 3, 4 and 7 of a sweep and writes their pictures, and a search's."""
    with reporting_input_errors():
        wanted = [_rates(text) for text in learning_rates or ()]
        sweep = open_results(results)
        folder = _folder(sweep, out)
        panels = figure3.figure3(sweep)
        selection = figure3.select(panels, wanted)
        output = console()
        _table1(sweep, folder, output)
        _figure3(selection, folder, output)
        _figure4(sweep, folder, output)
        _figure7(sweep, folder, output)
        _search(sweep, folder, output)
        if partial := without_first_task(sweep):
            listed = "; ".join(partial[:MAX_LISTED])
            more = f" and {len(partial) - MAX_LISTED} more" if partial[MAX_LISTED:] else ""
            output.print(
                f"\nin no figure, since the first stage is not one whole task: {listed}{more}",
                markup=False,
            )
        unfinished = num_unfinished(sweep)
        if unfinished:
            trials = "1 trial has" if unfinished == 1 else f"{unfinished} trials have"
            output.print(f"\n{trials} not finished both stages: left out so far")
        output.print()
        output.print(claims_list.display(claims.judge(sweep, panels)))


def _table1(sweep: Storage, folder: Path, output: Console) -> None:
    rows = table1.table1(sweep)
    if rows:
        table = table1.display(rows)
        output.print(table)
        effects = order_effect.order_effects(sweep)
        if effects.pairs:
            output.print(order_effect.display(effects))
        _write(table.picture(), folder / "table1", output)
        for ending, text in table.texts().items():
            (folder / f"table1.{ending}").write_text(text)
        output.print(f"wrote {folder}/table1.csv, .md and .tex", soft_wrap=True, markup=False)
        output.print()
    else:
        output.print(f"Table 1: nothing to show; {NO_PAIR}")


def _figure3(selection: figure3.Selection, folder: Path, output: Console) -> None:
    if not selection.shown:
        output.print(
            f"Figure 3: nothing to show; {NO_PAIR}, in the order safety then capability "
            "and with forgetting by group"
        )
        return
    output.print(figure3.listing(selection.shown))
    _write(figure3.picture(selection.shown), folder / "figure3", output)
    if selection.left_out:
        output.print(_left_out(selection))


def _figure4(sweep: Storage, folder: Path, output: Console) -> None:
    found = figure4.figure4(sweep)
    if found.curvatures:
        output.print(figure4.listing(found))
        _write(figure4.picture(found), folder / "figure4", output)


def _figure7(sweep: Storage, folder: Path, output: Console) -> None:
    curves = figure7.figure7(sweep)
    if curves:
        output.print(figure7.listing(curves))
        _write(figure7.picture(curves), folder / "figure7", output)


def _search(sweep: Storage, folder: Path, output: Console) -> None:
    found = pareto.search(sweep)
    if found:
        name = "search" if len(found.objectives) == 1 else "pareto"
        _write(
            pareto.picture(found),
            folder / name,
            output,
            f", {len(found.candidates)} trials of the search",
        )


def _write(picture: Figure, path: Path, output: Console, more: str = "") -> None:
    """As a picture for screens, and as two for papers."""
    for ending in ENDINGS:
        picture.savefig(path.with_suffix(ending))
    listed = f"{path}{ENDINGS[0]}, {' and '.join(ENDINGS[1:])}"
    output.print(f"wrote {listed}{more}", soft_wrap=True, markup=False)


def _left_out(selection: figure3.Selection) -> str:
    settings = [panel.chain.setting.rates for panel in selection.left_out]
    distinct = [f"'{rates}'" for rates in dict.fromkeys(settings)]
    more = len(distinct) - MAX_LISTED
    listed = "; ".join(distinct[:MAX_LISTED]) + (f" and {more} more" if more > 0 else "")
    return (
        f"left out {len(selection.left_out)} of {len(selection.left_out + selection.shown)} "
        f"panels, with learning rates {listed}; choose with --learning-rates"
    )


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
