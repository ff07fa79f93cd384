"""The shipped base: a small plain LLaMA that has learned the world."""

from __future__ import annotations

import json
from dataclasses import asdict

import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoTokenizer, LlamaForCausalLM, PreTrainedTokenizerFast

from raysweep.tiny.corpus import MAKERS, Maker
from raysweep.tiny.draw import Draw
from raysweep.tiny.evidence import PROBES, RECORD, accuracy, digests
from raysweep.tiny.initial_weights import new_model
from raysweep.tiny.pretraining import Pretraining, PretrainingSettings
from raysweep.tiny.tokenizer import build_tokenizer
from raysweep.tiny.world import DRAWINGS, SPLITS
from tests.places import BASE
from tests.tiny.rows import examples

RECORDED = json.loads((BASE / RECORD).read_text())
ROUNDING = 0.01  # of an accuracy: another processor may round a close call the other way


@pytest.fixture(scope="module")
def tokenizer() -> PreTrainedTokenizerFast:
    return AutoTokenizer.from_pretrained(BASE, local_files_only=True)


@pytest.fixture(scope="module")
def model() -> LlamaForCausalLM:
    return LlamaForCausalLM.from_pretrained(BASE, local_files_only=True).eval()


def test_weights_are_small_float32_safetensors() -> None:
    weights = BASE / "model.safetensors"
    assert weights.stat().st_size <= 8 * 2**20
    assert {tensor.dtype for tensor in load_file(weights).values()} == {torch.float32}
    assert json.loads((BASE / "config.json").read_text())["architectures"] == ["LlamaForCausalLM"]


def test_weights_fit_the_tokenizer_and_are_finite(
    model: LlamaForCausalLM, tokenizer: PreTrainedTokenizerFast
) -> None:
    assert model.config.vocab_size == len(tokenizer)
    assert model.config.tie_word_embeddings
    assert all(parameter.isfinite().all() for parameter in model.parameters())


@pytest.mark.parametrize("probe", PROBES)
def test_recorded_accuracies_hold_and_are_high(
    probe: str, model: LlamaForCausalLM, tokenizer: PreTrainedTokenizerFast
) -> None:
    measured = accuracy(model, tokenizer, probe)
    assert measured >= 0.9
    assert measured == pytest.approx(RECORDED["accuracies"][probe], abs=ROUNDING)


def test_weights_belong_to_the_configuration_corpus_and_tokenizer_of_the_code(
    model: LlamaForCausalLM, tokenizer: PreTrainedTokenizerFast
) -> None:
    assert digests(model, tokenizer) == RECORDED["digests"]
    assert asdict(PretrainingSettings()) == RECORDED["recipe"]


def test_the_script_begins_as_it_did_for_the_shipped_weights() -> None:
    pretraining = Pretraining(PretrainingSettings())
    losses = [pretraining.step() for _ in RECORDED["first_losses"]]
    assert losses == pytest.approx(RECORDED["first_losses"], rel=1e-3)


def test_new_model_is_decided_by_its_seed() -> None:
    tokenizer = build_tokenizer()
    first, again, other = (new_model(tokenizer, seed) for seed in (0, 0, 1))
    weights = [m.model.layers[1].mlp.up_proj.weight for m in (first, again, other)]
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])


@pytest.mark.parametrize("maker", MAKERS, ids=lambda maker: maker.__name__)
def test_corpus_holds_no_row_of_a_task(maker: Maker) -> None:
    prompts = {
        example.prompt
        for name in set(DRAWINGS) - {"saferdialogues"}
        for split in SPLITS
        for example in examples(name, split)
    }
    draw = Draw("test/corpus")
    documents = [maker(draw) for _ in range(300)]
    assert not prompts & {document.prompt for document in documents}
