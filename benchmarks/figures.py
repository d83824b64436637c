"""Numbers out of measurements: quantiles, medians with their spread, and slopes."""

import math
import statistics
from collections.abc import Sequence
from typing import Any

import numpy as np
from msgspec import Struct

Values = Sequence[float] | np.ndarray[Any, Any]


class Quantiles(Struct, frozen=True):
    """Of `count` values; all 0 if there are none. `worst` is the greatest."""

    count: int = 0
    p50: float = 0.0
    p99: float = 0.0
    p999: float = 0.0
    worst: float = 0.0


class Spread(Struct, frozen=True):
    """The median of a few rounds, and the least and the greatest of them."""

    median: float
    least: float
    most: float


class Line(Struct, frozen=True):
    """A straight line through values over time. `slope` is per second, `error` its standard error, `mean` the mean of
    the values."""

    slope: float
    error: float
    mean: float


def quantiles(values: Values) -> Quantiles:
    """Returns values that were measured, never ones between them: the smallest of which a share of q is not greater."""
    if not len(values):
        return Quantiles()
    ordered = np.sort(np.asarray(values, dtype=float))
    at = [float(ordered[math.ceil(q * len(ordered)) - 1]) for q in (0.5, 0.99, 0.999, 1.0)]
    return Quantiles(len(ordered), *at)


def spread(values: Sequence[float]) -> Spread:
    return Spread(statistics.median(values), min(values), max(values))


def line(seconds: Values, values: Values) -> Line:
    """Returns the line of the least squares through at least three points."""
    x, y = np.asarray(seconds, dtype=float), np.asarray(values, dtype=float)
    away = x - x.mean()
    square = float(away @ away)
    slope = float(away @ y) / square
    rest = y - y.mean() - slope * away
    return Line(slope, math.sqrt(float(rest @ rest) / (len(x) - 2) / square), float(y.mean()))
