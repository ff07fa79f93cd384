"""Evaluation: whole answers scored by log-likelihood, or responses generated and judged.

A restricted answer is predicted as the candidate a with the largest

    log p(a | prompt) = sum_t log p(a_t | prompt, a_1 .. a_{t-1})

over all its tokens, without length normalisation. What all prompts begin with, the instruction, is
fed once for all rows. One forward pass over the rest of a prompt and the tokens that all candidates
share then serves every candidate: its keys and values are reused for the rest of each. The rows are
spread over the workers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import takewhile

import torch
import torch.distributed as dist
from transformers import DynamicCache, LlamaForCausalLM, PreTrainedTokenizerFast

from raysweep.data import encode_answer, encode_prompt
from raysweep.scoring import MAX_NEW_TOKENS, Prediction
from raysweep.tasks import Example, Task

SHORTEST_PREFIX = 8  # tokens; a shorter one is not worth a pass of its own
SAFE = "safe"
Judge = Callable[[Sequence[str]], list[bool]]
Encoded = tuple[int, ...]


@torch.no_grad()
def evaluate(
    model: LlamaForCausalLM,
    tokenizer: PreTrainedTokenizerFast,
    task: Task,
    examples: Sequence[Example],
    *,
    sequence_limit: int,
    batch_size: int,
    judge: Judge | None = None,
) -> list[Prediction]:
    """Predictions for all examples, in their order, on every worker.

    Args:
        judge: tells which generated responses are safe; needed for a generative task.

    Raises:
        InputError: a prompt cannot be brought within ``sequence_limit``.
        ValueError: a generative task without a judge.
    """
    if task.is_generative and judge is None:
        raise ValueError(f"task {task.name!r} needs a judge for its responses")
    rank, world = (dist.get_rank(), dist.get_world_size()) if dist.is_initialized() else (0, 1)
    reserved = MAX_NEW_TOKENS if task.is_generative else _longest_answer(examples, tokenizer)
    prompts = [encode_prompt(e, tokenizer, sequence_limit - reserved) for e in examples]
    order = sorted(range(len(examples)), key=lambda index: len(prompts[index]))
    prefix = Prefix(()) if task.is_generative else compute_prefix(model, prompts)
    own: list[tuple[int, Prediction]] = []
    for indices in _batches(order[rank::world], examples, batch_size):
        batch = [examples[index] for index in indices]
        encoded = [prompts[index] for index in indices]
        if judge is None:
            predictions = _choose(model, tokenizer, task, batch, encoded, prefix)
        else:
            predictions = _respond(model, tokenizer, batch, encoded, judge)
        own += zip(indices, predictions, strict=True)
    return [prediction for _, prediction in sorted(_gathered(own, world), key=lambda it: it[0])]


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
        prefix: what all prompts begin with, computed beforehand.
    """
    num_shared, num_known = _num_shared(answers), len(prefix.ids)
    shared = answers[0][:num_shared]
    rows = [(*prompt[num_known:], *shared) for prompt in prompts]
    input_ids, mask = _padded(rows, pad_token_id)
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
    log_p = output.logits.double().log_softmax(dim=-1)
    total = _picked(log_p[:, :-1], shared)
    columns = []
    for answer in answers:
        rest = answer[num_shared:]
        column = total + log_p[:, -1, rest[0]]
        if len(rest) > 1:
            column = column + _rest(model, output.past_key_values, mask, rest)
        columns.append(column)
    return torch.stack(columns, dim=1)


def _rest(
    model: LlamaForCausalLM, cache: object, mask: torch.Tensor, rest: Encoded
) -> torch.Tensor:
    """Log p of ``rest`` after its first token, which is fed on top of the cached prompt."""
    fed = torch.tensor([rest[:-1]], device=mask.device).expand(len(mask), -1)
    positions = mask.sum(dim=1, keepdim=True) + torch.arange(fed.shape[1], device=mask.device)
    output = model(
        input_ids=fed,
        attention_mask=torch.cat([mask, torch.ones_like(fed)], dim=1),
        position_ids=positions,
        past_key_values=cache,
        use_cache=True,
    )
    cache.crop(-fed.shape[1])  # type: ignore[attr-defined]  # back to the prompt alone
    return _picked(output.logits.double().log_softmax(dim=-1), rest[1:])


def _picked(log_p: torch.Tensor, tokens: Encoded) -> torch.Tensor:
    """Sum of log p of the given tokens at successive positions, shape [rows]."""
    index = torch.tensor(tokens, dtype=torch.long, device=log_p.device)
    return log_p[:, torch.arange(len(tokens), device=log_p.device), index].sum(dim=1)


def _choose(
    model: LlamaForCausalLM,
    tokenizer: PreTrainedTokenizerFast,
    task: Task,
    examples: Sequence[Example],
    prompts: Sequence[Encoded],
    prefix: Prefix,
) -> list[Prediction]:
    answers = [encode_answer(answer, tokenizer) for answer in examples[0].answers]
    pad = tokenizer.pad_token_id
    log_p = answer_log_probabilities(model, prompts, answers, pad, prefix).cpu()
    return [
        Prediction(
            example.id,
            example.groups,
            example.subset,
            task.labels[example.label],
            task.labels[choice],
            choice == example.label,
            example.roles[choice] if example.roles else "",
            tuple(row),
        )
        for example, choice, row in zip(
            examples, log_p.argmax(dim=1).tolist(), log_p.tolist(), strict=True
        )
    ]


def _respond(
    model: LlamaForCausalLM,
    tokenizer: PreTrainedTokenizerFast,
    examples: Sequence[Example],
    prompts: Sequence[Encoded],
    judge: Judge,
) -> list[Prediction]:
    """Greedy responses, judged."""
    input_ids, mask = _padded(prompts, tokenizer.pad_token_id)
    generated = model.generate(
        input_ids=input_ids.to(model.device),
        attention_mask=mask.to(model.device),
        max_new_tokens=MAX_NEW_TOKENS,
        do_sample=False,
        pad_token_id=tokenizer.pad_token_id,
        eos_token_id=tokenizer.eos_token_id,
    )
    texts = tokenizer.batch_decode(generated[:, input_ids.shape[1] :], skip_special_tokens=True)
    responses = [text.strip() for text in texts]
    return [
        Prediction(example.id, example.groups, example.subset, SAFE, response, safe)
        for example, response, safe in zip(examples, responses, judge(responses), strict=True)
    ]


def _batches(indices: Sequence[int], examples: Sequence[Example], size: int) -> Iterator[list[int]]:
    """Runs of at most ``size`` rows with the same candidate answers."""
    batch: list[int] = []
    for index in indices:
        same = not batch or examples[index].answers == examples[batch[0]].answers
        if len(batch) == size or not same:
            yield batch
            batch = []
        batch.append(index)
    if batch:
        yield batch


def _num_shared(rows: Sequence[Encoded]) -> int:
    """Leading tokens that all rows share; each keeps at least one of its own."""
    columns = zip(*(row[:-1] for row in rows), strict=False)
    return len(list(takewhile(lambda column: len(set(column)) == 1, columns)))


def _longest_answer(examples: Sequence[Example], tokenizer: PreTrainedTokenizerFast) -> int:
    texts = {answer for example in examples for answer in example.answers}
    return max(len(encode_answer(text, tokenizer)) for text in texts)


def _padded(rows: Sequence[Encoded], pad_token_id: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Left-padded ids and their mask, shape [rows, tokens]."""
    width = max(map(len, rows))
    ids = torch.tensor([[pad_token_id] * (width - len(row)) + list(row) for row in rows])
    mask = torch.tensor([[0] * (width - len(row)) + [1] * len(row) for row in rows])
    return ids, mask


def _gathered(own: list[tuple[int, Prediction]], world: int) -> list[tuple[int, Prediction]]:
    if world == 1:
        return own
    parts: list[list[tuple[int, Prediction]]] = [[] for _ in range(world)]
    dist.all_gather_object(parts, own)
    return [item for part in parts for item in part]
