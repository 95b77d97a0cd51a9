from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hil.units import text


@pytest.mark.parametrize(
    ("value", "unit", "shown"),
    [
        (5e-5, "A", "50 µA"),
        (0.1, "V", "100 mV"),
        (1.0, "V", "1 V"),
        (0.9999, "V", "1 V"),
        (0.99949, "V", "999 mV"),
        (-0.0502, "V", "-50.2 mV"),
        (10_075.0, "ohm", "10.1 kohm"),
        (1e6, "ohm", "1 Mohm"),
        (2.5e9, "Hz", "2.5 GHz"),
        (3e-12, "A", "3 pA"),
        (4e-16, "A", "4e-16 A"),
        (0.0, "J", "0 J"),
        (math.inf, "ohm", "inf ohm"),
        (math.nan, "V", "nan V"),
    ],
)
def test_prefixes(value: float, unit: str, shown: str) -> None:
    assert text(value, unit) == shown


def test_digits() -> None:
    assert text(17.1642, "s", 4) == "17.16 s"


FACTORS = {"G": 1e9, "M": 1e6, "k": 1e3, "": 1.0, "m": 1e-3, "µ": 1e-6, "n": 1e-9, "p": 1e-12}


@given(st.floats(1e-12, 9e11), st.sampled_from([-1, 1]))
def test_what_is_shown_is_the_value_to_three_digits(magnitude: float, sign: int) -> None:
    number, unit = text(sign * magnitude, "V").split()
    assert float(number) * FACTORS[unit.removesuffix("V")] == pytest.approx(
        sign * magnitude, rel=5.1e-3
    )
    assert 1 <= abs(float(number)) < 1000 or magnitude < 1e-12
