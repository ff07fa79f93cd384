"""What a pretrained base can do, and what it was made from: the record beside its weights."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import astuple
from typing import Any

import torch
from torch.nn.utils.rnn import pad_sequence
from transformers import LlamaForCausalLM, PreTrainedTokenizerFast

from raysweep.digest import digest_json
from raysweep.tiny.corpus import (
    MAKERS,
    Document,
    letter_quiz,
    name_quiz,
    open_question_about,
    scene_question,
    scene_quiz,
    told_check,
    truth_check,
)
from raysweep.tiny.draw import Draw
from raysweep.tiny.facts import HELD_OUT
from raysweep.tiny.tokenizer import encoded

RECORD = "pretraining.json"
NUM_LOSSES = 10  # recorded, to be reproduced
NUM_ROWS = 400  # of each probe
NUM_DIGESTED = 200  # documents of each kind
BATCH_SIZE = 100
CONFIGURATION = ("vocab_size", "hidden_size", "intermediate_size", "num_hidden_layers",
                 "num_attention_heads", "num_key_value_heads", "max_position_embeddings",
                 "attention_bias", "tie_word_embeddings", "rope_parameters")  # fmt: skip

PROBES: dict[str, Callable[[Draw], Document]] = {
    "facts": lambda draw: open_question_about(draw, draw.one(HELD_OUT)),
    "quizzes": lambda draw: letter_quiz(draw, HELD_OUT),
    "checks": lambda draw: truth_check(draw, HELD_OUT),
    "names": name_quiz,
    "told checks": told_check,
    "scenes": scene_quiz,
    "scene questions": scene_question,
}
"""What a base is asked: nothing that a task asks, nothing that its pretraining has quizzed.

Scenes are drawn anew; there are too many for one to have occurred.
"""


def describe(
    model: LlamaForCausalLM,
    tokenizer: PreTrainedTokenizerFast,
    recipe: Mapping[str, Any],
    losses: Sequence[float],
) -> dict[str, Any]:
    """The record: recipe, digests, first losses, accuracies on held-out rows."""
    return {
        "recipe": dict(recipe),
        "digests": digests(model, tokenizer),
        "first_losses": list(losses[:NUM_LOSSES]),
        "last_loss": sum(losses[-100:]) / len(losses[-100:]),
        "accuracies": {name: accuracy(model, tokenizer, name) for name in PROBES},
        "torch": torch.__version__,
    }


def digests(model: LlamaForCausalLM, tokenizer: PreTrainedTokenizerFast) -> dict[str, str]:
    """Digests of the configuration, of the corpus that the code draws, and of the tokenizer."""
    config = {key: getattr(model.config, key) for key in CONFIGURATION}
    documents = {maker.__name__: _drawn(maker, NUM_DIGESTED) for maker in MAKERS}
    texts = {name: [astuple(made) for made in drawn] for name, drawn in documents.items()}
    return {
        "configuration": digest_json(config),
        "corpus": digest_json(texts),
        "tokenizer": digest_json(tokenizer.get_vocab()),
    }


@torch.no_grad()
def accuracy(model: LlamaForCausalLM, tokenizer: PreTrainedTokenizerFast, probe: str) -> float:
    """Share of a probe's rows in which the answer's second token, which decides it, is right.

    The first one ("The best answer is", "It is") is given; any token may be chosen next.
    """
    documents, num_right = _drawn(PROBES[probe], NUM_ROWS), 0
    for first in range(0, NUM_ROWS, BATCH_SIZE):
        batch = documents[first : first + BATCH_SIZE]
        prompts = encoded(tokenizer, [made.prompt for made in batch])
        answers = encoded(tokenizer, [made.answer for made in batch])
        rows = [
            [tokenizer.bos_token_id, *prompt, answer[0]]
            for prompt, answer in zip(prompts, answers, strict=True)
        ]
        ids = pad_sequence([torch.tensor(row) for row in rows], batch_first=True)
        last = torch.tensor([len(row) - 1 for row in rows])
        states = model.model(input_ids=ids, use_cache=False).last_hidden_state
        chosen = model.lm_head(states[torch.arange(len(rows)), last]).argmax(dim=-1)
        num_right += sum(
            answer[1] == choice for answer, choice in zip(answers, chosen.tolist(), strict=True)
        )
    return num_right / NUM_ROWS


def _drawn(maker: Callable[[Draw], Document], count: int) -> list[Document]:
    draw = Draw("evidence")
    return [maker(draw) for _ in range(count)]
