"""The page of the commands, from their own parsers."""

from __future__ import annotations

import inspect
import re
from importlib import import_module

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command

from docs.generate.markdown import table
from raysweep.analysis_folder import import_analysis
from raysweep.cli.app import COMMANDS, Command

HEAD = """# Commands

`raysweep COMMAND` and `python -m raysweep COMMAND` are the same; each sweep may also be called as a
module, such as `python -m raysweep.lr_sweep`.

Every command tells a mistake in one line and exits with 2 then; after Ctrl-C, SIGTERM or a closed
terminal it exits with 130, 143 or 129. What is told of one command holds for those after it as well
and is not repeated.
"""


def commands() -> dict[str, TyperCommand]:
    """All commands of the script by how they are typed, those of a group one by one."""
    found: dict[str, TyperCommand] = {}
    for name, one in COMMANDS.items():
        parser = get_command(_app(one))
        group = parser.commands if isinstance(parser, TyperGroup) else {"": parser}
        for part, command in group.items():
            assert isinstance(command, TyperCommand)
            found[f"raysweep {name} {part}".strip()] = command
    return found


def _app(command: Command) -> typer.Typer:
    if command.module == "raysweep.cli.report":
        main = import_analysis("__main__").main
    else:
        module = import_module(command.module)
        if command.entry == "main":  # of a sweep: its parser is in the entry's closure
            app = inspect.getclosurevars(module.main).nonlocals["app"]
            assert isinstance(app, typer.Typer)
            return app
        if isinstance(group := getattr(module, "app", None), typer.Typer):
            return group
        main = module.main
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


def _paragraphs(command: TyperCommand) -> list[str]:
    text = inspect.cleandoc(command.help or "")
    return re.split(r"\n\n+", text)


def _options(command: TyperCommand) -> str:
    context = command.make_context(command.name, ["--help"], resilient_parsing=True)
    records = (one.get_help_record(context) for one in command.params)
    rows = ([f"`{name}`", meaning.replace("<", "&lt;")] for name, meaning in filter(None, records))
    return table(["argument or option", "meaning"], rows)
