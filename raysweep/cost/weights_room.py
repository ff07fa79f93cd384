"""Whether the weights of all trials that run at once fit the budget."""

from __future__ import annotations

from raysweep.cost.activations import weight_bytes
from raysweep.errors import InputError
from raysweep.plan.plan import Plan
from raysweep.store.weights_budget import GB

OVERHEAD = 1.02  # of a model's files over its bare weights: headers and tokenizer
TOKENIZER_BYTES = 4_000_000


def check_budget(plan: Plan, num_running: int) -> None:
    """Checks that the weights of all trials that run at once fit the budget.

    Args:
        num_running: trials that have workers at the same time.

    Raises:
        InputError: they do not.
    """
    budget = plan.space.weights.budget_gb
    if budget is None:
        return
    longest = max(len(trial.stages) for trial in plan.all_trials)
    dtypes = {s.hyperparameters.dtype for trial in plan.all_trials for s in trial.stages}
    weights = max(map(weight_bytes, dtypes)) * plan.checkpoint.num_parameters
    needed = num_running * longest * (weights * OVERHEAD + TOKENIZER_BYTES) / GB
    if needed > budget:
        raise InputError(
            f"weights.budget_gb = {budget:g}",
            f"too small for {num_running} trials at once of up to {longest} stages",
            f"set it to at least {needed:.2g}, or lower workers.max_concurrent_trials",
        )
