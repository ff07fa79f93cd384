"""How many tokens a task's rows have: counted where the model's tokenizer is at hand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

from raysweep.measures.scores import MAX_NEW_TOKENS
from raysweep.model.encoding import Encoder, encode_answer
from raysweep.plan.plan import Plan
from raysweep.tasks.splits import Splits
from raysweep.tasks.task import Example

CHARACTERS_PER_TOKEN = 4.0  # where there is no tokenizer
SAMPLE_SIZE = 200  # rows that are counted; of the longest ones as many


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


@dataclass(frozen=True)
class ExactCount:
    """Counts the tokens of texts, marks included, as training and scoring encode them."""

    encoder: Encoder

    def prompt(self, text: str) -> float:
        """Of a whole prompt."""
        return float(len(self.encoder.beginning) + len(self.encoder.ids(text)))

    def answer(self, text: str) -> float:
        """Of a whole answer."""
        return float(len(encode_answer(text, self.encoder)))


class Estimate:
    """Four characters a token."""

    def prompt(self, text: str) -> float:
        """Of a whole prompt."""
        return len(text) / CHARACTERS_PER_TOKEN

    answer = prompt


Count = ExactCount | Estimate


def token_counts(plan: Plan) -> dict[str, TokenCounts]:
    """The lengths of each task's rows, counted by the plan's tokenizer if it has one."""
    count = ExactCount(plan.encoder) if plan.encoder else Estimate()
    return {name: count_tokens(splits, count) for name, splits in plan.splits.items()}


def count_tokens(splits: Splits, count: Count) -> TokenCounts:
    """The lengths of a task's rows."""
    targets, answers = {e.target for e in splits.train}, {a for e in splits.test for a in e.answers}
    reserved = MAX_NEW_TOKENS if splits.task.is_generative else 0.0
    longest = max(
        count.prompt(row.prompt) + max([reserved, *map(count.answer, row.answers)])
        for row in _longest(splits.test)
    )
    return TokenCounts(
        train_mean=fmean(_row(row, count) for row in _sample(splits.train)),
        train_longest=max(_row(row, count) for row in _longest(splits.train)),
        train_answer=max(map(count.answer, targets)),
        test_mean=fmean(_row(row, count) for row in _sample(splits.test)),
        test_longest=longest,
        test_answer=max(map(count.answer, answers)) if answers else 1,
        num_test=len(splits.test),
    )


def _row(example: Example, count: Count) -> float:
    return count.prompt(example.prompt) + count.answer(example.target)


def _longest(examples: Sequence[Example]) -> Sequence[Example]:
    """Those with the most characters."""
    return sorted(examples, key=lambda e: len(e.prompt) + len(e.target))[-SAMPLE_SIZE:]


def _sample(examples: Sequence[Example]) -> Sequence[Example]:
    """Spread evenly over all."""
    return examples[:: -(-len(examples) // SAMPLE_SIZE)]
