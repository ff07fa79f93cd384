"""The data of a sweep: where its rows come from, and with which seeds they are drawn.

A trial has two seeds: that of its training, and that of its data, which decides the split into
training, validation and test rows, their order, and so the first rows of every share. Trials that
differ in nothing but these are replicates of one chain at one point.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal, NamedTuple

from pydantic import Field, TypeAdapter, ValidationError, field_validator

from raysweep.settings.base import Settings, refuse_repeats
from raysweep.settings.bounds import Seed
from raysweep.settings.identity import NO_KEY, Key, part_of
from raysweep.settings.mistakes import SettingError, nested_mistake
from raysweep.tasks.settings import DataSettings, RowSettings

FORMS = "write a whole number, {grid: [0, 1]} for one draw after the other, or trial"


class Replicate(NamedTuple):
    """What tells a trial from others of its chain and settings."""

    seed: int
    data_seed: int


class SeedGrid(Settings):
    """Every trial is made with each of these data seeds: ``{grid: [0, 1, 2]}``."""

    all_settings: ClassVar = NO_KEY

    grid: Annotated[tuple[Seed, ...], Field(min_length=1)]

    @field_validator("grid")
    @classmethod
    def _distinct(cls, grid: tuple[int, ...]) -> tuple[int, ...]:
        refuse_repeats(grid)
        return grid


class SweepData(RowSettings):
    """Where the tasks' rows come from, how many are used, and with which seeds they are drawn.

    Attributes:
        source: "tiny" for the embedded closed world, "tiny_uneven" for the one in which groups
            differ, "hub" for the Hugging Face hub, or a folder of the authors' raw files.
        sources: of single tasks, over ``source``; of SaFeRDialogues also its archive.
        num_train: size of each task's training set (stratified); null takes the paper's, or for
            another task 2,241, and of a pool at most two thirds of each cell.
        num_validation: size of each task's validation set (stratified), as far as rows reach.
        num_test: size of each task's test set (stratified); null takes all there is.
        paper_sizes: whether the sets have the paper's sizes at the price of an overlap, which BBQ
            and ToxiGen then have; without it no text is in two sets.
        seed: of the split and the subsets; the training seed is a trial's own. ``{grid: [0, 1]}``
            makes every trial with each; "trial" draws each trial's data with its own seed.
        shares: which rows a share such as ``bbq@5%`` takes: "fixed" the first ones of the training
            set's order, "trial" a stratified draw with the trial's seed.
    """

    seed: Seed | SeedGrid | Literal["trial"] = 0
    shares: Annotated[
        Literal["fixed", "trial"], part_of(Key.STAGE, Key.SWEEP, formerly="fixed")
    ] = "fixed"

    @field_validator("seed", mode="before")
    @classmethod
    def _one_form(cls, seed: Any) -> Any:
        """Tells of the form that is meant, not of all that it is not."""
        if isinstance(seed, SeedGrid) or seed == "trial":
            return seed
        if isinstance(seed, str) or (isinstance(seed, Mapping) and set(seed) != {"grid"}):
            raise SettingError("data.seed", seed, FORMS)
        is_grid = isinstance(seed, Mapping)
        try:
            return (SeedGrid.model_validate if is_grid else _SEED.validate_python)(seed)
        except ValidationError as error:
            raise nested_mistake(error, "data.seed", seed, SeedGrid) from None

    def replicates(self, seeds: tuple[int, ...]) -> tuple[Replicate, ...]:
        """Each of the trials' seeds with its data seed, or with one after the other."""
        match self.seed:
            case "trial":
                return tuple(Replicate(seed, seed) for seed in seeds)
            case SeedGrid(grid=grid):
                return tuple(Replicate(seed, data_seed) for seed in seeds for data_seed in grid)
            case data_seed:
                return tuple(Replicate(seed, data_seed) for seed in seeds)

    def drawn(self, data_seed: int) -> DataSettings:
        """The settings of one draw."""
        kept = {name: getattr(self, name) for name in RowSettings.model_fields}
        return DataSettings(**kept, seed=data_seed)


_SEED: TypeAdapter[int] = TypeAdapter(Seed)
