"""How the curvature of a loss is measured."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal, Self

from pydantic import model_validator

from raysweep.settings.base import Settings
from raysweep.settings.bounds import Flag, Parameters, Points, PositiveRows, Products, Tolerance
from raysweep.settings.identity import Key, part_of

OF_LOSS = part_of(Key.LOSS, Key.SWEEP)
OF_SOLVER = part_of(Key.SOLVER, Key.SWEEP)


class CurvatureSettings(Settings):
    """The spectral radius of a task's training loss after a stage.

    Attributes:
        enabled: whether it is measured.
        stages: after the "first" stage (section 4.3), or after "all".
        tasks: of the stage's "own" (first) task, or of "all" tasks of the chain.
        content: whether the radius is measured a second time, of the loss of the answers' content
            alone: the tokens in which the candidates differ. Generated responses have none.
        changes: whether the terms of equations 3 and 4 are measured after the stage that follows.
        path_points: gradients along the way from a stage's model to the next one's, from which the
            loss's increase is integrated; 0 for none.
        num_samples: training examples (the paper's 50), a stratified draw with the trial's seed.
        reduction: "token", the mean over all answer tokens, as in training; or "sample", the mean
            over rows of each row's mean.
        solver: "lanczos", or "power" iteration, which takes two to six times as many products.
        relative_tolerance: residual over value at which the solver has converged.
        min_products, max_products: bounds on the number of Hessian-vector products.
        operator: "replica": each worker holds the whole model in float32 and the graph of its
            gradient, about 28 bytes a parameter plus activations. "layerwise": weights and vectors
            stay sharded, one layer at a time is whole. "auto" takes layerwise with ZeRO 3.
        max_parameters: largest model of which each worker is to hold a replica.
    """

    all_settings: ClassVar = part_of(Key.SWEEP)

    enabled: Flag = True
    stages: Literal["first", "all"] = "first"
    tasks: Literal["own", "all"] = "own"
    content: Annotated[Flag, part_of(Key.SWEEP, formerly=False)] = False
    changes: Flag = True
    path_points: Annotated[Points, part_of(Key.CHANGE, formerly=8)] = 8
    num_samples: Annotated[PositiveRows, OF_LOSS] = 50
    reduction: Annotated[Literal["token", "sample"], OF_LOSS] = "token"
    solver: Annotated[Literal["lanczos", "power"], OF_SOLVER] = "lanczos"
    relative_tolerance: Annotated[Tolerance, OF_SOLVER] = 1e-3
    min_products: Annotated[Products, OF_SOLVER] = 12
    max_products: Annotated[Products, OF_SOLVER] = 60
    operator: Annotated[
        Literal["auto", "replica", "layerwise"], part_of(Key.SWEEP, written="auto")
    ] = "auto"
    max_parameters: Annotated[Parameters, part_of(Key.SWEEP, written=1_000_000_000)] = 1_000_000_000

    def is_layerwise(self, zero_stage: int) -> bool:
        """Whether the weights stay sharded, for workers with that ZeRO stage."""
        return self.operator == "layerwise" or (self.operator == "auto" and zero_stage == 3)

    @model_validator(mode="after")
    def _bounds_in_order(self) -> Self:
        if self.min_products > self.max_products:
            raise ValueError("min_products is larger than max_products")
        return self
