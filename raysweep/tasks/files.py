"""Reading raw files row by row, each row with the file and line it stands at.

Files are UTF-8, plain or gzipped (told by their first bytes). Whatever is wrong with one ends in an
`InputError` that names the file and, where there is one, the line.
"""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
import json
import tarfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from raysweep.errors import InputError, MissingDataError
from raysweep.tasks.task import Located

GZIP_MAGIC = b"\x1f\x8b"
FETCH_AGAIN = "fetch the file again"


def read_text(path: Path) -> str:
    """The text of a file, unpacked if it is gzipped.

    Raises:
        MissingDataError: there is no such file.
        InputError: it is empty, cut short, or no UTF-8.
    """
    try:
        if path.exists() and not path.is_file():  # a pipe would be waited for
            raise InputError(str(path), "is a folder or a pipe", "give a file")
        content = path.read_bytes()
    except FileNotFoundError:
        raise MissingDataError(
            str(path), "no such file", "point --data at the folder that holds it"
        ) from None
    except InputError:
        raise
    except (OSError, ValueError) as error:  # ValueError: NUL in a name
        place, problem = repr(str(path))[1:-1], f"cannot be read ({error})"
        raise InputError(place, problem, "give a readable file") from None
    return decode(unzip(content, str(path)), str(path))


def unzip(content: bytes, place: str) -> bytes:
    """Gzipped bytes unpacked; others as they are.

    Raises:
        InputError: the gzip is damaged or cut short.
    """
    if not content.startswith(GZIP_MAGIC):
        return content
    try:
        return gzip.decompress(content)
    except (EOFError, OSError, zlib.error) as error:
        raise InputError(place, f"a damaged gzip file ({error})", FETCH_AGAIN) from None


def decode(content: bytes, place: str) -> str:
    """Bytes as UTF-8 text that is not empty.

    Raises:
        InputError: naming the first line that is no UTF-8.
    """
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        problem = f"byte {content[error.start]:#04x} is no UTF-8"
        raise InputError(f"{place}:{line}", problem, "save the file as UTF-8") from None
    if not text.strip():
        raise InputError(place, "the file is empty", FETCH_AGAIN)
    return text


def json_lines(path: Path) -> Iterator[Located]:
    """The rows of a JSON Lines file."""
    for place, line in text_lines(read_text(path), str(path)):
        yield place, _object(_parsed(line, place, _loads), place)


def json_list(path: Path) -> Iterator[Located]:
    """The rows of a file that is one JSON list; places are the lines on which rows begin."""
    text, decoder = read_text(path), json.JSONDecoder(object_pairs_hook=_without_repeats)
    end, line, counted = _skip(text, 0), 1, 0
    if text[end] != "[":
        raise InputError(f"{path}:1", "not a JSON list", FETCH_AGAIN)
    end = _skip(text, end + 1)
    while text[end : end + 1] != "]":
        line, counted = line + text.count("\n", counted, end), end
        place = f"{path}:{line}"
        row, end = _parsed(text, place, partial(decoder.raw_decode, idx=end))
        yield place, _object(row, place)
        end = _skip(text, end)
        if text[end : end + 1] not in (",", "]"):
            line += text.count("\n", counted, end)
            raise InputError(f"{path}:{line}", "expected ',' or ']' after a row", FETCH_AGAIN)
        end = _skip(text, end + 1) if text[end] == "," else end
    end = _skip(text, end + 1)
    if end < len(text):
        line += text.count("\n", counted, end)
        raise InputError(f"{path}:{line}", "something follows the list", FETCH_AGAIN)


def csv_rows(path: Path) -> Iterator[Located]:
    """The rows of a comma-separated file with a header; all values are text."""
    reader = csv.DictReader(io.StringIO(read_text(path), newline=""), strict=True)
    names = list(reader.fieldnames or ())
    _check_columns(names, f"{path}:1")
    while True:
        place = f"{path}:{reader.line_num + 1}"
        try:
            row = next(reader, None)
        except csv.Error as error:
            raise InputError(place, f"not CSV ({error})", FETCH_AGAIN) from None
        if row is None:
            return
        if None in row or None in row.values():
            found = sum(value is not None for key, value in row.items() if key is not None)
            problem = "more" if None in row else f"{found}, fewer"
            raise InputError(place, f"{problem} values than the header's {len(names)}", FETCH_AGAIN)
        yield place, row


def parquet_rows(path: Path) -> Iterator[Located]:
    """The rows of a Parquet file; places are row numbers."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    if not path.is_file():
        raise MissingDataError(str(path), "no such file", "give the path of a Parquet file")
    try:
        file = pq.ParquetFile(path)
        _check_columns(file.schema_arrow.names, str(path))
        rows = file.read().to_pylist()
    except (pa.ArrowException, OSError) as error:
        problem = f"no Parquet file ({' '.join(str(error).split())})"
        raise InputError(str(path), problem, FETCH_AGAIN) from None
    if not rows:
        raise InputError(str(path), "the file is empty", FETCH_AGAIN)
    for number, row in enumerate(rows, start=1):
        yield f"{path} row {number}", row


READERS: dict[str, Callable[[Path], Iterator[Located]]] = {
    ".jsonl": json_lines,
    ".json": json_list,
    ".csv": csv_rows,
    ".parquet": parquet_rows,
}
"""By the ending of a file's name; ``.gz`` may follow."""


def tar_member(path: Path, name: str, sha256: str) -> str:
    """The text of a file in a tar archive whose sha256 is known.

    Raises:
        InputError: the archive is another one, or has no such file.
    """
    with path.open("rb") as stream:
        found = hashlib.file_digest(stream, "sha256").hexdigest()
    if found != sha256:
        raise InputError(str(path), f"sha256 is {found}, not {sha256}", FETCH_AGAIN)
    with tarfile.open(path) as archive:
        try:
            member = archive.extractfile(name)
        except KeyError:
            member = None
        if member is None:
            raise InputError(str(path), f"has no file {name}", FETCH_AGAIN)
        return decode(member.read(), f"{path}/{name}")


def text_lines(text: str, place: str) -> Iterator[tuple[str, str]]:
    """Lines that are not blank, each with its place. Only line feeds end a line."""
    for number, line in enumerate(text.split("\n"), start=1):
        if line.strip():
            yield f"{place}:{number}", line.removesuffix("\r")


def _without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A JSON object in which no key stands twice, of which one value would be lost."""
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError(f"the key {_repeated([key for key, _ in pairs])!r} stands there twice")
    return found


def _check_columns(names: Sequence[str], place: str) -> None:
    if repeated := _repeated(names):
        raise InputError(place, f"the column {repeated!r} stands there twice", "rename one")


def _repeated(names: Sequence[str]) -> str | None:
    """The first name that stands there twice."""
    return next((name for name in names if names.count(name) > 1), None)


_loads = partial(json.loads, object_pairs_hook=_without_repeats)


def _parsed(text: str, place: str, parse: Callable[[str], Any]) -> Any:
    try:
        return parse(text)
    except (ValueError, RecursionError) as error:
        raise InputError(place, f"not JSON ({error})", FETCH_AGAIN) from None


def _object(value: Any, place: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise InputError(place, "not a JSON object", FETCH_AGAIN)
    return value


def _skip(text: str, position: int) -> int:
    """The first position from there on that is no white space."""
    while position < len(text) and text[position] in " \t\r\n":
        position += 1
    return position
