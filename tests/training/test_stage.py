"""Training against a plain PyTorch loop, for every ZeRO stage and number of workers."""

from __future__ import annotations

import functools
import itertools
import random
import subprocess
import sys
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from raysweep.model.encoding import EncodedRow
from raysweep.training.batches import collate, step_indices
from raysweep.training.engine import Engine
from raysweep.training.loss import answer_logits, loss_and_parts, loss_of_logits
from raysweep.training.plain_engine import PlainEngine
from raysweep.training.settings import Hyperparameters, WorkerSettings
from raysweep.training.stage import DivergedError, Step, linear_decay, train_stage
from tests.models import random_rows, small_llama
from tests.processes import run_group

SETTINGS = Hyperparameters(
    learning_rate=1e-3, num_steps=10, global_batch_size=10, sequence_limit=128
)
SEED = 7
ROWS = random_rows(40)


def plain_loop(shuffle: int | None = None) -> list[tuple[float, float, float]]:
    """Loss, gradient norm and update norm per step: one process, one row at a time, no padding.

    ``shuffle`` reorders the rows within each step, which only moves rounding errors.
    """
    model = small_llama()
    optimizer = torch.optim.AdamW(model.parameters(), betas=(0.9, 0.95), eps=1e-8, weight_decay=0.1)
    log = []
    for step in range(SETTINGS.num_steps):
        batch = [ROWS[i] for i in step_indices(len(ROWS), 10, SEED, step)]
        if shuffle is not None:
            random.Random(f"{shuffle}/{step}").shuffle(batch)
        for group in optimizer.param_groups:
            group["lr"] = 1e-3 * (10 - step) / 10
        optimizer.zero_grad()
        losses = [_row_loss(model, row) for row in batch]
        loss = torch.stack(losses).sum() / sum(len(row.answer) for row in batch)
        loss.backward()
        norm = torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        before = [p.detach().clone() for p in model.parameters()]
        optimizer.step()
        moved = [(p - b).square().sum() for p, b in zip(model.parameters(), before, strict=True)]
        log.append((loss.item(), norm.item(), torch.stack(moved).sum().sqrt().item()))
    return log


def _row_loss(model: torch.nn.Module, row: EncodedRow) -> torch.Tensor:
    ids = torch.tensor([[*row.prompt, *row.answer]])
    log_p: torch.Tensor = model(input_ids=ids).logits[0].log_softmax(dim=-1)
    first = len(row.prompt)
    picked = [log_p[first - 1 + i, token] for i, token in enumerate(row.answer)]
    return -torch.stack(picked).sum()


@functools.cache
def reference() -> tuple[torch.Tensor, torch.Tensor]:
    """The plain loop's log, [steps, 3], and the tolerance per entry.

    The tolerance is derived from rounding itself: what reordering the rows of each batch changes in
    this same loop, at most over four orders. AdamW divides by the root of squared gradients, so a
    rounding error of a nearly zero gradient becomes a change of the order of the learning rate and
    grows from step to step; a factor of 20 covers that four orders do not show the extreme, and
    that other kernels sum in other blocks too.
    """
    expected = torch.tensor(plain_loop(), dtype=torch.float64)
    others = [torch.tensor(plain_loop(shuffle), dtype=torch.float64) for shuffle in range(4)]
    spread = torch.stack([(other - expected).abs() for other in others]).amax(dim=(0, 1))
    return expected, 20 * spread + 1e-6 * expected.abs().amax(dim=0)


def _train(zero_stage: int, micro_batch_size: int) -> list[tuple[float, float, float]]:
    workers = WorkerSettings(zero_stage=zero_stage, micro_batch_size=micro_batch_size)
    weights, log = train_stage(small_llama(), ROWS, SETTINGS, SEED, workers, pad_token_id=0)
    assert torch.distributed.get_rank() > 0 or "model.embed_tokens.weight" in weights
    return [(step.loss, step.gradient_norm, step.update_norm) for step in log]


@pytest.mark.distributed
@pytest.mark.parametrize(
    ("zero_stage", "world", "micro_batch_size"),
    [(0, 1, 16), (0, 2, 5), (2, 2, 5), (3, 2, 16), (3, 3, 2)],
)
def test_every_way_to_spread_the_work_gives_the_plain_loop(
    zero_stage: int, world: int, micro_batch_size: int
) -> None:
    expected, tolerance = reference()
    assert (tolerance < 1e-3 * expected.abs().amax(dim=0)).all(), (
        "the tolerance must mean something"
    )
    logs = run_group(world, _train, zero_stage, micro_batch_size)
    for log in logs:
        error = (torch.tensor(log, dtype=torch.float64) - expected).abs().amax(dim=0)
        assert (error <= tolerance).all(), (error, tolerance)


def _weights_after_training() -> dict[str, np.ndarray]:
    workers = WorkerSettings(zero_stage=3, micro_batch_size=5)
    weights, _ = train_stage(small_llama(), ROWS, SETTINGS, SEED, workers, pad_token_id=0)
    return {name: weight.numpy() for name, weight in weights.items()}


def _with_and_without_deepspeed(num_micro_steps: int) -> tuple[list[Any], list[Any]]:
    """What PlainEngine and DeepSpeed give after some steps: what is read each step, and weights."""
    settings = SETTINGS.model_copy(update={"gradient_clipping": 0.3})
    sizes = {"num_micro_steps": num_micro_steps}
    engines: list[PlainEngine | Engine] = [
        PlainEngine(small_llama(), settings, torch.device("cpu"), **sizes),
        Engine(small_llama(), settings, zero_stage=0, micro_batch_size=5, **sizes),
    ]
    found: tuple[list[Any], list[Any]] = ([], [])
    for engine, log in zip(engines, found, strict=True):
        for step in range(5):
            for pieces in np.array_split(np.arange(15), num_micro_steps):
                batch = collate([PARTED[(step * 15 + int(i)) % len(PARTED)] for i in pieces], 0)
                loss, parts = loss_and_parts(answer_logits(engine.module, batch), batch)
                engine.backward(loss / 40)
                engine.step(1e-3 / (step + 1))
            log.append(engine.read(torch.cat([loss.detach().double()[None], parts])))
        log += [
            (name, weight.numpy().tobytes()) for name, weight in engine.gather_weights().items()
        ]
        engine.close()
    return found


@pytest.mark.distributed
@pytest.mark.parametrize("num_micro_steps", [1, 3])
def test_without_deepspeed_every_bit_is_the_same(num_micro_steps: int) -> None:
    ((plain, sharded),) = run_group(1, _with_and_without_deepspeed, num_micro_steps)
    assert plain == sharded
    norms = [log[1] for log in plain[:5]]
    assert min(norms) > 0.3, "it was clipped"
    assert len(plain) > 5, "there are weights"


def test_one_worker_that_shards_nothing_needs_no_deepspeed() -> None:
    program = "import sys, raysweep.training.stage; print('deepspeed' in sys.modules)"
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert found.stdout.strip() == "False", found.stderr


@pytest.mark.distributed
def test_gathered_weights_fit_an_ordinary_model_and_repeat_bit_by_bit() -> None:
    first, second = (run_group(2, _weights_after_training) for _ in range(2))
    assert first[1] == {}, "only rank 0 gets the weights"
    assert all((first[0][name] == second[0][name]).all() for name in first[0])
    model = small_llama()
    weights = {name: torch.from_numpy(weight) for name, weight in first[0].items()}
    missing, unexpected = model.load_state_dict(weights, strict=False)
    assert not unexpected
    assert set(missing) <= {"lm_head.weight"}, "tied to the embedding"


def in_parts(row: EncodedRow, number: int) -> EncodedRow:
    """With a content of one token or more, here or there in the answer."""
    start = number % len(row.answer)
    return replace(row, content=(start, max(start + 1, len(row.answer) - number % 3)))


PARTED = [in_parts(row, number) for number, row in enumerate(ROWS)]


def _parted(rows: list[EncodedRow]) -> tuple[list[Step], dict[str, np.ndarray]]:
    workers = WorkerSettings(zero_stage=2, micro_batch_size=2)
    weights, log = train_stage(small_llama(), rows, SETTINGS, SEED, workers, pad_token_id=0)
    return log, {name: weight.numpy() for name, weight in weights.items()}


@pytest.mark.distributed
@pytest.mark.parametrize("world", [1, 2, 3])
def test_the_loss_in_parts_is_logged_and_changes_nothing(world: int) -> None:
    (plain, weights), *_ = run_group(world, _parted, ROWS)
    for rank, (log, same) in enumerate(run_group(world, _parted, PARTED)):
        assert [step.loss for step in log] == [step.loss for step in plain], "to the last bit"
        assert [step.update_norm for step in log] == [step.update_norm for step in plain]
        for step in log:
            assert step.loss_format is not None
            assert step.loss_content is not None
            # float32 sums of a batch, here of one number and there of two
            assert step.loss_format + step.loss_content == pytest.approx(step.loss, rel=1e-6)
        first = [PARTED[i] for i in step_indices(len(ROWS), 10, SEED, 0)]
        assert log[0].loss_content == pytest.approx(_content_of(first), rel=1e-6)
        assert rank > 0 or all((weights[name] == same[name]).all() for name in weights)
    assert {(step.loss_format, step.loss_content) for step in plain} == {(None, None)}


@torch.no_grad()
def _content_of(rows: list[EncodedRow]) -> float:
    """Sum over content tokens of -log p over the number of all answer tokens, row by row."""
    model, total = small_llama(), 0.0
    for row in rows:
        log_p = (
            model(input_ids=torch.tensor([[*row.prompt, *row.answer]])).logits[0].log_softmax(-1)
        )
        assert row.content
        for place in range(*row.content):
            total -= float(log_p[len(row.prompt) - 1 + place, row.answer[place]])
    return total / sum(len(row.answer) for row in rows)


def test_the_loss_and_its_parts_are_those_of_two_passes_to_the_bit() -> None:
    batch = collate(PARTED[:9], 0)
    results = []
    for is_one_pass in (False, True):
        model = small_llama()
        logits = answer_logits(model, batch)
        if is_one_pass:
            loss, parts = loss_and_parts(logits, batch)
        else:
            loss = loss_of_logits(logits, batch)
            singles = torch.nn.functional.cross_entropy(
                logits.flatten(0, 1),
                batch.labels[:, -logits.shape[1] :].flatten(),
                reduction="none",
            ).double()
            is_content = batch.content_labels[:, -logits.shape[1] :].flatten() != -100
            parts = torch.stack([singles[~is_content].sum(), singles[is_content].sum()])
        loss.backward()
        gradients = [p.grad.numpy().tobytes() for p in model.parameters() if p.grad is not None]
        results.append((float(loss), parts.tolist(), gradients))
    assert results[0] == results[1]


def _one_without() -> list[Step]:
    rows = [*PARTED[:5], ROWS[5]]
    settings = SETTINGS.model_copy(update={"num_steps": 3, "global_batch_size": 3})
    workers = WorkerSettings(zero_stage=0)
    return train_stage(small_llama(), rows, settings, SEED, workers, pad_token_id=0)[1]


@pytest.mark.distributed
def test_a_batch_with_a_row_without_candidates_has_no_parts() -> None:
    (log,) = run_group(1, _one_without)
    for number, step in enumerate(log):
        is_whole = 5 not in step_indices(6, 3, SEED, number)
        assert (step.loss_format is not None) == (step.loss_content is not None) == is_whole
    assert {step.loss_content is None for step in log} == {True, False}


def _diverge() -> str:
    model = small_llama()
    with torch.no_grad():
        model.model.norm.weight.fill_(float("nan"))
    try:
        train_stage(model, ROWS, SETTINGS, SEED, WorkerSettings(zero_stage=0), pad_token_id=0)
    except DivergedError as error:
        return str(error)
    return "no error"


@pytest.mark.distributed
def test_a_loss_that_is_no_number_ends_the_stage_with_its_step() -> None:
    assert run_group(1, _diverge)[0].startswith("loss at step 1 is not finite")


def test_learning_rate_falls_linearly_to_zero_without_warm_up() -> None:
    rates = [linear_decay(SETTINGS, step) for step in range(SETTINGS.num_steps)]
    assert rates[0] == 1e-3
    assert rates[-1] == pytest.approx(1e-4)
    assert all(a - b == pytest.approx(1e-4) for a, b in itertools.pairwise(rates))
