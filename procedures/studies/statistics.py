"""Means over seeds with their confidence intervals, and comparisons seed by seed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

CONFIDENCE = 0.95


@dataclass(frozen=True)
class Interval:
    """A mean over seeds.

    Attributes:
        mean: of the values.
        low: lower end of the interval of the mean (Student's t, 95 %).
        high: upper end.
        n: values.
    """

    mean: float
    low: float
    high: float
    n: int

    @property
    def half_width(self) -> float:
        """Half of the interval; what stands behind a plus-minus."""
        return (self.high - self.low) / 2

    @property
    def is_above_zero(self) -> bool:
        """Whether the whole interval is."""
        return self.low > 0

    @property
    def is_below_zero(self) -> bool:
        """Whether the whole interval is."""
        return self.high < 0


def mean_interval(values: Sequence[float]) -> Interval:
    """Return the mean with its 95 % interval; of fewer than two values the interval is infinite."""
    array = np.asarray(values, dtype=float)
    if not len(array):
        return Interval(np.nan, -np.inf, np.inf, 0)
    mean = float(array.mean())
    if len(array) < 2:
        return Interval(mean, -np.inf, np.inf, len(array))
    error = float(array.std(ddof=1)) / np.sqrt(len(array))
    half = float(stats.t.ppf((1 + CONFIDENCE) / 2, len(array) - 1)) * error
    return Interval(mean, mean - half, mean + half, len(array))


def difference(minuend: dict[int, float], subtrahend: dict[int, float]) -> Interval:
    """Return the mean of the differences at equal seeds; both are values by seed."""
    shared = sorted(set(minuend) & set(subtrahend))
    return mean_interval([minuend[seed] - subtrahend[seed] for seed in shared])
