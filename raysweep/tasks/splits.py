"""The rows of a task that a sweep trains on, validates on and tests on, with their digests.

By default no two sets share a content: neither a row nor, after normalisation, its text. The
paper's own sizes cannot be had that way for BBQ and ToxiGen (they add up to more than the data), so
``paper_sizes`` gives the disjointness up, as little as possible, and says how many rows overlap.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

from raysweep.digest import digest_json
from raysweep.errors import InputError
from raysweep.tasks.loading import Loaded, load_examples
from raysweep.tasks.sampling import stratified_order
from raysweep.tasks.settings import DataSettings
from raysweep.tasks.sources import read_validated
from raysweep.tasks.task import POOL, Example, Task, Validated

DEFAULT_NUM_TRAIN = 2241
LARGEST_VALIDATION = 5  # of what training leaves of a pool, validation takes at most a fifth
Drops = Counter[tuple[str, str]]


@dataclass(frozen=True)
class Splits:
    """The training, validation and test set of a task, each in stratified order.

    Attributes:
        num_read: rows read, by split of the release.
        drops: rows left out, by split of the release and reason.
        num_trained_test_rows: test rows whose content is trained on; 0 unless ``paper_sizes``.
        notes: what else a reader of a report should know.
    """

    task: Task
    train: tuple[Example, ...]
    validation: tuple[Example, ...]
    test: tuple[Example, ...]
    num_read: Counter[str] = field(default_factory=Counter)
    drops: Drops = field(default_factory=Counter)
    num_trained_test_rows: int = 0
    notes: tuple[str, ...] = ()

    @cached_property
    def digests(self) -> tuple[str, str, str]:
        """Identify training, validation and test set, row by row and in order."""
        return _digest(self.train), _digest(self.validation), _digest(self.test)

    def train_part(self, fraction: float, seed: int | None = None) -> tuple[Example, ...]:
        """The first ``fraction`` of the training set, rounded up: nested for growing fractions.

        A part with fewer rows than the set has cells holds one row of as many cells as it has rows:
        one of each group first, then of each group's next subset or label.

        Args:
            seed: of another stratified order, from which a part is taken; the whole set keeps its.
        """
        if fraction == 1:
            return self.train
        rows = self.train if seed is None else stratified_order(self.train, seed)
        return tuple(rows[: math.ceil(fraction * len(rows) - 1e-9)])


def load_splits(task: Task, settings: DataSettings) -> Splits:
    """Reads a task's rows and draws its training, validation and test set; see `draw_splits`.

    Raises:
        InputError: the data is missing, a row is wrong, or no rows are left.
    """
    return next(draw_splits(task, [settings]))


def draw_splits(task: Task, draws: Iterable[DataSettings]) -> Iterator[Splits]:
    """Draws a task's training, validation and test set several times from rows that are read once.

    Official splits are used where there are any. Without an official validation split, its rows
    come from what training leaves over. A dataset that is one pool gives its training set first,
    then the validation set (at most a fifth of what is left), and the rest is the test set; without
    sizes from the paper, training takes at most two thirds of each cell of a pool. Of rows
    with the same content and answer one is kept; rows with the same content and different answers
    are all left out.

    Args:
        draws: settings that differ in their seeds alone.

    Raises:
        InputError: the data is missing, a row is wrong, or no rows are left.
    """
    released: _Released | None = None
    for settings in draws:
        released = released or _Released.read(task, settings)
        draw = _as_in_the_paper if settings.paper_sizes else _disjoint
        yield _not_empty(draw(released, settings))


@dataclass(frozen=True)
class _Released:
    """All of a task's rows, with what no seed decides.

    Attributes:
        clean: by split, one row per content; empty where repeats stay.
        drops: rows left out so far.
    """

    task: Task
    loaded: Loaded
    clean: Mapping[str, list[Example]]
    drops: Drops
    validated: Validated

    @classmethod
    def read(cls, task: Task, settings: DataSettings) -> _Released:
        source = settings.source_of(task.name)
        loaded = load_examples(task, source)
        drops = loaded.drops.copy()
        if settings.paper_sizes:
            return cls(task, loaded, {}, drops, read_validated(task, source))
        distinct = {
            split: _distinct(rows, split, drops, task) for split, rows in loaded.examples.items()
        }
        return cls(task, loaded, _groups_shared(distinct, task), drops, Validated())


def _not_empty(splits: Splits) -> Splits:
    if not splits.train or not splits.test:
        reasons = [f"{count} of {split}: {why}" for (split, why), count in splits.drops.items()]
        left_out = f" (left out: {'; '.join(reasons)})" if reasons else ""
        raise InputError(
            f"task {splits.task.name!r}",
            f"has {len(splits.train)} rows to train on and {len(splits.test)} to test on{left_out}",
            "check the data" if reasons else "lower data.num_train or give more rows",
        )
    return splits


def _disjoint(released: _Released, settings: DataSettings) -> Splits:
    task, clean, drops = released.task, released.clean, released.drops.copy()
    num_train, seed = _num_train(task, settings), settings.seed
    is_pool = POOL in clean
    pool = stratified_order(clean[POOL if is_pool else "train"], seed)
    kept: list[Example] = []
    if is_pool and task.sizes is None:
        pool, kept = _parted(pool)
    train, rest = pool[:num_train], [*pool[num_train:], *kept]
    if is_pool:
        size = min(settings.num_validation, len(rest) // LARGEST_VALIDATION)
        ordered = stratified_order(rest, seed)
        validation, test = ordered[:size], ordered[size:]
    else:
        test = _without(clean["test"], _contents(train), "test", "trained on", drops)
        candidates = clean.get("validation") or rest
        used = _contents(train) | _contents(test)
        label = "validation" if "validation" in clean else "train"
        held_out = _without(candidates, used, label, "trained or tested on", drops)
        validation = stratified_order(held_out, seed)[: settings.num_validation]
    return Splits(
        task,
        tuple(train),
        tuple(validation),
        tuple(stratified_order(test, seed)[: settings.num_test]),
        Counter(released.loaded.num_read),
        drops,
    )


def _as_in_the_paper(released: _Released, settings: DataSettings) -> Splits:
    """Table 2's sizes from all rows: repeats stay, and nothing is held out for validation.

    Human-validated rows are trained on first and never tested on. Of a pool, the test set takes the
    rows that were not trained on, then as many of the others as it still needs.
    """
    task, loaded, validated = released.task, released.loaded, released.validated
    num_train, seed = _num_train(task, settings), settings.seed
    rows = loaded.examples[POOL if POOL in loaded.examples else "train"]
    chosen = stratified_order(rows, seed, validated.ids)[:num_train]
    train = stratified_order(chosen, seed)  # validated rows no longer first: parts are random
    if POOL in loaded.examples:
        trained = {example.id for example in chosen}
        untrained = [e for e in rows if e.id not in trained]
        again = stratified_order([e for e in chosen if e.id not in validated.ids], seed)
        wanted = task.sizes.test if task.sizes else len(untrained)
        test = [*stratified_order(untrained, seed), *again][:wanted]
    else:
        test = list(loaded.examples["test"])
    test = stratified_order(test, seed)[: settings.num_test]
    contents = _contents(train)
    overlap = sum(example.content_digest in contents for example in test)
    return Splits(
        task,
        tuple(train),
        (),
        tuple(test),
        Counter(loaded.num_read),
        released.drops.copy(),
        overlap,
        tuple(filter(None, [validated.note])),
    )


def _num_train(task: Task, settings: DataSettings) -> int:
    return settings.num_train or (task.sizes.train if task.sizes else DEFAULT_NUM_TRAIN)


def _parted(pool: Sequence[Example]) -> tuple[list[Example], list[Example]]:
    """The first two thirds of every cell, which may be trained on, and the rest, in their order.

    Balanced training would else use up a small cell, and nothing of it would be tested on.
    """
    sizes, taken = Counter(example.stratum for example in pool), Counter[tuple[str, str, str]]()
    parts: tuple[list[Example], list[Example]] = ([], [])
    for example in pool:
        taken[example.stratum] += 1
        parts[taken[example.stratum] > 2 * sizes[example.stratum] / 3].append(example)
    return parts


def _distinct(examples: Iterable[Example], split: str, drops: Drops, task: Task) -> list[Example]:
    """One example per content and answer.

    None of a content with several answers, or in several subsets: what holds is not known.
    Several responses to the same prompt contradict each other only where answers are restricted.
    """
    by_content: dict[str, dict[str, list[Example]]] = defaultdict(dict)
    for example in sorted(examples, key=lambda example: (example.id, example.prompt)):
        same = by_content[example.content_digest].setdefault(example.target, [])
        if same:
            drops[split, _repeats(example, same[0], task)] += 1
        same.append(example)
    kept: list[Example] = []
    for answers in by_content.values():
        if len(answers) > 1 and not task.is_generative:
            drops[split, "same text with different answers"] += len(answers)
            continue
        for same in answers.values():
            if len({example.subset for example in same}) > 1:
                drops[split, "same text in different subsets"] += 1
            else:
                kept.append(_with_groups(same, task))
    return kept


def _is_long(task: Task, example: Example) -> bool:
    """Whether equal rows may be one row, listed once per group.

    Not where people have tagged each row by itself: there two rows of one text are two opinions,
    of which the first one counts.
    """
    return task.content_ids or example.is_verbatim


def _repeats(example: Example, first: Example, task: Task) -> str:
    if example.groups == first.groups:
        return "repeats another row"
    kept = "all groups are kept" if _is_long(task, first) else "the first one's groups are kept"
    return f"repeats another row with other groups: {kept}"


def _with_groups(same: Sequence[Example], task: Task) -> Example:
    """One of several equal rows."""
    if not _is_long(task, same[0]):
        return same[0]
    groups = tuple(sorted({group for example in same for group in example.groups}))
    return replace(same[0], groups=groups)


def _groups_shared(splits: Mapping[str, list[Example]], task: Task) -> dict[str, list[Example]]:
    """A text speaks of the same groups in whichever split of the release each is listed."""
    groups: dict[tuple[str, str], set[str]] = defaultdict(set)
    for rows in splits.values():
        for example in rows:
            groups[example.content_digest, example.target].update(example.groups)

    def shared(example: Example) -> Example:
        found = groups[example.content_digest, example.target]
        is_whole = len(found) == len(set(example.groups)) or not _is_long(task, example)
        return example if is_whole else replace(example, groups=tuple(sorted(found)))

    return {split: [shared(example) for example in rows] for split, rows in splits.items()}


def _without(
    examples: Sequence[Example], contents: Collection[str], split: str, use: str, drops: Drops
) -> list[Example]:
    kept = [example for example in examples if example.content_digest not in contents]
    if len(kept) < len(examples):
        drops[split, f"the same text is {use}"] += len(examples) - len(kept)
    return kept


def _contents(examples: Iterable[Example]) -> set[str]:
    return {example.content_digest for example in examples}


def _digest(examples: Iterable[Example]) -> str:
    return digest_json(
        [
            (e.id, e.prompt, e.target, e.answers, e.label, e.groups, e.subset, e.roles)
            for e in examples
        ]
    )
