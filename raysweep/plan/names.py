"""How a person is told of a trial: in lines, tables, trees and failures alike.

The short id is the end of the trial's id, which is what the results' column ``trial`` holds.
"""

from __future__ import annotations

from raysweep.plan.trials import Trial


def short_id(name: str) -> str:
    """The last part of a trial's id, which no other trial of the sweep has."""
    return name.rpartition("-")[2]


def learning_rates(trial: Trial) -> str:
    """Those of its stages, such as ``0.001, 0.002``."""
    return ", ".join(f"{stage.hyperparameters.learning_rate:g}" for stage in trial.stages)


def full_name(trial: Trial) -> str:
    """Chain, learning rates and short id: ``toxigen -> arc_easy (0.001, 0.002) 1070d10a``."""
    return f"{trial.chain} ({learning_rates(trial)}) {short_id(trial.id)}"
