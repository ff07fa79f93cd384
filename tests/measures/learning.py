"""What the embedded base has learned of a task of one's own after one stage."""

from __future__ import annotations

from pathlib import Path

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
from tests.places import BASE


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
