from __future__ import annotations

import csv
import io
import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
import typer
from pyarrow import fs
from typer.testing import CliRunner, Result

from raysweep.cli.query import main
from raysweep.errors import InputError
from raysweep.results.columns import DERIVED, SCHEMAS
from raysweep.results.query import columns, open_results, query
from raysweep.results.tables import write_trial
from raysweep.store.storage import Storage


def _row(
    trial: str, group: str, forgetting: float, rates: Sequence[float] = (1e-3, 2e-3)
) -> dict[str, object]:
    return {
        "trial": trial,
        "chain": "toxigen -> arc_easy",
        "learning_rates": list(rates),
        "stage": 2,
        "task": "toxigen",
        "group": group,
        "num_examples": 50,
        "forgetting": forgetting,
    }


@pytest.fixture
def sweep(tmp_path: Path) -> Path:
    folder = tmp_path / "lr-0123abcd"
    storage = Storage.open(folder)
    write_trial(storage, "a", {"forgetting": [_row("a", "overall", 0.5), _row("a", "women", 0.25)]})
    write_trial(storage, "b", {"forgetting": [_row("b", "overall", 0.75)]})
    return folder


def _run(*arguments: object) -> Result:
    app = typer.Typer()
    app.command()(main)
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def test_query_spans_the_trials(sweep: Path) -> None:
    rows = query(
        open_results(str(sweep)),
        'SELECT "group", avg(forgetting) AS mean FROM forgetting GROUP BY ALL ORDER BY ALL',
    )
    assert rows.to_pylist() == [
        {"group": "overall", "mean": 0.625},
        {"group": "women", "mean": 0.25},
    ]


def test_every_table_is_there_even_without_files(sweep: Path) -> None:
    results = open_results(str(sweep))
    names = query(results, "SHOW TABLES")["name"].to_pylist()
    assert set(names) == set(SCHEMAS | DERIVED)
    assert query(results, "FROM curvature").num_rows == 0


def test_other_file_systems_are_read_where_they_are(tmp_path: Path) -> None:
    filesystem = fs.SubTreeFileSystem(str(tmp_path), fs.LocalFileSystem())
    filesystem.create_dir("sweep/results/forgetting")
    storage = Storage("other://sweep", "sweep", filesystem)
    write_trial(storage, "a", {"forgetting": [_row("a", "overall", 0.5)]})
    assert query(storage, "SELECT forgetting FROM forgetting").to_pylist() == [{"forgetting": 0.5}]


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT 1",
        "WITH a AS (SELECT trial FROM forgetting) SELECT * FROM a",
        "FROM forgetting",
        "DESCRIBE forgetting",
        "SUMMARIZE forgetting",
        "EXPLAIN SELECT * FROM forgetting",
        "EXPLAIN ANALYZE SELECT * FROM forgetting",
        "EXPLAIN (FORMAT json) SELECT 1",
        "SELECT 1;",
    ],
)
def test_reading_statements_run(sweep: Path, sql: str) -> None:
    assert query(open_results(str(sweep)), sql).num_rows > 0


@pytest.mark.parametrize(
    "sql",
    [
        "COPY forgetting TO '{out}'",
        "COPY (SELECT 1) TO '{out}'",
        "EXPORT DATABASE '{out}'",
        "ATTACH '{out}'",
        "ATTACH '{out}' AS other (TYPE sqlite)",
        "INSTALL httpfs",
        "LOAD httpfs",
        "INSERT INTO forgetting SELECT * FROM forgetting",
        "WITH a AS (SELECT 1) INSERT INTO forgetting SELECT * FROM a",
        "DELETE FROM forgetting",
        "UPDATE forgetting SET stage = 1",
        "CREATE TABLE t AS SELECT 1",
        "DROP VIEW forgetting",
        "SET enable_external_access = true",
        "PRAGMA version",
        "CALL pragma_version()",
        "EXPLAIN COPY (SELECT 1) TO '{out}'",
        "EXPLAIN ANALYZE COPY (SELECT 1) TO '{out}'",
        "/* EXPLAIN */ EXPLAIN ANALYZE CREATE TABLE t AS SELECT 1",
        "SELECT 1; SELECT 2",
        "SELECT 1; COPY (SELECT 1) TO '{out}'",
        "SELECT * FROM read_csv('{secret}')",
        "SELECT * FROM read_text('{secret}')",
        "SELECT * FROM '{secret}'",
        "SELECT * FROM glob('{folder}/*')",
        "SELECT * FROM query('SELECT * FROM read_text(''{secret}'')')",
        "SELECT * FROM results",  # a Python variable of the function that runs the query
        "",
        "-- only a comment",
    ],
)
def test_anything_but_reading_the_tables_is_refused(sweep: Path, tmp_path: Path, sql: str) -> None:
    secret = tmp_path / "secret.csv"
    secret.write_text("key\nvalue\n")
    out = tmp_path / "out"
    before = {path: path.read_bytes() for path in sweep.rglob("*.arrow")}
    results = open_results(str(sweep))
    with pytest.raises(InputError):
        query(results, sql.format(out=out, secret=secret, folder=tmp_path))
    assert not out.exists()
    assert {path: path.read_bytes() for path in sweep.rglob("*.arrow")} == before


@pytest.mark.parametrize(
    ("sql", "said"),
    [
        ("SELEC 1", "syntax error"),
        ("SELECT wrong FROM forgetting", 'Referenced column "wrong" not found'),
        ("SELECT * FROM wrong", "run without a query"),
        ("SELECT group FROM forgetting", 'the column group is written "group"'),
        ("SELECT ? FROM forgetting", "parameters"),
        ("COPY forgetting TO 'x'", "COPY is not allowed"),
        ("SELECT 1; SELECT 2", "2 statements"),
    ],
)
def test_mistakes_in_sql_are_one_line(sweep: Path, sql: str, said: str) -> None:
    result = _run(sweep, sql)
    assert result.exit_code == 2
    assert result.stdout == ""
    assert result.stderr.startswith("error: query: ")
    assert result.stderr.count("\n") == 1
    assert said in result.stderr


@pytest.mark.parametrize("name", ["missing", "."])
def test_folders_without_results_are_one_line(tmp_path: Path, name: str) -> None:
    result = _run(tmp_path / name, "SELECT 1")
    assert result.exit_code == 2
    assert result.stderr.startswith("error: results ")
    assert result.stderr.count("\n") == 1


def test_a_damaged_file_is_named_on_one_line(sweep: Path) -> None:
    damaged = sweep / "results" / "forgetting" / "c.arrow"
    damaged.write_bytes(b"junk")
    for arguments in ([sweep, "FROM forgetting"], [sweep]):
        result = _run(*arguments)
        assert result.exit_code == 2
        assert str(damaged) in result.stderr
        assert result.stderr.count("\n") == 1


def test_csv_and_json_hold_every_value(sweep: Path) -> None:
    sql = "SELECT trial, learning_rates, sum(num_examples) AS n, NULL AS x, 'nan'::DOUBLE AS y"
    sql += " FROM forgetting GROUP BY ALL ORDER BY ALL"
    text = _run(sweep, sql, "--format", "csv").stdout
    assert list(csv.reader(io.StringIO(text))) == [
        ["trial", "learning_rates", "n", "x", "y"],
        ["a", "[0.001, 0.002]", "100", "", "nan"],
        ["b", "[0.001, 0.002]", "50", "", "nan"],
    ]
    assert json.loads(_run(sweep, sql, "--format", "json").stdout) == [
        {"trial": "a", "learning_rates": [0.001, 0.002], "n": 100, "x": None, "y": None},
        {"trial": "b", "learning_rates": [0.001, 0.002], "n": 50, "x": None, "y": None},
    ]


def test_no_rows_are_valid_output(sweep: Path) -> None:
    sql = "SELECT trial FROM forgetting WHERE stage = 7"
    assert _run(sweep, sql, "--format", "json").stdout == "[]\n"
    assert _run(sweep, sql, "--format", "csv").stdout == "trial\n"
    assert "trial" in _run(sweep, sql).stdout


def test_the_table_is_not_folded_in_a_pipe(sweep: Path) -> None:
    line = "x" * 300
    output = _run(
        sweep, f"SELECT '{line}' AS wide, 0.123456789::DOUBLE AS number, '[bold]' AS literal"
    ).stdout
    assert line in output
    assert "0.123457" in output
    assert "[bold]" in output


def test_a_long_table_says_how_much_it_shows(sweep: Path) -> None:
    output = _run(sweep, "SELECT range AS number FROM range(700)").stdout
    assert "the first 500 of 700 rows" in output
    assert len(output.splitlines()) < 510
    assert len(_run(sweep, "FROM range(700)", "--format", "csv").stdout.splitlines()) == 701


def test_without_sql_the_columns_are_explained(sweep: Path) -> None:
    output = _run(sweep).stdout
    assert "forgetting (3 rows)" in output
    assert "evaluations (0 rows)" in output
    for schema in (SCHEMAS | DERIVED).values():
        for field in schema:
            assert field.name in output
            assert field.metadata[b"meaning"].decode() in output


def test_columns_are_rows_too(sweep: Path) -> None:
    documented = columns(open_results(str(sweep))).to_pylist()
    assert len(documented) == sum(len(schema) for schema in (SCHEMAS | DERIVED).values())
    assert {
        "table": "forgetting",
        "num_rows": 3,
        "column": "accuracy_before",
        "type": "double",
        "meaning": "right after that stage, a fraction",
    } in documented
    assert json.loads(_run(sweep, "--format", "json").stdout) == documented


def test_the_module_runs_without_ray_and_torch(sweep: Path) -> None:
    code = (
        "import sys, runpy\n"
        f"sys.argv = ['query', {str(sweep)!r}, 'SELECT count(*) AS n FROM forgetting']\n"
        "try:\n    runpy.run_module('raysweep.query', run_name='__main__')\n"
        "except SystemExit as end:\n    assert not end.code, end.code\n"
        "loaded = {'ray', 'torch', 'deepspeed', 'transformers'} & set(sys.modules)\n"
        "assert not loaded, loaded\n"
    )
    root = Path(__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "3" in done.stdout
