"""A task of one's own from a YAML file, with made-up rows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

SPEC: dict[str, Any] = {
    "name": "risk",
    "title": "Risk",
    "kind": "capability",
    "files": {"train": "train.jsonl", "test": "test.jsonl"},
    "instruction": "Is the change risky? Answer yes or no.",
    "context": "{code}",
    "question": "Language: {language}",
    "label": "risky",
    "answers": {"true": "It is risky.", "false": "It is safe."},
    "group": "teams",
    "subset": "size",
    "subsets": ["small", "large"],
}


def made_up(number: int) -> dict[str, Any]:
    return {
        "code": f"x = {number}\nprint(x)",
        "language": ("python", "c")[number % 2],
        "risky": number % 3 == 0,
        "teams": [f"team{number % 2}", "all hands"],
        "size": ("small", "large")[number % 2],
    }


ROWS = [made_up(number) for number in range(60)]


def write_task(folder: Path, **changes: Any) -> Path:
    spec = {key: value for key, value in {**SPEC, **changes}.items() if value is not None}
    path = folder / "risk.yaml"
    path.write_text(yaml.safe_dump(spec, sort_keys=False))
    return path
