"""Scoring against the slow, obvious way: one full forward pass per row and answer."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import pytest
import torch
from transformers import LlamaForCausalLM

from raysweep.measures.answers import evaluate
from raysweep.measures.generation import generate_greedily
from raysweep.measures.likelihood import SHORTEST_PREFIX, compute_prefix, score_answers
from raysweep.measures.scores import Prediction, Verdict
from raysweep.model.encoding import encode_answer, encode_prompt
from raysweep.model.llama import load_model
from raysweep.model.tokenizer import load_encoder
from raysweep.tasks.registry import TASKS
from raysweep.tasks.settings import DataSettings
from raysweep.tasks.splits import load_splits
from raysweep.tasks.task import Task
from tests.measures.words import ANSWER_SETS, examples, word_tokenizer
from tests.models import small_llama
from tests.places import BASE
from tests.processes import run_group


def slow_summands(
    model: LlamaForCausalLM, prompt: tuple[int, ...], answer: tuple[int, ...]
) -> list[float]:
    """Log p of each token of an answer."""
    log_p = model(input_ids=torch.tensor([[*prompt, *answer]])).logits[0].double().log_softmax(-1)
    return [float(log_p[len(prompt) - 1 + i, token]) for i, token in enumerate(answer)]


@torch.no_grad()
@pytest.mark.parametrize("answers", ANSWER_SETS)
@pytest.mark.parametrize("tied", [True, False])
def test_log_likelihoods_equal_one_full_forward_per_answer(
    answers: tuple[str, ...], tied: bool
) -> None:
    model, tokenizer = small_llama(tied=tied), word_tokenizer()
    prompts = [encode_prompt(e, tokenizer, 128) for e in examples(answers)]
    encoded = [encode_answer(answer, tokenizer) for answer in answers]
    fast = score_answers(model, prompts, encoded, tokenizer.pad).whole
    slow = [[sum(slow_summands(model, p, a)) for a in encoded] for p in prompts]
    # float32 forward passes that pad and split the row differently: a few ulps of a sum near 20
    torch.testing.assert_close(fast, torch.tensor(slow, dtype=torch.float64), rtol=0, atol=2e-5)


FORMATS = ((2, 2), (4, 2), (0, 1), (1, 0))
"""Tokens before and after the content in each of the sets of answers, counted by hand."""


@torch.no_grad()
@pytest.mark.parametrize(("answers", "ends"), zip(ANSWER_SETS, FORMATS, strict=True))
def test_the_parts_are_sums_over_their_own_tokens(
    answers: tuple[str, ...], ends: tuple[int, int]
) -> None:
    model, tokenizer = small_llama(), word_tokenizer()
    prompts = [encode_prompt(e, tokenizer, 128) for e in examples(answers)]
    encoded = [encode_answer(answer, tokenizer) for answer in answers]
    scores = score_answers(model, prompts, encoded, tokenizer.pad)
    for row, prompt in enumerate(prompts):
        for column, answer in enumerate(encoded):
            summands = slow_summands(model, prompt, answer)
            deciding = summands[ends[0] : len(summands) - ends[1]]
            assert deciding
            assert float(scores.content[row, column]) == pytest.approx(sum(deciding), abs=2e-5)
    # float64 sums of the same numbers in another order
    torch.testing.assert_close(scores.format + scores.content, scores.whole, rtol=1e-14, atol=0)


def greedy(model: LlamaForCausalLM, prompt: tuple[int, ...], length: int) -> tuple[int, ...]:
    """So many of the likeliest tokens, each from a forward pass over all before it."""
    said: tuple[int, ...] = ()
    for _ in range(length):
        logits = model(input_ids=torch.tensor([[*prompt, *said]])).logits
        said = (*said, int(logits[0, -1].argmax()))
    return said


@torch.no_grad()
@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("length", [1, 2, 5])
def test_an_answer_is_greedy_where_the_model_would_say_it(seed: int, length: int) -> None:
    """Candidates are what the model says to some prompts, and that with one other token."""
    model, tokenizer = small_llama(seed), word_tokenizer()
    prompts = [encode_prompt(e, tokenizer, 128) for e in examples(("red", "blue"))]
    said = [greedy(model, prompt, length) for prompt in prompts]
    others = [(*said[0][:at], (said[0][at] + 1) % 90, *said[0][at + 1 :]) for at in range(length)]
    longer = (*said[0], (said[0][-1] + 2) % 90)
    answers = list(dict.fromkeys([*said[:3], *others, longer]))
    scores = score_answers(model, prompts, answers, tokenizer.pad)
    wanted = [[one == text[: len(one)] for one in answers] for text in said]
    for row, prompt in enumerate(prompts):
        wanted[row][-1] = greedy(model, prompt, len(longer)) == longer
    assert scores.is_greedy.tolist() == wanted
    assert any(map(any, wanted))
    assert not all(map(all, wanted))


def test_of_equally_likely_tokens_the_one_counts_that_argmax_takes() -> None:
    model, tokenizer = small_llama(tied=False), word_tokenizer()
    with torch.no_grad():
        model.lm_head.weight.zero_()
        prompts = [encode_prompt(e, tokenizer, 128) for e in examples(("red", "blue"), 2)]
        (first,) = greedy(model, prompts[0], 1)
        scores = score_answers(model, prompts, [(first,), (first + 1,)], tokenizer.pad)
    assert scores.is_greedy.tolist() == [[True, False]] * 2
    assert scores.whole.unique().numel() == 1


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
    with_prefix = score_answers(model, prompts, encoded, pad, prefix).whole
    again = score_answers(model, prompts[:3], encoded, pad, prefix).whole
    without = score_answers(model, prompts, encoded, pad).whole
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
        parts = prediction.log_probability_format, prediction.log_probability_content
        assert None not in parts
        right = prediction.log_probabilities[example.label]
        assert sum(part or 0.0 for part in parts) == pytest.approx(right, rel=1e-14)
        assert prediction.valid is False, "a fresh model says none of them"


@pytest.mark.parametrize(("name", "is_instructed"), [("bbq", True), ("csqa2", False)])
def test_valid_answers_are_those_that_the_model_generates(name: str, is_instructed: bool) -> None:
    """Of the embedded base, which gives most answers in their form, and other text to some rows."""
    encoder, model, task = load_encoder(BASE, 1252), load_model(BASE, "float32"), TASKS[name]
    test = load_splits(task, DataSettings(num_train=26, num_test=66)).test
    rows = [row if is_instructed else dataclasses.replace(row, instruction="") for row in test]
    found = evaluate(model, encoder, task, rows, sequence_limit=512, batch_size=16)
    with torch.no_grad():
        said, _ = generate_greedily(
            model,
            [encode_prompt(row, encoder, 500) for row in rows],
            end=encoder.end,
            pad_token_id=encoder.pad,
            max_new_tokens=12,
        )
    wanted = [
        (*ids, encoder.end) in {encode_answer(answer, encoder) for answer in row.answers}
        for ids, row in zip(said, rows, strict=True)
    ]
    assert [one.valid for one in found] == wanted
    assert 0 < sum(wanted) < len(wanted)


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

    def judge(responses: Sequence[str]) -> list[Verdict]:
        seen.extend(responses)
        return [Verdict(len(text) % 2 == 0, len(text) / 1000) for text in responses]

    predictions = evaluate(
        small_llama(), word_tokenizer(), task, rows, sequence_limit=100, batch_size=2, judge=judge
    )
    assert len(predictions) == len(seen) == 5
    assert all(p.correct == (len(p.prediction) % 2 == 0) for p in predictions)
    assert [p.toxic_probability for p in predictions] == [
        len(p.prediction) / 1000 for p in predictions
    ]
    assert all("</s>" not in p.prediction for p in predictions)
    assert {
        (p.log_probability_format, p.log_probability_content, p.valid) for p in predictions
    } == {(None, None, None)}


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
