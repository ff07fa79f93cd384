"""The training loss: cross-entropy over answer tokens."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
import torch.nn.functional as F
from torch import nn

from raysweep.model.encoding import EncodedRow
from raysweep.model.parts import Part
from raysweep.training.batches import IGNORED, Batch

Reduction = Literal["token", "sample"]


def answer_loss_sum(
    model: nn.Module, batch: Batch, reduction: Reduction = "token", part: Part = "whole"
) -> torch.Tensor:
    """The summands of a batch, a scalar; divided by the `normaliser` of all rows it is the loss.

    With "token" that is the loss that training minimises and whose Hessian the curvature is about:

        L = - sum over rows and answer tokens of log p(token | everything before it) / N

    with N answer tokens in all rows of the global batch, not in one piece of it: so how rows are
    spread over batches and workers does not weigh them. "sample" is the mean over rows of each
    row's own mean, in which a short answer's token counts for more than a long one's. A ``part`` of
    the answers is normalised as the whole, so that the losses of the parts add up to it.
    """
    return loss_of_logits(answer_logits(model, batch), batch, reduction, part)


def answer_logits(model: nn.Module, batch: Batch) -> torch.Tensor:
    """Those that predict the answers' positions, in float32 at least; see `loss_of_logits`."""
    output = model(
        input_ids=batch.input_ids,
        attention_mask=batch.attention_mask,
        position_ids=batch.position_ids,
        logits_to_keep=batch.longest_answer + 1,  # the one before an answer predicts its first
        use_cache=False,
    )
    logits: torch.Tensor = output.logits[:, :-1]
    return logits.to(torch.promote_types(logits.dtype, torch.float32))


def loss_of_logits(
    logits: torch.Tensor, batch: Batch, reduction: Reduction = "token", part: Part = "whole"
) -> torch.Tensor:
    """The summands of a batch.

    Args:
        logits: those that predict the last ``batch.longest_answer`` positions, of shape
            [rows, positions, vocabulary].
    """
    logits = logits.to(torch.promote_types(logits.dtype, torch.float32))
    labels = batch.labels_of(part)[:, -logits.shape[1] :]
    flat = logits.reshape(-1, logits.shape[-1]), labels.reshape(-1)
    if reduction == "token":
        return F.cross_entropy(*flat, ignore_index=IGNORED, reduction="sum")
    losses = F.cross_entropy(*flat, ignore_index=IGNORED, reduction="none").view_as(labels)
    num_tokens = (batch.labels != IGNORED).sum(dim=1).clamp(min=1)
    return (losses.sum(dim=1) / num_tokens).sum()


def loss_and_parts(logits: torch.Tensor, batch: Batch) -> tuple[torch.Tensor, torch.Tensor]:
    """`loss_of_logits`, to the bit, and the sums over the tokens of format and of content.

    The sums, of shape [2] in float64 and without a gradient, are of the logarithms that the loss is
    taken from anyhow.
    """
    labels, contents = (
        one[:, -logits.shape[1] :].flatten() for one in (batch.labels, batch.content_labels)
    )
    log_p = F.log_softmax(logits.flatten(0, 1), dim=-1)
    loss = F.nll_loss(log_p, labels, ignore_index=IGNORED, reduction="sum")
    with torch.no_grad():
        losses = F.nll_loss(log_p, labels, ignore_index=IGNORED, reduction="none").double()
        is_content = contents != IGNORED
        parts = torch.stack([losses[~is_content].sum(), losses[is_content].sum()])
    return loss, parts


def normaliser(rows: Sequence[EncodedRow], reduction: Reduction = "token") -> int:
    """What the sum over all rows, of all batches and workers, is divided by."""
    if reduction == "token":
        return sum(len(row.answer) for row in rows)
    return len(rows)
