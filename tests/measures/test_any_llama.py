"""Random small LLaMAs, as folders: whatever is accepted is computed as plain transformers does.

The oracle is `LlamaForCausalLM` itself with eager attention, one row at a time and without padding,
ids from the raw tokenizer file, and a double backward of its own.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from torch.nn.attention import SDPBackend, sdpa_kernel
from transformers import LlamaConfig, LlamaForCausalLM

from raysweep.curvature.shards import Shards
from raysweep.measures.answers import evaluate
from raysweep.measures.generation import generate_greedily
from raysweep.measures.likelihood import score_answers
from raysweep.measures.loss_curvature import Sample, load_hessian
from raysweep.model.checkpoint import find_checkpoint
from raysweep.model.encoding import EncodedRow, Encoder, encode_answer, encode_prompt, encode_rows
from raysweep.model.llama import load_model, save_model
from raysweep.model.tokenizer import load_encoder
from raysweep.tasks.registry import TASKS
from raysweep.tasks.task import Example
from raysweep.training.batches import collate
from raysweep.training.loss import answer_loss_sum, normaliser

WORDS = ["red", "blue", "green", "one", "two", "three", "is", "not", "toxic"]
ROPES: list[dict[str, Any]] = [
    {"rope_type": "default", "rope_theta": 500.0},
    {"rope_type": "linear", "rope_theta": 10000.0, "factor": 2.0},
    {"rope_type": "yarn", "rope_theta": 10000.0, "factor": 4.0},
    {
        "rope_type": "llama3",
        "rope_theta": 10000.0,
        "factor": 8.0,
        "low_freq_factor": 1.0,
        "high_freq_factor": 4.0,
        "original_max_position_embeddings": 32,
    },
]
SPECIAL = ["<unk>", "<s>", "</s>", "<pad>"]


@st.composite
def folders(draw: st.DrawFn) -> dict[str, Any]:
    """What a folder is made of."""
    marks = draw(st.permutations(range(len(SPECIAL) + len(WORDS))))
    return {
        "seed": draw(st.integers(0, 99)),
        "ids": dict(zip([*SPECIAL, *WORDS], marks, strict=True)),
        "puts_beginning": draw(st.booleans()),
        "padding": draw(st.sampled_from(["<pad>", "</s>", "red", None])),
        "is_head_stored": draw(st.booleans()),
        "config": {
            "num_key_value_heads": draw(st.sampled_from([1, 2, 4])),
            "head_dim": draw(st.sampled_from([4, 8, 10])),
            "attention_bias": draw(st.booleans()),
            "mlp_bias": draw(st.booleans()),
            "tie_word_embeddings": draw(st.booleans()),
            "hidden_act": draw(st.sampled_from(["silu", "gelu"])),
            "rope_parameters": draw(st.sampled_from(ROPES)),
            "vocab_size": len(marks) + draw(st.sampled_from([0, 3, 51])),
        },
    }


@contextmanager
def written(made: dict[str, Any]) -> Iterator[Path]:
    """The folder."""
    ids = made["ids"]
    tokenizer = Tokenizer(models.WordLevel(ids, unk_token="<unk>"))
    tokenizer.add_special_tokens(SPECIAL)
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    if made["puts_beginning"]:
        tokenizer.post_processor = processors.TemplateProcessing(
            single="<s> $A", special_tokens=[("<s>", ids["<s>"])]
        )
    tokenizer.enable_truncation(5)
    tokenizer.enable_padding(length=40, pad_id=ids["<pad>"])
    torch.manual_seed(made["seed"])
    config = LlamaConfig(
        hidden_size=16,
        intermediate_size=24,
        num_hidden_layers=2,
        num_attention_heads=4,
        max_position_embeddings=128,
        initializer_range=0.3,
        pad_token_id=ids.get(made["padding"]),
        **made["config"],
    )
    model = LlamaForCausalLM(config)
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        if made["is_head_stored"]:  # also where the configuration says that it is the embedding
            model.lm_head.weight = torch.nn.Parameter(torch.randn_like(model.lm_head.weight) * 0.3)
            model.config.tie_word_embeddings = False
        model.save_pretrained(folder)
        content = json.loads((folder / "config.json").read_text())
        content["tie_word_embeddings"] = made["config"]["tie_word_embeddings"]
        (folder / "config.json").write_text(json.dumps(content))
        tokenizer.save(str(folder / "tokenizer.json"))
        named = {"bos_token": "<s>", "eos_token": "</s>", "tokenizer_class": "LlamaTokenizer"}
        (folder / "tokenizer_config.json").write_text(json.dumps(named))
        (folder / "generation_config.json").write_text(
            json.dumps({"repetition_penalty": 9.0, "num_beams": 3, "eos_token_id": [0, 1, 5]})
        )
        yield folder


def oracle(folder: Path) -> LlamaForCausalLM:
    model = LlamaForCausalLM.from_pretrained(
        folder, dtype=torch.float32, attn_implementation="eager"
    )
    return model.eval()


def raw_ids(folder: Path, text: str) -> list[int]:
    """From the tokenizer file's vocabulary, word by word."""
    vocabulary = json.loads((folder / "tokenizer.json").read_text())["model"]["vocab"]
    return [vocabulary.get(word, vocabulary["<unk>"]) for word in text.split()]


ANSWERS = ("is toxic", "is not toxic", "is")
EXAMPLES = [
    Example(str(i), "one two", " ".join(WORDS[: i % 5]), WORDS[i], ANSWERS, i % 3, ANSWERS[i % 3])
    for i in range(5)
]


def prompt_ids(folder: Path, made: dict[str, Any], example: Example) -> list[int]:
    mark = [made["ids"]["<s>"]] if made["puts_beginning"] else []
    return mark + raw_ids(folder, example.prompt)


def log_likelihood(model: LlamaForCausalLM, prompt: list[int], answer: list[int]) -> torch.Tensor:
    logits = model(input_ids=torch.tensor([prompt + answer])).logits[0]
    log_p = logits[len(prompt) - 1 : -1].log_softmax(-1)
    return torch.sum(log_p.gather(1, torch.tensor(answer)[:, None]))


RANDOM = settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True
)


@RANDOM
@given(made=folders())
def test_scores_losses_and_responses_are_those_of_one_row_at_a_time(made: dict[str, Any]) -> None:
    with written(made) as folder, torch.no_grad():
        found = find_checkpoint(str(folder))
        encoder = load_encoder(folder, found.architecture.vocabulary_size)
        model, plain = load_model(folder, "float32"), oracle(folder)
        assert found.num_parameters == sum(p.numel() for p in plain.parameters())
        end = made["ids"]["</s>"]
        scored = evaluate(
            *(model, encoder, replace(TASKS["csqa2"], labels=ANSWERS), EXAMPLES),
            sequence_limit=64,
            batch_size=3,
        )
        rows, total = [], 0.0
        for example, prediction in zip(EXAMPLES, scored, strict=True):
            prompt = prompt_ids(folder, made, example)
            answers = [[*raw_ids(folder, answer), end] for answer in ANSWERS]
            wanted = [float(log_likelihood(plain, prompt, answer)) for answer in answers]
            # float32, summed in another order
            assert prediction.log_probabilities == pytest.approx(wanted, abs=2e-4)
            assert prediction.valid == any(
                greedily(plain, prompt, len(answer)) == answer for answer in answers
            )
            rows.append(EncodedRow(tuple(prompt), tuple(answers[example.label])))
            total -= wanted[example.label]
        assert float(answer_loss_sum(model, collate(rows, encoder.pad))) == pytest.approx(
            total, abs=1e-3
        )
        _check_responses(model, plain, encoder, [list(row.prompt) for row in rows])
        _check_greedy(model, plain, encoder, [list(row.prompt) for row in rows])


def _check_responses(
    model: LlamaForCausalLM, plain: LlamaForCausalLM, encoder: Encoder, prompts: list[list[int]]
) -> None:
    """Against an argmax loop that feeds the whole row again for every token."""
    found, is_finite = generate_greedily(
        model,
        [tuple(prompt) for prompt in prompts],
        end=encoder.end,
        pad_token_id=encoder.pad,
        max_new_tokens=6,
    )
    assert is_finite.all()
    for prompt, response in zip(prompts, found, strict=True):
        wanted: list[int] = []
        while len(wanted) < 6:
            logits = plain(input_ids=torch.tensor([prompt + wanted])).logits[0, -1]
            if int(logits.argmax()) == encoder.end:
                break
            wanted.append(int(logits.argmax()))
        assert list(response) == wanted


def greedily(model: LlamaForCausalLM, prompt: list[int], number: int) -> list[int]:
    """So many of the likeliest tokens; the whole row is fed again for each."""
    said: list[int] = []
    while len(said) < number:
        said.append(int(model(input_ids=torch.tensor([prompt + said])).logits[0, -1].argmax()))
    return said


def _check_greedy(
    model: LlamaForCausalLM, plain: LlamaForCausalLM, encoder: Encoder, prompts: list[list[int]]
) -> None:
    """Candidates that the model says to one prompt or another, whole and cut short."""
    said = [greedily(plain, prompt, 4) for prompt in prompts]
    texts = [*(tuple(one) for one in said), *(tuple(one[:2]) for one in said), (said[0][0],)]
    answers = list(dict.fromkeys(texts))
    scores = score_answers(model, [tuple(prompt) for prompt in prompts], answers, encoder.pad)
    assert scores.is_greedy.tolist() == [
        [tuple(whole[: len(one)]) == one for one in answers] for whole in said
    ]


@RANDOM
@given(made=folders())
def test_both_operators_have_the_products_of_a_double_backward(made: dict[str, Any]) -> None:
    with written(made) as folder:
        encoder = load_encoder(folder, made["config"]["vocab_size"])
        plain = oracle(folder)
        rows = [
            EncodedRow(encode_prompt(e, encoder, 64), encode_answer(e.target, encoder))
            for e in EXAMPLES
        ]
        parameters = list(plain.parameters())
        found = [log_likelihood(plain, list(row.prompt), list(row.answer)) for row in rows]
        loss = -torch.stack(found).sum()
        gradients = torch.autograd.grad(
            loss / normaliser(rows), parameters, create_graph=True, materialize_grads=True
        )
        generator = torch.Generator().manual_seed(0)
        vector = [torch.randn(p.shape, generator=generator) for p in parameters]
        slope = torch.stack([(g * v).sum() for g, v in zip(gradients, vector, strict=True)]).sum()
        wanted = torch.autograd.grad(slope, parameters, materialize_grads=True)
        flat = torch.cat([one.reshape(-1) for one in wanted])
        names = [name for name, _ in plain.named_parameters()]
        given_vector = dict(zip(names, vector, strict=True))
        sample = Sample(rows, "token", 2, encoder.pad)
        for is_layerwise in (False, True):
            operator = load_hessian(folder, sample, is_layerwise, torch.device("cpu")).operator
            assert operator.num_parameters == len(flat)
            with sdpa_kernel(SDPBackend.MATH):
                product = operator.product(operator.vector(given_vector.__getitem__))
            error = (product - flat).norm() / flat.norm()
            assert error < 1e-4, f"{error:.2g}, layer-wise: {is_layerwise}"  # float32
        _check_parts(folder, plain, encoder)


@torch.no_grad()
def _check_parts(folder: Path, plain: LlamaForCausalLM, encoder: Encoder) -> None:
    """Losses of format and content; all answers begin with "is", and the end mark decides."""
    rows = encode_rows(EXAMPLES, encoder, 64)
    assert {row.content and row.content[0] for row in rows} == {1}
    total = sum(len(row.answer) for row in rows)
    shared = sum(-log_likelihood(plain, list(row.prompt), list(row.answer[:1])) for row in rows)
    whole = sum(-log_likelihood(plain, list(row.prompt), list(row.answer)) for row in rows)
    sample = Sample(rows, "token", 2, encoder.pad)
    for is_layerwise in (False, True):
        found = load_hessian(folder, sample, is_layerwise, torch.device("cpu")).parts()
        wanted = [float(shared) / total, float(whole - shared) / total]
        assert found == pytest.approx(wanted, rel=1e-4)
        content = load_hessian(folder, sample, is_layerwise, torch.device("cpu"), "content")
        assert content.operator.loss() == found[1]
    unanswered = [*rows[1:], replace(rows[0], content=None)]
    without = Sample(unanswered, "token", 2, encoder.pad)
    assert load_hessian(folder, without, False, torch.device("cpu")).parts() == (None, None)


def test_what_is_trained_is_read_back_as_it_was(tmp_path: Path) -> None:
    """A head of its own in spite of the configuration's word stays one through a stage."""
    made = {
        "seed": 0,
        "ids": {w: i for i, w in enumerate([*SPECIAL, *WORDS])},
        "padding": None,
        "puts_beginning": False,
        "is_head_stored": True,
        "config": {"tie_word_embeddings": True, "vocab_size": 20, "rope_parameters": ROPES[0]},
    }
    with written(made) as folder:
        encoder = load_encoder(folder, 20, beginning_mark=True)
        model = load_model(folder, "float32")
        assert model.lm_head.weight is not model.model.embed_tokens.weight
        weights = {name: p.detach() + 1 for name, p in model.named_parameters()}
        save_model(model, weights, tmp_path, folder, encoder)
        for name in ("tokenizer.json", "tokenizer_config.json"):
            assert (tmp_path / name).read_bytes() == (folder / name).read_bytes()
    again = load_model(tmp_path, "float32")
    assert {n: p.shape for n, p in again.named_parameters()} == {
        name: one.shape for name, one in weights.items()
    }
    assert all(torch.equal(p, weights[name]) for name, p in again.named_parameters())
    assert load_encoder(tmp_path, 20).beginning == encoder.beginning == (1,), "as it was trained"
    shutil.rmtree(tmp_path)


def test_shards_are_of_the_model_that_is_loaded() -> None:
    made = {
        "seed": 1,
        "ids": {w: i for i, w in enumerate([*SPECIAL, *WORDS])},
        "padding": None,
        "puts_beginning": True,
        "is_head_stored": False,
        "config": {"tie_word_embeddings": True, "vocab_size": 20, "rope_parameters": ROPES[0]},
    }
    with written(made) as folder:
        plain = oracle(folder)
        encoder = load_encoder(folder, 20)
        rows = [EncodedRow(encode_prompt(EXAMPLES[0], encoder, 64), encode_answer("is", encoder))]
        hessian = load_hessian(folder, Sample(rows, "token", 1, 0), True, torch.device("cpu"))
        assert hessian.operator.num_parameters == Shards.from_module(plain).num_parameters
