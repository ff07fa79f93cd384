"""Reading raw files: every kind of damage ends in one error that names file and line."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from raysweep.errors import InputError, MissingDataError
from raysweep.tasks.files import csv_rows, json_lines, json_list, parquet_rows, tar_member
from raysweep.tasks.paper.saferdialogues import parlai_rows
from tests.tasks.archives import archive

GOOD = b'{"a": 1}\n\n{"a": "\\u2028x"}\r\n'


def write(folder: Path, content: bytes) -> Path:
    path = folder / "rows.file"
    path.write_bytes(content)
    return path


def test_lines_have_their_numbers_plain_and_gzipped(tmp_path: Path) -> None:
    for content in (GOOD, gzip.compress(GOOD, mtime=0), b"\xef\xbb\xbf" + GOOD):
        path = write(tmp_path, content)
        assert list(json_lines(path)) == [
            (f"{path}:1", {"a": 1}),
            (f"{path}:3", {"a": "\u2028x"}),
        ]


@pytest.mark.parametrize(
    ("content", "place", "problem"),
    [
        (b"", "", "the file is empty"),
        (b" \n\n", "", "the file is empty"),
        (b'{"a": 1}\n{oops\n', ":2", "not JSON"),
        (b'{"a": 1}\n[1]\n', ":2", "not a JSON object"),
        (b'{"a": 1}\n{"a": "\xe9"}\n', ":2", "byte 0xe9 is no UTF-8"),
        ('{"a": 1}\n'.encode("utf-16"), ":1", "byte 0xff is no UTF-8"),
        (gzip.compress(GOOD * 50, mtime=0)[:-20], "", "a damaged gzip file"),
        (b"\x1f\x8b junk", "", "a damaged gzip file"),
        (b"[" * 100_000, ":1", "not JSON"),
        (b'{"a": ' + b"9" * 5000 + b"}", ":1", "not JSON"),
    ],
)
def test_damaged_lines(tmp_path: Path, content: bytes, place: str, problem: str) -> None:
    path = write(tmp_path, content)
    with pytest.raises(InputError) as caught:
        list(json_lines(path))
    assert str(caught.value).startswith(f"{path}{place}: ")
    assert problem in str(caught.value)


def test_a_list_names_the_line_on_which_a_row_begins(tmp_path: Path) -> None:
    path = write(tmp_path, b'\n[ {"a": 1},\n\n {"a":\n 2}\n,{"a": 3}]\n')
    rows = list(json_list(path))
    assert [place for place, _ in rows] == [f"{path}:{line}" for line in (2, 4, 6)]
    assert [row["a"] for _, row in rows] == [1, 2, 3]


@pytest.mark.parametrize(
    ("content", "line", "problem"),
    [
        (b'{"a": 1}', 1, "not a JSON list"),
        (b'[{"a": 1},\n{"a": }]', 2, "not JSON"),
        (b'[{"a": 1},\n 7]', 2, "not a JSON object"),
        (b'[{"a": 1}\n {"a": 2}]', 2, "expected ',' or ']'"),
        (b'[{"a": 1},\n{"a": 2}', 2, "expected ',' or ']'"),
        (b'[{"a": 1},\n', 2, "not JSON"),
        (b'[{"a": 1}]\n[', 2, "something follows the list"),
    ],
)
def test_damaged_lists(tmp_path: Path, content: bytes, line: int, problem: str) -> None:
    path = write(tmp_path, content)
    with pytest.raises(InputError) as caught:
        list(json_list(path))
    assert str(caught.value).startswith(f"{path}:{line}: ")
    assert problem in str(caught.value)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.dictionaries(st.text(max_size=5), st.integers() | st.text()), min_size=1))
def test_a_list_is_read_like_the_standard_library_does(
    tmp_path_factory: pytest.TempPathFactory, rows: list[dict[str, int | str]]
) -> None:
    path = tmp_path_factory.mktemp("list") / "rows.json"
    path.write_text(json.dumps(rows, indent=2, ensure_ascii=False), encoding="utf-8", newline="")
    assert [row for _, row in json_list(path)] == rows


def test_comma_separated_rows(tmp_path: Path) -> None:
    path = write(tmp_path, b'a,b\r\n1,"two\r\nlines"\r\n3,4\r\n')
    assert list(csv_rows(path)) == [
        (f"{path}:2", {"a": "1", "b": "two\r\nlines"}),
        (f"{path}:4", {"a": "3", "b": "4"}),
    ]


@pytest.mark.parametrize(
    ("content", "line", "problem"),
    [
        (b"a,b\n1,2\n3\n", 3, "1, fewer values than the header's 2"),
        (b"a,b\n1,2,3\n", 2, "more values than the header's 2"),
        (b'a,b\n1,"2\n', 2, "not CSV"),
    ],
)
def test_damaged_comma_separated_rows(
    tmp_path: Path, content: bytes, line: int, problem: str
) -> None:
    path = write(tmp_path, content)
    with pytest.raises(InputError) as caught:
        list(csv_rows(path))
    assert str(caught.value).startswith(f"{path}:{line}: ")
    assert problem in str(caught.value)


def test_no_parquet_file(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no Parquet file"):
        list(parquet_rows(write(tmp_path, b"PAR1 not really")))


def test_missing_files_are_told_apart_from_damaged_ones(tmp_path: Path) -> None:
    for reader in (json_lines, json_list, csv_rows, parquet_rows):
        with pytest.raises(MissingDataError, match="no such file"):
            list(reader(tmp_path / "none"))


def test_an_archive_is_read_only_when_it_is_the_right_one(tmp_path: Path) -> None:
    path, sha256 = archive(tmp_path, {"d/x.txt": b"hello"})
    assert tar_member(path, "d/x.txt", sha256) == "hello"
    with pytest.raises(InputError, match=r"has no file d/y\.txt"):
        tar_member(path, "d/y.txt", sha256)
    path.write_bytes(path.read_bytes() + b"\0")
    with pytest.raises(InputError, match=f"sha256 is .*, not {sha256}"):
        tar_member(path, "d/x.txt", sha256)


def test_parlai_lines() -> None:
    line = "text:One.\\nTwo: three.\tlabels:Fine.|Or so.\tepisode_done:True\n"
    assert list(parlai_rows(f"{line}\n{line}", "f")) == [
        (
            place,
            {
                "text": "One.\nTwo: three.",
                "labels": ["Fine.", "Or so."],
                "episode_done": "True",
            },
        )
        for place in ("f:1", "f:3")
    ]
    (row,) = parlai_rows("text:a\teval_labels:b", "f")
    assert row[1]["labels"] == ["b"]
    with pytest.raises(InputError, match=r"f:1: the field 'nothing' is no 'name:value'"):
        list(parlai_rows("nothing", "f"))
    with pytest.raises(InputError, match=r"f:1: the field 'text:b' occurs twice"):
        list(parlai_rows("text:a\ttext:b", "f"))
