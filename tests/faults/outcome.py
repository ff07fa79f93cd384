"""What a case of the campaign has shown."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from datetime import date
from pathlib import Path


@dataclass
class Outcome:
    """What one case showed.

    Attributes:
        codes: the exit code of each run, the disturbed one first; None where it was killed.
        num_again: stages of which more than one attempt has left files in the store.
        problems: sentences; none when the case is passed.
        skipped: why the case could not be tried here.
    """

    name: str
    moment: str
    disturbance: str
    codes: list[int | None] = field(default_factory=list)
    num_again: int = 0
    num_rows: int = 0
    problems: list[str] = field(default_factory=list)
    skipped: str = ""
    seconds: float = 0.0
    day: str = field(default_factory=lambda: date.today().isoformat())

    def save(self, folder: Path) -> None:
        """Writes it as JSON, at once."""
        temporary = folder / f".{self.name}.json"
        temporary.write_text(json.dumps(asdict(self), indent=1))
        temporary.replace(folder / f"{self.name}.json")
