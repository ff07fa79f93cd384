"""An answer that is the beginning of another: scored with the end mark, as training teaches it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from raysweep.measures.answers import evaluate
from raysweep.measures.generation import generate_greedily
from raysweep.model.encoding import encode_rows
from raysweep.model.llama import load_model
from raysweep.model.tokenizer import load_encoder
from raysweep.tasks.custom import TaskSpec, read_task
from raysweep.tasks.settings import DataSettings
from raysweep.tasks.splits import load_splits
from raysweep.training.settings import Hyperparameters, WorkerSettings
from raysweep.training.stage import train_stage
from tests.conftest import ROOT
from tests.places import BASE
from tests.processes import run_group

ANSWERS = {"a": "It is red", "b": "It is red and blue", "c": "It is"}
WORDS = {"a": "dog", "b": "cat", "c": "bird"}


def write_own(folder: Path) -> Path:
    """Three answers, each the beginning of the next; one word of the question decides."""
    rows = [
        {"q": f"the {WORDS[label]} {thing} of person {number}", "y": label}
        for number in range(80)
        for label in WORDS
        for thing in ("stone", "river")
    ]
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    task = {
        "name": "prefixes",
        "kind": "safety",
        "files": {"pool": "rows.jsonl"},
        "question": "{q}",
        "label": "y",
        "answers": ANSWERS,
    }
    (folder / "task.yaml").write_text(json.dumps(task))
    return folder / "task.yaml"


def learned(path: Path, num_steps: int) -> tuple[float, int, int]:
    """Accuracy after a stage, distinct predictions, and rows whose greedy text is the answer."""
    task = TaskSpec.model_validate(read_task(path)).build()
    splits = load_splits(task, DataSettings(num_test=40))
    encoder = load_encoder(BASE, 1252)
    settings = Hyperparameters(learning_rate=1e-3, num_steps=num_steps, sequence_limit=512)
    rows = encode_rows(splits.train, encoder, 512)
    model = load_model(BASE, "float32")
    workers = WorkerSettings(zero_stage=0)
    weights, _ = train_stage(model, rows, settings, 0, workers, pad_token_id=encoder.pad)
    model = load_model(BASE, "float32")
    model.load_state_dict(weights, strict=False)
    found = evaluate(model, encoder, task, splits.test, sequence_limit=512, batch_size=64)
    with torch.no_grad():
        texts, _ = generate_greedily(
            model,
            [row.prompt for row in encode_rows(splits.test, encoder, 512)],
            end=encoder.end,
            pad_token_id=encoder.pad,
            max_new_tokens=12,
        )
    said = sum(
        encoder.text(ids) == splits.test[0].answers[task.labels.index(prediction.prediction)]
        for ids, prediction in zip(texts, found, strict=True)
    )
    accuracy = sum(one.correct for one in found) / len(found)
    return accuracy, len({one.prediction for one in found}), said


@pytest.mark.distributed
def test_each_answer_is_told_from_those_that_it_begins(tmp_path: Path) -> None:
    ((accuracy, distinct, said),) = run_group(1, learned, write_own(tmp_path), 60)
    assert accuracy == 1.0
    assert distinct == 3
    assert said == 40, "greedy text agrees with the likeliest answer"


@pytest.mark.distributed
def test_the_case_that_was_found() -> None:
    case = ROOT.parent / "shared" / "cases" / "prefix_answers" / "task.yaml"
    if not case.is_file():
        pytest.skip(f"the small inputs that break a kind are not at {case.parent}")
    ((accuracy, distinct, _),) = run_group(1, learned, case, 60)
    assert accuracy == 1.0
    assert distinct == 2
