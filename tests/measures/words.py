"""A tokenizer of whole words, and rows whose answers share some of them."""

from __future__ import annotations

from functools import cache

from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from raysweep.model.encoding import Encoder
from raysweep.tasks.task import Example
from tests.models import VOCABULARY
from tests.tokenizers import encoder_of

WORDS = [
    *("This", "is", "not", "toxic", ".", "The", "best", "answer", "A", "B", "C"),
    *("red", "blue", "green", "one", "two", "three"),
]


ANSWER_SETS = [
    ("This is toxic.", "This is not toxic."),  # lengths differ
    ("The best answer is A.", "The best answer is B.", "The best answer is C."),
    ("red", "blue"),  # single tokens, nothing shared
    ("red", "red blue green"),  # one is the beginning of the other
]


@cache
def word_tokenizer() -> Encoder:
    """Every word and punctuation mark is a token; unknown ones are <unk>."""
    names = ["<unk>", "<s>", "</s>", *WORDS]
    vocabulary = {name: index for index, name in enumerate(names)}
    assert len(vocabulary) < VOCABULARY
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Punctuation()]
    )
    tokenizer.decoder = decoders.WordPiece(prefix="##")
    return encoder_of(
        PreTrainedTokenizerFast(
            tokenizer_object=tokenizer,
            bos_token="<s>",
            eos_token="</s>",
            pad_token="</s>",
            unk_token="<unk>",
        )
    )


def examples(answers: tuple[str, ...], number: int = 23) -> list[Example]:
    colours = ("red", "blue", "green")
    return [
        Example(
            id=str(i),
            instruction="The best answer",
            context=" ".join(colours[: i % 4]),
            question=" ".join([*colours, "one", "two", "three"][: 1 + i % 6]),
            answers=answers,
            label=i % len(answers),
            target=answers[i % len(answers)],
            groups=(colours[i % 3],),
        )
        for i in range(number)
    ]
