"""Prefixes, for the one place where they are allowed: text that a person reads."""

import math

_PREFIXES = ((1e9, "G"), (1e6, "M"), (1e3, "k"), (1.0, ""), (1e-3, "m"), (1e-6, "µ"), (1e-9, "n"))


def text(value: float, unit: str, digits: int = 3) -> str:
    """Return ``value`` with an SI prefix and its unit, for example ``'50 µA'``.

    Args:
        value: in the unit without prefix.
        unit: symbol of that unit, for example ``'A'``.
        digits: significant digits.
    """
    if value == 0 or not math.isfinite(value):
        return f"{value:g} {unit}"
    for factor, prefix in (*_PREFIXES, (1e-12, "p")):
        if abs(value) >= factor * (1 - 10.0**-digits / 2):
            return f"{value / factor:.{digits}g} {prefix}{unit}"
    return f"{value:.{digits}g} {unit}"
