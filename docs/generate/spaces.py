"""The page of the search spaces that come with raysweep, from the heads of their files."""

from __future__ import annotations

import re

from raysweep.space.packaged import packaged_names, packaged_space

HEAD = """# Search spaces that come with raysweep

Their names will do for a path. The `overnight/` spaces are the paper's grids on the embedded
default, with three seeds and all test rows. The `paper/` spaces are for LLaMA-2 7B and
have not been run.
"""


def page() -> str:
    """Purpose, command and cost of each."""
    return "\n\n".join([HEAD, *map(_section, packaged_names())]) + "\n"


def head(name: str) -> dict[str, str]:
    """What the comment at the beginning of a search space says, by its words before a colon."""
    text = packaged_space(name).read_text().split("\nname:")[0].replace("\\\n#", "")
    return {
        word: " ".join(told.replace("\n#", " ").split())
        for word, told in re.findall(r"# (\w+): (.*(?:\n# {6,}.*)*)", text)
    }


def _section(name: str) -> str:
    told = head(name)
    purpose = told["Purpose"][0].upper() + told["Purpose"][1:]
    return f"## {name}\n\n{purpose}\n\n    {told['Command']}\n\nCost: {told['Cost']}"
