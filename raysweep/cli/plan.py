"""``python -m raysweep.plan SPACE``: what a sweep will do and cost, before anything starts."""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from raysweep.cli.console import console, say
from raysweep.cli.options import Data, Json, Model, NumSteps, NumTest, NumWorkers, StorageUri
from raysweep.cost.forecast import ACCELERATORS, DEFAULTS, assumptions_for, forecast
from raysweep.cost.measured import Finished, find_finished
from raysweep.cost.memory import host_memory
from raysweep.cost.report import cost_lines, stage_tree, wall_hours
from raysweep.cost.shape import planned_shape
from raysweep.errors import InputError
from raysweep.model.checkpoint import find_checkpoint
from raysweep.plan.near_misses import near_misses, stages_in
from raysweep.plan.plan import Plan, make_plan
from raysweep.plan.stand_ins import outlined_checkpoint, outlined_splits
from raysweep.settings.mistakes import check_finite
from raysweep.space.packaged import space_path
from raysweep.space.space import SearchSpace, load_space
from raysweep.statistics.clusters import ICC
from raysweep.store.storage import Storage, reading
from raysweep.store.store import Store

if TYPE_CHECKING:
    from raysweep.plan.power import GroupPower

SpaceFiles = Annotated[
    list[str],
    typer.Argument(help="Search spaces: files, or names of packaged ones, such as lr."),
]
Without = Annotated[
    bool,
    typer.Option("--outline", help="Count with the paper's sizes: neither data nor weights."),
]
Gpu = Annotated[
    str | None,
    typer.Option(
        help=f"Accelerator of each worker: {', '.join(ACCELERATORS)}; {DEFAULTS.accelerator} if "
        "none is named and the search space uses GPUs."
    ),
]
Utilisation = Annotated[float, typer.Option(help="Share of its peak that is reached.", min=0.01)]
Speed = Annotated[
    float | None, typer.Option(help="Measured training tokens per second and worker.", min=1e-9)
]
Startup = Annotated[float, typer.Option(help="Start-up of a trial's workers, seconds.", min=0)]
Price = Annotated[
    float | None,
    typer.Option(help=f"Price of a worker and hour; {DEFAULTS.price:g} with a GPU.", min=0),
]
Currency = Annotated[str, typer.Option(help="Of the price: a sign such as $, or a name: EUR.")]
Slots = Annotated[
    int | None,
    typer.Option(
        help="Trials at the same time, for the wall-clock time. If none is given, those of the "
        "shape of the sweep; where the space gives the workers, those that this machine's cores "
        "allow, or one with GPUs.",
        min=1,
    ),
]
Power = Annotated[
    bool, typer.Option("--power", help="Say which biased forgetting the spaces could find.")
]
Icc = Annotated[
    float | None,
    typer.Option(
        help="Correlation of the losses of rows from one template, for --power. If none is given, "
        f"that of finished trials of the spaces in --storage, or {ICC:g}.",
        min=0,
        max=1,
        show_default=False,
    ),
]
Effect = Annotated[
    float,
    typer.Option(help="Biased forgetting that --power looks for, in points.", min=0.1, max=100),
]


def main(
    spaces: SpaceFiles,
    model: Model[str | None] = None,
    data: Data[str | None] = None,
    num_workers: NumWorkers = None,
    num_test: NumTest = None,
    num_steps: NumSteps = None,
    outline: Without = False,
    as_json: Json = False,
    gpu: Gpu = None,
    utilisation: Utilisation = DEFAULTS.utilisation,
    tokens_per_second: Speed = None,
    storage: StorageUri[str | None] = None,
    startup_seconds: Startup = DEFAULTS.startup_seconds,
    price: Price = None,
    currency: Currency = "$",
    slots: Slots = None,
    power: Power = False,
    effect: Effect = 5,
    icc: Icc = None,
) -> None:
    """Prints the stage tree of search spaces, how much of it is shared, and what it costs.

    The totals come first, then the tree. Of --json, the hours are null where no speed is known,
    those of GPUs and money also where no worker has a GPU (and no price is given), and storage
    without --storage, which counts what is there and takes the speed from there.
    """
    check_finite(utilisation, "--utilisation", most=1)
    check_finite(tokens_per_second, "--tokens-per-second")
    check_finite(startup_seconds, "--startup-seconds")
    check_finite(price, "--price")
    overrides = {
        "model": model,
        "data": {"source": data, "num_test": num_test},
        "stage": {"num_steps": num_steps},
        "workers": {"num_workers": num_workers},
    }
    planned = outlined_plan if outline else _planned
    plans = [planned(load_space(space_path(space), overrides)) for space in spaces]
    plan = combined(plans)
    shape = planned_shape(plan, gpu)
    plan = shape.applied(plan)
    finished = find_finished(plan, storage) if storage is not None else None
    near = _near(plans, storage) if storage is not None else []
    assumptions = assumptions_for(
        plan,
        gpu=gpu,
        utilisation=utilisation,
        tokens_per_second=tokens_per_second or (finished.tokens_per_second if finished else None),
        startup_seconds=startup_seconds,
        price=price,
    )
    cost = forecast(plan, assumptions, finished.entries if finished else ())
    uses_gpu = assumptions.accelerator is not None
    num_slots = slots or shape.num_at_once or _slots(plan, uses_gpu=uses_gpu)
    if as_json:
        numbers = {**dataclasses.asdict(cost), "assumptions": dataclasses.asdict(assumptions)}
        hours = cost.worker_hours
        spread = None if hours is None else wall_hours(plan, hours, num_slots)
        numbers["wall_hours"] = spread and max(spread, cost.critical_hours or 0.0)
        host = host_memory(cost.memory, plan.space.workers, num_slots)
        numbers["host_memory"] = dataclasses.asdict(host) | {"total_gib": host.total_gib}
        numbers |= {"slots": num_slots, "currency": currency, "near_misses": near}
        numbers |= {"workers": plan.space.workers.model_dump(), "shape": shape.reason or None}
        if power:
            found = _power(plan, effect, icc, storage)
            numbers["power"] = [dataclasses.asdict(one) for one in found]
        print(json.dumps({"sweep": plan.sweep, **numbers, "storage": _found(finished)}, indent=2))
        return
    output = console()
    lines = cost_lines(plan, cost, assumptions, finished, slots=num_slots, currency=currency)
    shaped = [f"shape: {shape.reason}"] if shape.reason else []
    say(output, (*lines, *shaped, *near))
    if power:
        from raysweep.plan.power import power_lines

        say(output, power_lines(_power(plan, effect, icc, storage)))
    output.print(stage_tree(plan, finished.entries if finished else ()))


def _power(plan: Plan, points: float, icc: float | None, uri: str | None) -> list[GroupPower]:
    from raysweep.plan.power import group_power
    from raysweep.results.correlations import measured_correlations

    measured = measured_correlations(plan, uri) if uri is not None and icc is None else {}
    return group_power(plan, points / 100, ICC if icc is None else icc, measured)


def _near(plans: Sequence[Plan], uri: str) -> list[str]:
    with reading(uri):
        stored = stages_in(Store(Storage.open(uri).sub("store")))
    return list(dict.fromkeys(line for plan in plans for line in near_misses(plan, stored)))


def _slots(plan: Plan, *, uses_gpu: bool) -> int:
    """Trials at the same time on this machine's cores; with GPUs, of which none is known, one."""
    workers = plan.space.workers
    cores = len(os.sched_getaffinity(0))
    fitting = 1 if uses_gpu else cores // (workers.num_workers * workers.cpus_per_worker)
    most = workers.max_concurrent_trials or len(plan.all_trials)
    return max(1, min(fitting, most, len(plan.all_trials)))


def _found(finished: Finished | None) -> dict[str, Any] | None:
    """What was measured in the storage location; what is left to do stands in the forecast."""
    found = dataclasses.asdict(finished) if finished else {}
    return {name: value for name, value in found.items() if name != "entries"} or None


def outlined_plan(space: SearchSpace) -> Plan:
    """The plan with stand-ins for rows and, where it is a published one, for the model."""
    checkpoint = outlined_checkpoint(space.model) or find_checkpoint(space.model)
    splits = {name: outlined_splits(task, space.data) for name, task in space.find_tasks().items()}
    return make_plan(space, checkpoint, splits)


def combined(plans: Sequence[Plan]) -> Plan:
    """Several plans of the same model as one, which shares what they have in common.

    Workers and the size of a curvature measurement are the first plan's.

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
        scouts=tuple(scout for plan in plans for scout in plan.scouts),
        splits={name: splits for plan in plans for name, splits in plan.splits.items()},
    )


def _planned(space: SearchSpace) -> Plan:
    try:
        checkpoint = find_checkpoint(space.model)
    except InputError as error:
        raise InputError(
            f"model {space.model}", f"is not at hand ({error})", "count without it: --outline"
        ) from None
    return make_plan(space, checkpoint)
