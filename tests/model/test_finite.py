"""Numbers that are none are told with their place, by every worker, and nothing is published."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
import torch
from transformers import LlamaForCausalLM

from raysweep.measures.answers import evaluate
from raysweep.measures.generation import generate_greedily
from raysweep.measures.judge import ToxicityJudge
from raysweep.measures.judge_conversion import convert
from raysweep.measures.scores import Verdict
from raysweep.model.finite import NotFiniteError, describe, first_not_finite
from raysweep.tasks.registry import TASKS
from raysweep.training.settings import Hyperparameters, WorkerSettings
from raysweep.training.stage import DivergedError, train_stage
from tests.classifiers import publish_classifier
from tests.measures.words import ANSWER_SETS, examples, word_tokenizer
from tests.models import random_rows, small_llama
from tests.processes import run_group

ANSWERS = ANSWER_SETS[0]
NAN, INF = float("nan"), float("inf")


def spoiled(name: str, value: float) -> LlamaForCausalLM:
    model = small_llama(tied=False)
    with torch.no_grad():
        model.get_parameter(name).view(-1)[0] = value
    return model


@pytest.mark.parametrize("value", [NAN, INF, -INF])
@pytest.mark.parametrize("name", ["model.layers.1.mlp.up_proj.weight", "lm_head.weight"])
def test_the_parameter_is_named(name: str, value: float) -> None:
    model = spoiled(name, value)
    assert first_not_finite(dict(model.named_parameters())) == name
    assert describe(model, (3, 4)) == f"parameter {name} is not finite"


def test_the_layer_whose_result_overflows_is_named() -> None:
    model = small_llama()
    with torch.no_grad():
        mlp = model.model.layers[1].mlp
        mlp.down_proj.weight.fill_(3e38)
        mlp.up_proj.weight.mul_(1e20)
        mlp.gate_proj.weight.mul_(1e20)
    assert describe(model, (3, 4)) == "the result of model.layers.1.mlp.down_proj is not finite"


def _evaluated(rank_with_nan: int | None, generative: bool) -> str:
    import torch.distributed as dist

    rank = dist.get_rank() if dist.is_initialized() else 0
    is_bad = rank_with_nan in (None, rank)
    model = spoiled("model.norm.weight", NAN) if is_bad else small_llama(tied=False)
    rows = examples(ANSWERS)
    task = dataclasses.replace(TASKS["toxigen"], labels=ANSWERS)
    if generative:
        task = TASKS["saferdialogues"]
        rows = [dataclasses.replace(row, answers=(), target="red") for row in rows]
    try:
        evaluate(
            *(model, word_tokenizer(), task, rows),
            sequence_limit=100,
            batch_size=4,
            judge=(lambda texts: [Verdict(True)] * len(texts)) if generative else None,
        )
    except NotFiniteError as error:
        return str(error)
    return ""


@pytest.mark.parametrize("generative", [False, True])
def test_an_evaluation_without_numbers_is_none(generative: bool) -> None:
    told = _evaluated(None, generative)
    assert "the model's numbers for row 0 are none: parameter model.norm.weight" in told


@pytest.mark.distributed
def test_all_workers_hear_of_it_though_one_has_met_it() -> None:
    first, second = run_group(2, _evaluated, 1, False)
    assert "parameter model.norm.weight is not finite" in first
    assert first == second


def _trained() -> str:
    """One step, whose weight decay takes a weight that no row looks up beyond float32."""
    settings = Hyperparameters(
        learning_rate=10.0,
        weight_decay=0.5,
        num_steps=1,
        global_batch_size=4,
        sequence_limit=128,
    )
    model, workers = small_llama(tied=False), WorkerSettings(zero_stage=2)
    with torch.no_grad():
        model.model.embed_tokens.weight[1] = 3e38
    try:
        train_stage(model, random_rows(12), settings, 0, workers, pad_token_id=0)
    except DivergedError as error:
        return str(error)
    return ""


@pytest.mark.distributed
def test_the_last_step_is_looked_at_too() -> None:
    assert (
        run_group(2, _trained)
        == ["parameter model.embed_tokens.weight is not finite after step 1, the last"] * 2
    )


def test_generation_says_which_row() -> None:
    model = small_llama()
    with torch.no_grad():
        model.model.embed_tokens.weight[7] = NAN
    model.lm_head.weight = torch.nn.Parameter(torch.randn(97, 32))
    options = {"end": 2, "pad_token_id": 0, "max_new_tokens": 1}
    _, is_finite = generate_greedily(model, [(3, 4), (3, 7, 4), (5,)], **options)
    assert is_finite.tolist() == [True, False, True]


def test_a_judge_without_numbers(tmp_path: Path) -> None:
    published = publish_classifier(tmp_path / "published", ["a b c"])
    state = torch.load(published / "pytorch_model.bin", weights_only=True)
    state["classifier.out_proj.bias"][0] = NAN
    torch.save(state, published / "pytorch_model.bin")
    folder = convert(str(published), tmp_path / "judge", "LABEL_1")
    with pytest.raises(FloatingPointError, match="the judge's logits are not finite"):
        ToxicityJudge(folder, torch.device("cpu"), 2)(["a"])
