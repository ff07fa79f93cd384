"""A published judge, converted once from a pickle to safetensors."""

from __future__ import annotations

import pickle
import shutil
from pathlib import Path

import torch
from transformers import AutoConfig, AutoModelForSequenceClassification, AutoTokenizer

from raysweep.errors import InputError
from raysweep.measures.judge_files import toxic_index
from raysweep.model.checkpoint import HUB_ID, fetch, read_config
from raysweep.settings.paths import check_out, shown, user_path

KNOWN_TOXIC = {"tomh/toxigen_roberta": "LABEL_1"}  # its classes have no other names
PICKLE = "pytorch_model.bin"
TOKENIZER_FILES = ("tokenizer*", "vocab.json", "merges.txt", "special_tokens_map.json")


def convert(source: str, out: Path, toxic_class: str | None = None) -> Path:
    """Writes a classifier whose weights are a pickle as safetensors, with its tokenizer.

    Only tensors are unpickled: a pickle that holds anything else is refused.

    Args:
        source: a folder, or a hub id.
        toxic_class: the class that means toxic. The classes are then called "benign" and "toxic";
            those of the paper's judge are known.

    Raises:
        InputError: there is no such model, its pickle is no plain state dict, it has no such class,
            or ``out`` exists.
    """
    out = check_out(out, f"--out {shown(out)}", is_folder=True)
    if out.exists():
        raise InputError(str(out), "exists already", "give a folder that does not exist yet")
    folder = user_path(source, f"SOURCE {shown(repr(source))}")
    if not folder.is_dir():
        if not HUB_ID.match(source):
            raise InputError(source, "no such folder", "give a folder or a hub id")
        folder = fetch(source, (PICKLE, "config.json", *TOKENIZER_FILES), "judge")
    state = _read_pickle(folder / PICKLE)
    config = AutoConfig.from_pretrained(folder)
    if source in KNOWN_TOXIC or toxic_class is not None:
        named = toxic_class or KNOWN_TOXIC[source]
        toxic = toxic_index(read_config(folder), folder / "config.json", named)
        config.id2label = {toxic: "toxic", 1 - toxic: "benign"}
        config.label2id = {"toxic": toxic, "benign": 1 - toxic}
    model = AutoModelForSequenceClassification.from_config(config)
    outcome = model.load_state_dict(state, strict=False)
    strangers = [key for key in outcome.unexpected_keys if not key.endswith("position_ids")]
    if outcome.missing_keys or strangers:
        problem = f"lacks {outcome.missing_keys[:3]}, has the unknown {strangers[:3]}"
        raise InputError(str(folder / PICKLE), problem, "give a model that fits its config.json")
    attempt = out.with_name(f".{out.name}.part")
    shutil.rmtree(attempt, ignore_errors=True)
    model.save_pretrained(attempt)
    AutoTokenizer.from_pretrained(folder).save_pretrained(attempt)
    return attempt.rename(out)


def _read_pickle(path: Path) -> dict[str, torch.Tensor]:
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise InputError(str(path), "no such file", "nothing is to be converted here") from None
    except (pickle.UnpicklingError, RuntimeError, EOFError) as error:
        reason = str(error).strip().splitlines()[0]
        raise InputError(str(path), f"no plain state dict ({reason})", "do not trust it") from None
    if not isinstance(state, dict):
        raise InputError(str(path), f"holds a {type(state).__name__}", "give a state dict")
    return state
