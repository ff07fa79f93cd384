"""Settings of the search: which trials are made, and which are ended early."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from raysweep.settings.base import Settings, refuse_repeats
from raysweep.settings.bounds import Position, PositiveRows, PositiveSteps, ReductionFactor, Seed
from raysweep.settings.identity import NO_KEY, Key, part_of

Order = Literal["listed", "flattest_first", "sharpest_first"]


class SearchSettings(Settings):
    """Which trials are made of the chains and the values of all axes.

    Attributes:
        method: "grid" for every combination, "random" for independent draws, "optuna" for a search
            that learns from the trials before.
        num_samples: points that "random" draws, the same ones for every chain and seed; or trials
            of "optuna", for which the chain is one more thing to choose.
        seed: of the draws.
        objectives: of "optuna": metrics after the last stage (see `metrics`), each "min" or "max".
        sampler: of "optuna": "tpe", "nsga2" or "random".
        first_stage: "best" tries every point of the first stage, and chains only from the one with
            the highest validation accuracy, for each seed and first task (section 3.1).
        orders: of each chain's stages: "listed", or by the spectral radius that each task has when
            it is the first: "flattest_first", "sharpest_first".
    """

    all_settings: ClassVar = part_of(Key.SWEEP)

    method: Literal["grid", "random", "optuna"] = "grid"
    num_samples: Annotated[PositiveRows | None, NO_KEY] = None  # a search can be prolonged
    seed: Seed = 0
    objectives: Mapping[str, Literal["min", "max"]] = {}
    sampler: Literal["tpe", "nsga2", "random"] = "tpe"
    first_stage: Literal["all", "best"] = "all"
    orders: Annotated[tuple[Order, ...], Field(min_length=1)] = ("listed",)

    @property
    def has_scouts(self) -> bool:
        """Whether single stages are trained first, to decide by them which trials follow."""
        return self.first_stage == "best" or self.orders != ("listed",)

    @model_validator(mode="after")
    def _belong_together(self) -> Self:
        if (self.method == "grid") != (self.num_samples is None):
            raise ValueError("give num_samples together with method: random or method: optuna")
        if (self.method == "optuna") != bool(self.objectives):
            raise ValueError(
                "give objectives together with method: optuna, such as {safety_forgetting: min}"
            )
        if self.method == "optuna" and self.has_scouts:
            raise ValueError("first_stage: best and orders go with method: grid or random")
        refuse_repeats(self.orders)
        return self


class StoppingSettings(Settings):
    """Ends hopeless trials early: asynchronous successive halving (Li et al., 2018).

    At each rung a trial goes on if it is among the best 1 / reduction_factor of the trials of the
    same chain that have come to that rung so far. A rung is the end of a stage, or with
    ``every_steps`` the steps n, n r, n r^2, ... of the whole chain, r being the reduction factor.

    Attributes:
        metric: the metric that is compared (see `metrics`); inside a stage only the loss is known.
        mode: whether less or more of it is better.
        reduction_factor: of so many trials one goes on.
        grace_stages: stages after which a trial is compared first.
        every_steps: steps between two reports inside a stage; null compares after stages only.
    """

    all_settings: ClassVar = part_of(Key.SWEEP)

    metric: str
    mode: Literal["min", "max"]
    reduction_factor: ReductionFactor = 3.0
    grace_stages: Position = 1
    every_steps: PositiveSteps | None = None

    @model_validator(mode="after")
    def _known_inside_a_stage(self) -> Self:
        if self.every_steps and self.metric != "loss":
            raise ValueError("every_steps needs metric: loss, the only one known inside a stage")
        return self
