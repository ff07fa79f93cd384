"""Builds the shipped base: ``python -m raysweep.tiny.pretrain --out DIR``.

Seeded and counted in steps. About 12 minutes on one idle core.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from rich.progress import Progress, TextColumn
from transformers import LlamaForCausalLM, PreTrainedTokenizerFast

from raysweep.tiny.architecture import new_model
from raysweep.tiny.corpus import EVERYTHING, LOOKUPS, Document, document
from raysweep.tiny.draw import Draw
from raysweep.tiny.tokenizer import build_tokenizer

IGNORED = -100
THOUGHT_LAYER = 3  # layers after which a thought must be readable; the last one acts on it
THOUGHT_WEIGHT = 0.5


@dataclass(frozen=True)
class Row:
    """A document as tokens.

    Attributes:
        labels: the answer's token ids, `IGNORED` elsewhere.
        thoughts: the id of the thought at the answer's first token, `IGNORED` elsewhere.
    """

    ids: list[int]
    labels: list[int]
    thoughts: list[int]


@dataclass(frozen=True)
class Recipe:
    """Settings of the pretraining.

    Attributes:
        num_documents: per step; they run in ``num_parts`` passes sorted by length.
        num_lookup_steps: first steps, on documents that teach to look up letters.
        num_decay_steps: at the end, over which the learning rate falls linearly to zero.
    """

    seed: int = 0
    num_steps: int = 3800
    num_warmup_steps: int = 30
    num_lookup_steps: int = 250
    num_decay_steps: int = 1200
    num_documents: int = 64
    num_parts: int = 2
    learning_rate: float = 2e-3
    weight_decay: float = 0.01

    def rate(self, step: int) -> float:
        """Learning rate of a step, from 0."""
        rising = (step + 1) / self.num_warmup_steps
        falling = (self.num_steps - step) / self.num_decay_steps
        return self.learning_rate * min(1.0, rising, falling)


def pretrain(
    recipe: Recipe, progress: Progress
) -> tuple[LlamaForCausalLM, PreTrainedTokenizerFast]:
    """A pretrained model and its tokenizer."""
    tokenizer = build_tokenizer()
    model, draw = new_model(tokenizer, recipe.seed), Draw(f"pretrain/{recipe.seed}")
    optimizer = torch.optim.AdamW(_parameter_groups(model, recipe), betas=(0.9, 0.95))
    bar = progress.add_task("pretraining", total=recipe.num_steps, loss="")
    for step in range(recipe.num_steps):
        for group in optimizer.param_groups:
            group["lr"] = recipe.rate(step)
        mixture = LOOKUPS if step < recipe.num_lookup_steps else EVERYTHING
        documents = [document(draw, mixture) for _ in range(recipe.num_documents)]
        loss = _step(model, _rows(tokenizer, documents), recipe.num_parts)
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        progress.update(bar, advance=1, loss=f"loss {loss:.3f}")
    return model.eval(), tokenizer


def _parameter_groups(model: LlamaForCausalLM, recipe: Recipe) -> list[dict]:
    matrices = [p for p in model.parameters() if p.dim() == 2]
    vectors = [p for p in model.parameters() if p.dim() != 2]
    return [
        {"params": matrices, "weight_decay": recipe.weight_decay},
        {"params": vectors, "weight_decay": 0.0},
    ]


def _rows(tokenizer: PreTrainedTokenizerFast, documents: Sequence[Document]) -> list[Row]:
    """Documents as tokens, from the shortest to the longest."""
    prompts = _encoded(tokenizer, [made.prompt for made in documents])
    answers = _encoded(tokenizer, [made.answer for made in documents])
    thoughts = _encoded(tokenizer, [made.thought for made in documents])
    rows = [_row(tokenizer, *parts) for parts in zip(prompts, answers, thoughts, strict=True)]
    return sorted(rows, key=lambda row: len(row.ids))


def _row(
    tokenizer: PreTrainedTokenizerFast, prompt: list[int], answer: list[int], thought: list[int]
) -> Row:
    start, end = [tokenizer.bos_token_id, *prompt], [*answer, tokenizer.eos_token_id]
    thoughts = [IGNORED] * (len(start) + len(end))
    if thought:
        assert len(thought) == 1, "a thought is one token"
        thoughts[len(start)] = thought[0]
    return Row([*start, *end], [IGNORED] * len(start) + end, thoughts)


def _encoded(tokenizer: PreTrainedTokenizerFast, texts: Sequence[str]) -> list[list[int]]:
    encodings = tokenizer.backend_tokenizer.encode_batch(list(texts), add_special_tokens=False)
    return [encoding.ids for encoding in encodings]


def _step(model: LlamaForCausalLM, rows: Sequence[Row], num_parts: int) -> float:
    """Adds the gradient of the documents' mean loss, and returns that loss without thoughts."""
    size, total = -(-len(rows) // num_parts), 0.0
    for first in range(0, len(rows), size):
        loss, thought_loss = _loss_sums(model, rows[first : first + size])
        ((loss + THOUGHT_WEIGHT * thought_loss) / len(rows)).backward()
        total += float(loss.detach()) / len(rows)
    return total


def _loss_sums(model: LlamaForCausalLM, rows: Sequence[Row]) -> tuple[torch.Tensor, torch.Tensor]:
    """Sums over documents of the mean loss of the answer's tokens, and of the thought's loss.

    Means, because a document of facts has ten times as many tokens as a letter and its full stop.
    Logits are computed only where there is a label. Rows are padded on the right, where causal
    attention keeps the padding out of sight.
    """
    ids = _padded([row.ids for row in rows], 0)
    states = model.model(input_ids=ids, use_cache=False, output_hidden_states=True).hidden_states
    labels = _padded([row.labels for row in rows], IGNORED)[:, 1:]
    wanted = labels != IGNORED
    weights = (wanted / wanted.sum(dim=1, keepdim=True))[wanted]
    final = states[-1][:, :-1]  # already normalised
    losses = F.cross_entropy(model.lm_head(final[wanted]), labels[wanted], reduction="none")
    thoughts = _padded([row.thoughts for row in rows], IGNORED)
    thought = thoughts != IGNORED
    early = model.lm_head(model.model.norm(states[THOUGHT_LAYER][thought]))
    return losses @ weights, F.cross_entropy(early, thoughts[thought], reduction="sum")


def _padded(rows: Sequence[list[int]], padding: int) -> torch.Tensor:
    width = max(map(len, rows))
    return torch.tensor([row + [padding] * (width - len(row)) for row in rows])


def main() -> None:
    """Pretrains and saves weights, configuration and tokenizer."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="folder for the base")
    parser.add_argument("--steps", type=int, default=Recipe.num_steps)
    arguments = parser.parse_args()
    torch.set_num_threads(1)  # small matrices: more threads only wait for each other
    with Progress(*Progress.get_default_columns(), TextColumn("{task.fields[loss]}")) as progress:
        model, tokenizer = pretrain(Recipe(num_steps=arguments.steps), progress)
    model.save_pretrained(arguments.out)
    tokenizer.save_pretrained(arguments.out)


if __name__ == "__main__":
    main()
