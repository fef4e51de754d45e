"""The benchmark's arithmetic: percentiles, ratios with their spread, straight lines. No I/O."""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Final

_RESAMPLES: Final = 5000
_SEED: Final = 1
_CONFIDENCE: Final = 0.95


@dataclass(frozen=True, slots=True)
class Spread:
    """A figure, and between which values it lies with a confidence of 95 %."""

    value: float
    low: float
    high: float

    @property
    def holds_one(self) -> bool:
        """As a ratio: may both sides be the same?"""
        return self.low <= 1 <= self.high

    def __str__(self) -> str:
        return f"{self.value:.3f} ({self.low:.3f} to {self.high:.3f})"


@dataclass(frozen=True, slots=True)
class Line:
    """A straight line through points, by least squares."""

    slope: float
    intercept: float
    slope_error: float
    """The standard error of the slope; 0: there are only two points."""


def percentile(values: Sequence[float], share: float) -> float:
    """Return the least of the values that `share` of them (0 to 1) do not exceed.

    Raises:
        ValueError: there are no values.
    """
    if not values:
        raise ValueError("no values")
    ranked = sorted(values)
    return ranked[max(0, -int(-share * len(ranked) // 1) - 1)]


def paired_ratio(ours: Sequence[float], theirs: Sequence[float]) -> Spread:
    """Return the ratio of `ours` to `theirs`, measured by turns: round against the round beside it.

    The median of the rounds' ratios; the spread is that of medians of rounds drawn again (bootstrap). What
    slows the machine for a while slows both sides of a pair, and so drops out.

    Raises:
        ValueError: there are no pairs, or their numbers differ.
    """
    ratios = [our / their for our, their in zip(ours, theirs, strict=True)]
    return bootstrap(ratios, median)


def bootstrap(values: Sequence[float], of: Callable[[Sequence[float]], float]) -> Spread:
    """Return a figure of the values, and its spread over values drawn from them again, always the same way.

    Raises:
        ValueError: there are no values.
    """
    if not values:
        raise ValueError("no values")
    draw = random.Random(_SEED)
    figures = sorted(of(draw.choices(values, k=len(values))) for _ in range(_RESAMPLES))
    edge = round((1 - _CONFIDENCE) / 2 * _RESAMPLES)
    return Spread(of(values), figures[edge], figures[-1 - edge])


def fit(points: Sequence[tuple[float, float]]) -> Line:
    """Return the line through points (x, y).

    Raises:
        ValueError: there are fewer than two different x.
    """
    count = len(points)
    mean_x = sum(x for x, _ in points) / max(count, 1)
    mean_y = sum(y for _, y in points) / max(count, 1)
    square = sum((x - mean_x) ** 2 for x, _ in points)
    if square == 0:
        raise ValueError("no line: all points are above each other")
    slope = sum((x - mean_x) * (y - mean_y) for x, y in points) / square
    intercept = mean_y - slope * mean_x
    left_over = sum((y - intercept - slope * x) ** 2 for x, y in points)
    error = (left_over / (count - 2) / square) ** 0.5 if count > 2 else 0.0
    return Line(slope, intercept, error)
