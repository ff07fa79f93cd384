"""The whole campaign.

python -m tests.levels --out docs/evidence/levels.md [--number 2000] [--seed 0] [--only WORLD]
    [--work FOLDER]
"""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from pydantic import TypeAdapter

from raysweep.digest import digest_json
from tests.levels.campaign import Found, Tally, run
from tests.levels.report import is_level, is_promised, report
from tests.levels.worlds import NULL, PLANTED, World

AGAIN = 5


def main(
    out: Annotated[Path, typer.Option(help="The report, as Markdown.")],
    number: Annotated[int, typer.Option(help="Sweeps of a world.", min=100)] = 2000,
    seed: Annotated[int, typer.Option(help="Of a world's first sweep.")] = 0,
    only: Annotated[list[str] | None, typer.Option(help="Worlds, by name; repeatable.")] = None,
    work: Annotated[Path | None, typer.Option(help="Keeps finished worlds.")] = None,
) -> None:
    """Draws planted sweeps; exits with 1 where a test errs otherwise than it says."""
    null, planted = list[Tally](), list[Tally]()
    for world in (world for world in NULL + PLANTED if not only or world.name in only):
        is_right = is_promised if world.effect else is_level
        tally = drawn(world, number, seed, work)
        if not is_right(tally):
            tally = drawn(world, AGAIN * number, seed + number, work)
        found = f"group {tally.group_error:.3f}, family {tally.family_error:.3f}"
        typer.echo(f"{world.name}: {f'power {tally.power:.3f}' if world.effect else found}")
        (planted if world.effect else null).append(tally)
        out.write_text(report(null, planted, seed))
    typer.echo(f"Report: {out}")
    if not all(map(is_level, null)) or not all(map(is_promised, planted)):
        raise typer.Exit(1)


def drawn(world: World, number: int, seed: int, work: Path | None) -> Tally:
    """A world's sweeps, kept where a folder is given."""
    return kept(world, number, seed, work) if work else run(world, number, seed)


def kept(world: World, number: int, seed: int, work: Path) -> Tally:
    """A world's sweeps, read where they were drawn before: of the very same world."""
    work.mkdir(parents=True, exist_ok=True)
    path = work / f"{digest_json([asdict(world), number, seed])[:16]}.json"
    if path.is_file():
        return Tally(world, TypeAdapter(tuple[Found, ...]).validate_json(path.read_text()))
    tally = run(world, number, seed)
    path.with_suffix(".part").write_text(json.dumps([asdict(one) for one in tally.found]))
    path.with_suffix(".part").rename(path)
    return tally


if __name__ == "__main__":
    typer.run(main)
