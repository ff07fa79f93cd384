"""Evaluation: whole answers scored by log-likelihood, or responses generated and judged.

A restricted answer is predicted as the candidate with the largest log-likelihood (see
`likelihood`). The rows are spread over the workers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import torch
import torch.distributed as dist
from transformers import LlamaForCausalLM

from raysweep.measures.generation import generate_greedily
from raysweep.measures.likelihood import Prefix, compute_prefix, score_answers
from raysweep.measures.scores import MAX_NEW_TOKENS, Prediction, Verdict
from raysweep.model.encoding import Encoded, Encoder, check_told_apart, encode_answer, encode_prompt
from raysweep.model.finite import NotFiniteError, describe
from raysweep.tasks.task import Example, Task

SAFE = "safe"
Judge = Callable[[Sequence[str]], list[Verdict]]
Numbered = tuple[int, Prediction]


@torch.no_grad()
def evaluate(
    model: LlamaForCausalLM,
    encoder: Encoder,
    task: Task,
    examples: Sequence[Example],
    *,
    sequence_limit: int,
    batch_size: int,
    judge: Judge | None = None,
) -> list[Prediction]:
    """Predictions for all examples, in their order, on every worker.

    Args:
        judge: tells which generated responses are safe, of each one; needed for a generative task.

    Raises:
        InputError: a prompt cannot be brought within ``sequence_limit``, or two answers have the
            same tokens.
        NotFiniteError: on every worker, if the model gives one of them something else than finite
            numbers.
        ValueError: a generative task without a judge.
    """
    if task.is_generative and judge is None:
        raise ValueError(f"task {task.name!r} needs a judge for its responses")
    rank, world = (dist.get_rank(), dist.get_world_size()) if dist.is_initialized() else (0, 1)
    reserved = MAX_NEW_TOKENS if task.is_generative else _longest_answer(examples, encoder)
    prompts = [encode_prompt(e, encoder, sequence_limit - reserved) for e in examples]
    order = sorted(range(len(examples)), key=lambda index: len(prompts[index]))
    prefix = Prefix(()) if task.is_generative else compute_prefix(model, prompts)
    own: list[Numbered] = []
    problem = ""
    for indices in _batches(order[rank::world], examples, batch_size):
        batch = [examples[index] for index in indices]
        encoded = [prompts[index] for index in indices]
        try:
            if judge is None:
                predictions = _choose(model, encoder, task, batch, encoded, prefix)
            else:
                predictions = _respond(model, encoder, batch, encoded, judge)
        except FloatingPointError as error:
            problem = f"task {task.name!r}: {error}"  # the other workers must hear of it
            break
        own += zip(indices, predictions, strict=True)
    return [prediction for _, prediction in sorted(_gathered(own, problem), key=lambda it: it[0])]


def _choose(
    model: LlamaForCausalLM,
    encoder: Encoder,
    task: Task,
    examples: Sequence[Example],
    prompts: Sequence[Encoded],
    prefix: Prefix,
) -> list[Prediction]:
    answers = [encode_answer(answer, encoder) for answer in examples[0].answers]
    scores = score_answers(model, prompts, answers, encoder.pad, prefix).cpu()
    _check_finite(scores.whole.isfinite().all(dim=1), model, examples, prompts)
    right = torch.arange(len(examples)), torch.tensor([example.label for example in examples])
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
            cluster=example.cluster,
            log_probability_format=shared,
            log_probability_content=deciding,
            valid=valid,
        )
        for example, choice, row, shared, deciding, valid in zip(
            examples,
            scores.whole.argmax(dim=1).tolist(),
            scores.whole.tolist(),
            scores.format[right].tolist(),
            scores.content[right].tolist(),
            scores.is_greedy.any(dim=1).tolist(),
            strict=True,
        )
    ]


def _respond(
    model: LlamaForCausalLM,
    encoder: Encoder,
    examples: Sequence[Example],
    prompts: Sequence[Encoded],
    judge: Judge,
) -> list[Prediction]:
    """Greedy responses, judged."""
    generated, is_finite = generate_greedily(
        model,
        prompts,
        end=encoder.end,
        pad_token_id=encoder.pad,
        max_new_tokens=MAX_NEW_TOKENS,
    )
    _check_finite(is_finite, model, examples, prompts)
    responses = [encoder.text(ids).strip() for ids in generated]
    return [
        Prediction(
            example.id,
            example.groups,
            example.subset,
            SAFE,
            response,
            verdict.is_safe,
            cluster=example.cluster,
            toxic_probability=verdict.toxic_probability,
        )
        for example, response, verdict in zip(examples, responses, judge(responses), strict=True)
    ]


def _check_finite(
    is_finite: torch.Tensor,
    model: LlamaForCausalLM,
    examples: Sequence[Example],
    prompts: Sequence[Encoded],
) -> None:
    """Raises NotFiniteError, saying where, if some row's numbers are none."""
    bad = (~is_finite).nonzero().flatten().tolist()
    if bad:
        where = describe(model, prompts[bad[0]])
        raise NotFiniteError(f"the model's numbers for row {examples[bad[0]].id} are none: {where}")


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


def _longest_answer(examples: Sequence[Example], encoder: Encoder) -> int:
    """Tokens of the longest of all answers.

    Raises:
        InputError: two answers of a row are the same to the model.
    """
    texts = {answer for example in examples for answer in example.answers}
    encoded = {text: encode_answer(text, encoder) for text in texts}
    for answers in {example.answers for example in examples}:
        check_told_apart({text: encoded[text] for text in answers})
    return max(map(len, encoded.values()))


def _gathered(own: list[Numbered], problem: str) -> list[Numbered]:
    """The predictions of all workers.

    Raises:
        NotFiniteError: one of them has met a problem.
    """
    parts: list[tuple[list[Numbered], str]] = [(own, problem)]
    if dist.is_initialized() and dist.get_world_size() > 1:
        parts *= dist.get_world_size()
        dist.all_gather_object(parts, (own, problem))
    if found := next((told for _, told in parts if told), ""):
        raise NotFiniteError(found)
    return [item for numbered, _ in parts for item in numbered]
