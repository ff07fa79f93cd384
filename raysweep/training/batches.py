"""From rows to tensors: the order of training rows, and batches.

Which rows a step trains on follows from (seed, step) alone. How they are spread over workers and
micro-batches changes nothing but the order of floating-point sums.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
import torch

from raysweep.model.encoding import EncodedRow
from raysweep.model.parts import Part

IGNORED = -100  # label of a position that is not part of the loss
LENGTH = "longest_answer"  # the one attribute of a batch that is no tensor


@dataclass(frozen=True)
class Batch:
    """Left-padded rows, so that all answers end at the last position.

    Attributes:
        input_ids, attention_mask, position_ids: shape [rows, tokens].
        labels: token ids of the answers and `IGNORED` elsewhere, same shape.
        content_labels: those of the answers' content; `IGNORED` in rows without candidates.
        longest_answer: positions from the first label of any row to the end; at least 1. Known
            beforehand: to look for it in the labels would have the host wait for the device.
    """

    input_ids: torch.Tensor
    attention_mask: torch.Tensor
    position_ids: torch.Tensor
    labels: torch.Tensor
    content_labels: torch.Tensor
    longest_answer: int

    def labels_of(self, part: Part) -> torch.Tensor:
        """The labels of a part of the answers, and `IGNORED` elsewhere."""
        if part == "format":
            return self.labels.masked_fill(self.content_labels != IGNORED, IGNORED)
        return self.content_labels if part == "content" else self.labels

    @property
    def num_answer_tokens(self) -> int:
        """Positions that are part of the loss."""
        return int((self.labels != IGNORED).sum())

    def to(self, device: torch.device) -> Batch:
        """The same batch on a device."""
        if self.labels.device == device:
            return self
        tensors = {name: one.to(device) for name, one in vars(self).items() if name != LENGTH}
        return replace(self, **tensors)


def step_indices(num_rows: int, global_batch_size: int, seed: int, step: int) -> list[int]:
    """Indices of the rows of a step (from 0): epochs of seeded permutations, end to end."""
    first = step * global_batch_size
    return [
        int(_epoch_order(num_rows, seed, position // num_rows)[position % num_rows])
        for position in range(first, first + global_batch_size)
    ]


@lru_cache(maxsize=4)
def _epoch_order(num_rows: int, seed: int, epoch: int) -> np.ndarray:
    # RandomState, because its stream is frozen for ever; a Generator's may change.
    digest = hashlib.sha256(f"{seed}/{epoch}".encode()).digest()
    return np.random.RandomState(int.from_bytes(digest[:4], "big")).permutation(num_rows)


def num_micro_steps(global_batch_size: int, num_workers: int, micro_batch_size: int) -> int:
    """Forward passes per worker and step."""
    return -(-global_batch_size // (num_workers * micro_batch_size))


def micro_batches(
    rows: Sequence[EncodedRow], rank: int, num_workers: int, micro_batch_size: int
) -> Iterator[list[EncodedRow]]:
    """This worker's part of a global batch, one list of rows per micro-step.

    Rows of like length go together, and to all workers in the same micro-step, so that little is
    padded and nobody waits. Every worker gets the same number of lists; some may be empty.
    """
    steps = num_micro_steps(len(rows), num_workers, micro_batch_size)
    ordered = sorted(rows, key=lambda row: row.num_tokens)
    pieces = np.array_split(np.arange(len(ordered)), steps * num_workers)
    for step in range(steps):
        yield [ordered[i] for i in pieces[step * num_workers + rank]]


def collate(rows: Sequence[EncodedRow], pad_token_id: int) -> Batch:
    """Pads rows on the left. No rows give one row without labels, so that collectives match."""
    if not rows:
        rows = [EncodedRow((pad_token_id, pad_token_id), ())]
    width = max(row.num_tokens for row in rows)
    shape = len(rows), width
    input_ids, mask = np.full(shape, pad_token_id), np.zeros(shape, dtype=np.int64)
    labels, content_labels = np.full(shape, IGNORED), np.full(shape, IGNORED)
    for index, row in enumerate(rows):
        first, answer = width - row.num_tokens, width - len(row.answer)
        input_ids[index, first:answer], input_ids[index, answer:] = row.prompt, row.answer
        mask[index, first:] = 1
        labels[index, answer:] = row.answer
        if row.content:
            start, stop = (answer + place for place in row.content)
            content_labels[index, start:stop] = labels[index, start:stop]
    positions = (mask.cumsum(axis=1) - 1).clip(min=0)
    ids, masks, places, known, contents = map(
        torch.from_numpy, (input_ids, mask, positions, labels, content_labels)
    )
    longest = max(1, *(len(row.answer) for row in rows))
    return Batch(ids, masks, places, known, contents, longest)
