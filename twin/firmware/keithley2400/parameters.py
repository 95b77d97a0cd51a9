"""Parameters that only a Keithley 2400 has.

Source: manual 2400S-900-01 Rev. K, section 18.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from twin.firmware.keithley2400.model import I_RANGES_A, R_RANGES_OHM, V_RANGES_V
from twin.firmware.keithley2400.settings import CURR, RES, VOLT
from twin.firmware.scpi import Number

INFINITE = 9.9e37
UP, DOWN = "UP", "DOWN"

LEVELS = {VOLT: Number(-210, 210, 0), CURR: Number(-1.05, 1.05, 0)}
COMPLIANCES = {VOLT: Number(-210, 210, 21), CURR: Number(-1.05, 1.05, 1.05e-4)}
EXPECTED = {
    VOLT: Number(-210, 210, 21),
    CURR: Number(-1.05, 1.05, 1.05e-4),
    RES: Number(0, 2.1e8, 2.1e5),
}
SPANS = {VOLT: Number(-420, 420, 0), CURR: Number(-2.1, 2.1, 0)}
FULL_SCALES = {VOLT: V_RANGES_V, CURR: I_RANGES_A, RES: R_RANGES_OHM}
LONG_NAMES = {VOLT: "VOLTage", CURR: "CURRent", RES: "RESistance"}
SENSE_NAMES = {VOLT: "VOLTage[:DC]", CURR: "CURRent[:DC]", RES: "RESistance"}


@dataclass(frozen=True)
class CountOrInfinite(Number):
    """A count, or INFinite."""

    def parse(self, text: str) -> float:
        """Return the count; inf for no end."""
        if text.upper() in ("INF", "INFINITE"):
            return math.inf
        return super().parse(text)

    def format(self, value: float) -> str:
        """Return the count; 9.9E37 for no end."""
        return f"{INFINITE:+.6E}" if math.isinf(value) else super().format(int(value))


@dataclass(frozen=True)
class RangeNumber(Number):
    """An expected signal, or UP or DOWN for the next range."""

    def parse(self, text: str) -> float | str:  # type: ignore[override]
        """Return the signal, or one of the words."""
        return text.upper() if text.upper() in (UP, DOWN) else super().parse(text)


def next_range(quantity: str, full_scale: float, word: str) -> float:
    """Return the full scale of the next range; the same at the end."""
    scales = FULL_SCALES[quantity]
    index = scales.index(full_scale) + (1 if word == UP else -1)
    return scales[min(max(index, 0), len(scales) - 1)]
