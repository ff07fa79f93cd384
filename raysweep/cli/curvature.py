"""``python -m raysweep.curvature MODEL --task TASK``: the curvature of one model, and a picture."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Annotated, Any

import torch
import typer
from matplotlib.figure import Figure
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from transformers.utils.logging import disable_progress_bar

from raysweep.cli.console import console
from raysweep.cli.options import Data, Device, Json, Seed
from raysweep.curvature import SpectralRadius
from raysweep.errors import InputError
from raysweep.measures.loss_curvature import (
    LossHessian,
    Sample,
    evidence,
    find_radius,
    load_hessian,
)
from raysweep.measures.settings import CurvatureSettings
from raysweep.model.checkpoint import find_checkpoint
from raysweep.model.encoding import encode_rows
from raysweep.model.parts import Part
from raysweep.model.tokenizer import load_encoder
from raysweep.plan.lengths import check_rows_fit
from raysweep.settings.paths import check_out, shown
from raysweep.space.space import check_space
from raysweep.tasks.sampling import stratified_order
from raysweep.tasks.splits import load_splits
from raysweep.training.settings import Hyperparameters

DEFAULTS, SEQUENCE_LIMIT = CurvatureSettings(), Hyperparameters().sequence_limit

ModelArgument = Annotated[
    str, typer.Argument(metavar="MODEL", help="tiny, a folder, or a hub id of LLaMA weights.")
]
TaskName = Annotated[str, typer.Option("--task", help="Whose training loss: toxigen, bbq, ...")]
Content = Annotated[
    bool,
    typer.Option(
        "--content",
        help="Measure a second time, of the loss of the tokens alone in which answers differ.",
    ),
]
NumSamples = Annotated[int, typer.Option(help="Training examples.", min=1)]
Reduction = Annotated[str, typer.Option(help="token or sample.")]
Solver = Annotated[str, typer.Option(help="lanczos or power.")]
Operator = Annotated[
    str, typer.Option(help="replica, or layerwise: slower, in the memory of a plain gradient.")
]
Tolerance = Annotated[float, typer.Option(help="Residual over value.", min=1e-12)]
MaxProducts = Annotated[int, typer.Option(help="Most Hessian-vector products.", min=1)]
Limit = Annotated[int, typer.Option(help="Longest row in tokens.", min=1)]
BatchSize = Annotated[int, typer.Option(help="Rows at a time, as in training.", min=1)]
Plot = Annotated[Path, typer.Option(help="The picture to write: .png, .pdf or .svg.")]


def main(
    model: ModelArgument,
    task: TaskName,
    data: Data[str] = "tiny",
    content: Content = False,
    num_samples: NumSamples = DEFAULTS.num_samples,
    seed: Seed = 0,
    reduction: Reduction = DEFAULTS.reduction,
    solver: Solver = DEFAULTS.solver,
    operator: Operator = "replica",
    tolerance: Tolerance = DEFAULTS.relative_tolerance,
    max_products: MaxProducts = DEFAULTS.max_products,
    sequence_limit: Limit = SEQUENCE_LIMIT,
    batch_size: BatchSize = 16,
    device: Device[str | None] = None,
    plot: Plot = Path("curvature.png"),
    as_json: Json = False,
) -> None:
    """Measures the spectral radius of a task's training loss at a model, and draws how it came.

    Exits with 1 if the solver has not converged.
    """
    space = check_space(
        {
            "name": "curvature",
            "model": model,
            "chains": [[task]],
            "data": {"source": data},
            "curvature": {
                "content": content,
                "num_samples": num_samples,
                "reduction": reduction,
                "solver": solver,
                "operator": operator,
                "relative_tolerance": tolerance,
                "min_products": min(DEFAULTS.min_products, max_products),
                "max_products": max_products,
            },
        },
        "command line",
    )
    _check_plot(plot)
    disable_progress_bar()  # of loading
    settings, target = space.curvature, _device(device)
    splits = load_splits(space.find_tasks()[task], space.data.drawn(space.data_seeds[0]))
    checkpoint = find_checkpoint(model)
    limit = min(sequence_limit, checkpoint.max_positions)
    encoder = load_encoder(checkpoint.folder, checkpoint.architecture.vocabulary_size)
    check_rows_fit(splits, limit, encoder)
    drawn = stratified_order(splits.train, seed)[: settings.num_samples]
    rows = encode_rows(drawn, encoder, limit)
    sample = Sample(rows, settings.reduction, batch_size, encoder.pad)
    if settings.content and not sample.has_parts:
        raise InputError("--content", f"rows of {task} have no candidate answers", "leave it out")
    hessian = load_hessian(checkpoint.folder, sample, settings.is_layerwise(0), target)
    parts: tuple[Part, ...] = ("whole", "content") if settings.content else ("whole",)
    found = {part: _measure(hessian, part, settings, seed, quiet=as_json) for part in parts}
    radii = {part: radius for part, (radius, _) in found.items()}
    draw_convergence(radii, f"{model}: {task}", settings.relative_tolerance, plot)
    rows_found = [{"model": model, "task": task, **row} for _, row in found.values()]
    if as_json:
        histories = [[asdict(one) for one in radius.history] for radius in radii.values()]
        first, *others = (
            {**row, "history": history} for row, history in zip(rows_found, histories, strict=True)
        )
        print(json.dumps(first | {row["part"]: row for row in others}, indent=2))
    else:
        for row in rows_found:
            for name, value in row.items():
                shown = f"{value:.6g}" if isinstance(value, float) else value
                console().print(f"{name.replace('_', ' ')}: {shown}", markup=False)
        console().print(f"Picture: {plot}", markup=False)
    if not all(radius.converged for radius in radii.values()):
        raise typer.Exit(1)


def draw_convergence(
    radii: Mapping[Part, SpectralRadius], title: str, tolerance: float, path: Path
) -> None:
    """Draws estimates and their relative residuals over the Hessian-vector products."""
    figure = Figure(figsize=(6, 5), layout="constrained")
    values, residuals = figure.subplots(2, 1, sharex=True)
    for part, radius in radii.items():
        numbers = range(1, radius.num_products + 1)
        verdict = "" if radius.converged else ", not converged"
        estimates = [abs(one.eigenvalue) for one in radius.history]
        relative = [one.residual / abs(one.eigenvalue or 1.0) for one in radius.history]
        values.plot(numbers, estimates, marker="o", label=f"{part}: {radius.value:.4g}{verdict}")
        residuals.semilogy(numbers, relative, marker="o", label=part)
    values.set(ylabel="spectral radius", title=title)
    values.legend()
    residuals.axhline(tolerance, color="gray", linestyle="--", label="tolerance")
    residuals.set(xlabel="Hessian-vector products", ylabel="residual / value")
    residuals.legend()
    figure.savefig(path)


def _measure(
    whole: LossHessian, part: Part, settings: CurvatureSettings, seed: int, quiet: bool
) -> tuple[SpectralRadius, dict[str, Any]]:
    """The radius of a part of the loss, and the columns of the table ``curvature`` that tell it."""
    hessian = whole if part == "whole" else replace(whole, operator=whole.of_part(part))
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    started = time.time()
    with Progress(*columns, TimeRemainingColumn(), transient=True, disable=quiet) as progress:
        bar = progress.add_task(f"{part}: products, at most", total=settings.max_products)
        radius = find_radius(hessian, settings, seed, lambda _: progress.advance(bar))
    return radius, {
        "part": part,
        **evidence(radius),
        **hessian.description,
        "num_parameters": hessian.operator.num_parameters,
        "seconds": time.time() - started,
    }


def _device(name: str | None) -> torch.device:
    if name not in (None, "cpu", "cuda"):
        raise InputError(f"--device {shown(name)}", "unknown", "use cpu or cuda")
    if name == "cuda" and not torch.cuda.is_available():
        raise InputError("--device cuda", "PyTorch finds no such device", "use cpu")
    return torch.device(name or ("cuda" if torch.cuda.is_available() else "cpu"))


def _check_plot(path: Path) -> None:
    if path.suffix not in (".png", ".pdf", ".svg"):
        raise InputError(f"--plot {path}", "no picture's name", "end it in .png, .pdf or .svg")
    check_out(path, f"--plot {shown(path)}")
    if not path.absolute().parent.is_dir():
        raise InputError(f"--plot {path}", "its folder does not exist", "make it first")
