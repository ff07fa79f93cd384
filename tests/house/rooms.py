"""The rooms of the package, their rules (`rooms.toml`), and what the files really import."""

from __future__ import annotations

import ast
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "raysweep"
HEAVY = ("ray", "torch", "transformers", "deepspeed", "typer", "optuna", "datasets")


@dataclass(frozen=True)
class Room:
    """A package, or a file that lies beside the packages.

    Attributes:
        modules: those that it has where it is neither, with ``*`` for any package.
        heavy: for each heavy library the modules that may import it.
    """

    name: str
    heavy: Mapping[str, tuple[str, ...]]
    modules: tuple[str, ...] = ()

    def holds(self, module: str) -> bool:
        """Whether a module, named without the package, is in this room."""
        if self.modules:
            last = module.rpartition(".")[2]
            return module in self.modules or (f"*.{last}" in self.modules and last != module)
        return module == self.name or module.startswith(f"{self.name}.")

    def may_import(self, module: str, library: str) -> bool:
        """Whether one of its modules may import a heavy library when it is loaded."""
        allowed = self.heavy.get(library, ())
        return "*" in allowed or module.removeprefix(f"{self.name}.") in allowed

    @property
    def about(self) -> str:
        """The first line of its docstring; of a file that lies beside the packages, its own."""
        if self.modules:
            return "What commands run: thin files that nothing imports."
        path = PACKAGE / self.name / "__init__.py"
        text = (path if path.exists() else PACKAGE / f"{self.name}.py").read_text()
        return (ast.get_docstring(ast.parse(text)) or "").split("\n\n")[0].replace("\n", " ")


@dataclass(frozen=True)
class Import:
    """An import statement's module.

    Attributes:
        is_inside: whether it stands in a function.
        is_for_types: whether only type checkers see it.
    """

    name: str
    is_inside: bool = False
    is_for_types: bool = False


@cache
def rules() -> Mapping[str, object]:
    """The rules as they are written."""
    return tomllib.loads((Path(__file__).parent / "rooms.toml").read_text())


@cache
def rooms() -> tuple[Room, ...]:
    """All rooms, from the bottom to the top."""
    written = rules()["room"]
    assert isinstance(written, list)
    return tuple(
        Room(
            one["name"],
            {library: tuple(modules) for library, modules in one.get("heavy", {}).items()},
            tuple(one.get("modules", ())),
        )
        for one in written
    )


def room_of(module: str) -> Room | None:
    """The room of a module, named without the package; entries come before their package."""
    return next((room for room in reversed(rooms()) if room.holds(module)), None)


@cache
def modules() -> Mapping[str, Path]:
    """Each file of the package by its module, without the package; the front door is ``.``."""
    found = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE).with_suffix("").parts
        parts = parts[:-1] if parts[-1] == "__init__" else parts
        found[".".join(parts) or "."] = path
    return found


def imports(source: str) -> Iterator[Import]:
    """What a file imports, wherever it stands; of ``from a import b`` both ``a`` and ``a.b``."""
    yield from _imports(ast.parse(source), Import(""))


def _imports(node: ast.AST, place: Import) -> Iterator[Import]:
    for child in ast.iter_child_nodes(node):
        inside = place.is_inside or isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef)
        is_guard = isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test)
        here = Import("", inside, place.is_for_types or is_guard)
        names: list[str] = []
        if isinstance(child, ast.Import):
            names = [alias.name for alias in child.names]
        elif isinstance(child, ast.ImportFrom) and child.module and not child.level:
            names = [child.module, *(f"{child.module}.{alias.name}" for alias in child.names)]
        yield from (Import(name, here.is_inside, here.is_for_types) for name in names)
        yield from _imports(child, here)


def own(name: str) -> str | None:
    """The module of the package that an imported name is, without the package."""
    module = name.removeprefix("raysweep.")
    return module if module != name and module in modules() else None


def broken(module: str, source: str) -> Iterator[str]:
    """Each rule that a module breaks, in words."""
    room = room_of(module)
    if room is None:
        yield f"{module} is in no room of rooms.toml"
        return
    order, inside = list(rooms()), _inside(module)
    for one in set(imports(source)):
        library = one.name.partition(".")[0]
        if one.is_inside:
            if not any(f"{one.name}.".startswith(f"{name}.") for name in inside):
                yield f"{module} imports {one.name} inside a function"
        elif library in HEAVY and not (one.is_for_types or room.may_import(module, library)):
            yield f"{module} imports {library}"
        target = own(one.name)
        other = room_of(target) if target else None
        if other and other is not room and order.index(other) > order.index(room):
            yield f"{module} imports {target}, of the room {other.name} above it"


def _inside(module: str) -> list[str]:
    permitted = rules()["inside"]
    assert isinstance(permitted, dict)
    return [name for name, _ in permitted.get(module, ())]


def arrows() -> dict[str, set[str]]:
    """For each room the other rooms that it imports."""
    found: dict[str, set[str]] = {room.name: set() for room in rooms()}
    for module, path in modules().items():
        room = room_of(module)
        for one in imports(path.read_text()):
            target = own(one.name)
            other = room_of(target) if target else None
            if room and other and other is not room:
                found[room.name].add(other.name)
    return found


def without_detours(graph: Mapping[str, Iterable[str]]) -> dict[str, set[str]]:
    """The same graph without arrows that other arrows imply, for a picture that can be read."""
    whole = {name: set(others) for name, others in graph.items()}

    def reaches(name: str) -> set[str]:
        return whole[name].union(*(reaches(other) for other in whole[name]))

    return {
        name: {o for o in others if not any(o in reaches(p) for p in others if p != o)}
        for name, others in whole.items()
    }


def graph() -> str:
    """The rooms and the arrows between them, as a picture in mermaid's language."""
    lines = ["graph TD"]
    for name, others in reversed(without_detours(arrows()).items()):
        lines += [f"    {name} --> {other}" for other in sorted(others)] or [f"    {name}"]
    return "\n".join(lines)


def table() -> str:
    """The rooms from the top to the bottom, as a table in Markdown."""
    lines = ["| room | what is there | heavy libraries |", "|---|---|---|"]
    for room in reversed(rooms()):
        heavy = "; ".join(_heavy(*one) for one in room.heavy.items() if one[1])
        lines.append(f"| `{room.name}` | {room.about} | {heavy} |")
    return "\n".join(lines)


def _heavy(library: str, allowed: tuple[str, ...]) -> str:
    where = "" if "*" in allowed else f" in {', '.join(f'`{name}`' for name in allowed)}"
    return f"{library}{where}"
