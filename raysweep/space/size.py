"""How many trials a search space multiplies to, by multiplying counts: nothing is expanded.

A few characters can stand for more trials than a computer can list, let alone train. What is
counted here is what the file says, before it is known whether the rest of it is right.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from raysweep.errors import InputError
from raysweep.settings.paths import shown
from raysweep.space.chains import BRACES, texts

MAX_TRIALS = 100_000
MAX_STAGES = 500_000
MAX_POSITIONS = 50
"""Stages of one chain, and parts of one mixture."""


@dataclass(frozen=True)
class Factor:
    """One of the numbers that are multiplied, and where it comes from."""

    key: str
    number: int
    what: str


def check_size(content: Mapping[str, Any], place: str) -> None:
    """Checks what a search space's content multiplies to; mistakes of other kinds are let pass.

    Raises:
        InputError: it is more than can be planned, with the number and the largest factor.
    """  # noqa: DOC501  # `_too_many` makes one
    chains = _written_chains(content)
    _check_lengths(chains, place)
    factors = [*_chain_factors(chains), *_other_factors(content)]
    num_chains = sum(math.prod(_options(part) for part in _parts(chain)) for chain in chains)
    if num_chains > MAX_TRIALS:
        raise _too_many(place, "chains x braces", num_chains, "chains", factors, MAX_TRIALS)
    lengths = sum((_lengths(chain) for chain in chains), Counter[int]())
    repeats = math.prod(factor.number for factor in _repeats(content))
    trials = {
        length: number * _num_points(content, length) * repeats
        for length, number in lengths.items()
    }
    search = _mapping(content.get("search"))
    if search.get("method") == "optuna":
        number = _count(search.get("num_samples"))
        trials = {max(lengths, default=1): number}
        factors = [factor for factor in factors if factor.key == "search.num_samples"]
    product = "chains x points x seeds" if search.get("method") != "optuna" else "num_samples"
    if (number := sum(trials.values())) > MAX_TRIALS:
        raise _too_many(place, product, number, "trials", factors, MAX_TRIALS)
    if (number := sum(length * count for length, count in trials.items())) > MAX_STAGES:
        product = product.replace("chains", "stages of all chains")
        raise _too_many(place, product, number, "stages", factors, MAX_STAGES)


def _too_many(
    place: str, product: str, number: int, what: str, factors: Sequence[Factor], most: int
) -> InputError:
    problem = f"{product} = {_written(number)} {what}: more than {most:,}"
    if not factors:
        return InputError(place, problem, "make several search spaces of it")
    largest = max(factors, key=lambda factor: factor.number)
    remedy = f"the biggest factor is {largest.key} with {_written(largest.number)} {largest.what}"
    return InputError(place, problem, remedy)


def _written(number: int) -> str:
    """A number as a person reads it."""
    if number < 10**18:
        return f"{number:,}"
    return f"about 10^{math.floor(math.log10(number))}"


def _check_lengths(chains: Sequence[Sequence[Sequence[str]]], place: str) -> None:
    for position, chain in enumerate(chains):
        if len(chain) > MAX_POSITIONS:
            problem = f"chains.{position} has {len(chain):,} stages: more than {MAX_POSITIONS}"
            raise InputError(place, problem, "write a shorter chain")
        for number, mixture in enumerate(chain):
            if len(mixture) > MAX_POSITIONS:
                problem = f"chains.{position}.{number} has {len(mixture):,} parts: more than "
                raise InputError(place, f"{problem}{MAX_POSITIONS}", "mix fewer parts")


def _written_chains(content: Mapping[str, Any]) -> list[list[list[str]]]:
    """The chains as far as they are lists of texts and of lists of texts."""
    chains = []
    for chain in _list(content.get("chains")):
        stages = [[stage] if isinstance(stage, str) else _list(stage) for stage in _list(chain)]
        chains.append([[part for part in stage if isinstance(part, str)] for stage in stages])
    return chains


def _parts(chain: Sequence[Sequence[str]]) -> Iterator[str]:
    return (part for mixture in chain for part in mixture)


def _options(part: str) -> int:
    """How many texts a part with braces stands for."""
    return math.prod(inside.count(",") + 1 for inside in BRACES.findall(part))


def _lengths(chain: Sequence[Sequence[str]]) -> Counter[int]:
    """How many chains of each length one written chain stands for.

    A stage all of whose parts may have a share of 0 % is left out in so many of its combinations.
    """
    found = Counter({0: 1})
    for mixture in chain:
        number = math.prod(map(_options, mixture))
        left_out = math.prod(map(_num_left_out, mixture)) if mixture else 0
        longer = Counter[int]()
        for length, count in found.items():
            longer[length] += count * left_out
            longer[length + 1] += count * (number - left_out)
        found = +longer
    return found


def _num_left_out(part: str) -> int:
    return sum(text is None for text in texts(part))


def _chain_factors(chains: Sequence[Sequence[Sequence[str]]]) -> list[Factor]:
    factors = [Factor("chains", len(chains), "entries")]
    for position, chain in enumerate(chains):
        for number, mixture in enumerate(chain):
            for part in mixture:
                key = f"chains.{position}.{number} {shown(part, 60)!r}"
                factors.append(Factor(key, _options(part), "choices in braces"))
    return factors


def _other_factors(content: Mapping[str, Any]) -> list[Factor]:
    return [*_axes(content, MAX_POSITIONS), *_repeats(content)]


def _repeats(content: Mapping[str, Any]) -> list[Factor]:
    """What multiplies every chain and point."""
    seeds = content.get("seeds")
    orders = _mapping(content.get("search")).get("orders")
    return [
        Factor("seeds", max(1, len(_list(seeds))), "values"),
        Factor("search.orders", max(1, len(_list(orders))), "values"),
    ]


def _num_points(content: Mapping[str, Any], length: int) -> int:
    return math.prod(factor.number for factor in _axes(content, length))


def _axes(content: Mapping[str, Any], length: int) -> list[Factor]:
    """What the points of a chain of that many stages are made of: draws, or values of grids."""
    search = _mapping(content.get("search"))
    if search.get("num_samples") is not None:
        return [Factor("search.num_samples", _count(search["num_samples"]), "draws")]
    owners = [("stage", content.get("stage"))]
    for number, settings in _mapping(content.get("stages")).items():
        if isinstance(number, int) and number <= length:
            owners.append((f"stages.{number}", settings))
    return [
        Factor(f"{owner}.{name}", max(1, len(_list(axis.get("grid")))), "values")
        for owner, settings in owners
        for name, axis in _mapping(settings).items()
        if isinstance(axis, Mapping)
    ]


def _mapping(value: Any) -> Mapping[Any, Any]:
    return value if isinstance(value, Mapping) else {}


def _list(value: Any) -> list[Any]:
    return list(value) if isinstance(value, list | tuple) else []


def _count(value: Any) -> int:
    is_count = isinstance(value, int) and not isinstance(value, bool)
    return max(1, value) if is_count else 1
