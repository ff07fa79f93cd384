"""How many tokens a task's rows have: counted where the model's tokenizer is at hand. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tokenizers import Tokenizer

from raysweep.scoring import MAX_NEW_TOKENS
from raysweep.tasks import Example
from raysweep.tasks.splits import Splits

CHARACTERS_PER_TOKEN = 4.0  # where there is no tokenizer
NUM_MARKS = 2  # of beginning and end
SAMPLE_SIZE = 200  # rows that are counted; of the longest ones as many
Count = Callable[[Sequence[str]], list[float]]


@dataclass(frozen=True)
class TokenCounts:
    """Lengths of a task's rows in tokens, prompt and answer together, before any limit.

    Attributes:
        train_mean, test_mean: of a row.
        train_longest, test_longest: of the longest row; a generated response has its full length.
        train_answer, test_answer: the most positions of a row whose logits are computed.
        num_test: test rows.
    """

    train_mean: float
    train_longest: float
    train_answer: float
    test_mean: float
    test_longest: float
    test_answer: float
    num_test: int


def count_tokens(splits: Splits, count: Count) -> TokenCounts:
    """The lengths of a task's rows."""
    targets, answers = {e.target for e in splits.train}, {a for e in splits.test for a in e.answers}
    longest = max(_counted(_texts(splits.test), count, longest=True))
    return TokenCounts(
        train_mean=_mean(_counted(_texts(splits.train), count)),
        train_longest=max(_counted(_texts(splits.train), count, longest=True)),
        train_answer=max(_counted(sorted(targets), count, longest=True)),
        test_mean=_mean(_counted(_texts(splits.test), count)),
        test_longest=longest + (MAX_NEW_TOKENS if splits.task.is_generative else 0),
        test_answer=max(_counted(sorted(answers), count, longest=True)) if answers else 1,
        num_test=len(splits.test),
    )


def token_counter(model_folder: Path) -> Count | None:
    """Counts tokens of texts as the model's ``tokenizer.json`` does; None if there is none."""
    file = model_folder / "tokenizer.json"
    if not file.is_file():
        return None
    tokenizer = Tokenizer.from_file(str(file))

    def count(texts: Sequence[str]) -> list[float]:
        encoded = tokenizer.encode_batch(list(texts), add_special_tokens=False)
        return [float(len(one.ids) + NUM_MARKS) for one in encoded]

    return count


def estimate(texts: Sequence[str]) -> list[float]:
    """Tokens of texts at four characters each."""
    return [len(text) / CHARACTERS_PER_TOKEN for text in texts]


def _texts(examples: Sequence[Example]) -> list[str]:
    return [example.prompt + example.target for example in examples]


def _counted(texts: Sequence[str], count: Count, *, longest: bool = False) -> list[float]:
    """Tokens of texts spread evenly over all, or of those with the most characters."""
    if longest:
        return count(sorted(texts, key=len)[-SAMPLE_SIZE:])
    return count(texts[:: -(-len(texts) // SAMPLE_SIZE)])


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)
