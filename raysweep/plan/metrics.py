"""The metrics that a trial reports after each stage: each declared once, with all there is to it.

Kinds of tasks are the paper's: capability (ARC-Easy, CommonsenseQA, CommonsenseQA 2) and safety
(ToxiGenQA, BBQ, SaFeRDialogues). Accuracies and forgetting are fractions of the test rows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial

from raysweep.errors import InputError
from raysweep.measures.forgetting import Forgetting, worst_group
from raysweep.settings.mistakes import suggestion
from raysweep.space.chains import Chain
from raysweep.space.space import SearchSpace
from raysweep.statistics.grouped_losses import MIN_ROWS
from raysweep.statistics.unevenness import Unevenness
from raysweep.tasks.task import Kind

Value = float | None


@dataclass(frozen=True)
class Known:
    """What is known of a trial after one of its stages; None is what is not (yet) defined.

    Attributes:
        overall, groups: forgetting of the chain's first task, of all rows and by group.
        unevenness: of that forgetting over the groups, against what chance gives.
        spectral_radius: of the first task's loss after the first stage.
        loss: of the stage's last step.
        kinds: of the chain's tasks.
        accuracies: of each task's test rows.
        lost: forgetting of each task that was learned before this stage.
    """

    overall: Forgetting | None
    groups: Mapping[str, Forgetting]
    unevenness: Unevenness | None
    spectral_radius: Value
    loss: Value
    kinds: Mapping[str, Kind]
    accuracies: Mapping[str, Value]
    lost: Mapping[str, Value]

    def mean(self, values: Mapping[str, Value], kind: Kind | None = None) -> Value:
        """Over the tasks of a kind, or all, of those values that are known; None without any."""
        of_kind = (value for task, value in values.items() if kind in (None, self.kinds[task]))
        known = [value for value in of_kind if value is not None]
        return sum(known) / len(known) if known else None

    @property
    def worst_group(self) -> str | None:
        """The group that forgets most, of those with rows enough."""
        return worst_group(self.groups, MIN_ROWS)

    @property
    def worst(self) -> Forgetting | None:
        """Of that group."""
        return self.groups[self.worst_group] if self.worst_group else None


@dataclass(frozen=True)
class Prospect:
    """A chain that a space asks for.

    Attributes:
        kinds: of its tasks.
    """

    space: SearchSpace
    chain: Chain
    kinds: Mapping[str, Kind]

    @property
    def learned(self) -> set[Kind]:
        """Kinds of which a task is learned before the last stage."""
        last = len(self.chain)
        return {kind for task, kind in self.kinds.items() if self._learned_at(task) < last}

    @property
    def is_first_learned(self) -> bool:
        """Whether the first task is learned before the last stage."""
        return self._learned_at(self.chain.first_task) < len(self.chain)

    def _learned_at(self, task: str) -> int:
        return self.chain.learned_at(task) or len(self.chain)


@dataclass(frozen=True)
class Metric:
    """One metric.

    Attributes:
        value: of what is known of a trial after a stage.
        lacks: why a trial of a chain ends without it; empty where it has it. Metrics of groups also
            need rows that speak of groups, which only the data can tell.
    """

    meaning: str
    value: Callable[[Known], Value]
    lacks: Callable[[Prospect], str] = lambda chain: ""


def _unless_first_learned(chain: Prospect) -> str:
    return "" if chain.is_first_learned else "its first task is not learned before its last stage"


def _unless_learned(kind: Kind | None, chain: Prospect) -> str:
    if kind is None:
        return "" if chain.learned else "no task is learned before its last stage"
    return "" if kind in chain.learned else f"no {kind} task is learned before its last stage"


def _unless_present(kind: Kind, chain: Prospect) -> str:
    return "" if kind in chain.kinds.values() else f"no {kind} task is in it"


def _of_kind(kind: Kind) -> dict[str, Metric]:
    return {
        f"{kind}_accuracy": Metric(
            f"mean accuracy over the chain's {kind} tasks",
            lambda known: known.mean(known.accuracies, kind),
            partial(_unless_present, kind),
        ),
        f"{kind}_forgetting": Metric(
            f"mean forgetting over the {kind} tasks learned before this stage",
            lambda known: known.mean(known.lost, kind),
            partial(_unless_learned, kind),
        ),
    }


METRICS: Mapping[str, Metric] = {
    "forgetting": Metric(
        "of the first task, overall (equation 1)",
        lambda known: known.overall.forgetting if known.overall else None,
        _unless_first_learned,
    ),
    "relative_forgetting": Metric(
        "forgetting / accuracy before",
        lambda known: known.overall.relative if known.overall else None,
        _unless_first_learned,
    ),
    "worst_group_forgetting": Metric(
        "of the group of the first task that forgets most, of those with at least 10 rows",
        lambda known: known.worst.forgetting if known.worst else None,
        _unless_first_learned,
    ),
    "max_biased_forgetting": Metric(
        "that group's forgetting - the overall one (equation 2); large by chance alone: search by "
        "its excess",
        lambda known: known.worst.biased if known.worst else None,
        _unless_first_learned,
    ),
    "excess_biased_forgetting": Metric(
        "the largest biased forgetting - what the largest is if groups make no difference, of "
        "groups with at least 10 rows",
        lambda known: known.unevenness.biased.excess if known.unevenness else None,
        _unless_first_learned,
    ),
    "biased_forgetting_p": Metric(
        "how probable so large a biased forgetting is if groups make no difference",
        lambda known: known.unevenness.biased.p if known.unevenness else None,
        _unless_first_learned,
    ),
    "unevenness_p": Metric(
        "how probable groups as uneven are, all taken together, if they make no difference",
        lambda known: known.unevenness.p if known.unevenness else None,
        _unless_first_learned,
    ),
    "spectral_radius": Metric(
        "of the first task's loss after the first stage",
        lambda known: known.spectral_radius,
        lambda chain: "" if chain.space.curvature.enabled else "curvature.enabled is false",
    ),
    "loss": Metric(
        "of the last step; inside a stage the mean since the last report",
        lambda known: known.loss,
    ),
    **_of_kind(Kind.CAPABILITY),
    **_of_kind(Kind.SAFETY),
    "mean_forgetting": Metric(
        "mean forgetting over all tasks learned before this stage",
        lambda known: known.mean(known.lost),
        partial(_unless_learned, None),
    ),
}
"""Metrics of every trial; `metrics_of` adds those of single tasks."""


def metrics_of(tasks: Iterable[str]) -> dict[str, Metric]:
    """All metrics of trials with these tasks."""
    return {**METRICS, **{f"accuracy_{task}": _accuracy_of(task) for task in tasks}}


def _accuracy_of(task: str) -> Metric:
    return Metric(
        f"of the test rows of {task}",
        lambda known: known.accuracies.get(task),
        lambda chain: "" if task in chain.kinds else "the task is not in it",
    )


def check_metrics(space: SearchSpace) -> None:
    """Checks what a space wants to optimise or to stop by.

    Raises:
        InputError: there is no such metric, or some chain ends without it.
    """
    known, tasks = metrics_of(space.task_names), space.find_tasks()
    named = [("search.objectives", name) for name in space.search.objectives]
    if space.stopping:
        named.append(("stopping.metric", space.stopping.metric))
    for key, name in named:
        if name not in known:
            problem = f"unknown metric{suggestion(name, known)}"
            raise InputError(f"{key} {name!r}", problem, f"use one of {', '.join(known)}")
    for name in space.search.objectives:
        for chain in space.chains:
            prospect = Prospect(space, chain, {task: tasks[task].kind for task in chain.tasks})
            if reason := known[name].lacks(prospect):
                problem = f"is not defined for the chain {chain}: {reason}"
                remedy = "leave the chain out, or choose another objective"
                raise InputError(f"search.objectives {name!r}", problem, remedy)
