"""One set of formulas for a single device and for arrays of them.

For one device a numpy call costs twenty times the arithmetic that it does. Code that takes its
functions from an :class:`Arithmetic` runs on plain floats with ``SCALAR`` and on arrays with
``ARRAY``.
"""

from __future__ import annotations

import math
from typing import Any, Protocol

import numpy as np

Values = Any
"""A float, or an array of floats (flags: bool, or an array of them)."""


class Arithmetic(Protocol):
    """The functions that the formulas of a device model need."""

    def exp(self, a: Values) -> Values:
        """Return e to the a."""
        ...

    def expm1(self, a: Values) -> Values:
        """Return e to the a, less one, without cancellation."""
        ...

    def log1p(self, a: Values) -> Values:
        """Return the logarithm of 1 + a, without cancellation."""
        ...

    def clip(self, a: Values, low: Values, high: Values) -> Values:
        """Return a within low and high."""
        ...

    def minimum(self, a: Values, b: Values) -> Values:
        """Return the smaller of two."""
        ...

    def maximum(self, a: Values, b: Values) -> Values:
        """Return the larger of two."""
        ...

    def where(self, condition: Values, a: Values, b: Values) -> Values:
        """Return a where the condition holds, b elsewhere; both were evaluated."""
        ...

    def logical_not(self, a: Values) -> Values:
        """Return the opposite."""
        ...

    def count_nonzero(self, a: Values) -> int:
        """Return how many are true."""
        ...


class _Scalar:
    exp = staticmethod(math.exp)
    expm1 = staticmethod(math.expm1)
    log1p = staticmethod(math.log1p)

    @staticmethod
    def clip(a: Values, low: Values, high: Values) -> Values:
        return low if a < low else high if a > high else a

    @staticmethod
    def minimum(a: Values, b: Values) -> Values:
        return a if a < b else b

    @staticmethod
    def maximum(a: Values, b: Values) -> Values:
        return a if a > b else b

    @staticmethod
    def where(condition: Values, a: Values, b: Values) -> Values:
        return a if condition else b

    @staticmethod
    def logical_not(a: Values) -> Values:
        return not a

    @staticmethod
    def count_nonzero(a: Values) -> int:
        return int(a)


SCALAR: Arithmetic = _Scalar()
ARRAY: Arithmetic = np


def phi_functions(z: Values, xp: Arithmetic) -> tuple[Values, Values, Values, Values, Values]:
    """Return phi_1(z) ... phi_5(z), phi_k(z) = integral_0^1 e^((1-s) z) s^(k-1) / (k-1)! ds.

    Upward recurrence from ``expm1`` where |z| > 1; Taylor series of phi_5 and downward recurrence
    elsewhere, so that nothing cancels.
    """
    small = abs(z) < 1
    near = xp.where(small, z, 0.0)
    series = _TAYLOR[-1]
    for coefficient in reversed(_TAYLOR[:-1]):
        series = series * near + coefficient
    down4 = near * series + 1 / 24
    down3 = near * down4 + 1 / 6
    down2 = near * down3 + 0.5
    down1 = near * down2 + 1.0
    far = xp.where(small, 1.0, z)
    up1 = xp.expm1(far) / far
    up2 = (up1 - 1.0) / far
    up3 = (up2 - 0.5) / far
    up4 = (up3 - 1 / 6) / far
    up5 = (up4 - 1 / 24) / far
    return (
        xp.where(small, down1, up1),
        xp.where(small, down2, up2),
        xp.where(small, down3, up3),
        xp.where(small, down4, up4),
        xp.where(small, series, up5),
    )


_TAYLOR = tuple(1 / math.factorial(5 + k) for k in range(14))
