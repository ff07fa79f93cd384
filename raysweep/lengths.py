"""Whether every row fits its sequence limit, told before anything starts. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from tokenizers import Tokenizer

from raysweep.errors import InputError
from raysweep.scoring import MAX_NEW_TOKENS
from raysweep.tasks import Example
from raysweep.tasks.splits import Splits

NUM_MARKS = 4  # beginning and end mark, and a SentencePiece space before prompt and answer


def check_rows_fit(splits: Splits, limit: int, model_folder: Path) -> None:
    """Checks that the rows of a task fit a limit once their context is cut.

    A token is at least one byte, so that only rows of more bytes than the limit are tokenised.

    Args:
        limit: the smallest ``sequence_limit`` under which the task is trained or tested.
        model_folder: with the model's ``tokenizer.json``; without one nothing can be checked here,
            and a row that does not fit ends its trial.

    Raises:
        InputError: naming the longest row and the tokens that it needs.
    """
    examples = (*splits.train, *splits.validation, *splits.test)
    suspects = [example for example in examples if _most_tokens(example) > limit]
    file = model_folder / "tokenizer.json"
    if not suspects or not file.is_file():
        return
    tokenizer = Tokenizer.from_file(str(file))
    needed, longest = max(
        ((_num_tokens(example, tokenizer), example) for example in suspects),
        key=lambda item: item[0],
    )
    if needed > limit:
        raise InputError(
            "sequence_limit",
            f"{limit} is too small for row {longest.id} of task {splits.task.name!r}, which has "
            f"{needed} tokens without its context",
            f"set it to at least {needed}",
        )


def _texts(example: Example) -> tuple[str, Iterable[str]]:
    """What is never cut: instruction and question, and the answers."""
    prompt = replace(example, context="").prompt
    return prompt, (*example.answers, example.target)


def _most_tokens(example: Example) -> int:
    prompt, answers = _texts(example)
    longest = max(len(answer.encode()) for answer in answers)
    return len(prompt.encode()) + max(longest, _reserved(example)) + NUM_MARKS


def _num_tokens(example: Example, tokenizer: Tokenizer) -> int:
    prompt, answers = _texts(example)
    first, *rest = tokenizer.encode_batch([prompt, *answers], add_special_tokens=False)
    return len(first.ids) + max(_reserved(example), *(len(one.ids) for one in rest)) + 2


def _reserved(example: Example) -> int:
    """Tokens kept free for a response."""
    return 0 if example.answers else MAX_NEW_TOKENS
