"""How many trials a search space multiplies to, by multiplying counts: nothing is expanded.

A few characters can stand for more trials than a computer can list, let alone train. What is
counted here is what the file says, before it is known whether the rest of it is right.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from raysweep.errors import InputError
from raysweep.settings.paths import shown
from raysweep.space.chains import BRACES, texts

MAX_TRIALS = 100_000
MAX_STAGES = 500_000
MAX_POSITIONS = 50
"""Stages of one chain, and parts of one mixture."""


class Factor(NamedTuple):
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
    repeated = _repeats(content)
    factors = [*_chain_factors(chains), *_axes(content, MAX_POSITIONS), *repeated]
    num_chains = sum(math.prod(_options(part) for stage in one for part in stage) for one in chains)
    if num_chains > MAX_TRIALS:
        raise _too_many(place, "chains x braces", num_chains, "chains", factors, MAX_TRIALS)
    lengths = sum((_lengths(chain) for chain in chains), Counter[int]())
    search = _mapping(content.get("search"))
    if search.get("method") == "optuna":
        product = "num_samples"
        trials = {max(lengths, default=1): _count(search.get("num_samples"))}
        factors = [factor for factor in factors if factor.key == "search.num_samples"]
    else:
        product = "chains x points x seeds"
        trials = {
            length: number * math.prod(one.number for one in (*_axes(content, length), *repeated))
            for length, number in lengths.items()
        }
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
    return f"{number:,}" if number < 10**18 else f"about 10^{math.floor(math.log10(number))}"


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
        left_out = math.prod(texts(part).count(None) for part in mixture) if mixture else 0
        longer = Counter[int]()
        for length, count in found.items():
            longer[length] += count * left_out
            longer[length + 1] += count * (number - left_out)
        found = +longer
    return found


def _chain_factors(chains: Sequence[Sequence[Sequence[str]]]) -> list[Factor]:
    parts = (
        Factor(
            f"chains.{position}.{number} {shown(part, 60)!r}", _options(part), "choices in braces"
        )
        for position, chain in enumerate(chains)
        for number, mixture in enumerate(chain)
        for part in mixture
    )
    return [Factor("chains", len(chains), "entries"), *parts]


def _repeats(content: Mapping[str, Any]) -> list[Factor]:
    """What multiplies every chain and point."""
    orders = _mapping(content.get("search")).get("orders")
    drawn = _mapping(_mapping(content.get("data")).get("seed")).get("grid")
    values = {"seeds": content.get("seeds"), "data.seed": drawn, "search.orders": orders}
    return [Factor(key, max(1, len(_list(one))), "values") for key, one in values.items()]


def _axes(content: Mapping[str, Any], length: int) -> list[Factor]:
    """What the points of a chain of that many stages are made of: draws, or values of grids."""
    search = _mapping(content.get("search"))
    if search.get("num_samples") is not None:
        return [Factor("search.num_samples", _count(search["num_samples"]), "draws")]
    owners = {"stage": content.get("stage")}
    for number, settings in _mapping(content.get("stages")).items():
        if isinstance(number, int) and number <= length:
            owners[f"stages.{number}"] = settings
    return [
        Factor(f"{owner}.{name}", max(1, len(_list(axis.get("grid")))), "values")
        for owner, settings in owners.items()
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
