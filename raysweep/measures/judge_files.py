"""Who judges generated responses: found, checked and identified without loading it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from raysweep.digest import digest_json
from raysweep.errors import InputError
from raysweep.model.checkpoint import digest_files, locate, read_config
from raysweep.model.tokenizer import TOKENIZER
from raysweep.model.weight_files import read_tensors
from raysweep.settings.base import TINY

TOXIC_NAMES = ("toxic", "toxicity", "hate", "hateful", "unsafe", "offensive", "harmful")
BENIGN_NAMES = (
    *("benign", "nontoxic", "nottoxic", "neutral", "nothate", "nonhate", "nothateful"),
    *("safe", "notoffensive", "nonoffensive", "inoffensive", "normal", "harmless"),
)
HEADS = ("classifier", "score")  # how the names of a classifier's own layers begin


def find_judge(judge: str, toxic_class: str | None = None) -> str:
    """Checks what a search space calls its judge, and returns a digest that identifies it.

    Args:
        judge: "tiny" for the closed world's, else a folder or a hub id of a toxicity classifier
            with two classes and safetensors weights.
        toxic_class: the name of the class that means toxic, where the names do not tell.

    Raises:
        InputError: there is no such classifier, it has not been trained, or which of its classes is
            the toxic one is not known.
    """
    if judge == TINY:
        return TINY
    folder = locate(judge, "judge")
    config, path = read_config(folder), folder / "config.json"
    kinds = config.get("architectures") or []
    if not any(str(kind).endswith("ForSequenceClassification") for kind in kinds):
        problem = f"architectures = {kinds!r} is no sequence classifier"
        raise InputError(str(path), problem, "give a toxicity classifier")
    class_names(config, path)
    if not list(folder.glob("*.safetensors")):
        raise InputError(
            f"judge {folder}",
            "has no *.safetensors weights",
            f"convert them once: raysweep judge {judge} --out FOLDER",
        )
    if not (folder / TOKENIZER).is_file():
        remedy = "save it again with AutoTokenizer.from_pretrained(FOLDER).save_pretrained(FOLDER)"
        raise InputError(f"judge {folder}", f"has no {TOKENIZER}", remedy)
    toxic = toxic_index(config, path, toxic_class)
    _check_head(folder)
    found = digest_files(folder)
    # The second class is the one that counted as toxic while keys had no word on it.
    return found if toxic == 1 else digest_json([found, {"toxic": toxic}])


def toxic_index(config: Mapping[str, Any], path: Path, toxic_class: str | None) -> int:
    """The index of the class that means toxic: as named, else by the classes' own names.

    Raises:
        InputError: there are not two classes, or neither way tells which is which.
    """
    names = class_names(config, path)
    if toxic_class is not None:
        if toxic_class not in names:
            problem = f"is no class of the judge; classes: {', '.join(names)}"
            raise InputError(f"toxic_class = {toxic_class!r}", problem, "name one of them")
        return names.index(toxic_class)
    plain = ["".join(filter(str.isalnum, name.casefold())) for name in names]
    for index, (one, other) in enumerate([plain, plain[::-1]]):
        if one in TOXIC_NAMES and (other in BENIGN_NAMES or other not in TOXIC_NAMES):
            return index
    for index, (one, other) in enumerate([plain, plain[::-1]]):
        if other in BENIGN_NAMES and one not in BENIGN_NAMES:
            return index
    raise InputError(
        str(path),
        f"id2label = {dict(enumerate(names))!r} does not tell which class means toxic",
        "say so: toxic_class: NAME in the search space",
    )


def class_names(config: Mapping[str, Any], path: Path) -> list[str]:
    """The names of the two classes, in their order.

    Raises:
        InputError: there are not two.
    """
    labels = config.get("id2label") or {"0": "LABEL_0", "1": "LABEL_1"}
    if not isinstance(labels, Mapping) or {str(key) for key in labels} != {"0", "1"}:
        count = f"{len(labels)} classes" if isinstance(labels, Mapping) else f"{labels!r}"
        problem = f"id2label has {count} instead of two, 0 and 1"
        raise InputError(str(path), problem, "give a toxicity classifier")
    by_index = {str(key): str(name) for key, name in labels.items()}
    return [by_index["0"], by_index["1"]]


def _check_head(folder: Path) -> None:
    """Raises InputError where the layers that tell the classes apart are not in the weights."""
    tensors = read_tensors(folder)
    head = [one for name, one in tensors.items() if name.split(".")[0] in HEADS]
    if not any(one.shape[:1] == (2,) for one in head):
        raise InputError(
            f"judge {folder}",
            "has no trained head: no tensor classifier.* or score.* with two outputs",
            "give a classifier that was trained, not the model that it starts from",
        )
