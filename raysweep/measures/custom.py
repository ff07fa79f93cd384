"""Measurements of one's own, of every stage's model on every task of a chain.

A package adds one by an entry point of the group ``raysweep.measurements`` that names a
`CustomMeasurement`; a search space asks for it: ``measurements: [weight_norm]``. It is kept, shared
and resumed like every other measurement, and its numbers are rows of the table ``measurements``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from raysweep.model.encoding import Encoder
from raysweep.settings.plugins import PluginError, load_plugin, plugins
from raysweep.tasks.task import Example, Task

if TYPE_CHECKING:
    from transformers import LlamaForCausalLM

ENTRY_POINTS = "raysweep.measurements"
NAME = re.compile("[a-z][a-z0-9_]{,39}")


@dataclass(frozen=True)
class Subject:
    """What is measured: a stage's model, or the base model, on a task.

    Attributes:
        model: whole, on the worker's device, to be left as it is.
        rows: the task's test rows.
        sequence_limit: longest row in tokens.
        batch_size: rows of one forward pass.
    """

    model: LlamaForCausalLM
    encoder: Encoder
    task: Task
    rows: Sequence[Example]
    sequence_limit: int
    batch_size: int


@dataclass(frozen=True, eq=False)
class CustomMeasurement:
    """A measurement by its name.

    Attributes:
        quantities: the numbers that it gives, each with its meaning.
        measure: gives them; called by all workers of a group together, rank 0's numbers count. None
            is a number that is not defined.
        version: raised when it gives other numbers than before.
    """

    name: str
    quantities: Mapping[str, str]
    measure: Callable[[Subject], Mapping[str, float | None]]
    version: int = 1


@lru_cache(maxsize=1)
def known_measurements() -> Mapping[str, CustomMeasurement]:
    """Those that installed packages add.

    Raises:
        PluginError: an entry point cannot be loaded, is no measurement, or has no name of its own.
    """
    found: dict[str, CustomMeasurement] = {}
    for point in plugins(ENTRY_POINTS):
        one = load_plugin(point, CustomMeasurement)
        if one.name in found:
            raise PluginError(point, f"the measurement's name {one.name!r} is taken")
        for name in (one.name, *one.quantities):
            if not NAME.fullmatch(name):
                raise PluginError(
                    point, f"the name {name!r} is not of lower-case letters, digits and _"
                )
        found[one.name] = one
    return found
