"""Log-likelihoods of whole answers, from two forward passes for all rows and all answers.

    log p(a | prompt) = sum_t log p(a_t | prompt, a_1 .. a_{t-1})

over all tokens of an answer, its end mark included, without length normalisation. What all prompts
begin with, the instruction, is fed once for all rows. One pass over the rest of a prompt and the
tokens that all answers share then serves every answer; a second one feeds the rest of all answers
side by side, each of which sees the prompt and itself alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import takewhile

import torch
from transformers import DynamicCache, LlamaForCausalLM

from raysweep.model.encoding import Encoded

SHORTEST_PREFIX = 8  # tokens; a shorter one is not worth a pass of its own


@dataclass(frozen=True)
class Prefix:
    """Tokens that prompts begin with, and their keys and values.

    Attributes:
        layers: per layer, keys and values of shape [1, heads, tokens, head size].
    """

    ids: Encoded
    layers: tuple[tuple[torch.Tensor, torch.Tensor], ...] = ()

    def cache(self, num_rows: int) -> DynamicCache | None:
        """A cache that holds the prefix for each of several rows; None if there is no prefix."""
        if not self.ids:
            return None
        cache = DynamicCache()
        for layer, (keys, values) in enumerate(self.layers):
            shape = (num_rows, -1, -1, -1)
            cache.update(keys.expand(shape), values.expand(shape), layer)
        return cache


def compute_prefix(model: LlamaForCausalLM, prompts: Sequence[Encoded]) -> Prefix:
    """Feeds what all prompts have in common; at least one token of each prompt is left over."""
    num_shared = _num_shared(prompts)
    if num_shared < SHORTEST_PREFIX or len(prompts) == 1:
        return Prefix(())
    ids = prompts[0][:num_shared]
    fed = torch.tensor([ids], device=model.device)
    cache = model(input_ids=fed, use_cache=True, logits_to_keep=1).past_key_values
    return Prefix(ids, tuple((layer.keys, layer.values) for layer in cache.layers))


def answer_log_probabilities(
    model: LlamaForCausalLM,
    prompts: Sequence[Encoded],
    answers: Sequence[Encoded],
    pad_token_id: int,
    prefix: Prefix = Prefix(()),  # frozen
) -> torch.Tensor:
    """Log p(answer | prompt) for every prompt and answer, float64, shape [prompts, answers].

    Args:
        answers: no one equals another.
        prefix: what all prompts begin with, computed beforehand.
    """
    num_shared, num_known = _num_shared(answers), len(prefix.ids)
    shared = answers[0][:num_shared]
    rests = [answer[num_shared:] for answer in answers]
    rows = [(*prompt[num_known:], *shared) for prompt in prompts]
    input_ids, mask = padded(rows, pad_token_id)
    mask = torch.cat([torch.ones(len(mask), num_known, dtype=mask.dtype), mask], dim=1)
    input_ids, mask = input_ids.to(model.device), mask.to(model.device)
    output = model(
        input_ids=input_ids,
        attention_mask=mask,
        position_ids=(mask.cumsum(dim=1) - 1).clamp(min=0)[:, num_known:],
        past_key_values=prefix.cache(len(prompts)),
        logits_to_keep=num_shared + 1,
        use_cache=True,
    )
    log_p: torch.Tensor = output.logits.double().log_softmax(dim=-1)
    total = _picked(log_p[:, :-1], shared)[:, None] + log_p[:, -1, [rest[0] for rest in rests]]
    if any(len(rest) > 1 for rest in rests):
        total = total + _rests(model, output.past_key_values, mask, rests)
    return total


def _rests(
    model: LlamaForCausalLM, cache: object, mask: torch.Tensor, rests: Sequence[Encoded]
) -> torch.Tensor:
    """Log p of each rest after its first token, shape [prompts, answers].

    Every rest but its last token is fed on top of the cached prompt, one after the other in one
    row; positions and mask let each follow the prompt as if it were alone.
    """
    fed = [rest[:-1] for rest in rests]
    ids = torch.tensor([token for one in fed for token in one], device=mask.device)
    steps = torch.tensor([step for one in fed for step in range(len(one))], device=mask.device)
    owner = torch.tensor([i for i, one in enumerate(fed) for _ in one], device=mask.device)
    sees = (owner[:, None] == owner) & (steps[:, None] >= steps)
    num_rows, num_fed = len(mask), len(ids)
    allowed = torch.cat(
        [
            mask.bool()[:, None, :].expand(-1, num_fed, -1),
            sees.expand(num_rows, -1, -1),
        ],
        dim=-1,
    )
    output = model(
        input_ids=ids.expand(num_rows, -1),
        attention_mask=_additive(allowed[:, None], model.dtype),
        position_ids=mask.sum(dim=1, keepdim=True) + steps,
        past_key_values=cache,
        use_cache=True,
    )
    log_p = output.logits.double().log_softmax(dim=-1)
    following = torch.tensor([token for rest in rests for token in rest[1:]], device=mask.device)
    picked = log_p[:, torch.arange(num_fed, device=mask.device), following]
    totals = torch.zeros(num_rows, len(rests), dtype=torch.float64, device=mask.device)
    return totals.index_add(1, owner, picked)


def _additive(allowed: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
    """0 where attention is allowed, the smallest number elsewhere."""
    smallest = torch.finfo(dtype).min
    return torch.zeros(allowed.shape, dtype=dtype, device=allowed.device).masked_fill(
        ~allowed, smallest
    )


def _picked(log_p: torch.Tensor, tokens: Encoded) -> torch.Tensor:
    """Sum of log p of the given tokens at successive positions, shape [rows]."""
    index = torch.tensor(tokens, dtype=torch.long, device=log_p.device)
    return log_p[:, torch.arange(len(tokens), device=log_p.device), index].sum(dim=1)


def _num_shared(rows: Sequence[Encoded]) -> int:
    """Leading tokens that all rows share; each keeps at least one of its own."""
    columns = zip(*(row[:-1] for row in rows), strict=False)
    return len(list(takewhile(lambda column: len(set(column)) == 1, columns)))


def padded(rows: Sequence[Encoded], pad_token_id: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Left-padded ids and their mask, shape [rows, tokens]."""
    width = max(map(len, rows))
    ids = torch.tensor([[pad_token_id] * (width - len(row)) + list(row) for row in rows])
    mask = torch.tensor([[0] * (width - len(row)) + [1] * len(row) for row in rows])
    return ids, mask
