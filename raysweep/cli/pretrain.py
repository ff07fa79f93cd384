"""``raysweep pretrain``: builds the shipped base from its seed."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import torch
import typer

from raysweep.cli.console import console
from raysweep.cli.options import Device
from raysweep.model.tokenizer import ENCODING
from raysweep.tiny.evidence import RECORD, describe
from raysweep.tiny.pretraining import CHECKPOINT, Pretraining, PretrainingSettings, pretrain

DEVICE = "cuda" if torch.cuda.is_available() else "cpu"


def main(
    out: Annotated[Path, typer.Option(help="Folder for the base.")],
    steps: Annotated[int, typer.Option(min=1)] = PretrainingSettings.num_steps,
    device: Device[str] = DEVICE,
) -> None:
    """Pretrains the tiny base and writes weights, configuration, tokenizer and a record."""
    torch.set_num_threads(1)  # small matrices: more threads only wait for each other
    out.mkdir(parents=True, exist_ok=True)
    checkpoint = out / CHECKPOINT
    pretraining = Pretraining(PretrainingSettings(num_steps=steps), device)
    pretrain(pretraining, checkpoint, console())
    model, tokenizer = pretraining.model.eval().to("cpu"), pretraining.tokenizer
    model.save_pretrained(out)
    tokenizer.save_pretrained(out)
    (out / ENCODING).write_text(json.dumps({"beginning_mark": True}, indent=2) + "\n")
    record = describe(model, tokenizer, asdict(pretraining.recipe), pretraining.losses)
    (out / RECORD).write_text(json.dumps(record, indent=1) + "\n")
    checkpoint.unlink(missing_ok=True)
    for name, accuracy in record["accuracies"].items():
        console().print(f"{name}: {100 * accuracy:.1f} %")
