"""Pulses of a Keithley 2450: which it can make, the delays that make them, what they measured.

A pulse is: recall the level, delay, measure voltage and then current, recall zero, delay.

Source: Model 2450 Reference Manual 2450-901-01, "Trigger model". Assumed: recalling a level takes
100 us, starting a conversion 155 us; about 0.1 ms of that is uncertain in practice.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass

import numpy as np

from hil import interrupts
from hil.errors import InstrumentError
from hil.instruments.keithley2450_scpi import MIN_NPLC, SOURCE_LIMITED, Keithley2450Scpi
from hil.instruments.smu import PulseSamples
from hil.links import mapping_errors
from hil.types import FloatArray
from hil.units import text

MIN_PULSE_WIDTH_S = 2e-3
MIN_OFF_S = 1e-3
"""Shortest time at zero between two pulses."""

MAX_PULSES = 10_000
RECALL_S = 100e-6
CONVERSION_OVERHEAD_S = 155e-6
TIME_STEP_S = 1e-6
RESERVE_S = 1.2e-3
"""Part of a pulse that its measurement leaves for the level to settle."""

_NOT_A_NUMBER = 9.8e37
_READINGS_PER_QUERY = 500
_BUSY = ("RUNNING", "WAITING", "ABORTING")


@dataclass(frozen=True)
class PulsePlan:
    """Equal pulses from zero.

    Attributes:
        amplitude_v: of all pulses.
        width_s: at this level.
        n_pulses: how many.
        period_s: from start to start.
    """

    amplitude_v: float
    width_s: float
    n_pulses: int
    period_s: float

    def took(self, span_s: float) -> bool:
        """Whether a time from the first to the last pulse is what was asked for, or close to it."""
        wanted_s = (self.n_pulses - 1) * self.period_s
        return wanted_s / 1.5 <= span_s <= 1.5 * wanted_s + TIME_STEP_S

    def problem(self, max_voltage_v: float) -> str:
        """Return why the instrument cannot make these pulses; empty if it can."""
        width, period = text(self.width_s, "s"), text(self.period_s, "s")
        if not self.width_s >= MIN_PULSE_WIDTH_S:
            return f"a pulse of {width} is shorter than {text(MIN_PULSE_WIDTH_S, 's')}"
        if not self.period_s - self.width_s >= MIN_OFF_S:
            return f"pulses of {width} every {period} leave no {text(MIN_OFF_S, 's')} between them"
        if not 1 <= self.n_pulses <= MAX_PULSES:
            return f"{self.n_pulses} pulses are not 1 to {MAX_PULSES}"
        if not abs(self.amplitude_v) <= max_voltage_v:
            most = text(max_voltage_v, "V")
            return f"an amplitude of {text(self.amplitude_v, 'V')} is above {most}"
        return ""

    def nplc(self, wanted: float, line_frequency_hz: float) -> float:
        """Return the integration time: what is wanted, or the longest that has room in a pulse."""
        room_s = (self.width_s - RESERVE_S) / 2 - CONVERSION_OVERHEAD_S
        longest = max(MIN_NPLC, room_s * line_frequency_hz)
        return min(wanted if math.isfinite(wanted) else 1.0, longest)

    def delays_s(self, nplc: float, line_frequency_hz: float) -> tuple[float, float]:
        """Return the delays before the measurement and after the pulse."""
        measuring_s = 2 * (nplc / line_frequency_hz + CONVERSION_OVERHEAD_S)
        return self.width_s - measuring_s - RECALL_S, self.period_s - self.width_s - RECALL_S


class PulseRun:
    """Pulses that the instrument has begun to make.

    Args:
        driver: of the instrument.
        what: names instrument and address in messages.
    """

    def __init__(self, driver: Keithley2450Scpi, what: str) -> None:
        self._driver = driver
        self._what = what
        self._mapped = mapping_errors(what)

    def wait(self, plan: PulsePlan, timeout_s: float) -> None:
        """Ask for the state until all pulses are over; give up when they should be, long ago.

        Raises:
            InstrumentError: they ended in another way, or do not end.
        """
        duration_s = plan.n_pulses * plan.period_s
        deadline_s = time.monotonic() + 1.5 * duration_s + timeout_s
        state = _BUSY[0]
        while state in _BUSY:
            interrupts.check()
            with self._mapped:
                state = str(self._driver.trigger_state)
            if state in _BUSY and time.monotonic() > deadline_s:
                raise InstrumentError(
                    f"{self._what}: pulses of {text(duration_s, 's')} do not end; it says {state}"
                )
        if state != "IDLE":
            raise InstrumentError(f"{self._what}: pulses ended in state {state!r}")

    def samples(self, plan: PulsePlan) -> PulseSamples:
        """Return what was measured inside of the pulses.

        Raises:
            InstrumentError: the pulses were others than planned, or a reading overflowed.
        """
        with self._mapped:
            n_readings = int(self._driver.n_readings)
        if n_readings != plan.n_pulses:
            raise InstrumentError(f"{self._what}: {n_readings} of {plan.n_pulses} pulses measured")
        parts = []
        for start in range(1, n_readings + 1, _READINGS_PER_QUERY):
            end = min(start + _READINGS_PER_QUERY - 1, n_readings)
            with self._mapped:
                parts.append(self._driver.buffer_readings(start, end))
            interrupts.check()
        readings = np.concatenate(parts)
        if len(readings) != n_readings or not plan.took(float(readings[-1, 3])):
            raise InstrumentError(
                f"{self._what}: {len(readings)} pulses took {text(float(readings[-1, 3]), 's')}, "
                f"not {plan.n_pulses} every {text(plan.period_s, 's')}"
            )
        check_readings(self._what, readings[:, :2])
        limited = readings[:, 2].astype(int) & SOURCE_LIMITED
        return PulseSamples(readings[:, 1], readings[:, 0], bool(limited.any()))


def check_readings(what: str, values: FloatArray) -> None:
    """Raise ``InstrumentError`` if a reading overflowed or is no number."""
    if not np.all(np.abs(values) < _NOT_A_NUMBER):
        raise InstrumentError(f"{what}: a reading overflowed: {values.tolist()!r}")
