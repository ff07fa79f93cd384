"""The files of a results folder, and that nothing in them would be counted twice.

People copy folders, and synchronising programs leave copies of files. A number over the rows of a
trial and its copy, of two sweeps, or of two ways of scoring is a wrong number, so such a folder is
refused with the names of the files.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from raysweep.errors import InputError
from raysweep.results.columns import SCHEMA_VERSION, SCHEMAS
from raysweep.store.storage import Storage

FIRST_SCORING = 2  # of files from before there was a column for it
ASIDE = "move one of them out of the folder"
SHOWN = 4  # names in a message
NUM_READERS = 16  # an object store answers many at once
TOLD = ("trial", "sweep", "scoring")


@dataclass(frozen=True)
class ResultFile:
    """What its first row and its schema tell of a file; all its rows are of one trial.

    Attributes:
        trial, sweep: None where the file has no rows or no such column.
        scoring: version of the scoring; None where the table has none, or the file no rows.
    """

    name: str
    trial: str | None
    sweep: str | None
    scoring: int | None
    schema_version: str


def check_results(sweep: Storage, files: Mapping[str, Sequence[str]]) -> None:
    """Checks a results folder.

    Args:
        files: by table, relative to the sweep's folder.

    Raises:
        InputError: it holds folders within it, a trial twice, or files that do not belong together.
    """
    _check_folders(sweep)
    jobs = [(table, name) for table, names in files.items() for name in names]
    with ThreadPoolExecutor(NUM_READERS) as readers:
        found = list(readers.map(lambda job: _look(sweep, *job), jobs))
    for table in files:
        known = set(files[table])
        _check_once(sweep, table, [file for file in found if file.name in known])
    _check_alike(sweep, found)


def _check_folders(sweep: Storage) -> None:
    """Copies are not read, but who made them may think that they are."""
    strays = [f"results/{name}" for name in sweep.folders("results") if name not in SCHEMAS]
    for table in SCHEMAS:
        strays += [f"results/{table}/{name}" for name in sweep.folders(f"results/{table}")]
    if strays:
        problem = f"holds the folder {_listed(strays)}, which is no table"
        raise InputError(f"results {sweep.uri}", problem, "move it out of the results")


def _look(sweep: Storage, table: str, name: str) -> ResultFile:
    """Reads no more of a file than it must: those of predictions are large."""
    with sweep.filesystem.open_input_file(f"{sweep.root}/{name}") as stream:
        try:
            schema = pa.ipc.open_file(stream).schema
            options = pa.ipc.IpcReadOptions(
                included_fields=[i for i, column in enumerate(schema.names) if column in TOLD]
            )
            reader = pa.ipc.open_file(stream, options=options)
            batches = (reader.get_batch(i) for i in range(reader.num_record_batches))
            rows = (batch.slice(0, 1).to_pylist()[0] for batch in batches if len(batch))
            first: dict[str, Any] = next(rows, {})
        except pa.ArrowException as error:
            problem = f"is no Arrow file ({' '.join(str(error).split())})"
            raise InputError(f"results {sweep.uri}/{name}", problem, "move it away") from None
    is_scored = first and "scoring" in SCHEMAS[table].names
    version = (schema.metadata or {}).get(b"schema_version", b"1").decode()
    scoring = (first.get("scoring") or FIRST_SCORING) if is_scored else None
    return ResultFile(name, first.get("trial"), first.get("sweep"), scoring, version)


def _check_once(sweep: Storage, table: str, files: Sequence[ResultFile]) -> None:
    is_study = table == "study"
    for trial, same in _grouped((is_study or file.trial, file) for file in files).items():
        if len(same) > 1:
            what = "are the same study" if is_study else f"hold the same trial {trial}"
            problem = f"{_listed([file.name for file in same], ' and ')} {what} twice"
            raise InputError(f"results {sweep.uri}", problem, ASIDE)


def _check_alike(sweep: Storage, files: Sequence[ResultFile]) -> None:
    later = [file for file in files if _number(file.schema_version) > _number(SCHEMA_VERSION)]
    if later:
        problem = f"{later[0].name} was written by a later raysweep"
        raise InputError(f"results {sweep.uri}", problem, "read it with that version")
    for what, values in (
        ("sweeps", [(file.sweep, file) for file in files]),
        ("versions of the scoring", [(file.scoring, file) for file in files]),
        ("versions of the columns", [(file.schema_version, file) for file in files]),
    ):
        groups = _grouped(values)
        if len(groups) > 1:
            shown = [f"{value} in {same[0].name}" for value, same in groups.items()]
            problem = f"holds files of {len(groups)} {what} ({_listed(shown)})"
            raise InputError(f"results {sweep.uri}", problem, "give each a folder of its own")


def _grouped(pairs: Iterable[tuple[object, ResultFile]]) -> dict[object, list[ResultFile]]:
    """Files by a value, where they have one."""
    groups: dict[object, list[ResultFile]] = {}
    for value, file in pairs:
        if value is not None:
            groups.setdefault(value, []).append(file)
    return groups


def _listed(names: Sequence[str], between: str = ", ") -> str:
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return between.join(names[:SHOWN]) + more


def _number(version: str) -> int:
    return int(version) if version.isdecimal() else 0
