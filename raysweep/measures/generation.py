"""Greedy responses: the likeliest token, one after the other, and nothing else.

No sampling, penalties, beams or stop strings, whatever a model's generation_config.json says.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from transformers import LlamaForCausalLM

from raysweep.measures.likelihood import padded
from raysweep.model.encoding import Encoded


def generate_greedily(
    model: LlamaForCausalLM,
    prompts: Sequence[Encoded],
    *,
    end: int,
    pad_token_id: int,
    max_new_tokens: int,
) -> tuple[list[Encoded], torch.Tensor]:
    """Responses up to the end mark, which is the one that training teaches, and left out.

    Returns:
        The responses, and for each whether all logits on the way to it were finite.
    """
    input_ids, mask = (one.to(model.device) for one in padded(prompts, pad_token_id))
    positions = (mask.cumsum(dim=1) - 1).clamp(min=0)
    is_running = torch.ones(len(prompts), dtype=torch.bool, device=model.device)
    is_finite = torch.ones_like(is_running)
    cache, chosen = None, []
    for _ in range(max_new_tokens):
        output = model(
            input_ids=input_ids,
            attention_mask=mask,
            position_ids=positions,
            past_key_values=cache,
            logits_to_keep=1,
            use_cache=True,
        )
        logits, cache = output.logits[:, -1], output.past_key_values
        is_finite &= logits.isfinite().all(dim=-1) | ~is_running
        token = torch.where(is_running, logits.argmax(dim=-1), end)
        chosen.append(token)
        is_running = is_running & (token != end)
        if not is_running.any():
            break
        input_ids = token[:, None]
        mask = torch.cat([mask, torch.ones_like(input_ids)], dim=1)
        positions = positions[:, -1:] + 1
    rows = torch.stack(chosen, dim=1).tolist()
    return [tuple(row[: row.index(end)] if end in row else row) for row in rows], is_finite.cpu()
