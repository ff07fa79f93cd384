"""What a run of a sweep was: its command, versions, code, machine, model and rows, dates and end.

One file a run in ``runs/`` of the sweep's folder, named by the time of its start. It is written
when the sweep begins and again when it ends: one that was killed has no end.
"""

from __future__ import annotations

import json
import os
import platform
import secrets
import shlex
import sys
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from raysweep.origin import commit, versions
from raysweep.plan.plan import Plan
from raysweep.store.storage import Storage
from raysweep.sweep.outcome import Outcome

FOLDER = "runs"
PACKAGES = (
    "raysweep", "ray", "torch", "transformers", "tokenizers", "deepspeed", "datasets", "optuna",
    "pyarrow", "numpy",
)  # fmt: skip


def begin_record(
    plan: Plan, cluster: Mapping[str, float], name: str, num_at_once: int | None = None
) -> dict[str, Any]:
    """What is put down of a run that starts now.

    name       of its file
    command    as it could be typed again
    started    in UTC, ISO 8601
    commit     see `origin.commit`
    machine    where the command runs
    cluster    Ray's resources: CPUs, GPUs and their types, memory in bytes
    workers    of each trial, and how many trials have some at the same time, at most, where that
               was decided (``at_once``)
    rows       digests of each task's training, validation and test set; of several data seeds, by
               these
    num_rows   how many each has, as the first data seed draws them
    ended      as ``started``; None while it runs
    end        "finished", "failed", "interrupted" or the error's class; None while it runs
    """
    return {
        "name": f"{name}.json",
        "command": _command(),
        "started": _now(),
        "versions": {"python": platform.python_version(), **versions(PACKAGES)},
        "commit": commit(),
        "machine": {
            "system": platform.platform(),
            "processor": _processor(),
            "num_cores": len(os.sched_getaffinity(0)),
            "memory_bytes": os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"),
        },
        "cluster": {name: amount for name, amount in cluster.items() if _is_told(name)},
        "model": {
            "name": plan.space.model,
            "digest": plan.checkpoint.digest,
            "num_parameters": plan.checkpoint.num_parameters,
        },
        "workers": {**plan.space.workers.model_dump(), "at_once": num_at_once},
        "rows": _rows(plan),
        "num_rows": _num_rows(plan),
        "ended": None,
        "end": None,
    }


def _rows(plan: Plan) -> Mapping[Any, Any]:
    rows = plan.recipes.rows
    return next(iter(rows.values())) if len(rows) == 1 else rows


def _num_rows(plan: Plan) -> dict[str, dict[str, int]]:
    return {
        task: {
            "train": len(splits.train),
            "validation": len(splits.validation),
            "test": len(splits.test),
        }
        for task, splits in plan.splits.items()
    }


def run_name() -> str:
    """A name for a run that begins now, by which runs sort."""
    return f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{secrets.token_hex(2)}"


def record_run(
    record: dict[str, Any], sweep: Storage, run: Callable[[], Outcome], tell: Callable[[str], None]
) -> Outcome:
    """Runs a sweep, and records in its folder that it began and how it ended.

    Args:
        tell: called with what is wrong where the end cannot be recorded, as on a full disk.

    Raises:
        OSError: not even the beginning can be recorded.
    """

    def write(record: dict[str, Any]) -> None:
        sweep.write(f"{FOLDER}/{record['name']}", json.dumps(record, indent=1).encode())

    write(record)
    end = "interrupted"
    try:
        outcome = run()
        if not outcome.is_interrupted:
            end = "failed" if outcome.failures else "finished"
        return outcome
    except Exception as error:
        end = type(error).__name__
        raise
    finally:
        try:
            write(record | {"ended": _now(), "end": end})
        except OSError as error:
            tell(f"The end of this run is not recorded: {error}")


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def _command() -> str:
    """The script by its name, wherever it is installed."""
    words = sys.orig_argv[1:]
    is_script = bool(words) and Path(words[0]).name == "raysweep"
    return shlex.join(["raysweep", *words[1:]] if is_script else ["python", *words])


def _is_told(resource: str) -> bool:
    """Whether a resource is one of hardware; Ray counts hosts by their addresses, too."""
    return resource in ("CPU", "GPU", "memory") or resource.startswith("accelerator_type:")


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.machine()
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(named, platform.machine())
