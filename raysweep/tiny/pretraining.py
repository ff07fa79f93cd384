"""Builds the shipped base: ``python -m raysweep.tiny.pretrain --out FOLDER``.

Seeded and counted in steps; on a GPU where there is one. Interrupted, the same command goes on from
its last checkpoint, with the same result as if it had never stopped.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from rich.console import Console
from rich.progress import Progress, TextColumn
from safetensors import safe_open
from safetensors.torch import save_file
from torch.nn.utils.rnn import pad_sequence
from transformers import LlamaForCausalLM, PreTrainedTokenizerFast

from raysweep.errors import InputError
from raysweep.tiny.corpus import (
    FACTS_MOSTLY,
    LOOKUPS,
    QUIZZES_MOSTLY,
    Document,
    DocumentMix,
    document,
)
from raysweep.tiny.draw import Draw
from raysweep.tiny.initial_weights import new_model
from raysweep.tiny.tokenizer import build_tokenizer, encoded

IGNORED = -100
CUE_LAYER = 2  # layers after which a thought must be readable where it is decided
THOUGHT_LAYER = 3  # layers after which it must have come to the answer; the last one acts on it
THOUGHT_WEIGHT = 0.5
CHECKPOINT = "pretraining.safetensors"
STEPS_PER_CHECKPOINT = 200
MOMENTS = ("exp_avg", "exp_avg_sq")  # of AdamW


@dataclass(frozen=True)
class EncodedDocument:
    """A document as tokens.

    Attributes:
        labels: the answer's token ids, `IGNORED` elsewhere.
        cued: the id of the thought at the last token of the cue, `IGNORED` elsewhere.
        thoughts: the id of the thought at the answer's first token, `IGNORED` elsewhere.
    """

    ids: list[int]
    labels: list[int]
    cued: list[int]
    thoughts: list[int]


@dataclass(frozen=True)
class PretrainingSettings:
    """Settings of the pretraining.

    Attributes:
        num_documents: per step; they run in ``num_parts`` passes sorted by length.
        num_lookup_steps: first steps, on documents that teach to look up letters and names.
        num_fact_steps: next steps, in which facts prevail; quizzes do afterwards.
        num_decay_steps: at the end, over which the learning rate falls linearly to zero.
    """

    seed: int = 0
    num_steps: int = 10_000
    num_warmup_steps: int = 30
    num_lookup_steps: int = 1200
    num_fact_steps: int = 3200
    num_decay_steps: int = 3500
    num_documents: int = 64
    num_parts: int = 2
    learning_rate: float = 2e-3
    weight_decay: float = 0.01

    def rate(self, step: int) -> float:
        """Learning rate of a step, from 0."""
        rising = (step + 1) / self.num_warmup_steps
        falling = (self.num_steps - step) / self.num_decay_steps
        return self.learning_rate * min(1.0, rising, falling)

    def documents(self, step: int) -> list[Document]:
        """The documents of a step, decided by seed and step alone."""
        draw = Draw(f"pretrain/{self.seed}/{step}")
        return [document(draw, self.mixture(step)) for _ in range(self.num_documents)]

    def mixture(self, step: int) -> DocumentMix:
        """What the documents of a step are drawn from."""
        if step < self.num_lookup_steps:
            return LOOKUPS
        is_early = step < self.num_lookup_steps + self.num_fact_steps
        return FACTS_MOSTLY if is_early else QUIZZES_MOSTLY


class Pretraining:
    """A model on its way, from its initial weights or from a checkpoint.

    Attributes:
        losses: mean loss of the answers' tokens at each step so far.
    """

    def __init__(self, recipe: PretrainingSettings, device: str = "cpu") -> None:
        self.recipe, self.losses = recipe, list[float]()
        self.tokenizer = build_tokenizer()
        self.model = new_model(self.tokenizer, recipe.seed).to(device)
        groups = _parameter_groups(self.model, recipe)
        self._optimizer = torch.optim.AdamW(groups, betas=(0.9, 0.95), foreach=True)

    def step(self) -> float:
        """One optimizer step; returns its loss."""
        number = len(self.losses)
        for group in self._optimizer.param_groups:
            group["lr"] = self.recipe.rate(number)
        rows = _rows(self.tokenizer, self.recipe.documents(number))
        self.losses.append(_accumulate(self.model, rows, self.recipe.num_parts))
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self._optimizer.step()
        self._optimizer.zero_grad(set_to_none=True)
        return self.losses[-1]

    def save(self, path: Path) -> None:
        """Writes everything that decides how it goes on; the file is whole or not there."""
        named = dict(self.model.named_parameters())
        tensors = {f"weights/{name}": p.detach() for name, p in named.items()}
        for name, parameter in named.items():
            state = self._optimizer.state[parameter]
            tensors.update({f"{moment}/{name}": state[moment] for moment in MOMENTS})
        record = {"recipe": asdict(self.recipe), "losses": self.losses}
        part = path.with_suffix(".part")
        save_file(tensors, part, {"record": json.dumps(record)})
        os.replace(part, path)

    @torch.no_grad()
    def load(self, path: Path) -> None:
        """Goes on from a checkpoint.

        Raises:
            InputError: it was written by another recipe.
        """
        with safe_open(path, "pt") as file:
            record = json.loads(file.metadata()["record"])
            if record["recipe"] != asdict(self.recipe):
                raise InputError(str(path), "belongs to another recipe", "give another folder")
            self.losses = record["losses"]
            for name, parameter in self.model.named_parameters():
                parameter.copy_(file.get_tensor(f"weights/{name}"))
                state = self._optimizer.state[parameter]
                state["step"] = torch.tensor(float(len(self.losses)))
                for moment in MOMENTS:
                    state[moment] = file.get_tensor(f"{moment}/{name}").to(parameter.device)


def _parameter_groups(model: LlamaForCausalLM, recipe: PretrainingSettings) -> list[dict[str, Any]]:
    matrices = [p for p in model.parameters() if p.dim() == 2]
    vectors = [p for p in model.parameters() if p.dim() != 2]
    return [
        {"params": matrices, "weight_decay": recipe.weight_decay},
        {"params": vectors, "weight_decay": 0.0},
    ]


def _rows(
    tokenizer: PreTrainedTokenizerFast, documents: Sequence[Document]
) -> list[EncodedDocument]:
    """Documents as tokens, from the shortest to the longest."""
    columns = [
        encoded(tokenizer, [getattr(made, part) for made in documents])
        for part in ("prompt", "answer", "thought", "cue")
    ]
    rows = [_row(tokenizer, *parts) for parts in zip(*columns, strict=True)]
    return sorted(rows, key=lambda row: len(row.ids))


def _row(
    tokenizer: PreTrainedTokenizerFast,
    prompt: list[int],
    answer: list[int],
    thought: list[int],
    cue: list[int],
) -> EncodedDocument:
    start, end = [tokenizer.bos_token_id, *prompt], [*answer, tokenizer.eos_token_id]
    cued, thoughts = ([IGNORED] * (len(start) + len(end)) for _ in range(2))
    if thought:
        assert len(thought) == 1, "a thought is one token"
        thoughts[len(start)] = thought[0]
    if cue:
        assert prompt[: len(cue)] == cue, "no token spans the end of a cue"
        cued[len(cue)] = thought[0]
    return EncodedDocument([*start, *end], [IGNORED] * len(start) + end, cued, thoughts)


def _accumulate(model: LlamaForCausalLM, rows: Sequence[EncodedDocument], num_parts: int) -> float:
    """Adds the gradient of the documents' mean loss, and returns that loss without thoughts."""
    size, total = -(-len(rows) // num_parts), 0.0
    for first in range(0, len(rows), size):
        loss, thought_loss = _loss_sums(model, rows[first : first + size])
        ((loss + THOUGHT_WEIGHT * thought_loss) / len(rows)).backward()
        total += float(loss.detach()) / len(rows)
    return total


def _loss_sums(
    model: LlamaForCausalLM, rows: Sequence[EncodedDocument]
) -> tuple[torch.Tensor, torch.Tensor]:
    """Sums over documents of the mean loss of the answer's tokens, and of the thoughts' losses.

    Means, because a document of facts has ten times as many tokens as a letter and its full stop.
    Logits are computed only where there is a label. Rows are padded on the right, where causal
    attention keeps the padding out of sight.
    """
    device = model.device
    ids = _padded([row.ids for row in rows], 0).to(device)
    states = model.model(input_ids=ids, use_cache=False, output_hidden_states=True).hidden_states
    labels = _padded([row.labels for row in rows], IGNORED)[:, 1:].to(device)
    wanted = labels != IGNORED
    weights = (wanted / wanted.sum(dim=1, keepdim=True))[wanted]
    final = states[-1][:, :-1]  # already normalised
    losses = F.cross_entropy(model.lm_head(final[wanted]), labels[wanted], reduction="none")
    cued = _early_loss(model, states[CUE_LAYER], [row.cued for row in rows])
    thought = _early_loss(model, states[THOUGHT_LAYER], [row.thoughts for row in rows])
    return losses @ weights, cued + thought


def _early_loss(
    model: LlamaForCausalLM, states: torch.Tensor, rows: Sequence[list[int]]
) -> torch.Tensor:
    """Sum of the losses of what an inner layer's states must tell."""
    told = _padded(rows, IGNORED).to(states.device)
    wanted = told != IGNORED
    logits = model.lm_head(model.model.norm(states[wanted]))
    return F.cross_entropy(logits, told[wanted], reduction="sum")


def _padded(rows: Sequence[list[int]], padding: int) -> torch.Tensor:
    tensors = [torch.tensor(row) for row in rows]
    return pad_sequence(tensors, batch_first=True, padding_value=padding)


def pretrain(pretraining: Pretraining, checkpoint: Path, output: Console) -> None:
    """Trains to the recipe's end, from the checkpoint if there is one, with a progress bar."""
    if checkpoint.exists():
        pretraining.load(checkpoint)
    columns = (*Progress.get_default_columns(), TextColumn("{task.fields[loss]}"))
    with Progress(*columns, console=output) as progress:
        done, total = len(pretraining.losses), pretraining.recipe.num_steps
        bar = progress.add_task("pretraining", total=total, completed=done, loss="")
        while len(pretraining.losses) < total:
            loss = pretraining.step()
            progress.update(bar, advance=1, loss=f"loss {loss:.3f}")
            if len(pretraining.losses) % STEPS_PER_CHECKPOINT == 0:
                pretraining.save(checkpoint)
