"""``python -m raysweep.curvature MODEL --task TASK``: the curvature of one model, and a picture."""

from __future__ import annotations

import json
import time
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

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
    hessian = load_hessian(checkpoint.folder, sample, settings.is_layerwise(0), target)
    started = time.time()
    radius = _measure(hessian, settings, seed, quiet=as_json)
    seconds = time.time() - started
    draw_convergence(radius, f"{model}: {task}", settings.relative_tolerance, plot)
    found = {
        "model": model,
        "task": task,
        **evidence(radius),
        **hessian.description,
        "num_parameters": hessian.operator.num_parameters,
        "seconds": seconds,
    }
    if as_json:
        history = [asdict(one) for one in radius.history]
        print(json.dumps({**found, "history": history}, indent=2))
    else:
        for name, value in found.items():
            shown = f"{value:.6g}" if isinstance(value, float) else value
            console().print(f"{name.replace('_', ' ')}: {shown}", markup=False)
        console().print(f"Picture: {plot}", markup=False)
    if not radius.converged:
        raise typer.Exit(1)


def draw_convergence(radius: SpectralRadius, title: str, tolerance: float, path: Path) -> None:
    """Draws the estimate and its relative residual over the Hessian-vector products."""
    numbers = range(1, radius.num_products + 1)
    figure = Figure(figsize=(6, 5), layout="constrained")
    values, residuals = figure.subplots(2, 1, sharex=True)
    values.plot(numbers, [abs(one.eigenvalue) for one in radius.history], marker="o")
    verdict = "" if radius.converged else ", not converged"
    values.set(ylabel="spectral radius", title=f"{title}: {radius.value:.4g}{verdict}")
    relative = [one.residual / abs(one.eigenvalue or 1.0) for one in radius.history]
    residuals.semilogy(numbers, relative, marker="o", color="tab:orange")
    residuals.axhline(tolerance, color="gray", linestyle="--", label="tolerance")
    residuals.set(xlabel="Hessian-vector products", ylabel="residual / value")
    residuals.legend()
    figure.savefig(path)


def _measure(
    hessian: LossHessian, settings: CurvatureSettings, seed: int, quiet: bool
) -> SpectralRadius:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, TimeRemainingColumn(), transient=True, disable=quiet) as progress:
        bar = progress.add_task("products, at most", total=settings.max_products)
        return find_radius(hessian, settings, seed, lambda _: progress.advance(bar))


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
