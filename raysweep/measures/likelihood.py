"""Log-likelihoods of whole answers, from two forward passes for all rows and all answers.

    log p(a | prompt) = sum_t log p(a_t | prompt, a_1 .. a_{t-1})

over all tokens of an answer, its end mark included, without length normalisation. What all prompts
begin with, the instruction, is fed once for all rows. One pass over the rest of a prompt and the
tokens that all answers share then serves every answer; a second one feeds the rest of all answers
side by side, each of which sees the prompt and itself alone.

The same passes tell the summands of format and content apart (see `parts`), and whether an answer
is what the model would say: each of its tokens the likeliest of the whole vocabulary.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from transformers import DynamicCache, LlamaForCausalLM

from raysweep.model.encoding import Encoded
from raysweep.model.parts import num_shared, shared_ends

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


@dataclass(frozen=True)
class AnswerScores:
    """Of every prompt and answer; all of shape [prompts, answers], logarithms in float64.

    Attributes:
        whole: log p(answer | prompt).
        format, content: the summands of the tokens that all answers share, and of the others; they
            add up to the whole.
        is_greedy: whether the answer with its end mark is the prompt's greedy continuation. Of
            equally likely tokens the one counts that argmax takes, as in generation.
    """

    whole: torch.Tensor
    format: torch.Tensor
    content: torch.Tensor
    is_greedy: torch.Tensor

    def followed_by(self, rest: AnswerScores) -> AnswerScores:
        """Those of answers of which ``rest`` is the end."""
        return AnswerScores(
            self.whole + rest.whole,
            self.format + rest.format,
            self.content + rest.content,
            self.is_greedy & rest.is_greedy,
        )

    def cpu(self) -> AnswerScores:
        """The same on the CPU."""
        return AnswerScores(*(tensor.cpu() for tensor in vars(self).values()))


def compute_prefix(model: LlamaForCausalLM, prompts: Sequence[Encoded]) -> Prefix:
    """Feeds what all prompts have in common; at least one token of each prompt is left over."""
    num_common = num_shared(prompts)
    if num_common < SHORTEST_PREFIX or len(prompts) == 1:
        return Prefix(())
    ids = prompts[0][:num_common]
    fed = torch.tensor([ids], device=model.device)
    cache = model(input_ids=fed, use_cache=True, logits_to_keep=1).past_key_values
    return Prefix(ids, tuple((layer.keys, layer.values) for layer in cache.layers))


def score_answers(
    model: LlamaForCausalLM,
    prompts: Sequence[Encoded],
    answers: Sequence[Encoded],
    pad_token_id: int,
    prefix: Prefix = Prefix(()),  # frozen
) -> AnswerScores:
    """How likely every answer is after every prompt.

    Args:
        answers: no one equals another.
        prefix: what all prompts begin with, computed beforehand.
    """
    (num_first, num_last), num_known = shared_ends(answers), len(prefix.ids)
    shared = answers[0][:num_first]
    rests = [answer[num_first:] for answer in answers]
    rows = [(*prompt[num_known:], *shared) for prompt in prompts]
    input_ids, mask = padded(rows, pad_token_id)
    mask = torch.cat([torch.ones(len(mask), num_known, dtype=mask.dtype), mask], dim=1)
    input_ids, mask = input_ids.to(model.device), mask.to(model.device)
    output = model(
        input_ids=input_ids,
        attention_mask=mask,
        position_ids=(mask.cumsum(dim=1) - 1).clamp(min=0)[:, num_known:],
        past_key_values=prefix.cache(len(prompts)),
        logits_to_keep=num_first + 1,
        use_cache=True,
    )
    scores = _beginnings(output.logits, shared, [rest[0] for rest in rests])
    if any(len(rest) > 1 for rest in rests):
        scores = scores.followed_by(_rests(model, output.past_key_values, mask, rests, num_last))
    return scores


def _beginnings(logits: torch.Tensor, shared: Encoded, firsts: Sequence[int]) -> AnswerScores:
    """Of what all answers begin with, and of the first token after it, which is content."""
    log_p: torch.Tensor = logits.double().log_softmax(dim=-1)
    likeliest = logits.argmax(dim=-1)
    tokens = torch.tensor(shared, dtype=torch.long, device=logits.device)
    places = torch.arange(len(shared), device=logits.device)
    opening = log_p[:, places, tokens].sum(dim=1)[:, None]
    first = log_p[:, -1, list(firsts)]
    is_greedy = (likeliest[:, :-1] == tokens).all(dim=1)[:, None]
    is_greedy = is_greedy & (likeliest[:, -1:] == torch.tensor(firsts, device=logits.device))
    return AnswerScores(opening + first, opening.expand_as(first), first, is_greedy)


def _rests(
    model: LlamaForCausalLM,
    cache: object,
    mask: torch.Tensor,
    rests: Sequence[Encoded],
    num_last: int,
) -> AnswerScores:
    """Of each rest after its first token.

    Every rest but its last token is fed on top of the cached prompt, one after the other in one
    row; positions and mask let each follow the prompt as if it were alone.

    Args:
        num_last: tokens that all rests end with, which are format.
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
    left = torch.tensor([len(one) - step for one in fed for step in range(len(one))])
    is_format = (left <= num_last).to(mask.device)
    totals = torch.zeros(num_rows, len(rests), dtype=torch.float64, device=mask.device)
    is_other = (output.logits.argmax(dim=-1) != following).double()
    return AnswerScores(
        totals.index_add(1, owner, picked),
        totals.index_add(1, owner, picked * is_format),
        totals.index_add(1, owner, picked * ~is_format),
        totals.index_add(1, owner, is_other) == 0,
    )


def _additive(allowed: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
    """0 where attention is allowed, the smallest number elsewhere."""
    smallest = torch.finfo(dtype).min
    return torch.zeros(allowed.shape, dtype=dtype, device=allowed.device).masked_fill(
        ~allowed, smallest
    )


def padded(rows: Sequence[Encoded], pad_token_id: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Left-padded ids and their mask, shape [rows, tokens]."""
    width = max(map(len, rows))
    ids = torch.tensor([[pad_token_id] * (width - len(row)) + list(row) for row in rows])
    mask = torch.tensor([[0] * (width - len(row)) + [1] * len(row) for row in rows])
    return ids, mask
