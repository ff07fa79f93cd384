"""The command line: every mistake is one line and exit code 2, before anything starts."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from raysweep.cli.sweep import _pair, _seeds
from raysweep.errors import InputError
from raysweep.settings.mistakes import check_finite

ROOT = Path(__file__).parents[2]
SPACE = """
name: wrong
chains: [[toxigen, csqa2]]
data: {num_train: 100, num_test: 50}
stage: {num_steps: 2, sequence_limit: 512}
"""


def lr_sweep(folder: Path, *arguments: str, address: str = "") -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "RAY_ADDRESS": address}
    return subprocess.run(
        [sys.executable, "-m", "raysweep.lr_sweep", *arguments],
        capture_output=True,
        text=True,
        cwd=folder,
        env=environment,
    )


@pytest.mark.parametrize(
    ("change", "arguments", "expected"),
    [
        ("sede: [1]", [], "space.yaml: sede = [1]; unknown key (did you mean 'seeds'?)"),
        ("chains: [[toxigin]]", [], "'toxigin'; unknown task (did you mean 'toxigen'?)"),
        ("stage: {learning_rate: -1}", [], "stage.learning_rate = -1; should be greater than 0"),
        ("seeds: []", [], "seeds = []; an empty list"),
        ("", ["--data", "nowhere"], "nowhere: no such data folder; give 'tiny'"),
        ("", ["--model", "nowhere"], "model nowhere: no such folder; give 'tiny'"),
        ("", ["--model", "gpt"], "model_type = 'gpt2' is no LLaMA; give a model"),
        ("", ["--num-workers", "1000"], "workers.num_workers = 1000: a trial needs 1000 CPUs but"),
        ("", ["--storage", "/proc/x"], "storage /proc/x: cannot be written to ("),
        (
            "",
            ["--num-workers", "-1"],
            "with the options given: workers.num_workers = -1; should be greater than 0",
        ),
        ("", ["--gpus"], "workers.use_gpu = True: no GPU is there; leave workers.use_gpu out"),
        ("", ["--seeds", "1,x"], "--seeds 1,x: not a list of whole numbers; write"),
        ("", ["--tasks", "bbq"], "--tasks bbq: not a pair of different tasks; write"),
        ("", ["--storage", "nope://x"], "storage nope://x: cannot be opened"),
        ("", ["--storage", "pipe"], "pipe: is no folder; give a folder or a URI"),
        ("", ["--space", "pipe"], "pipe: is no file; give the path of a search space"),
        ("", ["--seeds", "9223372036854775808"], "a seed is beyond 2^63 - 1; write"),
        ("seeds: [0.5]", [], "seeds.0 = 0.5; should be a valid whole number"),
    ],
)
def test_a_mistake_is_one_line(
    tmp_path: Path, change: str, arguments: list[str], expected: str
) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "gpt").mkdir()
    (tmp_path / "gpt" / "config.json").write_text('{"model_type": "gpt2"}')
    key = change.split(":")[0]
    kept = [line for line in SPACE.splitlines() if not key or not line.startswith(f"{key}:")]
    (tmp_path / "space.yaml").write_text("\n".join([*kept, change]))
    run = lr_sweep(tmp_path, "--space", "space.yaml", *arguments)
    assert run.returncode == 2, run.stderr
    lines = run.stderr.strip().splitlines()
    assert len(lines) == 1, run.stderr
    assert lines[0].startswith("error: ")
    assert expected in lines[0]
    assert not (tmp_path / "raysweep-results").exists(), "nothing was started"


@pytest.mark.parametrize(
    ("address", "problem"),
    [
        ("127.0.0.1:9", "no Ray cluster answers"),
        ("auto", "no Ray cluster was started on this host; start one"),
        ("nonsense", "is no address; write HOST:PORT"),
    ],
)
def test_a_cluster_that_is_not_there_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, address: str, problem: str
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))  # where `ray start` notes what it has started
    (tmp_path / "space.yaml").write_text(SPACE)
    run = lr_sweep(tmp_path, "--space", "space.yaml", address=address)
    assert run.returncode == 2, run.stderr
    assert run.stderr.strip().startswith(f"error: RAY_ADDRESS = {address}: {problem}")
    assert len(run.stderr.strip().splitlines()) == 1


def test_help_tells_what_a_newcomer_asks(tmp_path: Path) -> None:
    text = lr_sweep(tmp_path, "--help").stdout
    for word in ("--space", "--model", "--data", "--storage", "--num-workers", "--gpus", "--seeds"):
        assert word in text
    assert "Exit code" in text
    assert "again" in text


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "--seeds '': not a list of whole numbers"),
        ("0,", "not a list of whole numbers"),
        ("0-4", "not a list of whole numbers"),
        ("0..100000", "not a list of whole numbers"),
        ("-1", "not a list of whole numbers; write for example --seeds 0,1,2, each from 0"),
        ("1.0", "not a list of whole numbers"),
        ("1_0", "not a list of whole numbers"),
        ("١", "not a list of whole numbers"),
        ("9" * 5000, "not a list of whole numbers"),
        ("3,03", "a seed is listed twice"),
        ("9223372036854775808", "a seed is beyond 2^63 - 1"),
    ],
)
def test_seeds_that_are_none(text: str, problem: str) -> None:
    with pytest.raises(InputError) as caught:
        _seeds(text)
    assert problem in str(caught.value)
    assert len(str(caught.value)) < 300


def test_seeds() -> None:
    assert _seeds("0, 1,9223372036854775807") == [0, 1, 2**63 - 1]
    assert _seeds(None) is None


@pytest.mark.parametrize("text", ["", ",", "bbq,", "bbq", "bbq,bbq", "a,b,c", "x" * 10_000])
def test_tasks_that_are_no_pair(text: str) -> None:
    with pytest.raises(InputError, match="not a pair of different tasks"):
        _pair(text)


@pytest.mark.parametrize("name", ["pipe.yaml", "\0.yaml", "~nosuchuser/a.yaml", "x" * 300 + ".yml"])
def test_a_task_file_that_is_none(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    os.mkfifo("pipe.yaml")
    with pytest.raises(InputError):
        _pair(f"bbq,{name}")


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -1.0, 1e300])
def test_a_number_of_an_option_is_finite(value: float) -> None:
    with pytest.raises(InputError, match=r"--price .* is no number from 0 to 1e"):
        check_finite(value, "--price")
    check_finite(0.5, "--price")
    check_finite(None, "--price")


def test_a_space_given_twice_is_one_line() -> None:
    run = subprocess.run(
        [sys.executable, "-m", "raysweep.lr_sweep", "lr", "--space", "order"],
        capture_output=True,
        text=True,
    )
    assert run.returncode == 2
    assert run.stderr == "error: SPACE lr and --space order: are both given; give one of them\n"
