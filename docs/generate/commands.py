"""The page of the commands, from their own parsers."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from importlib import import_module

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command

from docs.generate.markdown import table
from raysweep.cli.app import COMMANDS, Command

HEAD = """# Commands

`raysweep COMMAND` and `python -m raysweep COMMAND` are the same; each sweep may also be called as a
module, such as `python -m raysweep.lr_sweep`.

Every command tells a mistake in one line and exits with 2 then; after Ctrl-C, SIGTERM or a closed
terminal it exits with 130, 143 or 129. What is told of one command holds for those after it as well
and is not repeated.
"""


def commands() -> dict[str, TyperCommand]:
    """All commands of the script by how they are typed."""
    return {
        typed: parser
        for name, one in COMMANDS.items()
        for typed, parser in _parsers(f"raysweep {name}", _app(one))
    }


def _app(command: Command) -> typer.Typer:
    main = import_module(command.module).main
    if command.is_sweep:  # its parser is in the entry's closure
        main = inspect.getclosurevars(main).nonlocals["app"]
    if isinstance(main, typer.Typer):  # of a sweep, or of several commands
        return main
    app = typer.Typer(add_completion=False)
    app.command()(main)
    return app


def page() -> str:
    """What each command is for, and its arguments and options."""
    parts, told = [HEAD], set[str]()
    listed: dict[str, str] = {}
    for name, command in commands().items():
        parts.append(f"## {name}")
        for paragraph in _paragraphs(command):
            if paragraph not in told:
                parts.append(paragraph)
            if not paragraph.endswith(":"):
                told.add(paragraph)
        options = _options(command)
        first = listed.setdefault(options, name)
        parts.append(options if first == name else f"The options are those of `{first}`.")
    return "\n\n".join(parts) + "\n"


def _parsers(name: str, app: typer.Typer) -> Iterator[tuple[str, TyperCommand]]:
    """The parser of an application, or those of its commands."""
    command = get_command(app)
    if isinstance(command, TyperGroup):
        found = {f"{name} {one}": parser for one, parser in command.commands.items()}
    else:
        found = {name: command}
    for typed, parser in found.items():
        assert isinstance(parser, TyperCommand), "not nested deeper"
        yield typed, parser


def _paragraphs(command: TyperCommand) -> list[str]:
    text = inspect.cleandoc(command.help or "")
    return re.split(r"\n\n+", text)


def _options(command: TyperCommand) -> str:
    context = command.make_context(command.name, ["--help"], resilient_parsing=True)
    records = (one.get_help_record(context) for one in command.params)
    rows = ([f"`{name}`", meaning.replace("<", "&lt;")] for name, meaning in filter(None, records))
    return table(["argument or option", "meaning"], rows)
