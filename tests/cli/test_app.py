"""The script: every command has its help, and mistakes are one line."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable

import pytest
from jsonschema import Draft202012Validator

from raysweep.cli.app import COMMANDS, main
from raysweep.settings.plain_yaml import read_plain_yaml
from raysweep.space.packaged import packaged_names, packaged_space, purpose_command_cost

Script = Callable[..., tuple[int, str, str]]


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Script:
    """Runs the script; gives its exit code, output and errors."""

    def run(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["raysweep", *arguments])
        monkeypatch.setattr(sys, "stdout", sys.stdout)  # which a command wraps
        monkeypatch.setattr(sys, "stderr", sys.stderr)
        monkeypatch.setenv("COLUMNS", "100")
        code = 0
        try:
            main()
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else int(bool(end.code))
        return code, *capsys.readouterr()

    return run


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_its_help(name: str, script: Script) -> None:
    code, out, err = script(name, "--help")
    assert (code, err) == (0, "")
    assert f"Usage: raysweep {name} " in out


def test_the_script_lists_its_commands(script: Script) -> None:
    for arguments in ((), ("--help",), ("-h",)):
        code, out, err = script(*arguments)
        assert (code, err) == (0, "")
        assert all(f"\n  {name} " in out for name in COMMANDS)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["lr_sweep"], "error: command lr_sweep: unknown (did you mean 'lr-sweep'?); there are"),
        (["plan"], "error: command line: Missing argument 'spaces'; see --help"),
        (["spaces", "lrr"], "error: search space lrr: unknown (did you mean 'lr'?); there are"),
        (["query", "nowhere"], "error: results nowhere: no such folder;"),
        (["report", "nowhere"], "error: results nowhere: no such folder;"),
    ],
)
def test_a_mistake_is_one_line(arguments: list[str], expected: str, script: Script) -> None:
    code, out, err = script(*arguments)
    assert (code, out) == (2, "")
    assert err.count("\n") == 1
    assert err.startswith(expected)


def test_every_packaged_search_space_is_listed_with_its_head(script: Script) -> None:
    _, out, _ = script("spaces")
    for name in packaged_names():
        head = purpose_command_cost(packaged_space(name))
        assert list(head) == ["Purpose", "Command", "Cost"]
        assert all(f"  {word:<8} {text}\n" in out for word, text in head.items())
        assert "\\" not in head["Command"]
    _, out, _ = script("spaces", "paper/lr")
    assert out == packaged_space("paper/lr").read_text()


@pytest.fixture
def schema(script: Script) -> Draft202012Validator:
    _, out, _ = script("schema")
    Draft202012Validator.check_schema(json.loads(out))
    return Draft202012Validator(json.loads(out))


@pytest.mark.parametrize("name", packaged_names())
def test_the_schema_takes_every_packaged_search_space(
    schema: Draft202012Validator, name: str
) -> None:
    content = read_plain_yaml(packaged_space(name))
    assert [error.message for error in schema.iter_errors(json.loads(json.dumps(content)))] == []


@pytest.mark.parametrize(
    ("change", "place"),
    [
        ({"sede": [1]}, []),
        ({"chains": [[{"task": "bbq"}]]}, ["chains", 0, 0]),
        ({"chains": []}, ["chains"]),
        ({"seeds": [-1]}, ["seeds", 0]),
        ({"stage": {"learning_rat": 1}}, ["stage"]),
        ({"stage": {"learning_rate": {"grid": [1e-3, "x"]}}}, ["stage", "learning_rate"]),
        ({"stages": {"0": {}}}, ["stages"]),
        ({"stages": {"1": {"num_steps": 1.5}}}, ["stages", "1", "num_steps"]),
        ({"tasks": [{"name": "own"}]}, ["tasks", 0]),
    ],
)
def test_the_schema_refuses(
    schema: Draft202012Validator, change: dict[str, object], place: list[object]
) -> None:
    space = {"name": "x", "chains": [["bbq", ["csqa", "bbq@5%"]]], "tasks": ["own.yaml"]}
    assert schema.is_valid(space)
    (error,) = schema.iter_errors({**space, **change})
    assert list(error.path) == place
