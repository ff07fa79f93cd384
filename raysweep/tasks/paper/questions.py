"""Questions with all their answers given, as the paper's prompts put them."""

from __future__ import annotations

from collections.abc import Sequence

from raysweep.tasks.task import Example


def question_example(
    row_id: str,
    instruction: str,
    question: str,
    answers: tuple[str, ...],
    label: int,
    groups: tuple[str, ...] = (),
) -> Example:
    """A row that is a question without a context, with all its answers given."""
    return Example(row_id, instruction, "", question, answers, label, answers[label], groups)


def lettered(options: Sequence[str]) -> str:
    """``A. first. B. second.``: the paper's way of listing options (section 8.2)."""
    return " ".join(
        f"{letter}. {option.strip().rstrip('.')}."
        for letter, option in zip("ABCDE", options, strict=False)
    )
