"""A trial's settings as Tune shows them: flat, readable, and what the trial really runs with.

    {"chain": "toxigen -> csqa -> toxigen@5%", "order": "safety first", "first_task": "toxigen",
     "last_task": "toxigen", "learning_rate_1": 0.001, ..., "replay_fraction": 0.05,
     "replay_steps": 100, "seed": 0, "data_seed": 0, "model": "tiny",
     "trial": "toxigen-csqa-toxigen-0123abcd"}

So Tune's own results, loggers and analyses know what was swept.
"""

from __future__ import annotations

from typing import Any

from raysweep.plan.trials import Trial
from raysweep.space.space import SearchSpace

TRIAL = "trial"
"""The trial's id."""


def tune_settings(trial: Trial, space: SearchSpace) -> dict[str, Any]:
    """What Tune's configuration of a trial holds.

    ``order`` tells which kind of task comes first, where the first and the second stage's differ,
    else which task. Replay is what of an earlier task's data comes back, at its last return: its
    fraction, and the steps of the stage that it is in; 0 where nothing comes back. Hyperparameters
    that the space sweeps stand beside the learning rates, each with the number of its stage.
    """
    chain = trial.chain
    swept = {name for owner in (space.stage, *space.stages.values()) for name in owner}
    settings: dict[str, Any] = {
        TRIAL: trial.id,
        "model": space.model,
        "chain": str(chain),
        "order": _order(trial, space),
        "first_task": chain.first_task,
        "last_task": chain[-1][0].task,
        "seed": trial.seed,
        "data_seed": trial.data_seed,
        "replay_fraction": 0.0,
        "replay_steps": 0,
    }
    seen = set[str]()
    for stage in trial.stages:
        for name, value in stage.hyperparameters.model_dump().items():
            if name in swept or name == "learning_rate":
                settings[f"{name}_{stage.number}"] = value
        for part in stage.mixture:
            if part.task in seen:
                settings["replay_fraction"] = part.fraction
                settings["replay_steps"] = stage.hyperparameters.num_steps
            seen.add(part.task)
    return settings


def _order(trial: Trial, space: SearchSpace) -> str:
    tasks = space.find_tasks()
    kinds = [tasks[stage.mixture[0].task].kind for stage in trial.stages]
    differ = len(kinds) > 1 and kinds[0] != kinds[1]
    return f"{kinds[0] if differ else trial.first_task} first"
