"""Where the tasks' rows come from, and how many are used."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from pydantic import field_validator

from raysweep.settings.base import TINY, Settings, absolute
from raysweep.settings.bounds import Flag, PositiveRows, Rows, Seed
from raysweep.settings.identity import NO_KEY
from raysweep.tasks.sources import known_sources


class RowSettings(Settings):
    """What is said of the tasks' rows apart from how they are drawn; see `DataSettings`."""

    all_settings: ClassVar = NO_KEY  # the rows themselves are

    source: str = TINY
    sources: Mapping[str, str] = {}
    num_train: PositiveRows | None = None
    num_validation: Rows = 500
    num_test: PositiveRows | None = None
    paper_sizes: Flag = False

    @field_validator("source")
    @classmethod
    def _absolute_source(cls, source: str) -> str:
        return _named_or_absolute(source)

    @field_validator("sources")
    @classmethod
    def _absolute_sources(cls, sources: Mapping[str, str]) -> Mapping[str, str]:
        return {task: _named_or_absolute(source) for task, source in sources.items()}

    def source_of(self, task: str) -> str:
        """Where a task's rows come from."""
        return self.sources.get(task, self.source)


class DataSettings(RowSettings):
    """Where the tasks' rows come from and how they are drawn, once.

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
        seed: of the split and the subsets; the training seed is a trial's own.
    """

    seed: Seed = 0


def _named_or_absolute(source: str) -> str:
    """A name goes before a folder that is called so."""
    return source if source in known_sources() else absolute(source)
