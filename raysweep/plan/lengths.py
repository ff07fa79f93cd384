"""Whether every row fits its limit and its answers differ, told before anything starts."""

from __future__ import annotations

from dataclasses import replace

from raysweep.errors import InputError
from raysweep.measures.scores import MAX_NEW_TOKENS
from raysweep.model.encoding import Encoder, check_told_apart, encode_answer
from raysweep.tasks.splits import Splits
from raysweep.tasks.task import Example

NUM_MARKS = 8  # more than any tokenizer adds around a prompt and its answer


def check_rows_fit(splits: Splits, limit: int, encoder: Encoder | None) -> None:
    """Checks that the rows of a task fit a limit once their context is cut.

    A token is at least one byte, so that only rows of more bytes than the limit are tokenised.

    Args:
        limit: the smallest ``sequence_limit`` under which the task is trained or tested.
        encoder: without one nothing can be checked here.

    Raises:
        InputError: naming the longest row and the tokens that it needs.
    """
    examples = (*splits.train, *splits.validation, *splits.test)
    suspects = [example for example in examples if _most_tokens(example) > limit]
    if not suspects or encoder is None:
        return
    longest = max(suspects, key=lambda example: num_tokens_needed(example, encoder))
    if (needed := num_tokens_needed(longest, encoder)) > limit:
        raise InputError(
            "sequence_limit",
            f"{limit} is too small for row {longest.id} of task {splits.task.name!r}, which has "
            f"{needed} tokens without its context",
            f"set it to at least {needed}",
        )


def num_tokens_needed(example: Example, encoder: Encoder) -> int:
    """Tokens of a row whose context is cut away whole: to be trained on, and to be scored."""
    prompt = replace(example, context="").prompt
    answers = {len(encode_answer(answer, encoder)) for answer in _answers(example)}
    longest = max(*answers, _reserved(example), 0)
    return len(encoder.beginning) + len(encoder.ids(prompt)) + longest


def _answers(example: Example) -> set[str]:
    return {*example.answers, example.target}


def _most_tokens(example: Example) -> int:
    prompt = replace(example, context="").prompt
    longest = max(len(answer.encode()) for answer in _answers(example))
    return len(prompt.encode()) + max(longest, _reserved(example)) + NUM_MARKS


def _reserved(example: Example) -> int:
    """Tokens kept free for a response."""
    return 0 if example.answers else MAX_NEW_TOKENS


def check_answers(splits: Splits, encoder: Encoder) -> None:
    """Checks that the model can tell the answers of each row apart.

    Raises:
        InputError: it cannot.
    """
    examples = (*splits.train, *splits.validation, *splits.test)
    for answers in {example.answers for example in examples}:
        check_told_apart({text: encode_answer(text, encoder) for text in answers})
