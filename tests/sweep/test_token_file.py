"""The token's file: closed to others from its first moment on, and Ray takes it."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from raysweep.errors import InputError
from raysweep.sweep import token_file
from raysweep.sweep.token_file import protect_token, token_path


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH", "RAY_AUTH_MODE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    tmp_path.chmod(0o755)
    return tmp_path / ".ray" / "auth_token"


@pytest.fixture(params=[0o000, 0o022, 0o077])
def umask(request: pytest.FixtureRequest) -> Iterator[None]:
    before = os.umask(request.param)
    yield
    os.umask(before)


def test_one_that_is_made_is_closed(path: Path, umask: None) -> None:
    assert protect_token(path, make=True) == ""
    assert (mode(path), mode(path.parent)) == (0o600, 0o700)
    assert len(bytes.fromhex(path.read_text())) == 32
    assert list(path.parent.iterdir()) == [path]
    assert mode(path.parent.parent) == 0o755, "the home folder is not ours to close"


def test_none_is_made_for_a_cluster_that_is_joined(path: Path) -> None:
    assert protect_token(path, make=False) == ""
    assert not path.parent.exists()


def test_it_is_never_readable_by_others(
    path: Path, umask: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Looked at on every call of the system that makes or names a file or a folder."""
    seen: list[object] = []

    def look(event: str, arguments: tuple[object, ...]) -> None:
        if event in ("os.link", "os.mkdir", "open", "os.chmod", "os.remove") and watching:
            seen.extend(mode(one) for one in path.parent.rglob("*") if one.is_file())

    watching = True
    sys.addaudithook(look)
    protect_token(path, make=True)
    watching = False
    assert set(seen) == {0o600}


@pytest.mark.parametrize("found", [0o644, 0o640, 0o604, 0o444, 0o755])
def test_one_that_others_could_read_is_closed_and_told(path: Path, found: int) -> None:
    path.parent.mkdir(mode=0o755)
    path.write_text("a token")
    path.chmod(found)
    path.parent.chmod(0o755)
    if found & 0o022:
        pytest.fail("a case of the next test")
    told = protect_token(path, make=True)
    assert told == f"{path} could be read by other users ({found:04o}); it is 0600 now."
    assert (path.read_text(), mode(path), mode(path.parent)) == ("a token", 0o600, 0o700)
    assert protect_token(path, make=True) == ""


@pytest.mark.parametrize("found", [0o666, 0o620, 0o602])
def test_one_that_others_could_write_is_refused(path: Path, found: int) -> None:
    path.parent.mkdir()
    path.write_text("a token that somebody knows")
    path.chmod(found)
    with pytest.raises(InputError, match=rf"others may have written it \(mode {found:04o}\)"):
        protect_token(path, make=True)
    assert mode(path) == found


def test_a_closed_file_in_an_open_folder_of_ray(path: Path) -> None:
    path.parent.mkdir()
    path.parent.chmod(0o755)
    path.write_text("a token")
    path.chmod(0o600)
    assert "could be read by other users (0755); it is 0700 now" in protect_token(path, make=True)


def test_a_shared_folder_is_left_as_it_is(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own = path.parent.parent / "secret"
    own.write_text("a token")
    own.chmod(0o644)
    monkeypatch.setenv("RAY_AUTH_TOKEN_PATH", str(own))
    assert token_path() == own
    assert protect_token(own, make=True)
    assert (mode(own), mode(own.parent)) == (0o600, 0o755)


def test_one_that_is_named_is_made_there(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    named = path.parent.parent / "keys" / "ray"
    monkeypatch.setenv("RAY_AUTH_TOKEN_PATH", str(named))
    protect_token(named, make=True)
    assert (mode(named), mode(named.parent)) == (0o600, 0o700)
    assert not path.parent.exists()


@pytest.mark.skipif(os.getuid() != 0, reason="only root gives files away")
def test_one_of_another_user_is_refused(path: Path) -> None:
    path.parent.mkdir()
    path.write_text("a token")
    os.chown(path, 65534, 65534)
    path.chmod(0o644)
    with pytest.raises(InputError, match="belongs to user 65534, who knows the token"):
        protect_token(path, make=True)
    assert mode(path) == 0o644


@pytest.mark.parametrize("kind", ["folder", "pipe"])
def test_what_is_no_file_is_refused(path: Path, kind: str) -> None:
    path.parent.mkdir()
    path.mkdir() if kind == "folder" else os.mkfifo(path)
    with pytest.raises(InputError, match="is no file"):
        protect_token(path, make=True)


def test_a_home_where_nothing_can_be_made(path: Path) -> None:
    path.parent.write_text("a file where the folder should be")
    with pytest.raises(InputError, match="cannot be kept from others"):
        protect_token(path, make=True)


def test_of_several_that_make_it_all_see_the_same(path: Path) -> None:
    seen = []
    gate = threading.Barrier(8)

    def make() -> None:
        gate.wait()
        protect_token(path, make=True)
        seen.append(path.read_text())

    threads = [threading.Thread(target=make) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(seen) == 8
    assert len(set(seen)) == 1
    assert [one.name for one in path.parent.iterdir()] == ["auth_token"]


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({}, token_file.DEFAULT),
        ({"RAY_AUTH_TOKEN": "x"}, None),
        ({"RAY_AUTH_MODE": "disabled"}, None),
        ({"RAY_AUTH_MODE": "token"}, token_file.DEFAULT),
        ({"RAY_AUTH_MODE": "TOKEN"}, token_file.DEFAULT),
    ],
)
def test_where_it_is(
    path: Path,
    monkeypatch: pytest.MonkeyPatch,
    variables: dict[str, str],
    expected: Path | None,
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert token_path() == (expected and path.parent.parent / expected)


def test_ray_takes_the_token_that_was_made(path: Path) -> None:
    """Ray's own command line prints it, and makes no other."""
    protect_token(path, make=True)
    command = [sys.executable, "-m", "ray.scripts.scripts", "get-auth-token"]
    environment = {**os.environ, "HOME": str(path.parent.parent)}
    run = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert run.stdout.strip() == path.read_text(), run.stderr
    assert (mode(path), mode(path.parent)) == (0o600, 0o700)
