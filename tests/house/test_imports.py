"""What commands and processes import: modules are counted, seconds are not."""

from __future__ import annotations

import json
import subprocess
import sys
import tomllib
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.house.rooms import ROOT

HERE = Path(__file__).parent
PROCESSES = tomllib.loads((HERE / "imports.toml").read_text())["process"]
HEAVY = {
    *("datasets", "deepspeed", "duckdb", "huggingface_hub", "matplotlib", "numpy", "optuna"),
    *("pandas", "PIL", "pyarrow", "ray", "scipy", "sklearn", "sqlalchemy", "statsmodels", "sympy"),
    *("tokenizers", "torch", "transformers", "triton"),
}
SHOWN = 6

Imported = Mapping[str, str]
"""Each module, and which one imported it first."""


def traced(folder: Path, words: Sequence[str]) -> Imported:
    """What a process imports that does what the words say."""
    file = folder / "imported.json"
    command = [sys.executable, str(HERE / "traced_imports.py"), str(file), *words]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return dict(json.loads(file.read_text()))


def excess(imported: Imported, heavy: Sequence[str], most: int) -> list[str]:
    """What is beyond a budget, in words, with the chain of imports that leads to it."""
    refused = sorted(HEAVY - set(heavy))
    problems = [f"imports {name}: {chain(imported, name)}" for name in refused if name in imported]
    if len(imported) > most:
        packages = Counter(name.partition(".")[0] for name in imported)
        shown = [f"{n} of {one} ({chain(imported, one)})" for one, n in packages.most_common(SHOWN)]
        problems.append(f"imports {len(imported):,} modules, at most {most:,}: {'; '.join(shown)}")
    return problems


def chain(imported: Imported, name: str) -> str:
    """``scipy <- raysweep.plan.power <- raysweep.cli.plan``."""
    found = [name]
    while (above := imported.get(found[-1], "")) and above not in found:
        found.append(above)
    return " <- ".join(one for one in found if one != "__main__")


@pytest.mark.parametrize("budget", PROCESSES, ids=lambda one: " ".join(one["words"]))
def test_nothing_is_imported_beyond_its_budget(tmp_path: Path, budget: Mapping[str, Any]) -> None:
    imported = traced(tmp_path, budget["words"])
    assert excess(imported, budget["heavy"], budget["modules"]) == []
    unused = [name for name in budget["heavy"] if name not in imported]
    assert unused == [], "what is not imported any more leaves the budget"


def test_a_newcomer_is_named_with_the_chain_that_brought_it(tmp_path: Path) -> None:
    """The power of a plan needs scipy, which a plan alone may not import."""
    imported = traced(tmp_path, ["raysweep.plan.power"])
    (problem, *_) = excess(imported, ["numpy", "pyarrow", "tokenizers"], 10_000)
    assert problem.startswith("imports scipy: scipy <- raysweep.")
    assert problem.endswith("raysweep.plan.power")
    (problem,) = excess({"a": "", "a.b": "a", "c": "a.b"}, [], 2)
    assert "imports 3 modules, at most 2: 2 of a (a); 1 of c (c <- a.b <- a)" in problem
