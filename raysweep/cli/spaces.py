"""``raysweep spaces``: the search spaces that come with raysweep, by what their heads say."""

from __future__ import annotations

from typing import Annotated

import typer

from raysweep.settings.mistakes import check_known
from raysweep.space.packaged import packaged_names, packaged_space, purpose_command_cost


def main(
    name: Annotated[str | None, typer.Argument(help="Of one: print its file.")] = None,
) -> None:
    """Lists the packaged search spaces with purpose, command and cost; or prints one."""
    if name is not None:
        check_known(f"search space {name}", name, packaged_names())
        print(packaged_space(name).read_text(), end="")
        return
    for one in packaged_names():
        print(one)
        for word, text in purpose_command_cost(packaged_space(one)).items():
            print(f"  {word:<8} {text}")
