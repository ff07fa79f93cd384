"""What a number in the settings may be: a number, and none that nobody can mean.

A truth value is no number, and neither is text that looks like one; 2.0 is no whole number. The
bounds are far beyond what has been trained: they catch a slip of the finger (1e5 for 1e-5), not a
choice. A number between 0 and the smallest that float32 holds would silently be another one.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field

SMALLEST = 1e-37
"""Smallest positive number of settings; float32's smallest normal number is 1.2e-38."""
SMALLEST_RATE = 1e-12


def _held(value: float) -> float:
    if 0 < abs(value) < SMALLEST:
        raise ValueError(f"is nearer to 0 than float32 can hold: {SMALLEST:g} is the smallest")
    return value


def _rate(value: float) -> float:
    if value < SMALLEST_RATE:
        raise ValueError(f"is a rate that moves no weight: {SMALLEST_RATE:g} is the smallest")
    return value


Flag = Annotated[bool, Field(strict=True)]
Real = Annotated[float, Field(strict=True, allow_inf_nan=False), AfterValidator(_held)]
"""Of an axis, before it is known which setting takes it."""
Seed = Annotated[int, Field(strict=True, ge=0, le=2**63 - 1)]

Steps = Annotated[int, Field(strict=True, ge=0, le=10_000_000)]
PositiveSteps = Annotated[int, Field(strict=True, gt=0, le=10_000_000)]
BatchSize = Annotated[int, Field(strict=True, gt=0, le=1_000_000)]
SequenceLimit = Annotated[int, Field(strict=True, gt=0, le=10_000_000)]
LearningRate = Annotated[float, Field(strict=True, gt=0, le=10), AfterValidator(_rate)]
Beta = Annotated[float, Field(strict=True, ge=0, lt=1), AfterValidator(_held)]
WeightDecay = Annotated[float, Field(strict=True, ge=0, le=1_000), AfterValidator(_held)]
Clipping = Annotated[float, Field(strict=True, ge=0, le=1e12), AfterValidator(_held)]
Epsilon = Annotated[float, Field(strict=True, gt=0, le=1), AfterValidator(_held)]
Tolerance = Annotated[float, Field(strict=True, gt=0, lt=1), AfterValidator(_held)]
ReductionFactor = Annotated[float, Field(strict=True, gt=1, le=1_000_000)]
Gigabytes = Annotated[float, Field(strict=True, gt=0, le=1e12), AfterValidator(_held)]

Rows = Annotated[int, Field(strict=True, ge=0, le=1_000_000_000)]
PositiveRows = Annotated[int, Field(strict=True, gt=0, le=1_000_000_000)]
Products = Annotated[int, Field(strict=True, gt=0, le=100_000)]
Points = Annotated[int, Field(strict=True, ge=0, le=1_000)]
"""At which an integral is taken."""
Parameters = Annotated[int, Field(strict=True, gt=0, le=10**15)]
Processes = Annotated[int, Field(strict=True, gt=0, le=100_000)]
Failures = Annotated[int, Field(strict=True, ge=0, le=10_000)]
Minutes = Annotated[float, Field(strict=True, gt=0, le=1e6), AfterValidator(_held)]
Position = Annotated[int, Field(strict=True, gt=0, le=1_000)]
"""Of a stage in a chain."""
