"""The tokenizer of a checkpoint as its files have it, and the marks around a text.

``tokenizer.json`` is the tokenizer. Which tokens are the marks stands in ``tokenizer_config.json``,
else in ``special_tokens_map.json``, else in the model's ``config.json``. The beginning mark is put
where the tokenizer itself puts it: where ``add_bos_token`` says so, or its post-processor does it.
``raysweep.json`` in the folder goes before both: it is written beside weights that were trained
here, and says how texts were encoded then.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer

from raysweep.errors import InputError
from raysweep.model.encoding import Encoder
from raysweep.model.json_files import read_object

TOKENIZER, CONFIG, MARKS = "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json"
ENCODING = "raysweep.json"
FILES = (TOKENIZER, CONFIG, MARKS, "tokenizer.model", "vocab.json", "merges.txt")
"""What belongs to a tokenizer, for whoever reads a published stage."""
FETCH = "fetch the model's own file again"
# Classes of transformers that take tokenizer.json as it is; the others build a tokenizer of their
# own from its vocabulary, and did so here until keys told the two apart.
FAITHFUL_CLASSES = ("PreTrainedTokenizerFast", "TokenizersBackend")
LLAMA_MARKS = {"bos_token": "<s>", "eos_token": "</s>"}  # of LlamaTokenizer, where nothing is said


def load_encoder(folder: Path, vocabulary_size: int, beginning_mark: bool | None = None) -> Encoder:
    """The encoder of a model folder.

    Args:
        vocabulary_size: rows of the model's embedding.
        beginning_mark: whether prompts begin with the beginning mark; None for as the files say.

    Raises:
        InputError: there is no ``tokenizer.json``, a file is damaged, or a mark is missing or
            beyond the embedding.
    """
    files = _Files(folder, _read_tokenizer(folder / TOKENIZER), vocabulary_size)
    end = files.mark("eos_token")
    if end is None:
        raise InputError(
            f"model {folder}",
            "names no end mark, with which every answer is trained to end",
            f'add "eos_token" to its {CONFIG}',
        )
    files.check_in_embedding("eos_token", end)
    put = files.is_put() if beginning_mark is None else beginning_mark
    beginning: tuple[int, ...] = ()
    if put:
        mark = files.mark("bos_token")
        if mark is None and beginning_mark:
            problem = "is true, but the model's tokenizer has no beginning mark"
            raise InputError("beginning_mark", problem, "leave the setting out")
        beginning = files.own_beginning() or (() if mark is None else (mark,))
        for one in beginning:
            files.check_in_embedding("bos_token", one)
    return Encoder(
        files.tokenizer,
        beginning,
        end,
        files.pad(end),
        files.key_marks(beginning),
        _described(files, beginning, end, beginning_mark),
    )


@dataclass(frozen=True)
class _Files:
    """What the files of a folder say."""

    folder: Path
    tokenizer: Tokenizer
    vocabulary_size: int

    def told(self, file: str, name: str) -> Any:
        """What a file says of something; None where it, or the file, is not there."""
        path = self.folder / file
        return read_object(path, FETCH).get(name) if path.is_file() else None

    def named(self, name: str) -> int | None:
        """The id of a mark, from the first of the tokenizer's own files that names it."""
        for file in (CONFIG, MARKS):
            value = self.told(file, name)
            if value is not None:
                text = value.get("content") if isinstance(value, Mapping) else value
                found = self.tokenizer.token_to_id(text) if isinstance(text, str) else None
                if found is None:
                    problem = f"{name} = {text!r} is no token of {TOKENIZER}"
                    raise InputError(str(self.folder / file), problem, FETCH)
                return found
        return None

    def mark(self, name: str) -> int | None:
        """The id of a mark, from the first file that names it."""
        found = self.named(name)
        if found is not None:
            return found
        if not self.is_faithful:
            found = self.tokenizer.token_to_id(LLAMA_MARKS.get(name, ""))
            if found is not None:
                return found
        value = self.told("config.json", name.replace("_token", "_token_id"))
        return value if isinstance(value, int) and not isinstance(value, bool) else None

    @property
    def is_faithful(self) -> bool:
        """Whether the class that tokenizer_config.json names takes tokenizer.json as it is."""
        return self.told(CONFIG, "tokenizer_class") in FAITHFUL_CLASSES

    def own_beginning(self) -> tuple[int, ...]:
        """What the tokenizer's post-processor puts before a text."""
        plain = self.tokenizer.encode("a", add_special_tokens=False).ids
        marked = self.tokenizer.encode("a", add_special_tokens=True).ids
        starts = range(len(marked) - len(plain) + 1)
        start = next((i for i in starts if marked[i : i + len(plain)] == plain), 0)
        return tuple(marked[:start])

    def is_put(self) -> bool:
        """Whether a beginning mark is put, by the first file that has a word on it."""
        for file, name in ((ENCODING, "beginning_mark"), (CONFIG, "add_bos_token")):
            value = self.told(file, name)
            if isinstance(value, bool):
                return value
            if value is not None:
                problem = f"{name} = {value!r} is neither true nor false"
                raise InputError(str(self.folder / file), problem, FETCH)
        return bool(self.own_beginning())

    def pad(self, end: int) -> int:
        """The padding token; where it has no row in the embedding, the end mark does as well."""
        found = self.named("pad_token")
        return end if found is None or found >= self.vocabulary_size else found

    def check_in_embedding(self, name: str, mark: int) -> None:
        """Raises InputError if the model cannot be given a mark."""
        if not 0 <= mark < self.vocabulary_size:
            raise InputError(
                f"model {self.folder}",
                f"{name} has the id {mark}, but the embedding has {self.vocabulary_size} rows "
                "(vocab_size)",
                "take the tokenizer that belongs to these weights",
            )

    def key_marks(self, beginning: tuple[int, ...]) -> dict[str, Any]:
        """What differs from how keys without a word on it were encoded.

        There the beginning mark was put wherever the tokenizer has one, and some classes built the
        tokenizer anew.
        """
        bos = self.mark("bos_token")
        marks: dict[str, Any] = {}
        if beginning != (() if bos is None else (bos,)):
            marks["beginning"] = list(beginning)
        if not self.is_faithful:
            marks["tokenizer"] = "as in its file"
        return marks


def _read_tokenizer(path: Path) -> Tokenizer:
    """The tokenizer in a file, without what its file says of cutting and padding."""
    if not path.is_file():
        raise InputError(
            f"model {path.parent}",
            f"has no {TOKENIZER}",
            "write it: transformers.AutoTokenizer.from_pretrained(FOLDER).save_pretrained(FOLDER)",
        )
    try:
        tokenizer = Tokenizer.from_file(str(path))
    except Exception as error:  # what the library raises has no type of its own
        problem = f"is no tokenizer ({' '.join(str(error).split())[:200]})"
        raise InputError(str(path), problem, FETCH) from None
    tokenizer.no_truncation()
    tokenizer.no_padding()
    tokenizer.encode_special_tokens = True
    return tokenizer


def _described(
    files: _Files, beginning: tuple[int, ...], end: int, beginning_mark: bool | None
) -> str:
    """The marks in words, and who says so."""

    def named(mark: int) -> str:
        return files.tokenizer.id_to_token(mark) or f"token {mark}"

    source = "the setting beginning_mark" if beginning_mark is not None else "the model's files"
    first = " ".join(map(named, beginning)) or "no mark"
    return f"prompts begin with {first} ({source}), answers end with {named(end)}"
