"""What a person reads of a plan: its stage tree, and what it takes in words."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from rich.markup import escape
from rich.tree import Tree

from raysweep.cost.forecast import ACCELERATORS, Assumptions, Cost, Entries
from raysweep.cost.measured import Finished
from raysweep.cost.memory import as_size, host_memory
from raysweep.plan.names import short_id
from raysweep.plan.plan import Plan
from raysweep.plan.points import axes_of
from raysweep.plan.trials import Stage
from raysweep.space.axes import LogUniform, Uniform

SHOWN_BRANCHES = 12
ALWAYS_SHOWN = {"learning_rate", "num_steps", "global_batch_size"}
REMEDIES = {
    "training": "raise workers.num_workers or lower workers.micro_batch_size",
    "evaluation": "lower workers.evaluation_batch_size",
    "curvature": "set curvature.enabled: false or lower workers.micro_batch_size",
}


def stage_tree(plan: Plan, finished: Entries = ()) -> Tree:
    """Every distinct stage once, under the stage that it continues from.

    Args:
        finished: entries that are in the store already.
    """
    children: dict[str, dict[str, Stage]] = {}
    for trial in plan.all_trials:
        for stage in trial.stages:
            children.setdefault(stage.parent, {})[stage.key] = stage
    ends: dict[str, list[str]] = {}
    for trial in plan.trials:
        ends.setdefault(trial.stages[-1].key, []).append(short_id(trial.id))
    varying, has_draws = _varying(plan), len(plan.recipes.rows) > 1

    def grow(tree: Tree, parent: str) -> None:
        stages = list(children.get(parent, {}).values())
        for stage in stages[:SHOWN_BRANCHES]:
            label = _label(stage, varying)
            if has_draws:
                label += f", data seed {stage.data_seed}"
            if stage.entry in finished:
                label += ", trained already"
            if stage.key in ends:
                label += f", trial {', '.join(ends[stage.key])}"
            grow(tree.add(label), stage.key)
        if len(stages) > SHOWN_BRANCHES:
            tree.add(f"... and {len(stages) - SHOWN_BRANCHES} more")

    tree = Tree(f"{escape(plan.space.model)} ({plan.checkpoint.num_parameters:,} parameters)")
    grow(tree, plan.checkpoint.digest)
    return tree


def _varying(plan: Plan) -> list[str]:
    """The hyperparameters that differ between stages, beside those that are shown anyway."""
    settings = [s.hyperparameters.model_dump() for trial in plan.all_trials for s in trial.stages]
    return [
        name
        for name in settings[0]
        if name not in ALWAYS_SHOWN and len({one[name] for one in settings}) > 1
    ]


def _label(stage: Stage, varying: Collection[str]) -> str:
    settings, others = stage.hyperparameters.model_dump(), ""
    for name in varying:
        value = f"{settings[name]:g}" if isinstance(settings[name], float) else settings[name]
        others += f"{name.replace('_', ' ')} {value}, "
    return (
        f"{stage.label}, learning rate {settings['learning_rate']:g}, {settings['num_steps']} "
        f"steps of {settings['global_batch_size']}, {others}seed {stage.seed}"
    )


def cost_lines(
    plan: Plan,
    cost: Cost,
    assumptions: Assumptions,
    finished: Finished | None,
    *,
    slots: int = 1,
    currency: str = "$",
) -> Iterator[str]:
    """The forecast, line by line.

    Args:
        slots: trials that have workers at the same time.
    """
    asked, distinct = cost.num_stages_asked, cost.num_stages_distinct
    yield (
        f"{cost.num_trials:,} trials, {asked:,} stages asked for, {distinct:,} to train: "
        f"{asked / distinct:.2f} times fewer"
    )
    yield (
        f"{cost.num_evaluations:,} evaluations of {cost.num_examples_evaluated:,} rows; "
        f"{cost.num_tokens_trained:,.0f} tokens to train on"
    )
    yield from _search_lines(plan)
    yield _time_line(cost, assumptions, currency)
    if cost.worker_hours is not None:
        yield _wall_line(plan, cost, slots)
    if finished:
        yield _finished_line(cost, assumptions, finished)
    yield from _memory_lines(plan, cost, assumptions)
    yield _host_line(plan, cost, slots)
    stored = cost.storage_gb
    yield (
        f"storage: {f'{stored:,.1f} GB' if stored >= 1 else f'{1000 * stored:,.0f} MB'} "
        "of weights, if all are kept"
    )
    speed = assumptions.tokens_per_second
    is_measured = finished is not None and speed is not None and speed == finished.tokens_per_second
    if finished and is_measured:
        yield (
            f"speed: {speed:,.0f} training tokens/s a worker, measured on "
            f"{finished.num_stages_measured:,} stages in {finished.uri}"
        )
    yield f"assumed: {', '.join(_assumed(cost, assumptions, is_measured, currency))}"


def _search_lines(plan: Plan) -> Iterator[str]:
    """What the plan cannot know yet, and what keeps stages from being shared."""
    if plan.scouts:
        yield (
            f"{len(plan.scouts):,} of the trials are scouts: which of the others follow is decided "
            "by what they find, and shown here by stand-ins"
        )
    if plan.space.search.method != "optuna":
        return
    yield "which trials Optuna will propose is not known: shown are as many, drawn at random"
    axes = axes_of(plan.space, 1).items()
    drawn = [name for name, axis in axes if isinstance(axis, Uniform | LogUniform)]
    if drawn:
        yield (
            f"no first stage is shared, because of {', '.join(drawn)}: name the values instead, "
            "{choice: [a, b]}, and equal first stages are trained once"
        )


def _time_line(cost: Cost, assumptions: Assumptions, currency: str) -> str:
    if cost.worker_hours is None or cost.worker_hours_unshared is None:
        return (
            "time: unknown until a stage has run; give --tokens-per-second, or the --storage "
            "where one has"
        )
    money = "" if cost.money is None else f", about {in_currency(cost.money, currency)}"
    return (
        f"{_amount(cost.worker_hours)} {_unit(assumptions)}s "
        f"({_amount(cost.worker_hours_unshared)} if nothing were shared){money}"
    )


def in_currency(amount: float, currency: str) -> str:
    """``$1,200`` or ``1,200 EUR``; what is less than ten with two digits after the point."""
    shown = f"{amount:,.0f}" if amount >= 10 else f"{amount:,.2f}"
    return f"{shown} {currency}" if currency.isalpha() else f"{currency}{shown}"


def _wall_line(plan: Plan, cost: Cost, slots: int) -> str:
    """How long it takes where so many trials run at once."""
    trials = "one trial at a time" if slots == 1 else f"{slots:,} trials at a time"
    least, hours = cost.critical_hours or 0.0, cost.worker_hours
    shown = f"wall-clock: {as_duration(max(least, wall_hours(plan, hours, slots)))}, {trials}"
    if cost.worker_hours_left is not None and cost.worker_hours_left != cost.worker_hours:
        left = wall_hours(plan, cost.worker_hours_left, slots)
        left = max(left, cost.critical_hours_left or 0.0)
        shown += f"; {as_duration(left)} for what is left"
    return f"{shown} (--slots); critical path {as_duration(least)}"


def wall_hours(plan: Plan, worker_hours: float | None, slots: int) -> float:
    """Hours of the clock if all slots are busy, of ``num_workers`` workers each."""
    return (worker_hours or 0.0) / (max(1, slots) * plan.space.workers.num_workers)


def as_duration(hours: float) -> str:
    """In minutes below two hours, in days from four days on."""
    if hours < 2:
        return f"{max(1, round(60 * hours))} min"
    return f"{hours:,.1f} h" if hours < 96 else f"{hours / 24:,.1f} days"


def _finished_line(cost: Cost, assumptions: Assumptions, finished: Finished) -> str:
    num_stages = cost.num_stages_distinct - cost.num_stages_left
    num_evaluations = cost.num_evaluations - cost.num_evaluations_left
    left = cost.worker_hours_left
    hours = "" if left is None else f", {_amount(left)} {_unit(assumptions)}s for the rest"
    return (
        f"{num_stages:,} of {cost.num_stages_distinct:,} stages and {num_evaluations:,} of "
        f"{cost.num_evaluations:,} evaluations are in {finished.uri} already; "
        f"{cost.num_stages_left:,} stages left to train{hours}"
    )


def _memory_lines(plan: Plan, cost: Cost, assumptions: Assumptions) -> Iterator[str]:
    workers, memory = plan.space.workers, cost.memory
    states = {
        "training": f"model states (ZeRO {workers.zero_stage}, {workers.num_workers} workers)",
        "evaluation": "weights",
        "curvature": "weights, gradients and vectors",
    }
    yield f"peak memory per worker: {as_size(memory.peak_gib)}, during {memory.highest}"
    for name, need in memory.needs.items():
        yield (
            f"  {name}: {as_size(need.states_gib)} of {states[name]} + "
            f"{as_size(need.activations_gib)} of activations ({need.batch.num_rows:,} rows of "
            f"{need.batch.row_tokens:,.0f} tokens)"
        )
    gpu = assumptions.accelerator
    if gpu is not None and memory.peak_gib > (available := ACCELERATORS[gpu].memory_gib):
        yield (
            f"warning: {memory.highest} needs more than the {available:g} GiB of an "
            f"{gpu}: {REMEDIES[memory.highest]}, or take another --gpu"
        )


def _host_line(plan: Plan, cost: Cost, slots: int) -> str:
    """What all processes take together where they run on one host."""
    need = host_memory(cost.memory, plan.space.workers, slots)
    trials = "one trial" if slots == 1 else f"{slots:,} trials"
    libraries, data = "libraries", as_size(need.data_gib)
    if plan.space.workers.use_gpu:
        libraries, data = "libraries without CUDA", f"{data} of weights while they are loaded"
    return (
        f"memory of one host with {trials} at a time: {as_size(need.total_gib)} "
        f"({need.num_workers:,} workers of {as_size(need.worker_gib)} of {libraries} + {data}, "
        f"{as_size(need.trials_gib)} of drivers, {as_size(need.sweep_gib)} of the command and Ray)"
    )


def _assumed(
    cost: Cost, assumptions: Assumptions, is_measured: bool, currency: str
) -> Iterator[str]:
    if assumptions.tokens_per_second and not is_measured:
        yield f"{assumptions.tokens_per_second:,.4g} training tokens/s a worker"
    elif assumptions.accelerator and not assumptions.tokens_per_second:
        yield f"{assumptions.accelerator} at {100 * assumptions.utilisation:g} % of its peak"
    if cost.worker_hours is not None:
        yield f"{assumptions.startup_seconds:g} s to start a trial's workers"
    if cost.money is not None:
        yield f"{in_currency(assumptions.price or 0.0, currency)} a {_unit(assumptions)}"
    is_counted = cost.tokens_are_counted
    yield "tokens as the model's tokenizer has them" if is_counted else "four characters a token"


def _unit(assumptions: Assumptions) -> str:
    return "worker-hour" if assumptions.accelerator is None else "GPU-hour"


def _amount(hours: float) -> str:
    return f"{hours:,.1f}" if hours >= 1 else f"{hours:.2g}"
