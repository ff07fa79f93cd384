"""The metrics that a trial reports after each stage, which a search may optimise. Pure.

Kinds of tasks are the paper's: capability (ARC-Easy, CommonsenseQA, CommonsenseQA 2) and safety
(ToxiGenQA, BBQ, SaFeRDialogues). Accuracies and forgetting are fractions of the test rows.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from raysweep.errors import InputError
from raysweep.settings.mistakes import suggestion
from raysweep.space.chains import Chain
from raysweep.space.space import SearchSpace
from raysweep.tasks.task import Kind

METRICS: Mapping[str, str] = {
    "forgetting": "of the first task, overall (equation 1)",
    "relative_forgetting": "forgetting / accuracy before",
    "worst_group_forgetting": "of the group of the first task that forgets most",
    "max_biased_forgetting": "that group's forgetting - the overall one (equation 2)",
    "spectral_radius": "of the first task's loss after the first stage",
    "loss": "of the last step; inside a stage the mean since the last report",
    "capability_accuracy": "mean accuracy over the chain's capability tasks",
    "safety_accuracy": "mean accuracy over the chain's safety tasks",
    "capability_forgetting": "mean forgetting over the capability tasks learned before this stage",
    "safety_forgetting": "mean forgetting over the safety tasks learned before this stage",
    "mean_forgetting": "mean forgetting over all tasks learned before this stage",
}
"""Metrics of every trial; beside them ``accuracy_<task>`` for each task of the chain."""


def metric_names(tasks: Iterable[str]) -> list[str]:
    """What may be named in a search space with these tasks."""
    return [*METRICS, *(f"accuracy_{task}" for task in tasks)]


def check_metrics(space: SearchSpace) -> None:
    """Checks what a space wants to optimise or to stop by.

    Raises:
        InputError: there is no such metric, or some chain ends without it.
    """
    known = metric_names(space.task_names)
    named = [("search.objectives", name) for name in space.search.objectives]
    if space.stopping:
        named.append(("stopping.metric", space.stopping.metric))
    for key, name in named:
        if name not in known:
            problem = f"unknown metric{suggestion(name, known)}"
            raise InputError(f"{key} {name!r}", problem, f"use one of {', '.join(known)}")
    for name in space.search.objectives:
        for chain in space.chains:
            if reason := why_undefined(name, space, chain):
                problem = f"is not defined for the chain {chain}: {reason}"
                remedy = "leave the chain out, or choose another objective"
                raise InputError(f"search.objectives {name!r}", problem, remedy)


def why_undefined(metric: str, space: SearchSpace, chain: Chain) -> str:
    """Why a trial of this chain ends without that metric; empty where it has it.

    The groups' metrics also need rows that speak of groups, which only the data can tell.
    """
    kinds = {name: task.kind for name, task in space.find_tasks().items()}
    full = [{part.task for part in mixture if part.fraction == 1} for mixture in chain]
    learned = set().union(*full[:-1]) if len(full) > 1 else set()
    present = {part.task for mixture in chain for part in mixture}
    if metric == "spectral_radius" and not space.curvature.enabled:
        return "curvature.enabled is false"
    if metric.startswith("accuracy_") and metric.removeprefix("accuracy_") not in present:
        return "the task is not in it"
    for kind in Kind:
        if metric == f"{kind}_accuracy" and kind not in {kinds[task] for task in present}:
            return f"no {kind} task is in it"
        if metric == f"{kind}_forgetting" and kind not in {kinds[task] for task in learned}:
            return f"no {kind} task is learned before its last stage"
    about_first = ("forgetting", "relative_forgetting", "worst_group_forgetting")
    if metric in (*about_first, "max_biased_forgetting") and chain[0][0].task not in learned:
        return "its first task is not learned before its last stage"
    if metric == "mean_forgetting" and not learned:
        return "no task is learned before its last stage"
    return ""
