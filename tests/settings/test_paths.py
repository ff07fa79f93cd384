"""Paths that can be none, each told before anything is opened."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from raysweep.errors import InputError
from raysweep.settings.paths import check_out, shown, user_file, user_path
from raysweep.store.storage import Storage

IMPOSSIBLE = [
    ("", "is empty"),
    ("  ", "is empty"),
    ("a\0b", "holds a NUL character"),
    ("\udcff", "is no UTF-8 text"),
    ("~nosuchuser/x", "~nosuchuser is nobody's home folder here"),
    ("x" * 300, "is longer than a path may be"),
    ("é" * 200, "is longer than a path may be"),
    ("/".join(["x" * 200] * 30), "is longer than a path may be"),
]


@pytest.mark.parametrize(("text", "problem"), IMPOSSIBLE)
def test_a_path_that_can_be_none(text: str, problem: str) -> None:
    with pytest.raises(InputError, match=f"^--here: {problem}; give another path$"):
        user_path(text, "--here")
    with pytest.raises(InputError, match=problem):
        Storage.open(text)
    with pytest.raises(InputError):
        user_file(text, "look elsewhere")


def test_home_is_expanded(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert user_path("~/x", "--here") == tmp_path / "x"


@pytest.fixture
def place(tmp_path: Path) -> Path:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "file").write_text("a: 1")
    (tmp_path / "folder").mkdir()
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "link").symlink_to("file")
    return tmp_path


def test_only_a_regular_file_is_read(place: Path) -> None:
    """A pipe without a writer, and /dev/zero, would be read for ever."""
    assert user_file(place / "link", "look").read_text() == "a: 1"
    for name, problem in (("pipe", "is no file"), ("folder", "no such file"), ("no", "no such")):
        with pytest.raises(InputError, match=problem):
            user_file(place / name, "look elsewhere")
    with pytest.raises(InputError, match="is no file"):
        user_file("/dev/zero", "look elsewhere")
    with pytest.raises(InputError, match="leads to itself"):
        user_file(place / "loop", "look elsewhere")


def test_storage_is_a_folder(place: Path) -> None:
    assert Storage.open(place / "folder").root == str(place / "folder")
    assert Storage.open(place / "later").root == str(place / "later")
    for name in ("pipe", "file"):
        with pytest.raises(InputError, match="is no folder"):
            Storage.open(place / name)
    with pytest.raises(InputError, match="is no URI"):
        Storage.open("s3://a\0b")


def test_what_is_to_be_written(place: Path) -> None:
    assert check_out(place / "new.png", "--plot") == place / "new.png"
    assert check_out(place / "file", "--plot") == place / "file"
    for name in ("pipe", "folder"):
        with pytest.raises(InputError, match="is no file"):
            check_out(place / name, "--plot")
    with pytest.raises(InputError, match="is no folder"):
        check_out(place / "file", "--out", is_folder=True)


def test_long_values_are_cut_in_their_middle() -> None:
    assert shown("a\nb") == "a b"
    assert len(shown("x" * 10**6)) < 120
