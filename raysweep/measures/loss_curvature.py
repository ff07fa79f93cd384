"""The curvature of the training loss at a published model, over a sample of training rows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist

from raysweep.curvature import (
    HessianOperator,
    LayerwiseHessian,
    ReplicaHessian,
    Shards,
    SpectralRadius,
    expand_change,
    power_iteration,
    spectral_radius,
)
from raysweep.curvature.shards import open_tensors
from raysweep.measures.llama_blocks import llama_blocks, parameter_names
from raysweep.measures.settings import CurvatureSettings
from raysweep.model.encoding import EncodedRow
from raysweep.model.llama import Attention, load_config, load_model
from raysweep.model.parts import Part
from raysweep.model.weight_files import weight_files
from raysweep.training.batches import Batch, collate
from raysweep.training.loss import Reduction, answer_loss_sum, normaliser
from raysweep.training.settings import layerwise_rows

ATTENTION: Attention = "eager"
"""The same in both operators, which then round alike: at a sharp minimum float32 leaves some 2e-5
of a product open."""


@dataclass(frozen=True)
class Sample:
    """The rows whose loss L is looked at; every worker takes its share of them.

    Attributes:
        reduction: "token", L = (sum over answer tokens of -log p) / (their number), or "sample",
            the mean over rows of each row's own mean. One normaliser counts all rows of all
            workers: a mean of the batches' means would depend on how rows are batched.
        batch_size: rows of a batch.
    """

    rows: Sequence[EncodedRow]
    reduction: Reduction
    batch_size: int
    pad_token_id: int

    def own_batches(self, size: int, device: torch.device) -> list[Batch]:
        """This worker's rows; rows of similar length share a batch."""
        rank, world = (dist.get_rank(), dist.get_world_size()) if dist.is_initialized() else (0, 1)
        own = sorted(self.rows, key=lambda row: row.num_tokens)[rank::world]
        starts = range(0, len(own), size)
        return [collate(own[i : i + size], self.pad_token_id).to(device) for i in starts]

    @property
    def has_parts(self) -> bool:
        """Whether every row has a format and a content."""
        return all(row.content for row in self.rows)


@dataclass(frozen=True)
class LossHessian:
    """The Hessian of a sample's loss, and what it is that of.

    Attributes:
        of_part: the same of a part of the answers, at the same weights.
    """

    operator: HessianOperator
    sample: Sample
    is_layerwise: bool
    of_part: Callable[[Part], HessianOperator]

    @property
    def description(self) -> dict[str, Any]:
        """The columns of the tables that say what was measured."""
        return {
            "num_samples": len(self.sample.rows),
            "num_tokens": normaliser(self.sample.rows),
            "reduction": self.sample.reduction,
        }

    def parts(self) -> tuple[float | None, float | None]:
        """The losses of format and content, which add up to the loss; None without candidates."""
        if not self.sample.has_parts:
            return None, None
        return self.of_part("format").loss(), self.of_part("content").loss()


def load_hessian(
    folder: Path,
    sample: Sample,
    is_layerwise: bool,
    device: torch.device,
    part: Part = "whole",
) -> LossHessian:
    """The Hessian at a published model, in float32 whatever the weights are stored in.

    Args:
        is_layerwise: whether every worker reads but its shards of the weights; else each holds a
            replica.
        part: of the answers, which the loss is taken over.
    """
    make = (_layerwise if is_layerwise else _replica)(folder, sample, device)
    return LossHessian(make(part), sample, is_layerwise, make)


def _layerwise(
    folder: Path, sample: Sample, device: torch.device
) -> Callable[[Part], LayerwiseHessian]:
    """Makes operators on shards of the weights, which are read once."""
    config = load_config(folder)
    size = layerwise_rows(sample.batch_size, config.num_hidden_layers)
    batches = sample.own_batches(size, device)
    shards = Shards.from_safetensors(weight_files(folder), parameter_names(config), device=device)
    total = normaliser(sample.rows, sample.reduction)

    def make(part: Part) -> LayerwiseHessian:
        blocks = llama_blocks(config, batches, sample.reduction, part=part)
        return LayerwiseHessian(shards, blocks, len(batches), total)

    return make


def _replica(
    folder: Path, sample: Sample, device: torch.device
) -> Callable[[Part], ReplicaHessian]:
    """Makes operators on a replica of the model, which is loaded once."""
    model = load_model(folder, "float32", ATTENTION).to(device)
    batches = sample.own_batches(sample.batch_size, device)
    total = normaliser(sample.rows, sample.reduction)

    def make(part: Part) -> ReplicaHessian:
        losses = [
            partial(answer_loss_sum, model, batch, sample.reduction, part) for batch in batches
        ]
        return ReplicaHessian(model, losses, total)

    return make


def measure_curvature(
    hessian: LossHessian,
    settings: CurvatureSettings,
    seed: int,
    on_product: Callable[[int], None] | None = None,
) -> dict[str, Any]:
    """The spectral radius (section 4.3); all workers return the same.

    Args:
        seed: of the start vector.
        on_product: called after each Hessian-vector product with their number.

    Returns:
        The columns of the table ``curvature`` that describe the measurement.
    """
    return {
        **evidence(find_radius(hessian, settings, seed, on_product)),
        **hessian.description,
        "num_parameters": hessian.operator.num_parameters,
        "dtype": "float32",
        "solver": settings.solver,
        "provenance_operator": "layerwise" if hessian.is_layerwise else "replica",
        "provenance_attention": ATTENTION,
    }


def find_radius(
    hessian: LossHessian,
    settings: CurvatureSettings,
    seed: int,
    on_product: Callable[[int], None] | None = None,
) -> SpectralRadius:
    """The spectral radius by the solver of the settings."""
    count = iter(range(1, settings.max_products + 1))
    solve = spectral_radius if settings.solver == "lanczos" else power_iteration
    return solve(
        hessian.operator,
        seed=seed,
        relative_tolerance=settings.relative_tolerance,
        min_products=settings.min_products,
        max_products=settings.max_products,
        on_product=lambda _: on_product(next(count)) if on_product else None,
    )


def measure_change(
    before: Path,
    after: Path,
    sample: Sample,
    is_layerwise: bool,
    device: torch.device,
    path_points: int = 0,
    on_gradient: Callable[[], object] = lambda: None,
) -> dict[str, Any]:
    """What a change of the parameters did to a loss, and the terms of equation 3.

    One parameter at a time is whole beside the operator's own.

    Args:
        before, after: folders of published models.
        path_points: gradients along the path; 0 for none.
        on_gradient: called after each of these.

    Returns:
        The columns of the table ``changes`` that describe the measurement.
    """
    last, parts_after = _losses_at(after, sample, is_layerwise, device)
    hessian = load_hessian(before, sample, is_layerwise, device)
    parts_before = hessian.parts()
    with ExitStack() as stack:
        read_before, read_after = (
            stack.enter_context(open_tensors(weight_files(f))) for f in (before, after)
        )
        change = expand_change(
            hessian.operator,
            lambda name: read_after(name).float() - read_before(name).float(),
            path_points,
            on_gradient,
        )
    return {
        "loss_before": change.loss,
        "loss_after": last,
        "loss_increase": last - change.loss,
        "format_before": parts_before[0],
        "format_after": parts_after[0],
        "content_before": parts_before[1],
        "content_after": parts_after[1],
        "gradient_norm": change.gradient_norm,
        "change_norm": change.change_norm,
        "linear_term": change.linear_term,
        "quadratic_form": change.quadratic_form,
        "mean_quadratic": change.mean_quadratic,
        "path_increase": change.path_increase,
        "path_points": change.path_points,
        **hessian.description,
    }


def _losses_at(
    folder: Path, sample: Sample, is_layerwise: bool, device: torch.device
) -> tuple[float, tuple[float | None, float | None]]:
    """The loss at a model, and its parts; the model has left the memory afterwards."""
    hessian = load_hessian(folder, sample, is_layerwise, device)
    return hessian.operator.loss_and_gradient()[0], hessian.parts()


def evidence(radius: SpectralRadius) -> dict[str, Any]:
    """The columns of the table ``curvature`` that say what was found, and how sure that is."""
    return {
        "spectral_radius": radius.value,
        "eigenvalue": radius.eigenvalue,
        "largest_ritz_value": radius.largest_ritz_value,
        "smallest_ritz_value": radius.smallest_ritz_value,
        "residual": radius.residual,
        "relative_residual": radius.relative_residual,
        "converged": radius.converged,
        "num_products": radius.num_products,
        "sample_seed": radius.seed,
    }
