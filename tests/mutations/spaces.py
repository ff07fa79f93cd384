"""Mutated search spaces. What is accepted must be what the file says, read by another reader."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

import yaml

from raysweep.plan.plan import Plan, make_plan
from raysweep.plan.stand_ins import outlined_checkpoint, outlined_splits
from raysweep.space.axes import as_axis
from raysweep.space.packaged import packaged_names, packaged_space
from raysweep.space.space import SearchSpace, check_space, load_space
from tests.mutations.outcome import Case
from tests.mutations.values import mutate_text, mutate_tree, write_tree

PLANNED = 300  # trials: of spaces with no more than so many the plan is made and counted
PLAN_SECONDS = 20.0
MODEL = "meta-llama/Llama-2-7b-hf"  # whose stand-in needs no weights
OWN_READING = ("model", "judge", "chains", "tasks", "source", "sources")  # paths, and own syntax


def make(source: random.Random, folder: Path) -> Case:
    """A packaged space with one to three mutations, of its text or of its values."""
    name = source.choice(packaged_names())
    text = packaged_space(name).read_text()
    if source.random() < 0.3:
        what, raw = mutate_text(text, source)
    else:
        tree, done = yaml.load(text, yaml.BaseLoader), list[str]()
        for _ in range(source.choice((1, 1, 1, 2, 3))):
            if tree:
                done.append(mutate_tree(_quoted(tree) if not done else tree, source)[0])
        what, raw = "; ".join(done), write_tree(tree).encode()
    path = folder / "space.yaml"
    path.write_bytes(raw)
    return Case(f"{name}: {what}", lambda: check(path), PLAN_SECONDS)


def _quoted(tree: Any) -> Any:
    """The same tree, with braces and other text quoted, as leaves that are YAML."""
    items = tree.items() if isinstance(tree, dict) else enumerate(tree)
    for key, value in items:
        if isinstance(value, dict | list):
            _quoted(value)
        elif any(letter in value for letter in "{}@~,%"):
            tree[key] = f"'{value}'"
    return tree


def check(path: Path) -> str:
    """Loads a space; what is wrong with it, where it is accepted."""
    space = load_space(path)
    if check_space(space.model_dump(mode="python"), "again") != space:
        return "dumped and loaded it is another one"
    written = yaml.load(path.read_bytes().decode("utf-8-sig"), yaml.BaseLoader)
    if differences := list(_differences(written, space.model_dump(mode="json"), ())):
        return "; ".join(differences[:3])
    return _count(space)


def _differences(written: Any, found: Any, path: tuple[str, ...]) -> Iterator[str]:
    """Where the settings say something else than the file's text."""
    if path and path[-1] in OWN_READING:
        return
    if isinstance(written, dict) and isinstance(found, dict):
        for key, value in written.items():
            known = {str(name): one for name, one in found.items()}
            if key in known:
                yield from _differences(value, known[key], (*path, key))
            else:
                yield f"{'.'.join((*path, key))} is not there"
    elif isinstance(written, list) and isinstance(found, list):
        if len(written) != len(found):
            yield f"{'.'.join(path)} has {len(found)} entries instead of {len(written)}"
        for number, (one, other) in enumerate(zip(written, found, strict=False)):
            yield from _differences(one, other, (*path, str(number)))
    elif not _same(written, found):
        yield f"{'.'.join(path)} = {written!r} became {found!r}"


def _same(written: Any, found: Any) -> bool:
    if found is None:
        return written in ("", "~", "null", "Null", "NULL")
    if isinstance(found, bool):
        return str(written).lower() == str(found).lower()
    if isinstance(found, int | float):
        if str(written)[:2] in ("0x", "0o"):
            return int(written, 0) == found
        try:
            return float(Decimal(written)) == found
        except (InvalidOperation, TypeError):
            return False
    return bool(written == found)


def _count(space: SearchSpace) -> str:
    """Whether the plan has no more trials than a product counted one by one."""
    if space.search.method == "optuna" or space.search.has_scouts:
        return ""
    most = sum(_num_points(space, len(chain)) for chain in space.chains) * len(space.seeds)
    if most > PLANNED or (space.data.num_train or 0) + (space.data.num_test or 0) > 10_000:
        return ""
    planned = len(_plan(space).trials)
    return "" if 0 < planned <= most else f"{planned} trials planned, {most} are possible"


def _plan(space: SearchSpace) -> Plan:
    base = outlined_checkpoint(MODEL)
    assert base
    tasks = space.find_tasks().items()
    return make_plan(space, base, {name: outlined_splits(task, space.data) for name, task in tasks})


def _num_points(space: SearchSpace, length: int) -> int:
    if space.search.num_samples:
        return space.search.num_samples
    owners = [space.stage, *(space.stages.get(n, {}) for n in range(1, length + 1))]
    axes = [as_axis(value).examples for owner in owners for value in owner.values()]
    return sum(1 for _ in itertools.islice(itertools.product(*axes), PLANNED + 1))
