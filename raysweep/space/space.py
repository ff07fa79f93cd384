"""The search space: what its file may say, checked before anything starts.

A file is read with `load_space`; a mistake ends in one line that names file, key, value and remedy.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, ClassVar, Self

from pydantic import Field, ValidationError, field_validator, model_validator

from raysweep.measures.custom import CustomMeasurement, known_measurements
from raysweep.measures.settings import CurvatureSettings
from raysweep.settings.base import TINY, Settings, absolute, read_settings, refuse_repeats
from raysweep.settings.bounds import Position, Seed
from raysweep.settings.identity import NO_KEY, Key, part_of
from raysweep.settings.mistakes import SettingError, checked, nested_mistake, suggestion
from raysweep.settings.paths import shown, user_path
from raysweep.space.axes import Grid, LogUniform, Uniform, as_axis, axis_kind
from raysweep.space.chains import Chain, expand
from raysweep.space.data import Replicate, SweepData
from raysweep.space.search import SearchSettings, StoppingSettings
from raysweep.space.size import check_size
from raysweep.store.settings import WeightsSettings
from raysweep.tasks.custom import TaskSpec, read_task
from raysweep.tasks.names import titles_mistake
from raysweep.tasks.registry import known_tasks
from raysweep.tasks.sources import find_source
from raysweep.tasks.task import Task
from raysweep.training.settings import Hyperparameters, WorkerSettings


class SearchSpace(Settings):
    """A sweep: chains, seeds, and hyperparameters of which any may be an axis (see `axes`).

    Attributes:
        name: of the sweep, part of the results' folder.
        model: "tiny" for the embedded base, a local folder or a hub id of LLaMA weights.
        data: where the tasks' rows come from, and how they are drawn.
        tasks: of one's own: paths of their YAML files, or what would be in these.
        judge: of generated responses: a folder or a hub id of a toxicity classifier (safetensors),
            or "tiny" for the closed world's own, which is the default for its rows.
        toxic_class: the judge's class that means toxic, where the classes' names do not tell.
        beginning_mark: whether every prompt begins with the tokenizer's beginning mark, such as
            ``<s>``; null for as the model's own files say.
        chains: lists of stages; a stage is a task, ``task@5%``, or a list of those (a mixture).
            Braces stand for each of their parts, ``stage1`` for the first stage's task.
        seeds: of the trials.
        stage: hyperparameters of every stage.
        stages: those of one position in the chain (1 is the first), over ``stage``.
        measurements: of one's own, by their names: see `measures.custom`.
        search: which trials are made.
        stopping: which are ended early; null ends none.
        weights: which trained weights are kept.
        curvature: of which losses, and how it is measured.
        workers: of each trial; or "auto".
    """

    all_settings: ClassVar = part_of(Key.SWEEP)

    name: Annotated[str, NO_KEY] = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]*$", max_length=60)
    model: Annotated[str, NO_KEY] = TINY  # its digest is part of keys, as are those of all rows
    data: Annotated[SweepData, NO_KEY] = SweepData()
    tasks: Annotated[tuple[TaskSpec, ...], NO_KEY] = ()
    judge: Annotated[str | None, NO_KEY] = None  # as is its digest
    toxic_class: Annotated[str | None, NO_KEY] = None
    beginning_mark: Annotated[bool | None, NO_KEY] = None  # where it is not the files' own
    chains: Annotated[tuple[Chain, ...], Field(min_length=1)]
    seeds: Annotated[tuple[Seed, ...], Field(min_length=1)] = (0,)
    stage: Mapping[str, Any] = {}
    stages: Mapping[Position, Mapping[str, Any]] = {}
    search: SearchSettings = SearchSettings()
    stopping: StoppingSettings | None = None
    measurements: Annotated[tuple[str, ...], NO_KEY] = ()  # have keys of their own
    weights: Annotated[WeightsSettings, NO_KEY] = WeightsSettings()
    curvature: CurvatureSettings = CurvatureSettings()
    workers: Annotated[WorkerSettings, NO_KEY] = WorkerSettings()

    @field_validator("chains", mode="before")
    @classmethod
    def _expanded(cls, chains: Any) -> Any:
        if not _are_written_chains(chains):
            return chains  # refused where the types are checked
        refuse_repeats([str(chain) for chain in chains])
        return list(dict.fromkeys(one for chain in chains for one in expand(chain)))

    @field_validator("workers", mode="before")
    @classmethod
    def _of_any_shape(cls, workers: Any) -> Any:
        return {"shape": "auto"} if workers == "auto" else workers

    @field_validator("seeds")
    @classmethod
    def _distinct(cls, seeds: tuple[int, ...]) -> tuple[int, ...]:
        refuse_repeats(seeds)
        return seeds

    @field_validator("model", "judge")
    @classmethod
    def _absolute_folder(cls, folder: str | None) -> str | None:
        return None if folder is None else absolute(folder)

    @field_validator("tasks")
    @classmethod
    def _own_names(cls, tasks: tuple[TaskSpec, ...]) -> tuple[TaskSpec, ...]:
        taken = set(known_tasks())
        for task in tasks:
            if task.name in taken:
                raise ValueError(f"the task name {task.name!r} is taken; choose another")
            taken.add(task.name)
        return tasks

    @cached_property
    def task_names(self) -> tuple[str, ...]:
        """The tasks of all chains, each once, in the order in which they occur."""
        return tuple(dict.fromkeys(task for chain in self.chains for task in chain.tasks))

    @property
    def replicates(self) -> tuple[Replicate, ...]:
        """The seeds, each with its data seeds, that every chain is trained with at every point."""
        return self.data.replicates(self.seeds)

    @property
    def data_seeds(self) -> tuple[int, ...]:
        """With which rows are drawn, each once."""
        return tuple(dict.fromkeys(one.data_seed for one in self.replicates))

    def judge_of(self, task: str) -> str | None:
        """The judge of a task's responses; None where one has to be named and is not."""
        source = find_source(self.data.source_of(task))
        return self.judge or (source.judge if source else None)

    def find_tasks(self) -> dict[str, Task]:
        """The tasks of all chains by name."""
        known = {**known_tasks(), **{spec.name: spec.build() for spec in self.tasks}}
        return {name: known[name] for name in self.task_names}

    def find_measurements(self) -> list[CustomMeasurement]:
        """The measurements of one's own that are asked for."""
        return [known_measurements()[name] for name in self.measurements]

    @field_validator("measurements")
    @classmethod
    def _known_measurements(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        refuse_repeats(names)
        known = known_measurements() if names else {}
        for name in names:
            if name not in known:
                listed = ", ".join(known) or "none is installed"
                raise ValueError(
                    f"unknown measurement {name!r}{suggestion(name, known)}; known: {listed}"
                )
        return names

    @model_validator(mode="after")
    def _known_tasks(self) -> Self:
        known = [*known_tasks(), *(spec.name for spec in self.tasks)]
        for names, key in ((self.task_names, "chains"), (self.data.sources, "data.sources")):
            for name in names:
                if name not in known:
                    problem = f"unknown task{suggestion(name, known)}; tasks: {', '.join(known)}"
                    raise SettingError(key, name, problem)
        if problem := titles_mistake(self.find_tasks().values()):
            raise ValueError(problem)
        return self

    @model_validator(mode="after")
    def _hyperparameters(self) -> Self:
        longest = max(map(len, self.chains))
        for position, settings in self.stages.items():
            if position > longest:
                problem = f"the longest chain has {longest} stages; use 1 to {longest}"
                raise SettingError(f"stages.{position}", dict(settings), problem)
        self._check_search(longest)
        is_grid = self.search.method == "grid"
        _check_hyperparameters("stage", self.stage, is_grid)
        for position, settings in self.stages.items():
            _check_hyperparameters(f"stages.{position}", settings, is_grid)
        dtypes = [settings.get("dtype") for settings in (self.stage, *self.stages.values())]
        if self.workers.zero_stage == 0 and "bfloat16" in str(dtypes):
            # DeepSpeed's wrapper for this case takes an Adam step without gradients at its start.
            raise SettingError("workers.zero_stage", 0, "not with dtype bfloat16; use 1, 2 or 3")
        return self

    def _check_search(self, longest: int) -> None:
        search, stopping = self.search, self.stopping
        if search.method == "optuna" and len(self.seeds) > 1:
            problem = "Optuna looks at one seed; repeat its best points with others afterwards"
            raise SettingError("seeds", list(self.seeds), problem)
        if search.method == "optuna" and len(self.data_seeds) > 1:
            problem = "Optuna looks at one draw of the data; repeat its best points with others"
            raise SettingError("data.seed.grid", list(self.data_seeds), problem)
        if search.orders != ("listed",):
            for chain in self.chains:
                whole = [m[0].task for m in chain if len(m) == 1 and m[0].fraction == 1]
                if len(set(whole)) < len(chain):
                    problem = "orders are for chains of whole tasks, each once"
                    raise SettingError("chains", str(chain), problem)
            if not self.curvature.enabled:
                problem = "orders go by the spectral radius; set it to true"
                raise SettingError("curvature.enabled", False, problem)
        if stopping and stopping.grace_stages >= longest and not stopping.every_steps:
            problem = f"nothing is left to stop; the longest chain has {longest} stages"
            raise SettingError("stopping.grace_stages", stopping.grace_stages, problem)
        steps = [values.get("num_steps") for values in (self.stage, *self.stages.values())]
        if stopping and stopping.every_steps and any(isinstance(n, Mapping) for n in steps):
            problem = "trials are compared at equal steps; give every stage one num_steps"
            raise SettingError("stopping.every_steps", stopping.every_steps, problem)


def load_space(path: Path, overrides: Mapping[str, Any] | None = None) -> SearchSpace:
    """Reads and checks a search space file, with some of its settings replaced.

    Args:
        overrides: nested like the file; None means "as in the file". An explicit source of data
            is that of all tasks: the file's sources of single tasks give way to it.

    Raises:
        InputError: the file is missing, no YAML, or a setting is wrong.
    """
    content = read_settings(path, "give the path of a search space", "search_spaces/lr.yaml")
    merged = _merged(content, overrides or {})
    if (overrides or {}).get("data", {}).get("source") is not None:
        merged["data"].pop("sources", None)
    place = shown(path) if merged == content else f"{shown(path)} with the options given"
    if isinstance(merged.get("tasks"), list):
        merged["tasks"] = [_own_task(entry, path.parent) for entry in merged["tasks"]]
    return check_space(merged, place)


def _own_task(entry: Any, folder: Path) -> Any:
    """What a task's YAML file holds, where an entry is the path of one; else the entry."""
    if not isinstance(entry, str):
        return entry
    return read_task(folder / user_path(entry, f"tasks {shown(repr(entry))}"))


def _merged(content: Mapping[str, Any], overrides: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(content)
    for key, value in overrides.items():
        replaced = value
        if isinstance(value, Mapping):
            inner = merged.get(key)
            replaced = _merged(inner if isinstance(inner, Mapping) else {}, value) or None
        if replaced is not None:
            merged[key] = replaced
    return merged


def check_space(content: Mapping[str, Any], place: str) -> SearchSpace:
    """Turns plain values into a search space.

    Raises:
        InputError: naming ``place``, the key, the value and the remedy; or the number of trials
            where it is more than can be planned.
    """
    check_size(content, place)
    return checked(SearchSpace, content, place)


def _are_written_chains(chains: Any) -> bool:
    """Whether these are lists of parts and mixtures of parts, as text."""
    return isinstance(chains, list | tuple) and all(
        isinstance(chain, list | tuple)
        and len(chain)
        and all(
            isinstance(stage, str)
            or (isinstance(stage, list | tuple) and all(isinstance(part, str) for part in stage))
            for stage in chain
        )
        for chain in chains
    )


def _check_hyperparameters(prefix: str, settings: Mapping[str, Any], is_grid: bool) -> None:
    """Every value, and every value or bound of every axis, must be valid on its own."""
    for name, value in settings.items():
        key = f"{prefix}.{name}"
        try:
            axis = as_axis(value)
        except ValidationError as error:
            raise nested_mistake(error, key, value, axis_kind(value)) from None
        if is_grid and not isinstance(axis, Grid):
            raise SettingError(key, value, "is to be drawn; add search: {method: random, ...}")
        field = Hyperparameters.model_fields.get(name)
        if isinstance(axis, Uniform | LogUniform) and field and field.annotation is int:
            raise SettingError(key, value, "takes whole numbers; write {choice: [a, b]}")
        for candidate in axis.examples:
            try:
                Hyperparameters.model_validate({name: candidate})
            except ValidationError as error:
                raise nested_mistake(error, prefix, value, Hyperparameters) from None
