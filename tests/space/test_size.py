"""What a space multiplies to, against spaces that are written out."""

from __future__ import annotations

import random
import time
from typing import Any

import pytest

from raysweep.errors import InputError
from raysweep.space import size
from raysweep.space.space import check_space
from tests.plans import plan

TEN = "{a,b,c,d,e,f,g,h,i,j}"


def refusal(**changes: object) -> str:
    space = {"name": "big", "chains": [["toxigen", "csqa2"]], **changes}
    started = time.process_time()
    with pytest.raises(InputError) as caught:
        check_space(space, "space.yaml")
    assert time.process_time() - started < 2, "nothing was expanded"
    return str(caught.value)


def grid(number: int) -> dict[str, Any]:
    return {"learning_rate": {"grid": [1e-6 * (1 + i) for i in range(number)]}}


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        (
            {"stages": {1: grid(100), 2: grid(1000)}, "seeds": list(range(10_000))},
            "space.yaml: chains x points x seeds = 1,000,000,000 trials: more than 100,000; "
            "the biggest factor is seeds with 10,000 values",
        ),
        (
            {"stages": {1: grid(1000), 2: grid(101)}},
            "= 101,000 trials: more than 100,000; the biggest factor is stages.1.learning_rate "
            "with 1,000 values",
        ),
        ({"stage": grid(100_001)}, "= 100,001 trials"),
        (
            {"chains": [[TEN * 7]]},
            "chains x braces = 10,000,000 chains: more than 100,000; the biggest factor is "
            "chains.0.0 '{a,b,c,",
        ),
        ({"chains": [["{toxigen,bbq}"] * 50]}, "= 1,125,899,906,842,624 chains"),
        ({"chains": [[[TEN] * 50] * 50]}, "= about 10^2500 chains"),
        (
            {"search": {"method": "random", "num_samples": 10**12}},
            "= 1,000,000,000,000 trials: more than 100,000; the biggest factor is "
            "search.num_samples with 1,000,000,000,000 draws",
        ),
        (
            {
                "search": {
                    "method": "optuna", "num_samples": 10**12, "objectives": {"loss": "min"},
                }
            },
            "num_samples = 1,000,000,000,000 trials",
        ),
        (
            {"chains": [["toxigen"] * 50], "seeds": list(range(20_000))},
            "stages of all chains x points x seeds = 1,000,000 stages: more than 500,000; "
            "the biggest factor is seeds",
        ),
        ({"seeds": [0, 1], "data": {"seed": {"grid": list(range(60_000))}}}, "= 120,000 trials"),
        ({"seeds": list(range(40_000)), "search": {"orders": ["listed"] * 3}}, "= 120,000 trials"),
        ({"chains": [["toxigen"] * 51]}, "chains.0 has 51 stages: more than 50"),
        ({"chains": [["csqa", ["toxigen"] * 51]]}, "chains.0.1 has 51 parts: more than 50"),
    ],
)  # fmt: skip
def test_a_space_that_is_too_large_is_told_with_its_number(
    changes: dict[str, object], expected: str
) -> None:
    assert expected in refusal(**changes)


def random_space(source: random.Random) -> dict[str, Any]:
    tasks, shares = ("toxigen", "csqa2"), ("{0,5}", "{5,10,20}", "{0,1}", "7")
    chains = []
    for first in tasks[: source.randint(1, 2)]:
        chain: list[Any] = [first]
        for _ in range(source.randint(0, 2)):
            part = f"{source.choice(tasks)}@{source.choice(shares)}%"
            chain.append(source.choice((part, "{toxigen,csqa2}", ["csqa2", "toxigen@{0,3}%"])))
        chains.append(chain)
    return {
        "chains": chains,
        "seeds": list(range(source.randint(1, 3))),
        "data": {"num_train": 50, "seed": {"grid": list(range(source.randint(1, 2)))}},
        "stages": {1: grid(source.randint(1, 3))},
        "stage": {"num_steps": {"grid": list(range(1, 1 + source.randint(1, 2)))}},
    }


@pytest.mark.parametrize("seed", range(12))
def test_the_count_is_that_of_the_trials(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both bounds: refused by one trial less than there are, and not by as many."""
    space = random_space(random.Random(seed))
    number = len(plan(**space).trials)
    monkeypatch.setattr(size, "MAX_TRIALS", number)
    size.check_size(space, "")
    monkeypatch.setattr(size, "MAX_TRIALS", number - 1)
    with pytest.raises(InputError, match=f"= {number:,} (trials|chains): more than"):
        size.check_size(space, "")


@pytest.mark.parametrize("content", [
    {}, {"chains": 3}, {"chains": [3, "x", None, [4, [5]]]}, {"chains": [[]], "seeds": "x"},
    {"chains": [["a"]], "stages": [1], "stage": 3, "search": []},
    {"chains": [["a"]], "stages": {"x": {"y": {"grid": 3}}}, "search": {"num_samples": "x"}},
])  # fmt: skip
def test_what_has_another_mistake_is_let_pass(content: dict[str, Any]) -> None:
    size.check_size(content, "space.yaml")
