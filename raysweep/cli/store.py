"""``raysweep store``: what a store holds, what each entry is, and whether it is whole."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Annotated, Any

import pyarrow as pa
import typer
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

from raysweep.cli.console import application, console
from raysweep.cli.options import StorageUri
from raysweep.cli.rows import Format, print_rows
from raysweep.cli.sweep import DEFAULT_STORAGE
from raysweep.errors import InputError
from raysweep.plan.recipe_text import Wording
from raysweep.settings.paths import shown
from raysweep.store.contents import SHORT, Contents, matching, names_in, shorten
from raysweep.store.storage import Storage, reading
from raysweep.store.store import Entry, EntryKind, EntryName, Store

UNITS = {"GB": 10**9, "MB": 10**6, "kB": 10**3}
NOT_WHOLE = 1
AGAIN = "the next sweep that needs them makes them again"
COLUMNS = ("kind", "key", "what", "num_bytes", "time", "raysweep", "torch", "commit")
SHOWN_COLUMNS = ("kind", "key", "what", "size", "made (UTC)", "by")

Key = Annotated[
    str, typer.Argument(metavar="KEY", help="A key, or so much of it as no other begins with.")
]
OneKey = Annotated[
    str | None, typer.Argument(metavar="[KEY]", help="Only its entries.", show_default=False)
]
Kind = Annotated[EntryKind | None, typer.Option(help="Only entries of one kind.")]
Form = Annotated[Format, typer.Option("--format", help="How to print.")]
SetAside = Annotated[
    bool, typer.Option("--set-aside", help=f"Take damaged entries out of use: {AGAIN}.")
]

PURPOSE = "What a store holds: trained stages and what was measured of them."
main = application(no_args_is_help=True, help=PURPOSE)


@main.command("ls")
def list_entries(
    storage: StorageUri[str] = DEFAULT_STORAGE, kind: Kind = None, form: Form = Format.TABLE
) -> None:
    """Lists entries by kind: what each is, its size, when and by what it was made."""
    with _opened(storage) as store:
        wanted = set(names_in(store, [kind] if kind else EntryKind))
        contents = Contents.read(store, {*wanted, *names_in(store, [EntryKind.WEIGHTS])})
    words, kinds = _wording(contents), list(EntryKind)
    listed = sorted(
        (entry for name, entry in contents.entries.items() if name in wanted),
        key=lambda one: (kinds.index(one.kind), one.made_by.get("time") or "", one.key),
    )
    row_of, names = (_shown_row, SHOWN_COLUMNS) if form is Format.TABLE else (_row, COLUMNS)
    rows = [row_of(one, words) for one in listed]
    print_rows(pa.table({name: [row.get(name) for row in rows] for name in names}), form)
    if form is Format.TABLE:
        for name, problem in contents.damaged.items():
            if name in wanted:
                _print(f"{_short(name, words)}: {problem}")
        _print(f"weights take {_size(contents.num_bytes(EntryKind.WEIGHTS))} in all")


def _row(entry: Entry, words: Wording) -> dict[str, Any]:
    """Of an entry, for programs."""
    own = {"kind": str(entry.kind), "key": entry.key, "what": words.of(entry)}
    return {**own, "num_bytes": entry.num_bytes, **entry.made_by}


def _shown_row(entry: Entry, words: Wording) -> dict[str, Any]:
    """Of an entry, for eyes."""
    own = {"kind": str(entry.kind), "key": entry.key[: words.num_digits], "what": words.of(entry)}
    made = (entry.made_by.get("time") or "")[:16].replace("T", " ")
    return {**own, "size": _size(entry.num_bytes), "made (UTC)": made, "by": _maker(entry)}


@main.command("show")
def show_entry(key: Key, storage: StorageUri[str] = DEFAULT_STORAGE) -> None:
    """Shows all that is known of a key: its stages, its files, its recipe and what made it."""
    with _opened(storage) as store:
        names = matching(names_in(store), key)
        contents = Contents.read(store, names)
    words = _wording(contents)
    for name in names:
        if problem := contents.damaged.get(name):
            _print(f"{'/'.join(name)}: {problem}")
        elif entry := contents.entries.get(name):
            _show(entry, contents, words)
        else:
            _print(f"{'/'.join(name)}: nothing is there any more")


def _show(entry: Entry, contents: Contents, words: Wording) -> None:
    _print(f"{'/'.join(entry.name)}: {words.of(entry)}")
    lineage = contents.lineage(entry)
    if lineage and lineage[0].recipe:
        _print(f"from {words.model(str(lineage[0].recipe.get('parent')))}")
    for number, stage in enumerate(lineage, start=1):
        _print(f"  {number}. {stage.key[: words.num_digits]}  {words.of(stage)}")
    _print(f"files, {_size(entry.num_bytes)} in all")
    for file in entry.files:
        _print(f"  {_size(file.num_bytes):>8}  {file.path}  sha256 {file.sha256}")
    told = {"recipe": entry.recipe, "made_by": entry.made_by, "provenance": entry.provenance}
    print(json.dumps(told, indent=2))


@main.command("verify")
def verify(
    key: OneKey = None,
    storage: StorageUri[str] = DEFAULT_STORAGE,
    kind: Kind = None,
    set_aside: SetAside = False,
) -> None:
    """Reads every file of every entry and compares its size and digest; changes nothing.

    Exits with 1 if an entry is not whole.
    """
    with _opened(storage) as store:
        names = names_in(store, [kind] if kind else EntryKind)
        wanted = set(names if key is None else matching(names, key))
        contents = Contents.read(store, wanted)
        entries = [one for name, one in contents.entries.items() if name in wanted]
        problems = {name: one for name, one in contents.damaged.items() if name in wanted}
        num_all = len(entries) + len(problems)
        problems |= _check(store, entries)
        for name in problems if set_aside else ():
            store.set_aside(*name, problems[name])
    words = _wording(contents)
    for name, problem in problems.items():
        entry = contents.entries.get(name)
        _print(f"{_short(name, words)}{f' ({words.of(entry)})' if entry else ''}: {problem}")
    _print(f"{num_all - len(problems):,} of {num_all:,} entries are whole")
    if problems:
        done = "are set aside" if set_aside else "are set aside by --set-aside"
        _print(f"those that are not {done}; {AGAIN}")
        raise typer.Exit(NOT_WHOLE)


def _check(store: Store, entries: Sequence[Entry]) -> dict[EntryName, str]:
    """What is wrong with each entry that is not whole."""
    bars = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    found, output = {}, console()
    hidden = not output.is_terminal
    with Progress(*bars, console=output, transient=True, disable=hidden) as progress:
        bar = progress.add_task("reading", total=sum(entry.num_bytes for entry in entries))
        for entry in entries:
            if problem := store.check(entry, lambda number: progress.advance(bar, number)):
                found[entry.name] = problem
    return found


@contextmanager
def _opened(uri: str) -> Iterator[Store]:
    """The store of a storage location.

    Raises:
        InputError: there is none, or it cannot be read.
    """
    with reading(uri):
        storage = Storage.open(uri)
        if not storage.folders("store"):
            raise InputError(f"--storage {shown(uri)}", "holds no store", "give that of a sweep")
        yield Store(storage.sub("store"))


def _wording(contents: Contents) -> Wording:
    return Wording(contents, shorten(key for _, key in contents.entries))


def _short(name: EntryName, words: Wording) -> str:
    return f"{name[0]}/{name[1][: words.num_digits]}"


def _maker(entry: Entry) -> str:
    """Versions and commit, as far as they are known."""
    commit, *changed = (entry.made_by.get("commit") or "").partition("-")
    made = {**entry.made_by, "commit": "".join([commit[:SHORT], *changed])}
    told = (f"{name} {made[name]}" for name in ("raysweep", "commit", "torch") if made.get(name))
    return ", ".join(told)


def _size(num_bytes: int) -> str:
    for unit, size in UNITS.items():
        if num_bytes >= size:
            return f"{num_bytes / size:,.1f} {unit}"
    return f"{num_bytes} B"


def _print(line: str) -> None:
    console().print(line, highlight=False, markup=False)
