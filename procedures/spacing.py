"""Numbers that are spread evenly over decades: when to read what changes ever more slowly."""

from __future__ import annotations

import math

import numpy as np

_FEW = 3
"""Up to so many a decade are rounded to one digit: 1, 2, 5, 10, 20, 50."""


def log_times_s(first_s: float, last_s: float, n_per_decade: int) -> list[float]:
    """Return times from ``first_s`` to ``last_s``, both among them.

    Args:
        first_s: positive.
        last_s: not before ``first_s``.
        n_per_decade: at least so many a decade.
    """
    n_steps = math.ceil(n_per_decade * math.log10(last_s / first_s) - 1e-9)
    if n_steps <= 0:
        return [first_s]
    times_s: list[float] = np.geomspace(first_s, last_s, n_steps + 1).tolist()
    return times_s


def log_counts(n_last: int, n_per_decade: int) -> list[int]:
    """Return whole numbers from 1 to ``n_last``, both among them: with 3 a decade 1, 2, 5, 10, 20.

    The numbers between do not depend on ``n_last``: a longer series begins like a shorter one.
    """
    counts = {1, n_last}
    for k in range(math.ceil(n_per_decade * math.log10(n_last)) + 1):
        count = 10 ** (k / n_per_decade)
        digits = (1 if n_per_decade <= _FEW else 2) - 1 - math.floor(math.log10(count) + 1e-9)
        counts.add(round(round(count, digits)))
    return sorted(count for count in counts if count <= n_last)
