"""``raysweep schema``: the JSON schema of a search space, for editors."""

from __future__ import annotations

import json

from raysweep.space.schema import space_schema


def main() -> None:
    """Prints the JSON schema of a search space; editors complete and check YAML by it."""
    print(json.dumps(space_schema(), indent=2))
