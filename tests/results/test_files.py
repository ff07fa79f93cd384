"""Folders of results in which a number would be counted twice, or with others than its like."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from raysweep.errors import InputError
from raysweep.results.columns import SCHEMA_VERSION
from raysweep.results.query import open_results, query
from raysweep.results.tables import read_table, table, to_bytes, write_trial
from raysweep.store.storage import Storage


def rows(trial: str, *correct: int, **changes: Any) -> list[dict[str, Any]]:
    return [
        {
            "sweep": "lr-0123abcd",
            "trial": trial,
            "stage": stage,
            "task": "bbq",
            "group": "overall",
            "subset": "all",
            "num_examples": 10,
            "num_correct": count,
            "accuracy": count / 10,
            "scoring": 3,
            **changes,
        }
        for stage, count in enumerate(correct)
    ]


@pytest.fixture
def sweep(tmp_path: Path) -> Path:
    folder = tmp_path / "lr-0123abcd"
    for trial, correct in (("a", (4, 6)), ("b", (5, 7))):
        content = {"evaluations": rows(trial, *correct), "steps": []}
        write_trial(Storage.open(folder), trial, content)
    return folder


def refusal(folder: Path) -> str:
    with pytest.raises(InputError) as caught:
        open_results(str(folder))
    assert "\n" not in str(caught.value)
    return str(caught.value)


def put(folder: Path, name: str, content: pa.Table) -> None:
    path = folder / "results" / "evaluations" / name
    path.write_bytes(to_bytes(content))


def test_a_folder_as_a_sweep_leaves_it(sweep: Path) -> None:
    found = query(open_results(str(sweep)), "SELECT sum(num_correct) AS n FROM evaluations")
    assert found["n"].to_pylist() == [4 + 6 + 5 + 7]
    assert read_table(Storage.open(sweep), "evaluations").num_rows == 4


@pytest.mark.parametrize("copy", ["a (1).arrow", "a.sync-conflict-20261128.arrow", "b copy.arrow"])
def test_a_copy_of_a_trials_file_is_named(sweep: Path, copy: str) -> None:
    evaluations = sweep / "results" / "evaluations"
    shutil.copy(evaluations / f"{copy[0]}.arrow", evaluations / copy)
    message = refusal(sweep)
    assert f"results/evaluations/{copy}" in message
    assert f"results/evaluations/{copy[0]}.arrow" in message
    assert f"the same trial {copy[0]} twice" in message
    with pytest.raises(InputError, match="the same trial"):
        read_table(Storage.open(sweep), "evaluations")


def test_a_renamed_file_is_counted_once(sweep: Path) -> None:
    evaluations = sweep / "results" / "evaluations"
    (evaluations / "a.arrow").rename(evaluations / "a (1).arrow")
    assert query(open_results(str(sweep)), "FROM evaluations").num_rows == 4


@pytest.mark.parametrize("name", ["._a.arrow", ".a.arrow", ".hidden.arrow", "a.arrow.tmp", "x.txt"])
def test_what_operating_systems_leave_is_no_result(sweep: Path, name: str) -> None:
    (sweep / "results" / "evaluations" / name).write_bytes(b"\x00\x05\x16\x07Mac OS X")
    assert query(open_results(str(sweep)), "FROM evaluations").num_rows == 4
    assert read_table(Storage.open(sweep), "evaluations").num_rows == 4


@pytest.mark.parametrize("place", ["results", "evaluations copy", "evaluations/evaluations"])
def test_a_copied_folder_within_the_results_is_named(sweep: Path, place: str) -> None:
    source = sweep / "results" / ("evaluations" if place != "results" else "")
    shutil.copytree(source, sweep.parent / "copy")
    shutil.move(sweep.parent / "copy", sweep / "results" / place)
    assert f"holds the folder results/{place}, which is no table" in refusal(sweep)


def test_files_of_another_sweep_are_told(sweep: Path) -> None:
    put(sweep, "c.arrow", table("evaluations", rows("c", 1, sweep="order-89abcdef")))
    message = refusal(sweep)
    assert "files of 2 sweeps" in message
    assert "lr-0123abcd in results/evaluations/a.arrow" in message
    assert "order-89abcdef in results/evaluations/c.arrow" in message


def old(content: pa.Table) -> pa.Table:
    """As it was written before there was a column for the scoring."""
    kept = [name for name in content.column_names if name != "scoring"]
    return content.select(kept).replace_schema_metadata({"schema_version": "1"})


@pytest.mark.parametrize("kind", ["no column", "null", "2"])
def test_two_ways_of_scoring_are_told(sweep: Path, kind: str) -> None:
    content = table("evaluations", rows("c", 1, scoring=2 if kind == "2" else None))
    put(sweep, "c.arrow", old(content) if kind == "no column" else content)
    message = refusal(sweep)
    assert "files of 2 versions of the scoring" in message
    assert "3 in results/evaluations/a.arrow, 2 in results/evaluations/c.arrow" in message


def test_old_results_stay_readable(sweep: Path) -> None:
    for trial in "ab":
        put(sweep, f"{trial}.arrow", old(table("evaluations", rows(trial, 4, 6))))
        steps = table("steps", []).replace_schema_metadata({"schema_version": "1"})
        (sweep / "results" / "steps" / f"{trial}.arrow").write_bytes(to_bytes(steps))
    results = open_results(str(sweep))
    found = query(results, "SELECT num_correct, scoring FROM evaluations ORDER BY ALL").to_pylist()
    assert [row["num_correct"] for row in found] == [4, 4, 6, 6]
    assert {row["scoring"] for row in found} == {None}
    read = read_table(results, "evaluations")
    assert read.column_names == table("evaluations", []).column_names
    assert read["num_correct"].to_pylist() == [4, 6, 4, 6]


def test_results_without_data_seeds_have_null_in_their_place(sweep: Path) -> None:
    for trial in "ab":
        content = table("evaluations", rows(trial, 4))
        kept = content.drop_columns(["data_seed"])
        put(sweep, f"{trial}.arrow", kept.replace_schema_metadata({"schema_version": "3"}))
        steps = table("steps", []).replace_schema_metadata({"schema_version": "3"})
        (sweep / "results" / "steps" / f"{trial}.arrow").write_bytes(to_bytes(steps))
    results = open_results(str(sweep))
    found = query(results, "SELECT DISTINCT data_seed, num_correct FROM evaluations").to_pylist()
    assert found == [{"data_seed": None, "num_correct": 4}]
    assert read_table(results, "evaluations")["data_seed"].null_count == 2


def test_results_of_a_later_version_are_told(sweep: Path) -> None:
    later = str(int(SCHEMA_VERSION) + 1)
    content = table("evaluations", rows("c", 1)).replace_schema_metadata({"schema_version": later})
    put(sweep, "c.arrow", content)
    assert "results/evaluations/c.arrow was written by a later raysweep" in refusal(sweep)


def test_a_study_twice_is_told(sweep: Path) -> None:
    folder = sweep / "results" / "study"
    folder.mkdir()
    for name in ("study.arrow", "study (1).arrow"):
        (folder / name).write_bytes(to_bytes(table("study", [{"number": 0, "trial": "a"}])))
    assert "are the same study twice" in refusal(sweep)


def test_a_file_that_is_cut_short_is_named(sweep: Path) -> None:
    path = sweep / "results" / "evaluations" / "b.arrow"
    path.write_bytes(path.read_bytes()[:-40])
    assert "results/evaluations/b.arrow: is no Arrow file" in refusal(sweep)
