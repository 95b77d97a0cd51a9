"""Checks of values that several settings of a channel share."""

from __future__ import annotations

from collections.abc import Callable

from twin.firmware.keithley2600.settings import DELAY_AUTO
from twin.firmware.tsp.errors import TOO_BIG, TOO_SMALL, TspError
from twin.firmware.tsp.tables import number, one_of, whole, within

MAX_DELAY_S = 100e3

switch = one_of(0, 1)
EVENT = whole(0, 1_000_000)
"""Check for the number of an event; 0 is none."""


def delay(value: object) -> float:
    """Return a delay in seconds, or -1 for the automatic one."""
    wanted = within(DELAY_AUTO, MAX_DELAY_S)(value)
    if DELAY_AUTO < wanted < 0:
        raise TspError(TOO_SMALL)
    return wanted


def magnitude(low: float, high: float) -> Callable[[object], float]:
    """Return a check for limits, of which only the magnitude counts."""

    def check(value: object) -> float:
        wanted = abs(number(value))
        if wanted < low:
            raise TspError(TOO_SMALL)
        if wanted > high:
            raise TspError(TOO_BIG)
        return wanted

    return check
