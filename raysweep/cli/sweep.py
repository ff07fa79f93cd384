"""The command line that all sweeps share."""

from __future__ import annotations

import inspect
import re
import sys
from collections.abc import Callable, Sequence
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape

from raysweep.cli.console import application, as_called, console, run_command, say
from raysweep.cli.options import (
    Dashboard,
    Data,
    Model,
    NumSteps,
    NumTest,
    NumWorkers,
    SpaceOption,
    StorageUri,
    Verbose,
    Wait,
)
from raysweep.cost.measured import SETTINGS
from raysweep.errors import InputError
from raysweep.model.checkpoint import find_checkpoint
from raysweep.model.token_check import SAMPLE_SIZE, describe
from raysweep.plan.names import full_name
from raysweep.plan.near_misses import near_misses_at_start
from raysweep.plan.plan import Plan, make_plan
from raysweep.process.ending import ENDING, REMEDY
from raysweep.results.summary import study_table, summary_table
from raysweep.settings.mistakes import check_finite
from raysweep.settings.paths import shown, user_path
from raysweep.space.packaged import packaged_names, space_path
from raysweep.space.space import load_space
from raysweep.store.storage import Storage
from raysweep.store.store import Store
from raysweep.sweep.fork_servers import shared
from raysweep.sweep.outcome import Outcome, before_the_first_trial
from raysweep.sweep.reprint import find_whole
from raysweep.sweep.run_record import FOLDER as RUNS
from raysweep.sweep.run_record import begin_record, record_run, run_name
from raysweep.sweep.voice import listening
from raysweep.sweep.work_clock import as_clock
from raysweep.tasks.custom import read_task

PACKAGED = packaged_names()
INTERRUPTED, FAILED = 130, 1
COMMON = (
    "It joins the running Ray cluster if there is one; otherwise it starts one on this machine, "
    "with the dashboard on loopback. Finished stages are kept in the storage location. Run the "
    "same command again after an interruption, or with more values: nothing is trained twice."
)
EXIT_CODES = (
    "Exit code: 0 when all trials finished, 1 when some failed (they are named), 2 for a mistake "
    "in the settings (nothing was started), 130 when interrupted by Ctrl-C (143 by SIGTERM, 129 by "
    "a closed terminal). A sweep that is interrupted shows what there is and ends within half a "
    "minute, at once when interrupted again; no process of it is left."
)
DEFAULT_STORAGE = "raysweep-results"
WHOLE_NUMBER = re.compile(r"[0-9]{1,19}")

SpaceFile = Annotated[
    str | None,
    typer.Argument(help="Search space: a file, or the name of a packaged one.", show_default=False),
]
UseGpu = Annotated[
    bool | None, typer.Option("--gpus/--cpus", help="One GPU per worker, or CPU cores only.")
]
JudgeFolder = Annotated[
    str | None,
    typer.Option(help="Who judges generated responses: a folder or hub id of a classifier."),
]
Tasks = Annotated[
    str | None, typer.Option(help="A pair of tasks to chain in both orders: names or YAML files.")
]
Seeds = Annotated[str | None, typer.Option(help="Seeds, such as 0,1,2.")]
Resume = Annotated[
    bool,
    typer.Option("--resume", help="Only finish a sweep that was begun; refuse to begin another."),
]


def sweep_command(
    module: str, purpose: str, *, default_space: str | None = None, examples: Sequence[str]
) -> Callable[[], None]:
    """The entry point ``python -m raysweep.<module>``, as ``raysweep <module>`` has it, too.

    Args:
        purpose: what ``--help`` says that this sweep does.
        default_space: the packaged search space that is run if none is named.
        examples: arguments of commands to show.
    """

    def main(
        space_file: SpaceFile = None,
        space: SpaceOption = None,
        model: Model[str | None] = None,
        data: Data[str | None] = None,
        tasks: Tasks = None,
        judge: JudgeFolder = None,
        storage: StorageUri[str] = DEFAULT_STORAGE,
        num_workers: NumWorkers = None,
        use_gpu: UseGpu = None,
        seeds: Seeds = None,
        num_test: NumTest = None,
        num_steps: NumSteps = None,
        wait_for_workers: Wait = 0.0,
        dashboard: Dashboard = True,
        resume: Resume = False,
        verbose: Verbose = False,
    ) -> None:
        pair = _pair(tasks)
        check_finite(wait_for_workers, "--wait-for-workers")
        overrides = {
            "model": model,
            "tasks": [own for _, own in pair if own] or None,
            "chains": [[name for name, _ in order] for order in (pair, pair[::-1])]
            if pair
            else None,
            "judge": judge,
            "seeds": _seeds(seeds),
            "data": {"source": data, "num_test": num_test},
            "stage": {"num_steps": num_steps},
            "workers": {"num_workers": num_workers, "use_gpu": use_gpu},
        }
        if space_file is not None and space is not None:
            place = f"SPACE {shown(space_file)} and --space {shown(space)}"
            raise InputError(place, "are both given", "give one of them")
        given = (one for one in (space_file, space, default_space) if one is not None)
        name = next(given, None)
        if name is None:
            raise InputError("SPACE", "none is given", f"give a file, or {', '.join(PACKAGED)}")
        settings = load_space(space_path(name), overrides)
        checkpoint, target = find_checkpoint(settings.model), Storage.open(storage)
        with shared(settings.workers):
            plan = make_plan(settings, checkpoint)
            if resume:
                _check_resumable(plan, target)
            code = run_plan(plan, target, wait_for_workers, dashboard=dashboard, verbose=verbose)
        raise typer.Exit(code)

    commands = (f"{as_called(module)} {example}".rstrip() for example in examples)
    listed = "".join(f"\n\n    {command}" for command in commands)
    main.__doc__ = f"{inspect.cleandoc(purpose)}\n\n{COMMON}\n\nExamples:{listed}\n\n{EXIT_CODES}"
    app = application(rich_markup_mode="markdown")
    app.command()(main)

    def entry() -> None:
        ENDING.last_words = f"Interrupted. {REMEDY}"
        run_command(app, outlives_output=True)

    return entry


def run_plan(
    plan: Plan,
    storage: Storage,
    wait_minutes: float,
    *,
    dashboard: bool,
    verbose: bool = False,
) -> int:
    """Runs a plan with all that a person sees of it; returns the exit code."""
    output, run = console(), run_name()
    storage.check_writable()
    folder, outcome = storage.sub("sweeps", plan.sweep), None
    log = listening(folder, f"{RUNS}/{run}.log", output, verbose=verbose)
    with log, ENDING.awaited():
        _announce(plan, output)
        outcome = find_whole(plan, storage)
        if outcome:
            if not folder.exists(SETTINGS):  # which tells of the workers that made it
                _write_settings(plan, folder)
            output.print("All of it is in the store already: nothing is started.")
        else:
            say(output, near_misses_at_start(plan, Store(storage.sub("store"))))
            outcome = _carry_out(plan, storage, run, wait_minutes, dashboard, output)
    outcome = outcome or before_the_first_trial(plan, folder)
    _show(plan, outcome, console())  # a new one: the other may have been cut off in a line
    if "raysweep.sweep.cluster" in sys.modules:  # else not even Ray's import has ended
        from raysweep.sweep import cluster

        cluster.leave()
    if outcome.failures:
        return FAILED
    return INTERRUPTED if outcome.is_unfinished else 0


def _carry_out(
    plan: Plan, storage: Storage, run: str, wait_minutes: float, dashboard: bool, output: Console
) -> Outcome:
    """Starts or joins a cluster and runs the plan on it."""
    # These import Ray, which takes seconds: not for --help or a typing error.
    from raysweep.sweep import cluster, sweep

    shape = cluster.connect(plan, wait_minutes, output, dashboard=dashboard)
    if shape.reason:
        output.print(f"Shape: {shape.reason}.", highlight=False, markup=False)
    plan, folder = shape.applied(plan), storage.sub("sweeps", plan.sweep)
    _write_settings(plan, folder)
    return record_run(
        begin_record(plan, cluster.all_resources(), run, shape.num_at_once),
        folder,
        lambda: sweep.run_sweep(plan, storage, output, shape.num_at_once),
        lambda problem: output.print(problem, markup=False),
    )


def _write_settings(plan: Plan, folder: Storage) -> None:
    folder.write(SETTINGS, plan.space.model_dump_json(indent=1).encode())


def _show(plan: Plan, outcome: Outcome, output: Console) -> None:
    """Prints what there is at the end, and what to do if something is not."""
    table = summary_table(plan.sweep, outcome.trials, outcome.folder, output.width)
    if table.row_count:
        output.print(table)
    if outcome.study:
        output.print(study_table(outcome.study.rows()))
    if table.row_count or not outcome.is_interrupted:
        uri = outcome.folder.uri
        output.print(f"Results: {uri}", markup=False)
        output.print(f'Query:   raysweep query {uri} "SELECT ..."', markup=False)
        output.print(f"Figures: raysweep report {uri}", markup=False)
    if outcome.capacity_seconds:
        output.print(_usage(outcome), highlight=False)
    if outcome.stopped:
        stages = ", ".join(f"{trial} after stage {n}" for trial, n in outcome.stopped.items())
        output.print(f"Stopped early, with what they had: {stages}.", highlight=False)
    known = {trial.id: full_name(trial) for trial in (*plan.all_trials, *outcome.trials)}
    for name, reason in outcome.failures.items():
        named = escape(known.get(name, name))
        output.print(f"[red]Trial {named} failed:[/] {escape(reason)}", highlight=False)
    if outcome.is_unfinished:
        number = len(outcome.unfinished)
        count = {0: "The sweep is", 1: "1 trial is"}.get(number, f"{number} trials are")
        output.print(f"{count} unfinished. {REMEDY}")
        ENDING.last_words = ""


def _announce(plan: Plan, output: Console) -> None:
    """Prints what will be done, and whether the texts survive the model's tokenizer."""
    asked, distinct = plan.num_stages_asked, plan.num_stages_distinct
    if plan.space.search.method == "optuna":
        work = f"{plan.space.search.num_samples} trials that Optuna proposes one by one"
    else:
        work = f"{len(plan.trials)} trials, {asked} stages asked for, {distinct} to train"
        if plan.scouts:
            work = f"{len(plan.scouts)} scouts, then about {work}"
    data = [plan.space.data.source]
    data += [f"of {task} {source}" for task, source in plan.space.data.sources.items()]
    if len(plan.space.data_seeds) > 1:
        data.append(f"data seeds {', '.join(map(str, plan.space.data_seeds))}")
    output.print(
        f"Sweep {plan.sweep}: {work}; model {plan.space.model} "
        f"({plan.checkpoint.num_parameters:,} parameters), data {', '.join(data)}",
        markup=False,
    )
    if plan.encoder:
        rows = [row for one in plan.splits.values() for row in one.train[:SAMPLE_SIZE]]
        say(output, describe(plan.encoder, rows))


def _check_resumable(plan: Plan, storage: Storage) -> None:
    """Whether the sweep was begun in that storage location.

    Raises:
        InputError: it was not; its name says what decides its results.
    """
    if storage.sub("sweeps", plan.sweep).exists(SETTINGS):
        return
    begun = storage.folders("sweeps")
    raise InputError(
        f"--resume {plan.sweep}",
        f"no such sweep was begun in {storage.uri}; there are {', '.join(begun) or 'none'}",
        "use the settings it was begun with, or leave --resume out: stages that are shared are "
        "not trained again",
    )


def _usage(outcome: Outcome) -> str:
    """What share of the workers' time was computing."""
    capacity = outcome.capacity_seconds
    parts = ", ".join(f"{what} {100 * s / capacity:.0f} %" for what, s in outcome.seconds.items())
    computing = 100 * sum(outcome.seconds.values()) / capacity
    return (
        f"Workers computed {computing:.0f} % of {capacity:,.0f} worker-seconds"
        + (f" ({parts})" if parts else "")
        + "; the rest is start-up and waiting. It took "
        f"{as_clock(outcome.elapsed_seconds)}; the same work takes no less than "
        f"{as_clock(outcome.least_seconds)} in any order (critical path "
        f"{as_clock(outcome.chain_seconds)})."
    )


def _pair(text: str | None) -> list[tuple[str, dict[str, Any] | None]]:
    """Two tasks by name, each with its settings where it is given as a YAML file; or nothing."""
    if text is None:
        return []
    place = f"--tasks {shown(text) or repr(text)}"
    pair = [part.strip() for part in text.split(",")]
    if len(pair) != 2 or pair[0] == pair[1] or not all(pair):
        remedy = "write for example --tasks bbq,arc_easy"
        raise InputError(place, "not a pair of different tasks", remedy)
    named = [_named(part) for part in pair]
    if named[0][0] == named[1][0]:
        raise InputError(place, f"both are the task {named[0][0]!r}", "give two different tasks")
    return named


def _named(part: str) -> tuple[str, dict[str, Any] | None]:
    if not part.endswith((".yaml", ".yml")):
        return part, None
    own = read_task(user_path(part, f"--tasks {shown(repr(part))}"))
    return str(own["name"]), own


def _seeds(text: str | None) -> list[int] | None:
    """Whole numbers in a list; what they may be is the search space's to say."""
    if text is None:
        return None
    parts = [part.strip() for part in text.split(",")]
    if not all(WHOLE_NUMBER.fullmatch(part) for part in parts):
        problem = "not a list of whole numbers"
    elif len({int(part) for part in parts}) < len(parts):
        problem = "a seed is listed twice"
    elif max(map(int, parts)) >= 2**63:
        problem = "a seed is beyond 2^63 - 1"
    else:
        return [int(part) for part in parts]
    remedy = "write for example --seeds 0,1,2, each from 0 to 2^63 - 1"
    raise InputError(f"--seeds {shown(text) or repr(text)}", problem, remedy)
