"""The benchmark of curvature at its smallest."""

from __future__ import annotations

import importlib.util
import multiprocessing
import pickle

import pytest

from benchmarks import curvature
from benchmarks.curvature_contestants import CONTESTANTS, OURS, PEERS, replica
from benchmarks.curvature_sharded import sharded_table
from benchmarks.curvature_work import SIZES, Size, Work, make_work, true_radius

MODULES = {"curvlinops": "curvlinops", "PyHessian": "pyhessian"}


@pytest.fixture(scope="module")
def work() -> Work:
    return make_work(SIZES["tiny"], num_rows=10, batch_size=4, num_steps=20)


def test_ours_find_the_truth_and_missing_peers_are_listed(work: Work) -> None:
    truth = true_radius(work)
    records = curvature.compare(work, list(CONTESTANTS), repeats=1, starts=1)
    for name in OURS:
        assert records[name].found[0].converged
        assert records[name].error(truth) < 1e-3
    for name in PEERS:
        module = MODULES.get(name.split(",")[0], "hessian_eigenthings")
        if importlib.util.find_spec(module) is None:
            assert records[name].refusal == f"ModuleNotFoundError: No module named '{module}'"
        else:
            assert records[name].refusal is None
            assert records[name].error(truth) < (0.5 if "means" in name else 0.05)
    table = curvature.table_of(work, records, truth, gradient_mib=1.0)
    assert table.row_count == len(CONTESTANTS)


def test_own_mistakes_are_not_listed_as_refusals(
    work: Work, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(work: Work, seed: int) -> None:
        raise RuntimeError("ours")

    monkeypatch.setitem(CONTESTANTS, curvature.REFERENCE, broken)
    with pytest.raises(RuntimeError, match="ours"):
        curvature.compare(work, [curvature.REFERENCE], repeats=1, starts=1)


def test_two_starts_are_two_searches(work: Work) -> None:
    assert replica(work, 0) == replica(work, 0)
    assert replica(work, 0).eigenvalue != replica(work, 1).eigenvalue


linux = pytest.mark.skipif(
    "forkserver" not in multiprocessing.get_all_start_methods(), reason="needs Linux"
)


@linux
@pytest.mark.distributed
def test_memory_is_measured_in_other_processes() -> None:
    work = make_work(Size(64, 2, 2048, 40), num_rows=6, num_steps=0)
    (record,) = curvature.compare(work, [curvature.REFERENCE], repeats=1, starts=1).values()
    gradient = curvature.measure_memory(work, {curvature.REFERENCE: record})
    weights = 4 * work.num_parameters / 2**20
    assert gradient > weights
    assert record.peak_mib is not None
    assert record.peak_mib > gradient
    assert pickle.loads(pickle.dumps(work)).num_tokens == work.num_tokens


@linux
@pytest.mark.distributed
def test_the_sharded_section_runs() -> None:
    table = sharded_table(SIZES["tiny"], worlds=(1, 2))
    assert [str(cell) for cell in table.columns[1].cells] == ["1", "1", "1", "2"]


def test_rounded_weights_are_computed_in_full_precision() -> None:
    work = make_work(SIZES["tiny"], num_rows=3, num_steps=5)
    table = curvature.precision_table(work, true_radius(work), starts=1)
    exact, rounded, refused = zip(*(column.cells for column in table.columns), strict=True)
    assert float(exact[3]) < 1e-5
    assert float(exact[3]) < float(rounded[3]) < 0.05
    assert refused[2] == "refused"
