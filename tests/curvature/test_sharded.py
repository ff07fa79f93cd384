"""The layer-wise operator on shards of one, two and three workers, and on a live ZeRO-3 engine."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path

import pytest
import torch
import torch.distributed as dist
import torch.nn.functional as F
from safetensors.torch import save_file
from torch import nn

from raysweep.curvature import (
    HessianOperator,
    LayerwiseHessian,
    ReplicaHessian,
    Shards,
    SymmetricOperator,
    expand_change,
    spectral_radius,
)
from raysweep.measures.llama_blocks import llama_blocks, parameter_names
from raysweep.training.batches import Batch, collate
from raysweep.training.loss import answer_loss_sum, normaliser
from raysweep.training.settings import Hyperparameters
from tests.models import random_rows, small_llama
from tests.processes import run_group

ROWS = random_rows(5, seed=3)
NUM_TOKENS = normaliser(ROWS)


def own_batches() -> list[Batch]:
    """Two rows to a batch. Two workers have three rows and two, a third one has none."""
    rank, world = (dist.get_rank(), dist.get_world_size()) if dist.is_initialized() else (0, 1)
    own = ROWS[rank :: min(world, 2)] if rank < 2 else []
    return [collate(own[i : i + 2], 0) for i in range(0, len(own), 2)]


Found = tuple[float, float, float, list[float], float, float]


def operator_on(shards: Shards, model: nn.Module) -> LayerwiseHessian:
    batches = own_batches()
    return LayerwiseHessian(shards, llama_blocks(model.config, batches), len(batches), NUM_TOKENS)


def radius_of(operator: SymmetricOperator) -> float:
    """After few products: on the same matrix from the same start they are the same ones."""
    return spectral_radius(operator, seed=0, min_products=8, max_products=8).eigenvalue


def found_on(operator: LayerwiseHessian, shards: Shards) -> Found:
    """What does not depend on the cut: radius, loss, gradient norm, a whole product, a path."""
    loss, gradient = operator.loss_and_gradient()
    pieces = shards.gather(shards.names, operator.product(operator.random_vector(5))).values()
    product = torch.cat([piece.reshape(-1) for piece in pieces])
    squared = operator.dot(gradient, gradient)
    return radius_of(operator), loss, squared, product.tolist(), *along_a_path(operator)


def along_a_path(operator: HessianOperator) -> tuple[float, float]:
    """The increase and the mean quadratic form of a change of all parameters."""
    shapes = {name: p.shape for name, p in small_llama(tied=False).named_parameters()}

    def difference(name: str) -> torch.Tensor:
        generator = torch.Generator().manual_seed(sorted(shapes).index(name))
        return 0.05 * torch.randn(shapes[name], generator=generator)

    change = expand_change(operator, difference, 4)
    assert change.path_increase is not None
    assert change.mean_quadratic is not None
    return change.path_increase, change.mean_quadratic


def _on_shards(folder: Path, tied: bool) -> list[Found]:
    model = small_llama(tied=tied)
    sources = [
        Shards.from_module(model),
        Shards.from_safetensors(
            sorted(folder.glob("*.safetensors")), parameter_names(model.config)
        ),
    ]
    return [found_on(operator_on(shards, model), shards) for shards in sources]


@pytest.mark.distributed
@pytest.mark.parametrize(("world", "tied"), [(1, True), (2, False), (3, True)])
def test_any_number_of_workers_finds_what_a_replica_finds(
    world: int, tied: bool, tmp_path: Path
) -> None:
    model = small_llama(tied=tied)
    weights = {name: p.detach() for name, p in model.named_parameters()}
    names = list(weights)
    for number, part in enumerate((names[:5], names[5:])):
        save_file({name: weights[name] for name in part}, tmp_path / f"{number}.safetensors")
    losses = [lambda: answer_loss_sum(model, collate(ROWS, 0))]
    alone = ReplicaHessian(model, losses, NUM_TOKENS)
    radius = radius_of(alone)
    loss, gradient = alone.loss_and_gradient()
    product = alone.product(alone.random_vector(5))
    increase, form = along_a_path(alone)
    for sources in run_group(world, _on_shards, tmp_path, tied):
        for eigenvalue, own_loss, squared, whole, own_increase, own_form in sources:
            assert own_increase == pytest.approx(increase, rel=1e-5)
            assert own_form == pytest.approx(form, rel=1e-5)
            assert eigenvalue == pytest.approx(radius, rel=1e-5)
            assert own_loss == pytest.approx(loss, rel=1e-6)
            assert squared == pytest.approx(alone.dot(gradient, gradient), rel=1e-5)
            difference = torch.tensor(whole) - product
            assert float(difference.norm() / product.norm()) < 1e-5


def _training(measure: bool) -> tuple[list[float], list[float]]:
    """Six steps under ZeRO-3, with or without a measurement after the third."""
    from raysweep.training.engine import Engine

    model = small_llama()
    engine = Engine(
        model,
        Hyperparameters(learning_rate=1e-3, num_steps=6),
        zero_stage=3,
        micro_batch_size=2,
        num_micro_steps=1,
    )
    losses, radii = list[float](), list[float]()
    for step in range(6):
        if measure and step == 3:
            shards = Shards.from_zero3(model)
            radii.append(radius_of(operator_on(shards, model)))
            weights = shards.gather(shards.names)
            whole = small_llama()
            whole.load_state_dict(weights, strict=False)
            batches = [collate(ROWS, 0)] if dist.get_rank() == 0 else []
            summands = [partial(answer_loss_sum, whole, batch) for batch in batches]
            radii.append(radius_of(ReplicaHessian(whole, summands, NUM_TOKENS)))
        batch = collate(ROWS[dist.get_rank() :: dist.get_world_size()], 0)
        loss = answer_loss_sum(engine.module, batch) / NUM_TOKENS
        engine.backward(loss)
        engine.step(1e-3)
        total = loss.detach().clone()
        dist.all_reduce(total)
        losses.append(float(total))
    engine.close()
    assert F.linear is torch._C._nn.linear, "ZeRO-3's own is gone"
    return losses, radii


def _trained_twice() -> list[tuple[list[float], list[float]]]:
    return [_training(measure=False), _training(measure=True)]


@pytest.mark.distributed
@pytest.mark.parametrize("world", [1, 2, 3])
def test_a_live_zero3_engine_is_measured_and_trains_on_unchanged(world: int) -> None:
    for (plain, _), (losses, radii) in run_group(world, _trained_twice):
        assert losses == plain, "to the last bit"
        assert radii[0] == pytest.approx(radii[1], rel=1e-5), "a replica of the same weights"
    assert plain[0] > plain[-1]


def test_weights_in_half_precision_are_computed_in_full() -> None:
    """The error of bfloat16 weights is that of the weights, not of the arithmetic."""
    model = small_llama()
    rounded = small_llama().bfloat16()
    widened = small_llama().bfloat16().float()
    exact, found, same_weights = (
        radius_of(operator_on(Shards.from_module(one), one)) for one in (model, rounded, widened)
    )
    assert found == pytest.approx(same_weights, rel=1e-7)
    assert found == pytest.approx(exact, rel=1e-2)
    with pytest.raises(ValueError, match="half precision are off"):
        Shards.from_module(rounded, torch.bfloat16)
    with pytest.raises(ValueError, match="half precision are off"):
        ReplicaHessian(rounded, [], 1)


def test_adapters_are_refused_by_name() -> None:
    model = small_llama()
    model.model.layers[0].lora_A = nn.Linear(4, 4)
    with pytest.raises(ValueError, match=r"layers\.0\.lora_A\.\w+ is in no block: .* LoRA"):
        operator_on(Shards.from_module(model), small_llama())


def test_a_module_that_is_not_sharded_and_a_file_that_is_missing(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="not sharded by ZeRO-3; use from_module"):
        Shards.from_zero3(small_llama())
    with pytest.raises(ValueError, match=r"no safetensors file holds lm_head\.weight"):
        Shards.from_safetensors(sorted(tmp_path.glob("*.safetensors")), ["lm_head.weight"])


def test_a_random_loss_is_refused() -> None:
    model = small_llama()
    batches = own_batches()
    blocks = llama_blocks(model.config, batches)
    embed = blocks[0]

    class Noisy:
        names = embed.names

        def __call__(
            self, parameters: Mapping[str, torch.Tensor], state: torch.Tensor | None, batch: int
        ) -> torch.Tensor:
            states = embed(parameters, state, batch)
            return states + torch.randn_like(states)

    with pytest.raises(ValueError, match="not deterministic"):
        LayerwiseHessian(Shards.from_module(model), [Noisy(), *blocks[1:]], len(batches), 1)
