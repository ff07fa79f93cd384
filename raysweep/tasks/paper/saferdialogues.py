"""SaFeRDialogues (Ung et al., 2022): graceful answers to feedback on an unsafe utterance."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

from pydantic import Field

from raysweep.errors import InputError, MissingDataError
from raysweep.tasks.files import FETCH_AGAIN, read_text, tar_member, text_lines
from raysweep.tasks.task import Example, Kind, Located, PaperSizes, RawRow, Release, Task, Text

ARCHIVE = "saferdialogues_v0.4.tar.gz"
ARCHIVE_SHA256 = "ef6a5f85fdab1fdea4c8d50ba38644f41c7bad5d04611777b79bcd85d750c4c6"
FOLDER = "saferdialogues_dataset"
FILES = {"train": "train.txt", "validation": "valid.txt", "test": "test.txt"}
WHERE = (
    f"saferdialogues/{ARCHIVE} from parl.ai/downloads/saferdialogues/{ARCHIVE} "
    f"(sha256 {ARCHIVE_SHA256}), as it is or unpacked into saferdialogues/{FOLDER}/"
)


class DialogueRow(RawRow):
    """A dialogue whose last turn is the feedback, and the responses that people wrote."""

    text: Text
    labels: list[Text] = Field(min_length=1)


def parse(row: DialogueRow) -> Example:
    """The dialogue so far is the prompt; its last turn, the feedback, is never cut.

    The paper states no instruction for this task. A generated response is judged safe or not.
    """
    turns = [turn.strip() for turn in row.text.split("\n")]
    dialogue = "\n".join(turns)
    return Example(
        id=hashlib.sha256(f"{dialogue}\n{row.labels[0]}".encode()).hexdigest()[:16],
        instruction="",
        context="\n".join(turns[:-1]),
        question=turns[-1],
        answers=(),
        label=0,
        target=row.labels[0],
    )


def read_files(data: Path) -> Release:
    """The three splits, from ParlAI's archive or the folder it unpacks to.

    Args:
        data: the archive itself, or a folder that holds ``saferdialogues/``.

    Raises:
        MissingDataError: there is neither.
    """
    archive = data if data.is_file() else data / "saferdialogues" / ARCHIVE
    folder = archive.parent / FOLDER
    if archive.is_file():
        return {split: _from_archive(archive, name) for split, name in FILES.items()}
    if not folder.is_dir():
        raise MissingDataError(str(archive), "no such file", f"get {WHERE}")
    return {split: _from_file(folder / name) for split, name in FILES.items()}


def _from_archive(archive: Path, name: str) -> Iterator[Located]:
    text = tar_member(archive, f"{FOLDER}/{name}", ARCHIVE_SHA256)
    yield from parlai_rows(text, f"{archive}/{name}")


def _from_file(path: Path) -> Iterator[Located]:
    yield from parlai_rows(read_text(path), str(path))


def parlai_rows(text: str, place: str) -> Iterator[Located]:
    r"""Rows of ParlAI's dialogue format.

    A line is one example, its fields ``name:value`` are separated by tabs. A line break within a
    value is written ``\n``, the responses of ``labels`` (``eval_labels`` where they are not to be
    trained on) are separated by ``|``.

    Raises:
        InputError: a line is no such example.
    """
    for where, line in text_lines(text, place):
        fields: dict[str, str] = {}
        for part in line.split("\t"):
            name, colon, value = part.partition(":")
            if not colon or name in fields:
                problem = "occurs twice" if colon else "is no 'name:value'"
                raise InputError(where, f"the field {part[:40]!r} {problem}", FETCH_AGAIN)
            fields[name] = value
        row: dict[str, object] = {name: _unescaped(value) for name, value in fields.items()}
        labels = fields.get("labels", fields.get("eval_labels"))
        if labels is not None:
            row["labels"] = [_unescaped(label) for label in labels.split("|")]
        yield where, row


def _unescaped(value: str) -> str:
    return value.replace("\\t", "\t").replace("\\n", "\n").replace("__PIPE__", "|")


TASK = Task(
    "saferdialogues",
    "SD",
    Kind.SAFETY,
    (),
    DialogueRow,
    parse,
    content_ids=True,
    read_files=read_files,
    sizes=PaperSizes(6306, 788),
    note="All rows of the official training and test split. A dialogue may have several responses.",
    where=WHERE,
)
