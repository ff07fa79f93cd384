"""SaFeRDialogues (Ung et al., 2022): graceful answers to feedback on an unsafe utterance."""

from __future__ import annotations

import hashlib

from raysweep.tasks.task import Example, Kind, Row, Task


def parse(row: Row) -> Example | None:
    """The dialogue so far is the prompt; its last turn, the feedback, is never cut.

    The paper states no instruction for this task. A generated response is judged safe or not.
    """
    turns = [turn.strip() for turn in row["text"].strip().split("\n")]
    dialogue = "\n".join(turns)
    return Example(
        id=hashlib.sha256(f"{dialogue}\n{row['labels'][0]}".encode()).hexdigest()[:16],
        instruction="",
        context="\n".join(turns[:-1]),
        question=turns[-1],
        answers=(),
        label=0,
        target=row["labels"][0].strip(),
    )


TASK = Task("saferdialogues", "SD", Kind.SAFETY, (), parse)
