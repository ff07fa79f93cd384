from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from matplotlib.image import imread
from typer.testing import CliRunner, Result

from analysis.__main__ import app
from tests.analysis.pictures import is_framed_in_white
from tests.analysis.sweep_folder import Sweep

ROOT = Path(__file__).parents[2]
PICTURES = ("table1", "table2", "figure2", "figure3", "figure9", "matrix", "transfer")
TABLES = ("table1", "table2", "figure9", "matrix", "transfer")
WRITTEN = {f"{name}.{ending}" for name in PICTURES for ending in ("png", "pdf", "svg")}
WRITTEN |= {f"{name}.{ending}" for name in TABLES for ending in ("csv", "md", "tex")}


def _run(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def test_tables_are_printed_and_pictures_written(measured: Sweep) -> None:
    result = _run(measured.path)
    assert result.exit_code == 0, result.output
    lines = [" ".join(line.split()) for line in result.stdout.splitlines()]
    numbers = "78.0 ± 0.0 91.0 ± 0.0 -1.0 ± 0.0 80.0 ± 0.0 62.0 ± 2.8 28.0 ± 2.8"
    assert f"ARC (25.0) TQA (50.0) 2 {numbers}" in lines
    assert "CQA (20.0) SD 1 20.0! 95.0 50.0 – – –" in lines
    assert "TQA → ARC: overall 28.0 ± 2.8, 2 seeds (mean ± sample standard deviation)" in lines
    assert "women 50 56.0 ± 5.7 28.0 ± 2.8 – –" in lines
    assert "muslim 50 0.0 ± 0.0 -28.0 ± 2.8 – –" in lines
    for name, least in (("table1.png", (300, 900)), ("figure3.png", (300, 600))):
        path = measured.path / "analysis" / name
        height, width, _ = imread(path).shape
        assert height > least[0]
        assert width > least[1]
        assert is_framed_in_white(path)
        others = ".pdf, .svg, .csv, .md and .tex" if name == "table1.png" else ".pdf and .svg"
        assert f"wrote {path}, {others}" in lines
        for ending, beginning in ((".pdf", b"%PDF"), (".svg", b"<?xml")):
            assert path.with_suffix(ending).read_bytes().startswith(beginning)


def test_out_takes_the_pictures(measured: Sweep, tmp_path: Path) -> None:
    out = tmp_path / "new" / "folder"
    assert _run(measured.path, "--out", out).exit_code == 0
    assert {path.name for path in out.iterdir()} == WRITTEN
    assert not (measured.path / "analysis").exists()


def test_what_is_missing_is_said_and_the_rest_is_made(sweep: Sweep) -> None:
    sweep.add("csqa -> bbq", {"csqa": 50, "bbq": 90}, before=60)
    sweep.add("bbq -> csqa", {"bbq": 90, "csqa": 20}, stage=1)
    result = _run(sweep.path)
    assert result.exit_code == 0
    assert "CQA (20.0)" in result.stdout
    assert "Figure 3, Figure 9, Figure 10, Biased forgetting: nothing to show" in result.stdout
    assert "1 trial has not finished both stages" in result.stdout
    written = {path.name for path in (sweep.path / "analysis").iterdir()}
    shown = {name.partition(".")[0] for name in written}
    assert shown == {"table1", "table2", "table3", "figure2"}


def test_results_without_any_pair(sweep: Sweep) -> None:
    sweep.add("csqa", {"csqa": 50}, stage=1, rates=(1e-3,))
    result = _run(sweep.path)
    assert result.exit_code == 0
    assert "Table 1, Figure 2: nothing to show; no trial has finished" in result.stdout
    assert "Figure 3, Figure 9, Figure 10, Biased forgetting: nothing to show" in result.stdout
    assert "CQA (20.0)" in result.stdout, "Table 3 needs the first stage alone"


def test_left_out_panels_are_named(sweep: Sweep) -> None:
    for index in range(14):
        rates = (1e-5 * (index + 1), 1e-5)
        groups = {"women": (40, 30, 50)}
        final = {"toxigen": 50, "csqa": 60}
        sweep.add("toxigen -> csqa", final, groups, before=60, rates=rates)
    result = _run(sweep.path)
    assert (
        "left out 2 of 14 panels, with learning rates '0.00013, 1e-05'; '0.00014, 1e-05'"
        in result.stdout
    )
    result = _run(sweep.path, "--learning-rates", "14e-5,1e-5")
    assert "TQA → CQA: overall 10.0" in result.stdout
    assert "left out" not in result.stdout


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--learning-rates", "fast"], "not numbers"),
        (["--learning-rates", "1e-9,1e-9"], "choose from '0.001, 0.001'"),
        (["--out", __file__], "is no folder; give another path"),
    ],
)
def test_wrong_options_are_one_line(measured: Sweep, options: list[str], said: str) -> None:
    result = _run(measured.path, *options)
    assert result.exit_code == 2
    assert result.stdout == ""
    assert result.stderr.startswith("error: --")
    assert result.stderr.count("\n") == 1
    assert said in result.stderr


@pytest.mark.parametrize("name", ["missing", "."])
def test_folders_without_results_are_one_line(tmp_path: Path, name: str) -> None:
    result = _run(tmp_path / name)
    assert result.exit_code == 2
    assert result.stderr.startswith("error: results ")
    assert result.stderr.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_the_command_needs_neither_ray_nor_torch(measured: Sweep) -> None:
    code = (
        "import sys, runpy\n"
        f"sys.argv = ['analysis', {str(measured.path)!r}]\n"
        "try:\n    runpy.run_module('analysis', run_name='__main__')\n"
        "except SystemExit as end:\n    assert not end.code, end.code\n"
        "loaded = {'ray', 'torch', 'deepspeed', 'transformers'} & set(sys.modules)\n"
        "assert not loaded, loaded\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "Table 1" in done.stdout
