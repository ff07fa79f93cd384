"""Small tokenizers of the kinds that LLaMA models have had, trained on a few sentences."""

from __future__ import annotations

import json
import tempfile
from functools import cache
from pathlib import Path

from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

from raysweep.model.encoding import Encoder
from raysweep.model.tokenizer import ENCODING, load_encoder

SPECIAL = ["<unk>", "<s>", "</s>"]
BYTES = [f"<0x{value:02X}>" for value in range(256)]
SENTENCES = [
    "Given the following question choose the best answer. The best answer is A.",
    "This is toxic. This is not toxic. The answer is yes. The answer is no.",
    "What swims in the sea? A. a fish. B. a bird. C. a stone. The best answer is B.",
    "I am sorry that I said so, and I will not say it again; thank you for telling me.",
]
ACROSS_LINES = [f"{first}\n{second}" for first in SENTENCES for second in SENTENCES]


@cache
def sentencepiece_bpe(across_lines: bool = False) -> PreTrainedTokenizerFast:
    """LLaMA 2's kind: a space before every text, spaces as marks, bytes for unknown characters.

    Args:
        across_lines: whether line breaks are characters like others, so that tokens span them.
    """
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>", byte_fallback=True, fuse_unk=True))
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")]
    )
    tokenizer.decoder = _sentencepiece_decoder()
    texts = [f"{letter}\nThe" for letter in "abcdefgh" * 9] if across_lines else SENTENCES
    trainer = trainers.BpeTrainer(
        vocab_size=600, special_tokens=[*SPECIAL, *BYTES], max_token_length=8, show_progress=False
    )
    tokenizer.train_from_iterator(texts, trainer)
    return _wrapped(tokenizer)


@cache
def sentencepiece_unigram() -> PreTrainedTokenizerFast:
    """SentencePiece's other algorithm, words apart."""
    tokenizer = Tokenizer(models.Unigram())
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.decoder = _sentencepiece_decoder()
    trainer = trainers.UnigramTrainer(
        vocab_size=420, special_tokens=[*SPECIAL, *BYTES], unk_token="<unk>", show_progress=False
    )
    tokenizer.train_from_iterator(SENTENCES, trainer)
    vocabulary = [tuple(item) for item in json.loads(tokenizer.to_str())["model"]["vocab"]]
    tokenizer.model = models.Unigram(vocabulary, unk_id=0, byte_fallback=True)
    return _wrapped(tokenizer)


@cache
def byte_level_bpe() -> PreTrainedTokenizerFast:
    """LLaMA 3's kind: every byte is a character."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=600,
        special_tokens=SPECIAL,
        show_progress=False,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
    )
    tokenizer.train_from_iterator(ACROSS_LINES, trainer)
    return _wrapped(tokenizer)


def _sentencepiece_decoder() -> decoders.Decoder:
    return decoders.Sequence(
        [
            decoders.Replace("▁", " "),
            decoders.ByteFallback(),
            decoders.Fuse(),
            decoders.Strip(content=" ", left=1),
        ]
    )


def _wrapped(tokenizer: Tokenizer) -> PreTrainedTokenizerFast:
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        unk_token="<unk>",
        bos_token="<s>",
        eos_token="</s>",
        pad_token="</s>",
        clean_up_tokenization_spaces=False,
    )


def encoder_of(tokenizer: PreTrainedTokenizerFast, vocabulary_size: int = 10**6) -> Encoder:
    """The encoder that its files make, with the beginning mark before every prompt."""
    with tempfile.TemporaryDirectory() as folder:
        tokenizer.save_pretrained(folder)
        (Path(folder) / ENCODING).write_text(json.dumps({"beginning_mark": True}))
        return load_encoder(Path(folder), vocabulary_size)
