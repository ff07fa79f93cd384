"""The shipped base: a small plain LLaMA that has learned the world."""

import json

import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoTokenizer, LlamaForCausalLM

from raysweep.tasks import TASKS
from raysweep.tiny import BASE
from raysweep.tiny.architecture import new_model
from raysweep.tiny.corpus import EVERYTHING
from raysweep.tiny.draw import Draw
from raysweep.tiny.facts import FACTS, RELATIONS
from raysweep.tiny.lexicon import THINGS
from raysweep.tiny.tokenizer import build_tokenizer
from raysweep.tiny.world import RECIPES, SPLITS, read_split

CHANCE_OF_A_VALUE = 1 / 8


@pytest.fixture(scope="module")
def tokenizer():
    return AutoTokenizer.from_pretrained(BASE, local_files_only=True)


@pytest.fixture(scope="module")
def model():
    return LlamaForCausalLM.from_pretrained(BASE, local_files_only=True).eval()


def test_weights_are_small_float32_safetensors():
    weights = BASE / "model.safetensors"
    assert weights.stat().st_size <= 8 * 2**20
    assert {tensor.dtype for tensor in load_file(weights).values()} == {torch.float32}
    assert json.loads((BASE / "config.json").read_text())["architectures"] == ["LlamaForCausalLM"]


def test_weights_fit_the_tokenizer_and_are_finite(model, tokenizer):
    assert model.config.vocab_size == len(tokenizer)
    assert model.config.tie_word_embeddings
    assert all(parameter.isfinite().all() for parameter in model.parameters())


@torch.no_grad()
def test_base_knows_facts(model, tokenizer):
    draw, num_right = Draw("test/facts"), 0
    for _ in range(200):
        thing, relation = draw.one(THINGS), draw.one(RELATIONS)
        question = f"{draw.one(relation.questions).format(thing=thing)}\n"
        prompt = [tokenizer.bos_token_id, *tokenizer.encode(question, add_special_tokens=False)]
        prompt += tokenizer.encode("It is", add_special_tokens=False)
        values = [
            tokenizer.encode(f" {value}", add_special_tokens=False)[0] for value in relation.values
        ]
        choice = model(input_ids=torch.tensor([prompt])).logits[0, -1, values].argmax()
        num_right += relation.values[choice] == FACTS[thing, relation.name]
    assert num_right / 200 >= 4 * CHANCE_OF_A_VALUE


def test_new_model_is_decided_by_its_seed():
    tokenizer = build_tokenizer()
    first, again, other = (new_model(tokenizer, seed) for seed in (0, 0, 1))
    weights = [m.model.layers[1].mlp.up_proj.weight for m in (first, again, other)]
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])


@pytest.mark.parametrize("maker", EVERYTHING, ids=lambda maker: maker.__name__)
def test_corpus_holds_no_row_of_a_task(maker):
    prompts = {
        TASKS[name].parse_row(row).prompt
        for name in set(RECIPES) - {"saferdialogues"}
        for split in SPLITS
        for row in read_split(name)[split]
    }
    draw = Draw("test/corpus")
    documents = [maker(draw) for _ in range(300)]
    assert not prompts & {document.prompt for document in documents}
