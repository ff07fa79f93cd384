"""Every command in README, docs, search spaces and --help is one that exists, spelt rightly.

All are parsed by the command's own parser; those that plan or check are run; of those that start a
sweep the search space is planned. README's own task and search space are made as README says.
"""

from __future__ import annotations

import re
import runpy
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from raysweep.checkpoint import find_checkpoint
from raysweep.plan import make_plan
from raysweep.space import load_space, packaged_names, packaged_space, space_path

ROOT = Path(__file__).parents[1]
DOCUMENTS = (ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md")))
SPACES = sorted((ROOT / "search_spaces").rglob("*.yaml"))
SWEEPS = ("lr", "order", "replay", "curvature", "optuna")
OWN_SPACES = ("SPACE", "my_space.yaml", "replay.yaml")  # a reader's own
ELSEWHERE = {
    "pip": "installs", "ray": "a cluster on AWS", "python3": "a virtual environment",
    "ruff": "CI runs it", "mypy": "CI runs it", "git": "version control", "source": "the shell's",
    "export": "the shell's", "head:": "a drawing", "workers:": "a drawing",
}  # fmt: skip


def indented(path: Path) -> list[str]:
    """The commands of a document: indented lines, a backslash continues one; its tables' code."""
    text = path.read_text().replace("\\\n", " ")
    lines = re.findall(r"^(?:    |\t)((?:python3?|pip|ray|ruff|mypy) .*)$", text, re.MULTILINE)
    quoted = re.findall(r"`(python -m raysweep\.[^`]*)`", text)
    return [part for line in (*lines, *quoted) for part in line.split(" && ")]


def helped(name: str) -> list[str]:
    """The examples in a sweep's help."""
    run = subprocess.run(
        [sys.executable, "-m", f"raysweep.{name}", "--help"],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={"COLUMNS": "200", "PATH": "/usr/bin:/bin", "PYTHONPATH": str(ROOT)},
    )
    assert run.returncode == 0, run.stderr
    return [found.strip(" │") for found in re.findall(r"python -m [^\n]*", run.stdout)]


def commanded(path: Path) -> list[str]:
    """The command in the head of a search space."""
    text = path.read_text().replace("\\\n#", "")
    return re.findall(r"^# Command: +(.*)$", text, re.MULTILINE)


WRITTEN = sorted(
    {command for path in DOCUMENTS for command in indented(path)}
    | {command for path in SPACES for command in commanded(path)}
)


def parse(command: str, monkeypatch: pytest.MonkeyPatch) -> tuple[str, list[str]]:
    """Has a command's own parser read it; returns its module and arguments."""
    _, _, module, *arguments = shlex.split(command, comments=True)
    monkeypatch.setattr(sys, "argv", [module, *arguments, "--help"])
    with pytest.raises(SystemExit) as ended:
        runpy.run_module(module, run_name="__main__", alter_sys=True)
    assert not ended.value.code, command
    return module, arguments


@pytest.mark.parametrize("command", WRITTEN)
def test_a_written_command_exists(command: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if not command.startswith("python -m "):
        assert command.split()[0] in ELSEWHERE
        return
    if command.startswith("python -m pytest"):
        return
    if 'SELECT chain, learning_rates, "group"' in command:
        command += "'"  # the statement goes on in the next line
    module, arguments = parse(command, monkeypatch)
    if module.startswith("raysweep.") and module.endswith("sweep"):
        named = arguments[arguments.index("--space") + 1] if "--space" in arguments else None
        first = arguments[0] if arguments and not arguments[0].startswith("-") else None
        name = named or first
        if name and name not in OWN_SPACES and not name.startswith("~"):
            monkeypatch.chdir(ROOT)
            assert load_space(space_path(name)).name


@pytest.mark.parametrize("name", [f"{name}_sweep" for name in SWEEPS] + ["sweep"])
def test_the_examples_in_help_exist(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    examples = helped(name)
    assert examples
    for example in examples:
        _, arguments = parse(example, monkeypatch)
        if arguments and arguments[0] in packaged_names():
            given = {"data": {"source": "./datasets"}} if "--data" in arguments else {}
            space = load_space(packaged_space(arguments[0]), given)
            if given:
                assert {space.data.source_of(task) for task in space.task_names} == {"./datasets"}


def blocks(kind: str) -> list[str]:
    """README's fenced blocks of a kind."""
    return re.findall(rf"```{kind}\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)


@pytest.fixture
def loops(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """README's own task, made as README says."""
    (task,) = [block for block in blocks("yaml") if block.startswith("name: loops")]
    (rows,) = [block for block in blocks("python") if "loops.jsonl" in block]
    monkeypatch.chdir(tmp_path)
    (tmp_path / "loops.yaml").write_text(task)
    exec(compile(rows, "README.md", "exec"), {})
    return tmp_path / "loops.yaml"


def test_the_task_of_the_readme_is_valid_balanced_and_planned(loops: Path) -> None:
    splits = make_plan(load_space(_as_space(loops)), find_checkpoint("tiny")).splits["loops"]
    share = sum(row.label == 0 for row in splits.test) / len(splits.test)
    assert 0.45 < share < 0.55, "chance is one half"
    assert len(splits.train) > 1500


def _as_space(task: Path) -> Path:
    path = task.parent / "space.yaml"
    path.write_text(
        "name: lr\ntasks: [loops.yaml]\nchains: [[toxigen, loops], [loops, toxigen]]\n"
        "stage: {num_steps: 150}\n"
    )
    return path


@pytest.mark.parametrize("option", ["--validate", "--show"])
def test_the_readmes_checks_of_its_task(loops: Path, option: str) -> None:
    run = subprocess.run(
        [sys.executable, "-m", "raysweep.tasks", option, "loops.yaml"],
        capture_output=True,
        text=True,
        cwd=loops.parent,
        env={"PATH": "/usr/bin:/bin", "PYTHONPATH": str(ROOT), "HOME": str(loops.parent)},
    )
    assert run.returncode == 0, run.stdout + run.stderr
    assert "loops" in run.stdout


def test_the_readmes_search_space_is_planned(tmp_path: Path) -> None:
    (content,) = [block for block in blocks("yaml") if block.startswith("name: replay")]
    path = tmp_path / "replay.yaml"
    path.write_text(content)
    made = make_plan(load_space(path), find_checkpoint("tiny"))
    assert len(made.trials) == 3 * 2 * 6, "three seeds, two rates, six chains"
