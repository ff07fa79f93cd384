"""What is decided by single stages that are trained first: the scouts of a sweep.

The paper picks "the best model for the first task" and finetunes that on the second (section 3.1);
and its section 4.3 suggests an order: a task whose minimum is sharp is forgotten more when it comes
first. Both need first stages that are trained before it is known which trials follow.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from raysweep.plan.trials import Stage
from raysweep.space.chains import Chain, Mixture
from raysweep.space.data import Replicate
from raysweep.space.search import Order
from raysweep.training.settings import Hyperparameters

Place = tuple[Replicate, Mixture]
"""Both seeds, and what the first stage is trained on."""


@dataclass(frozen=True)
class Finding:
    """What is known of one first stage.

    Attributes:
        accuracy: on validation rows; None if it was not measured.
        spectral_radius: of the task's training loss; None if it was not measured.
    """

    stage: Stage
    accuracy: float | None
    spectral_radius: float | None

    def __str__(self) -> str:
        settings = self.stage.hyperparameters
        seeds = f"seed {self.stage.seed}, data seed {self.stage.data_seed}"
        shown = f"{self.stage.label}, {seeds}, rate {settings.learning_rate:g}:"
        if self.accuracy is not None:
            shown += f" validation accuracy {100 * self.accuracy:.1f} %"
        if self.spectral_radius is not None:
            shown += f" spectral radius {self.spectral_radius:.4g}"
        return shown

    @property
    def place(self) -> Place:
        """Seeds and mixture, among which the settings are chosen."""
        return Replicate(self.stage.seed, self.stage.data_seed), self.stage.mixture


@dataclass(frozen=True)
class Findings:
    """What all scouts have found, in the order in which their stages were planned."""

    all: tuple[Finding, ...] = ()

    @cached_property
    def _best(self) -> Mapping[Place, Finding]:
        best: dict[Place, Finding] = {}
        for one in self.all:
            best[one.place] = max(best.get(one.place, one), one, key=lambda it: it.accuracy or 0.0)
        return best

    @cached_property
    def _radii(self) -> Mapping[tuple[Place, Hyperparameters], float | None]:
        radii: dict[tuple[Place, Hyperparameters], float | None] = {}
        for one in self.all:
            radii.setdefault((one.place, one.stage.hyperparameters), one.spectral_radius)
        return radii

    def best(self, mixture: Mixture, replicate: Replicate) -> Hyperparameters | None:
        """The first stage's settings with the highest validation accuracy; of equals the first.

        None if nothing is known of that stage, because its scouts have failed.
        """
        finding = self._best.get((replicate, mixture))
        return finding.stage.hyperparameters if finding else None

    def ordered(
        self, chain: Chain, first: Hyperparameters, replicate: Replicate, order: Order
    ) -> Chain | None:
        """The stages of a chain by the spectral radius that each has when it is the first.

        None if the radius of one is not known, because its scout has failed.

        Args:
            first: the settings of the first stage. Where the best ones are chosen for each task, a
                task counts with its own best ones.
        """
        if order == "listed":
            return chain
        radii = {mixture: self._radius(mixture, first, replicate) for mixture in chain}
        if None in radii.values():
            return None
        return Chain(
            sorted(chain, key=lambda one: radii[one] or 0.0, reverse=order == "sharpest_first")
        )

    def _radius(
        self, mixture: Mixture, first: Hyperparameters, replicate: Replicate
    ) -> float | None:
        best = self._best.get((replicate, mixture))
        if best is None or best.accuracy is not None:
            return best.spectral_radius if best else None
        return self._radii.get((best.place, first))
