"""Scoring of real rows against the slow way: one full forward pass per row and answer."""

from __future__ import annotations

from pathlib import Path

import torch

from raysweep.measures.answers import evaluate
from raysweep.model.encoding import encode_answer, encode_prompt
from raysweep.model.llama import load_model
from raysweep.model.tokenizer import load_encoder
from raysweep.tasks.registry import TASKS
from raysweep.tasks.settings import DataSettings
from raysweep.tasks.splits import load_splits
from tests.places import BASE

LIMIT = 1024


@torch.no_grad()
def test_500_bbq_rows_get_the_predictions_of_one_forward_per_answer(real_data: Path) -> None:
    settings = DataSettings(source=str(real_data), num_test=500)
    splits = load_splits(TASKS["bbq"], settings)
    model, tokenizer = load_model(BASE, "float32"), load_encoder(BASE, 1252)
    fast = evaluate(model, tokenizer, splits.task, splits.test, sequence_limit=LIMIT, batch_size=16)
    assert len(fast) == 500
    for prediction, example in zip(fast, splits.test, strict=True):
        answers = [encode_answer(answer, tokenizer) for answer in example.answers]
        prompt = encode_prompt(example, tokenizer, LIMIT - max(map(len, answers)))
        slow = []
        for answer in answers:
            log_p = model(input_ids=torch.tensor([[*prompt, *answer]])).logits[0].double()
            log_p = log_p.log_softmax(-1)[len(prompt) - 1 : -1]
            slow.append(float(log_p.gather(1, torch.tensor(answer)[:, None]).sum()))
        assert prediction.prediction == splits.task.labels[slow.index(max(slow))]
        assert prediction.example_id == example.id
        # float32 forward passes that pad and split the row differently
        difference = max(
            abs(a - b) for a, b in zip(prediction.log_probabilities, slow, strict=True)
        )
        assert difference < 1e-4
    assert len({p.prediction for p in fast}) > 1, "a constant answer would prove little"
