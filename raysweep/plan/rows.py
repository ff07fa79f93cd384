"""The rows of a plan: drawn with each data seed, checked, and kept as digests.

The rows themselves are kept of the first data seed alone. Each source is read once.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from raysweep.digest import digest_json
from raysweep.errors import InputError
from raysweep.model.encoding import Encoder
from raysweep.plan.lengths import check_answers, check_rows_fit
from raysweep.plan.recipes import Digests
from raysweep.space.space import SearchSpace
from raysweep.tasks.splits import Splits, draw_splits

Drawn = Mapping[str, Splits]
"""Each task's rows, as one data seed draws them."""
Rows = tuple[Drawn, dict[int, Mapping[str, Digests]]]
"""Those of the first data seed, and the digests of all by data seed."""


@dataclass(frozen=True)
class RowChecks:
    """What the rows of every draw are to meet.

    Attributes:
        limits: in tokens, by task and set: see `limits`.
        encoder: None for a plan that is only looked at, without a tokenizer.
    """

    space: SearchSpace
    limits: Mapping[tuple[str, str], int]
    encoder: Encoder | None

    def fit(self, drawn: Drawn) -> None:
        """Checks that rows fit their limits.

        Raises:
            InputError: one does not.
        """
        for (task, kind), limit in self.limits.items():
            others: dict[str, Any] = dict.fromkeys({"train", "validation", "test"} - {kind}, ())
            check_rows_fit(replace(drawn[task], **others), limit, self.encoder)

    def serve(self, drawn: Drawn) -> None:
        """Checks that answers can be told apart, and that there are rows to choose by.

        Raises:
            InputError: they cannot, or there are none.
        """
        for chain in self.space.chains if self.space.search.first_stage == "best" else ():
            if not drawn[chain.first_task].validation:
                raise InputError(
                    "search.first_stage = best",
                    f"task {chain.first_task!r} has no validation rows to choose by",
                    "raise data.num_validation, or lower data.num_train",
                )
        if self.encoder:
            for one in drawn.values():
                check_answers(one, self.encoder)


def drawn_rows(check: RowChecks) -> Rows:
    """The rows of all tasks of a search space.

    Raises:
        InputError: the data is missing or wrong, or cannot be trained and measured as asked.
    """
    space, digests = check.space, dict[int, Mapping[str, Digests]]()
    first: Drawn = {}
    for data_seed, drawn in zip(space.data_seeds, _draws(space), strict=True):
        check.fit(drawn)
        check.serve(drawn)
        digests[data_seed] = {name: one.digests for name, one in drawn.items()}
        first = first or drawn
    return first, digests


def outlined_rows(check: RowChecks, splits: Drawn) -> Rows:
    """Stand-ins for rows; each draw of them has digests of its own, as if it were another one."""
    check.fit(splits)
    digests: Mapping[str, Digests] = {name: one.digests for name, one in splits.items()}
    first, *others = check.space.data_seeds
    return splits, {first: digests, **{seed: _marked(digests, seed) for seed in others}}


def _draws(space: SearchSpace) -> Iterator[Drawn]:
    settings = [space.data.drawn(data_seed) for data_seed in space.data_seeds]
    tasks = space.find_tasks().values()
    for drawn in zip(*(draw_splits(task, settings) for task in tasks), strict=True):
        yield {splits.task.name: splits for splits in drawn}


def _marked(digests: Mapping[str, Digests], data_seed: int) -> dict[str, Digests]:
    def marked(digest: str) -> str:
        return digest_json([digest, data_seed])

    return {name: (marked(a), marked(b), marked(c)) for name, (a, b, c) in digests.items()}
