"""The closed world's rows as their tasks read them."""

from raysweep.tasks.registry import TASKS
from raysweep.tasks.task import Example
from raysweep.tiny.world import read_split


def examples(name: str, split: str) -> list[Example]:
    """All of a split; a row that its task drops is a fault of the world."""
    read = [TASKS[name].parse_row(row) for row in read_split(name)[split]]
    kept = [example for example in read if isinstance(example, Example)]
    assert len(kept) == len(read)
    return kept
