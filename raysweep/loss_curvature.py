"""The curvature of the training loss at a model, over a sample of training rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch.distributed as dist
from transformers import LlamaForCausalLM

from raysweep.config import CurvatureSettings
from raysweep.curvature import ReplicaHessian, SpectralRadius, spectral_radius
from raysweep.data import Row, collate
from raysweep.loss import answer_loss_sum


def measure_curvature(
    model: LlamaForCausalLM,
    rows: Sequence[Row],
    settings: CurvatureSettings,
    *,
    seed: int,
    batch_size: int,
    pad_token_id: int,
) -> dict[str, Any]:
    """The spectral radius of L = (sum over answer tokens of -log p) / (their number), section 4.3.

    Every worker holds a replica and takes its share of the rows; all return the same.

    Args:
        model: in float32, with eager attention, which has second derivatives.

    Returns:
        The columns of the table ``curvature`` that describe the measurement.
    """
    num_tokens = sum(len(row.answer) for row in rows)
    own = rows[dist.get_rank() :: dist.get_world_size()]
    batches = [
        collate(own[i : i + batch_size], pad_token_id).to(model.device)
        for i in range(0, len(own), batch_size)
    ]
    losses = [lambda batch=batch: answer_loss_sum(model, batch) for batch in batches]
    hessian = ReplicaHessian(model, losses, num_tokens)
    radius = spectral_radius(
        hessian,
        seed=seed,
        relative_tolerance=settings.relative_tolerance,
        min_products=settings.min_products,
        max_products=settings.max_products,
    )
    return {
        **_evidence(radius),
        "num_samples": len(rows),
        "num_tokens": num_tokens,
        "num_parameters": hessian.num_parameters,
        "reduction": "token",
        "dtype": str(model.dtype).removeprefix("torch."),
        "attention": model.config._attn_implementation,
    }


def _evidence(radius: SpectralRadius) -> dict[str, Any]:
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
