"""Reading the authors' raw files: JSON Lines, with an error that names the file and the line."""

from __future__ import annotations

import json
from pathlib import Path

from raysweep.errors import InputError
from raysweep.tasks.task import Row


def read_json_lines(path: Path) -> list[Row]:
    """Every row of a JSON Lines file.

    Raises:
        InputError: the file is missing, or a line is no JSON object.
    """
    if not path.is_file():
        raise InputError(str(path), "no such file", "point --data at the folder that holds it")
    rows: list[Row] = []
    with path.open(encoding="utf-8") as lines:
        for number, line in enumerate(lines, start=1):
            try:
                row = json.loads(line)
            except json.JSONDecodeError as error:
                raise InputError(
                    f"{path}:{number}", f"not JSON ({error})", "fetch the file again"
                ) from error
            if not isinstance(row, dict):
                raise InputError(f"{path}:{number}", "not a JSON object", "fetch the file again")
            rows.append(row)
    return rows
