"""Every command in README, docs, search spaces and --help works, in the place of a reader.

All are parsed by the command's own parser. Those of raysweep and its figures are run in a folder
that has what they name, and with the values they name; a sweep is planned and not started. The
documented task and search space are made as their pages say.
"""

from __future__ import annotations

import re
import runpy
import shlex
import shutil
import subprocess
import sys
import warnings
from collections.abc import Callable
from pathlib import Path

import pytest

from raysweep.errors import InputError
from raysweep.model.checkpoint import find_checkpoint
from raysweep.plan.plan import make_plan
from raysweep.space.packaged import packaged_names, packaged_space
from raysweep.space.space import load_space
from raysweep.store.storage import Storage
from raysweep.store.store import Store
from tests.analysis.sweep_folder import Sweep
from tests.classifiers import publish_classifier
from tests.documents import DOCUMENTS, ROOT, SPACE_PAGE, make_loops, only_block
from tests.mutations.command_lines import run
from tests.places import BASE
from tests.plans import plan
from tests.stored import publish

SPACES = sorted((ROOT / "search_spaces").rglob("*.yaml"))
SWEEPS = (
    "lr_sweep", "order_sweep", "replay_sweep", "curvature_sweep", "optuna_sweep", "sweep",
)  # fmt: skip
NOT_TRIED = ("python -m raysweep pretrain", "python -m raysweep query s3:")  # hours; not ours
NEEDS_WEIGHTS = re.compile(r"paper/(?!.*(--model|--outline))")
NEEDS_NETWORK = "--data hub"
ELSEWHERE = {
    "pip": "installs", "ray": "a cluster on AWS", "python3": "a virtual environment",
    "ruff": "CI runs it", "mypy": "CI runs it", "git": "version control", "source": "the shell's",
    "export": "the shell's", "head:": "a drawing", "workers:": "a drawing",
}  # fmt: skip


def indented(path: Path) -> list[str]:
    """The commands of a document: indented lines, and the code in its tables."""
    text = path.read_text().replace("\\\n", " ")  # a backslash continues a line
    found = re.findall(r"`((?:python -m raysweep\.|raysweep (?:[a-z]+-)?sweep)[^`]*)`", text)
    lines = iter(text.splitlines())
    for line in lines:
        if re.match(r"(?:    |\t)(?:python3?|pip|ray|raysweep|ruff|mypy) ", line):
            while any(line.partition(" #")[0].count(mark) % 2 for mark in "'\""):  # so do quotes
                line += " " + next(lines).strip()
            found += line.strip().split(" && ")
    return [re.sub(r"^raysweep ", "python -m raysweep ", one) for one in found]


def on_the_head(path: Path) -> list[str]:
    """The commands that a document sends to a cluster: quoted, after ``ray exec``."""
    text = path.read_text().replace("\\\n", " ")
    return re.findall(r"ray exec [^'\n]*'(python -m raysweep[^']*)'", text)


def helped(name: str) -> list[str]:
    """The examples in a sweep's help."""
    shown = subprocess.run(
        [sys.executable, "-m", f"raysweep.{name}", "--help"],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={"COLUMNS": "200", "PATH": "/usr/bin:/bin", "PYTHONPATH": str(ROOT)},
    )
    assert shown.returncode == 0, shown.stderr
    found = [one.strip(" │") for one in re.findall(r"python -m [^\n]*", shown.stdout)]
    assert len(found) > 1, "the usage and examples"
    return found[1:]


def commanded(path: Path) -> list[str]:
    """The command in the head of a search space."""
    text = path.read_text().replace("\\\n#", "")
    return re.findall(r"^# Command: +(.*)$", text, re.MULTILINE)


WRITTEN = sorted(
    {command for path in DOCUMENTS for command in indented(path)}
    | {command for path in SPACES for command in commanded(path)}
)


ON_THE_HEAD = sorted({command for path in DOCUMENTS for command in on_the_head(path)})
HELPED = [line for name in SWEEPS for line in helped(name)]


def parse(command: str, monkeypatch: pytest.MonkeyPatch) -> tuple[str, list[str]]:
    """Has a command's own parser read it; returns its module and arguments."""
    _, _, module, *arguments = shlex.split(command, comments=True)
    monkeypatch.setattr(sys, "argv", [module, *arguments, "--help"])
    with warnings.catch_warnings():
        # That the module is imported already, by another test.
        warnings.filterwarnings("ignore", category=RuntimeWarning, module="runpy")
        with pytest.raises(SystemExit) as ended:
            runpy.run_module(module, run_name="__main__", alter_sys=True)
    assert not ended.value.code, command
    return module, arguments


@pytest.mark.parametrize("command", WRITTEN)
def test_a_written_command_exists(command: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if not command.startswith("python -m "):
        assert command.split()[0] in ELSEWHERE
    elif not command.startswith("python -m pytest"):
        parse(command, monkeypatch)


@pytest.mark.parametrize("command", ON_THE_HEAD)
def test_a_command_for_a_cluster_exists(command: str, monkeypatch: pytest.MonkeyPatch) -> None:
    parse(command, monkeypatch)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A reader's home: a model, a classifier, results, a task and search spaces."""
    home = tmp_path_factory.mktemp("reader")
    shutil.copytree(BASE, home / "llama-2-7b")
    home.joinpath("tomh").mkdir()
    publish_classifier(home / "tomh" / "toxigen_roberta", ["some text", "another one"])
    home.joinpath("search_spaces").symlink_to(ROOT / "search_spaces")
    shutil.copy(ROOT / "search_spaces" / "lr.yaml", home / "my_space.yaml")
    home.joinpath("replay.yaml").write_text(only_block(SPACE_PAGE, "yaml", "name: replay"))
    groups = {"women": (40, 30, 50), "muslim": (50, 30, 50)}
    results = Sweep(home / "RESULTS")
    results.add("toxigen -> arc_easy", {"toxigen": 60, "arc_easy": 80}, groups, before=90)
    make_loops(home)
    made = plan()
    first = made.trials[0].stages[0].entry
    publish(Store(Storage.open(home / "raysweep-results" / "store")), made, made.trials[0], [first])
    return home


@pytest.fixture
def reader(place: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where commands are run; there is no network."""
    monkeypatch.setenv("HOME", str(place))
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    return place


def try_out(command: str, reader: Path, data: Callable[[], Path]) -> str:
    """Runs a command where capitals stand for what the reader has; what is wrong with its end.

    Raises:
        InputError: it was refused.
    """
    given = {"--model FOLDER": "--model ./llama-2-7b", " SPACE": " my_space.yaml"}
    given |= {f"--{name} FOLDER": f"--{name} ./datasets" for name in ("data", "validate")}
    given |= {" TASK": " toxigen", "BUCKET": "bucket"}
    given |= {" KEY": f" {plan().trials[0].stages[0].key[:8]}"}
    for written, meant in given.items():
        command = command.replace(written, meant)
    if "./datasets" in command and not (reader / "datasets").exists():
        (reader / "datasets").symlink_to(data())
    if " paper/" in command and "--model" in command and not (reader / "judges").exists():
        assert (
            try_out(
                "python -m raysweep judge tomh/toxigen_roberta --out judges/toxigen", reader, data
            )
            == ""
        )
    _, _, module, *arguments = shlex.split(command, comments=True)
    return run(module.removeprefix("raysweep."), arguments, reader)


def has_dialogues(data: Path) -> bool:
    """Whether SaFeRDialogues' archive is among the raw files."""
    return any(data.glob("saferdialogues/saferdialogues_[vd]*"))


RUNNABLE = sorted(
    {
        re.sub(r" +#.*", "", command)
        for command in (*WRITTEN, *HELPED)
        if re.match(r"python -m (raysweep|analysis)", command) and not command.startswith(NOT_TRIED)
    }
)


@pytest.mark.parametrize("command", RUNNABLE)
def test_a_written_command_works(
    command: str, reader: Path, request: pytest.FixtureRequest
) -> None:
    def data() -> Path:
        return Path(request.getfixturevalue("real_data"))

    if NEEDS_WEIGHTS.search(command):
        with pytest.raises(InputError, match=r"model meta-llama/Llama-2-7b-hf: neither a folder"):
            try_out(command, reader, data)
    elif NEEDS_NETWORK in command:
        with pytest.raises(InputError, match=r"hub dataset .*check the network"):
            try_out(command, reader, data)
    else:
        try:
            assert try_out(command, reader, data) == ""
        except InputError as refused:
            if "saferdialogues_v0.4.tar.gz: no such file; get" not in str(refused):
                raise
            assert not has_dialogues(data()), "it is there, and is not found"


@pytest.mark.parametrize("name", [one for one in packaged_names() if one.startswith("paper/")])
def test_data_that_is_given_is_that_of_all_tasks(name: str) -> None:
    space = load_space(packaged_space(name), {"data": {"source": "./datasets"}})
    assert {space.data.source_of(task) for task in space.task_names} == {"./datasets"}


@pytest.fixture
def loops(tmp_path: Path) -> Path:
    """The file of the documented task."""
    return make_loops(tmp_path)


def test_the_documented_task_is_valid_balanced_and_planned(loops: Path) -> None:
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
def test_the_documented_checks_of_a_task(loops: Path, option: str) -> None:
    checked = subprocess.run(
        [sys.executable, "-m", "raysweep.tasks", option, "loops.yaml"],
        capture_output=True,
        text=True,
        cwd=loops.parent,
        env={"PATH": "/usr/bin:/bin", "PYTHONPATH": str(ROOT), "HOME": str(loops.parent)},
    )
    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert "loops" in checked.stdout


def test_the_documented_search_space_is_planned(tmp_path: Path) -> None:
    path = tmp_path / "replay.yaml"
    path.write_text(only_block(SPACE_PAGE, "yaml", "name: replay"))
    made = make_plan(load_space(path), find_checkpoint("tiny"))
    assert len(made.trials) == 3 * 2 * 6, "three seeds, two rates, six chains"
