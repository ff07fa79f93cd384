"""Scoring against the slow, obvious way: one full forward pass per row and answer."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import pytest
import torch
from transformers import LlamaForCausalLM

from raysweep.measures.answers import evaluate
from raysweep.measures.likelihood import SHORTEST_PREFIX, answer_log_probabilities, compute_prefix
from raysweep.measures.scores import Prediction
from raysweep.model.encoding import encode_answer, encode_prompt
from raysweep.tasks.registry import TASKS
from raysweep.tasks.task import Task
from tests.measures.words import ANSWER_SETS, examples, word_tokenizer
from tests.models import small_llama
from tests.processes import run_group


def slow_log_probability(
    model: LlamaForCausalLM, prompt: tuple[int, ...], answer: tuple[int, ...]
) -> float:
    log_p = model(input_ids=torch.tensor([[*prompt, *answer]])).logits[0].double().log_softmax(-1)
    return sum(float(log_p[len(prompt) - 1 + i, token]) for i, token in enumerate(answer))


@torch.no_grad()
@pytest.mark.parametrize("answers", ANSWER_SETS)
@pytest.mark.parametrize("tied", [True, False])
def test_log_likelihoods_equal_one_full_forward_per_answer(
    answers: tuple[str, ...], tied: bool
) -> None:
    model, tokenizer = small_llama(tied=tied), word_tokenizer()
    prompts = [encode_prompt(e, tokenizer, 128) for e in examples(answers)]
    encoded = [encode_answer(answer, tokenizer) for answer in answers]
    fast = answer_log_probabilities(model, prompts, encoded, tokenizer.pad)
    slow = [[slow_log_probability(model, p, a) for a in encoded] for p in prompts]
    # float32 forward passes that pad and split the row differently: a few ulps of a sum near 20
    torch.testing.assert_close(fast, torch.tensor(slow, dtype=torch.float64), rtol=0, atol=2e-5)


@torch.no_grad()
@pytest.mark.parametrize("answers", ANSWER_SETS)
@pytest.mark.parametrize("common", [1, 7, 8, 40])
def test_a_common_beginning_is_fed_once_and_changes_nothing(
    answers: tuple[str, ...], common: int
) -> None:
    model, tokenizer = small_llama(), word_tokenizer()
    beginning = tuple(tokenizer.ids("one two three red " * 10))[:common]
    prompts = [(*beginning, *encode_prompt(e, tokenizer, 128)) for e in examples(answers)]
    prefix = compute_prefix(model, prompts)
    # the beginning, the mark and the instruction's three words, if they are worth it
    assert len(prefix.ids) == (common + 4 if common + 4 >= SHORTEST_PREFIX else 0)
    encoded = [encode_answer(answer, tokenizer) for answer in answers]
    pad = tokenizer.pad
    with_prefix = answer_log_probabilities(model, prompts, encoded, pad, prefix)
    again = answer_log_probabilities(model, prompts[:3], encoded, pad, prefix)
    without = answer_log_probabilities(model, prompts, encoded, pad)
    # float32 forward passes that split the row differently: a few ulps of a sum near 20
    torch.testing.assert_close(with_prefix, without, rtol=0, atol=2e-5)
    torch.testing.assert_close(again, without[:3], rtol=0, atol=2e-5)


def test_a_prompt_that_is_all_prefix_keeps_a_token() -> None:
    prompts = [tuple(range(3, 15)), tuple(range(3, 18))]
    with torch.no_grad():
        assert compute_prefix(small_llama(), prompts).ids == tuple(range(3, 14))
        assert compute_prefix(small_llama(), prompts[:1]).ids == ()


def _task(answers: tuple[str, ...]) -> Task:
    return dataclasses.replace(TASKS["toxigen"], labels=answers)


def _evaluated(answers: tuple[str, ...], batch_size: int) -> list[Prediction]:
    return evaluate(
        small_llama(),
        word_tokenizer(),
        _task(answers),
        examples(answers),
        sequence_limit=64,
        batch_size=batch_size,
    )


def test_predictions_are_the_likeliest_answers_in_the_order_of_the_examples() -> None:
    answers = ANSWER_SETS[0]
    predictions = _evaluated(answers, 5)
    assert [p.example_id for p in predictions] == [e.id for e in examples(answers)]
    for prediction, example in zip(predictions, examples(answers), strict=True):
        best = max(range(2), key=lambda i: prediction.log_probabilities[i])
        assert prediction.prediction == answers[best]
        assert prediction.correct == (best == example.label)
        assert prediction.answer == answers[example.label]
        assert prediction.groups == example.groups


@pytest.mark.distributed
@pytest.mark.parametrize("world", [2, 3])
def test_workers_share_the_rows_and_all_get_every_prediction(world: int) -> None:
    answers = ANSWER_SETS[0]
    alone = _evaluated(answers, 100)
    for together in run_group(world, _evaluated, answers, 4):
        assert [p.prediction for p in together] == [p.prediction for p in alone]
        for one, other in zip(together, alone, strict=True):
            assert one.log_probabilities == pytest.approx(other.log_probabilities, abs=2e-5)


def test_generated_responses_are_judged_as_text() -> None:
    task = TASKS["saferdialogues"]
    rows = [dataclasses.replace(e, answers=(), target="red") for e in examples(("red",), 5)]
    seen: list[str] = []

    def judge(responses: Sequence[str]) -> list[bool]:
        seen.extend(responses)
        return [len(response) % 2 == 0 for response in responses]

    predictions = evaluate(
        small_llama(), word_tokenizer(), task, rows, sequence_limit=100, batch_size=2, judge=judge
    )
    assert len(predictions) == len(seen) == 5
    assert all(p.correct == (len(p.prediction) % 2 == 0) for p in predictions)
    assert all("</s>" not in p.prediction for p in predictions)


def test_a_generative_task_without_a_judge_is_refused() -> None:
    with pytest.raises(ValueError, match="needs a judge"):
        evaluate(
            small_llama(),
            word_tokenizer(),
            TASKS["saferdialogues"],
            [],
            sequence_limit=64,
            batch_size=2,
        )
