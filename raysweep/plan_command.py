"""``python -m raysweep.plan SPACE``: what a sweep will do and cost, before anything starts."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from typing import Annotated

import typer
from rich.console import Console
from rich.tree import Tree

from raysweep.checkpoint import Checkpoint, find_checkpoint
from raysweep.cli import console, reporting_input_errors
from raysweep.cost import ACCELERATORS, Assumptions, Cost, forecast
from raysweep.errors import InputError
from raysweep.outline import outlined_checkpoint, outlined_splits
from raysweep.plan import Plan, make_plan
from raysweep.space import SearchSpace, load_space, space_path
from raysweep.stages import Stage

SHOWN_BRANCHES = 12
DEFAULTS = Assumptions()

SpaceFiles = Annotated[
    list[str],
    typer.Argument(help="Search spaces: files, or names of packaged ones, such as lr."),
]
Model = Annotated[str | None, typer.Option(help="Another model than the file's.")]
Data = Annotated[str | None, typer.Option(help="Another source of data than the file's.")]
Without = Annotated[
    bool,
    typer.Option("--outline", help="Count with the paper's sizes: neither data nor weights."),
]
Json = Annotated[bool, typer.Option("--json", help="Print the numbers as JSON.")]
Gpu = Annotated[str, typer.Option(help=f"Accelerator: {', '.join(ACCELERATORS)}.")]
Utilisation = Annotated[float, typer.Option(help="Share of its peak that is reached.", min=0.01)]
Speed = Annotated[
    float | None, typer.Option(help="Measured training tokens per second and worker.", min=1e-9)
]
Startup = Annotated[float, typer.Option(help="Start-up of a trial's workers, seconds.", min=0)]
Price = Annotated[float, typer.Option(help="Price of an accelerator and hour.", min=0)]


def main(
    spaces: SpaceFiles,
    model: Model = None,
    data: Data = None,
    outline: Without = False,
    as_json: Json = False,
    gpu: Gpu = DEFAULTS.accelerator,
    utilisation: Utilisation = DEFAULTS.utilisation,
    tokens_per_second: Speed = None,
    startup_seconds: Startup = DEFAULTS.startup_seconds,
    price: Price = DEFAULTS.price,
) -> None:
    """Prints the stage tree of search spaces, how much of it is shared, and what it costs."""
    assumptions = Assumptions(gpu, utilisation, tokens_per_second, startup_seconds, price)
    overrides = {"model": model, "data": {"source": data}}
    plans = []
    for space in spaces:
        settings = load_space(space_path(space), overrides)
        plans.append(
            outlined_plan(settings) if outline else make_plan(settings, _checkpoint(settings))
        )
    plan = combined(plans)
    cost = forecast(plan, assumptions)
    if as_json:
        numbers = {**dataclasses.asdict(cost), "assumptions": dataclasses.asdict(assumptions)}
        print(json.dumps({"sweep": plan.sweep, **numbers}, indent=2))
        return
    output = console()
    output.print(stage_tree(plan))
    _print_cost(plan, cost, assumptions, output)


def outlined_plan(space: SearchSpace) -> Plan:
    """The plan with stand-ins for rows and, where it is a published one, for the model."""
    checkpoint = outlined_checkpoint(space.model) or find_checkpoint(space.model)
    splits = {name: outlined_splits(task, space.data) for name, task in space.find_tasks().items()}
    return make_plan(space, checkpoint, splits)


def combined(plans: Sequence[Plan]) -> Plan:
    """Several plans of the same model as one, which shares what they have in common.

    Raises:
        InputError: the models differ.
    """
    first = plans[0]
    for other in plans[1:]:
        if other.checkpoint.digest != first.checkpoint.digest:
            raise InputError(
                f"model {other.space.model}",
                f"is another one than {first.space.model}",
                "plan search spaces of the same model together",
            )
    return dataclasses.replace(
        first,
        sweep=" + ".join(plan.sweep for plan in plans),
        trials=tuple(trial for plan in plans for trial in plan.trials),
        splits={name: splits for plan in plans for name, splits in plan.splits.items()},
    )


def stage_tree(plan: Plan) -> Tree:
    """Every distinct stage once, under the stage that it continues from."""
    children: dict[str, dict[str, Stage]] = {}
    for trial in plan.trials:
        for stage in trial.stages:
            children.setdefault(stage.parent, {})[stage.key] = stage
    tree = Tree(f"{plan.space.model} ({plan.checkpoint.num_parameters:,} parameters)")
    _grow(tree, plan.checkpoint.digest, children)
    return tree


def _grow(tree: Tree, parent: str, children: dict[str, dict[str, Stage]]) -> None:
    stages = list(children.get(parent, {}).values())
    for stage in stages[:SHOWN_BRANCHES]:
        _grow(tree.add(_label(stage)), stage.key, children)
    if len(stages) > SHOWN_BRANCHES:
        tree.add(f"... and {len(stages) - SHOWN_BRANCHES} more")


def _label(stage: Stage) -> str:
    settings = stage.hyperparameters
    return (
        f"{stage.label}, learning rate {settings.learning_rate:g}, {settings.num_steps} steps "
        f"of {settings.global_batch_size}, seed {stage.seed}"
    )


def _print_cost(plan: Plan, cost: Cost, assumptions: Assumptions, output: Console) -> None:
    asked, distinct = cost.num_stages_asked, cost.num_stages_distinct
    workers = plan.space.workers
    speed = (
        f"{assumptions.tokens_per_second:g} training tokens/s a worker"
        if assumptions.tokens_per_second
        else f"{assumptions.accelerator} at {100 * assumptions.utilisation:g} % of its peak"
    )
    for line in (
        f"{cost.num_trials:,} trials, {asked:,} stages asked for, {distinct:,} to train: "
        f"{asked / distinct:.2f} times fewer",
        f"{cost.num_evaluations:,} evaluations of {cost.num_examples_evaluated:,} rows; "
        f"{cost.num_tokens_trained:,.0f} tokens to train on",
        f"{cost.gpu_hours:,.1f} GPU-hours ({cost.gpu_hours_unshared:,.1f} if nothing were shared), "
        f"about {cost.money:,.0f} in money",
        f"memory per worker: {cost.state_gib:,.1f} GiB of model states while training (ZeRO "
        f"{workers.zero_stage}, {workers.num_workers} workers), {cost.replica_gib:,.1f} GiB of "
        "weights while evaluating; activations come on top",
        f"storage: {cost.storage_gb:,.1f} GB of weights, if all are kept",
        f"assumed: {speed}, {assumptions.startup_seconds:g} s to start a trial's workers, "
        f"{assumptions.price:g} an accelerator-hour, four characters a token",
    ):
        output.print(line, highlight=False)


def _checkpoint(space: SearchSpace) -> Checkpoint:
    try:
        return find_checkpoint(space.model)
    except InputError as error:
        raise InputError(
            f"model {space.model}", f"is not at hand ({error})", "count without it: --outline"
        ) from None


def run() -> None:
    """The command line."""
    with reporting_input_errors():
        typer.run(main)
