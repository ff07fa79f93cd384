"""The benchmark of scoring at its smallest: all contestants give the same predictions."""

from __future__ import annotations

import importlib.util

from benchmarks.scoring import CONTESTANTS, compare, make_work


def test_contestants_agree() -> None:
    names = list(CONTESTANTS)
    if importlib.util.find_spec("lm_eval") is None:
        names.remove("lm-evaluation-harness")
    work = make_work("tiny", num_rows=30, batch_size=8, hidden_size=64)
    seconds, different = compare(work, names, repeats=1)
    assert different == dict.fromkeys(names, 0)
    assert all(value > 0 for value in seconds.values())
