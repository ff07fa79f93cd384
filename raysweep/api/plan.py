"""From a search space to a plan that tells what it will do and take."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rich.tree import Tree

from raysweep.cost.forecast import Cost, assumptions_for, forecast
from raysweep.cost.measured import Finished, find_finished
from raysweep.cost.report import stage_tree
from raysweep.cost.shape import planned_shape
from raysweep.model.checkpoint import find_checkpoint
from raysweep.plan import plan as planning
from raysweep.space import space as spaces
from raysweep.space.packaged import space_path
from raysweep.space.space import SearchSpace


def load_space(name: str | Path, /, **settings: Any) -> SearchSpace:
    """Reads a search space.

    Args:
        name: of a packaged one, such as "lr"; or a path.
        settings: replace those of the file; mappings (``data``, ``stage``, ``workers``, ...) are
            merged into the file's; None means as in the file.

    Raises:
        InputError: there is none, or a setting is wrong.
    """
    return spaces.load_space(space_path(str(name)), settings)


class SweepPlan(planning.Plan):
    """All trials of a sweep, with what the rooms above `plan` tell of them."""

    def tree(self, storage: str | Path | None = None) -> Tree:
        """Every distinct stage once, under the one it continues from; for print and notebooks.

        Args:
            storage: marks what is trained there already.

        Raises:
            InputError: the storage cannot be read.
        """
        finished = self._finished(storage)
        return stage_tree(self, finished.entries if finished else ())

    def forecast(
        self,
        storage: str | Path | None = None,
        *,
        gpu: str | None = None,
        tokens_per_second: float | None = None,
        price: float | None = None,
    ) -> Cost:
        """What the distinct work takes; hours are None where no speed is known.

        Workers that the space leaves open are those that this machine would have, or with ``gpu``
        a host of eight.

        Args:
            storage: where sweeps ran: counts what is there, and takes the speed from there.
            gpu: accelerator of each worker, such as "H100".
            tokens_per_second: of training, measured, per worker.
            price: of a worker and hour.

        Raises:
            InputError: the storage cannot be read, or the accelerator is unknown or too small.
        """
        shaped = planned_shape(self, gpu).applied(self)
        finished = shaped._finished(storage)
        speed = tokens_per_second or (finished.tokens_per_second if finished else None)
        assumptions = assumptions_for(shaped, gpu=gpu, tokens_per_second=speed, price=price)
        return forecast(shaped, assumptions, finished.entries if finished else ())

    def _finished(self, storage: str | Path | None) -> Finished | None:
        return None if storage is None else find_finished(self, str(storage))


def make_plan(space: SearchSpace) -> SweepPlan:
    """Expands a search space to the trials of a sweep.

    Raises:
        InputError: the model or the data is missing, or they cannot be measured as asked.
    """
    return SweepPlan(**vars(planning.make_plan(space, find_checkpoint(space.model))))
