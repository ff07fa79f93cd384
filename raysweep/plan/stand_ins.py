"""Plans without data or weights at hand: counts and costs before anything is fetched."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from itertools import cycle, islice
from pathlib import Path

from raysweep.model.architecture import Architecture
from raysweep.model.checkpoint import Checkpoint
from raysweep.tasks.settings import RowSettings
from raysweep.tasks.splits import DEFAULT_NUM_TRAIN, Splits
from raysweep.tasks.task import Example, Task

MAX_POSITIONS = 4096
KNOWN_MODELS: Mapping[str, tuple[int, Architecture]] = {
    "meta-llama/Llama-2-7b-hf": (
        6_738_415_616,
        Architecture(4096, 11008, 32, 32, 32, head_size=128, vocabulary_size=32000),
    ),
    "meta-llama/Llama-2-13b-hf": (
        13_015_864_320,
        Architecture(5120, 13824, 40, 40, 40, head_size=128, vocabulary_size=32000),
    ),
    "meta-llama/Llama-2-70b-hf": (
        68_976_648_192,
        Architecture(8192, 28672, 80, 64, 8, head_size=128, vocabulary_size=32000),
    ),
}
"""Parameters and sizes of published models (Touvron et al., 2023)."""
TYPICAL_PROMPT = "word " * 110  # about 130 tokens, as BBQ's prompts have on average


def outlined_checkpoint(model: str) -> Checkpoint | None:
    """A stand-in for a published model; None if it is not known here."""
    if model not in KNOWN_MODELS:
        return None
    num_parameters, architecture = KNOWN_MODELS[model]
    return Checkpoint(Path(model), model, num_parameters, MAX_POSITIONS, architecture)


def outlined_splits(task: Task, settings: RowSettings) -> Splits:
    """As many stand-in rows as the paper's sets have, or as the settings ask for.

    Those to test on are spread evenly over the groups and templates that are known.
    """
    train = task.sizes.train if task.sizes else DEFAULT_NUM_TRAIN
    test = task.sizes.test if task.sizes else DEFAULT_NUM_TRAIN
    num_train, num_test = settings.num_train or train, min(settings.num_test or test, test)
    answers = tuple(f"The best answer is {label}." for label in task.labels)
    row = Example(task.name, "", "", TYPICAL_PROMPT, answers, 0, "The best answer is A.")
    of_groups = [replace(row, groups=(group,)) for group in task.groups] or [row]
    if num_templates := task.num_templates // len(of_groups):  # each of one group
        of_groups = [
            replace(one, cluster=f"{number} of {one.groups}")
            for number in range(num_templates)
            for one in of_groups
        ]
    return Splits(task, (row,) * num_train, (), tuple(islice(cycle(of_groups), num_test)))
