"""`python -m raysweep.curvature` on the embedded base."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from raysweep.cli.console import reporting_input_errors
from raysweep.cli.curvature import main

QUICK = ("--num-samples", "10", "--max-products", "20")


def run(*arguments: str) -> Result:
    import typer

    app = typer.Typer()
    app.command()(main)
    with reporting_input_errors():
        return CliRunner().invoke(app, list(arguments), catch_exceptions=False)


def test_both_operators_find_the_same_and_draw_it(tmp_path: Path) -> None:
    found = []
    for operator in ("replica", "layerwise"):
        picture = tmp_path / f"{operator}.png"
        options = ("--operator", operator, "--plot", str(picture), "--json")
        result = run("tiny", "--task", "csqa2", *QUICK, *options)
        assert result.exit_code == 0
        assert picture.read_bytes().startswith(b"\x89PNG")
        found.append(json.loads(result.output))
    one, other = found
    assert one["converged"]
    assert other["eigenvalue"] == pytest.approx(one["eigenvalue"], rel=1e-4)
    assert len(one["history"]) == one["num_products"]
    assert one["num_samples"] == 10
    assert one["relative_residual"] <= 1e-3


def test_what_has_not_converged_says_so(tmp_path: Path) -> None:
    picture = str(tmp_path / "few.svg")
    result = run("tiny", "--task", "csqa2", "--max-products", "3", "--plot", picture)
    assert result.exit_code == 1
    assert "converged: False" in result.output


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--task", "toxi"), "unknown task (did you mean 'toxigen'?)"),
        (("--task", "bbq", "--solver", "qr"), "curvature.solver = 'qr'"),
        (("--task", "bbq", "--plot", "x.txt"), "--plot x.txt: no picture's name"),
        (("--task", "bbq", "--plot", "nowhere/x.png"), "its folder does not exist"),
        (("--task", "bbq", "--device", "tpu"), "--device tpu: unknown; use cpu or cuda"),
    ],
)
def test_mistakes_are_one_line(
    options: tuple[str, ...], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stopped:
        run("tiny", *options)
    assert stopped.value.code == 2
    assert message in capsys.readouterr().err
