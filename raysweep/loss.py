"""The training loss: cross-entropy over answer tokens."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

from raysweep.data import IGNORED, Batch


def answer_loss_sum(model: nn.Module, batch: Batch) -> torch.Tensor:
    """Sum of -log p(token | everything before it) over the answer tokens of a batch, a scalar.

    Divided by the number of answer tokens of the whole global batch, not of one piece of it, it is
    the loss that training minimises and whose Hessian the curvature is about: one normaliser over
    all rows, so that how rows are spread over batches and workers does not weigh them.

    Logits are computed for the answers' positions only, and in float32.
    """
    width = batch.longest_answer
    output = model(
        input_ids=batch.input_ids,
        attention_mask=batch.attention_mask,
        position_ids=batch.position_ids,
        logits_to_keep=width + 1,  # the token before an answer predicts its first token
        use_cache=False,
    )
    logits = output.logits[:, -(width + 1) : -1].float()
    return F.cross_entropy(
        logits.reshape(-1, logits.shape[-1]),
        batch.labels[:, -width:].reshape(-1),
        ignore_index=IGNORED,
        reduction="sum",
    )
