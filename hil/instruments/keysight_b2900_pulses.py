"""Pulses of a Keysight B2900: which it can make, how they are set up, what they measured.

The pulse source is triggered by the timer. The measurement of each pulse starts so that it ends
just before the pulse does, by the delay of the acquire trigger.

Source: user's guide B2910-90010, "Pulse Output"; data sheet 5990-7009EN (widths from 50 us, trigger
periods from 20 us, steps of 1 us).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from hil import interrupts
from hil.errors import InstrumentError, ProtocolError
from hil.instruments.keysight_b2900_driver import (
    MIN_APERTURE_S,
    B2900Channel,
    KeysightB2901A,
    is_limited,
)
from hil.instruments.smu import PulseSamples
from hil.types import FloatArray
from hil.units import text

MIN_PULSE_WIDTH_S = 100e-6
MAX_PULSE_WIDTH_S = 1e3
MIN_OFF_S = 100e-6
"""Shortest time at zero between two pulses."""

MAX_PULSES = 10_000
TIME_STEP_S = 1e-6
READ_UNTIL_S = 2e-6
"""From the end of a measurement to the end of its pulse."""

_OVERFLOW = 9.8e37
_READINGS_PER_QUERY = 500


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

    def problem(self, max_voltage_v: float) -> str:
        """Return why these pulses cannot be made; empty if they can."""
        width, period = text(self.width_s, "s"), text(self.period_s, "s")
        if not self.width_s >= MIN_PULSE_WIDTH_S * (1 - 1e-9):
            return f"a pulse of {width} is shorter than {text(MIN_PULSE_WIDTH_S, 's')}"
        if not self.width_s <= MAX_PULSE_WIDTH_S:
            return f"a pulse of {width} is longer than {text(MAX_PULSE_WIDTH_S, 's')}"
        if not self.period_s - self.width_s >= MIN_OFF_S * (1 - 1e-9):
            return f"pulses of {width} every {period} leave no {text(MIN_OFF_S, 's')} between them"
        if not 1 <= self.n_pulses <= MAX_PULSES:
            return f"{self.n_pulses} pulses are not 1 to {MAX_PULSES}"
        if not abs(self.amplitude_v) <= max_voltage_v:
            most = text(max_voltage_v, "V")
            return f"an amplitude of {text(self.amplitude_v, 'V')} is above {most}"
        return ""

    def aperture_s(self, wanted_s: float) -> float:
        """Return the integration time: what is wanted, or half of a pulse if that is shorter."""
        room_s = self.width_s / 2 - READ_UNTIL_S
        return max(MIN_APERTURE_S, min(room_s, wanted_s) if math.isfinite(wanted_s) else room_s)


def set_up(channel: B2900Channel, plan: PulsePlan, aperture_s: float) -> None:
    """Program pulses and their measurements; nothing is sourced before ``initiate``."""
    channel.source_voltage = 0
    channel.source_shape = "pulse"
    channel.source_voltage_triggered = plan.amplitude_v
    channel.pulse_delay = 0
    channel.pulse_width = plan.width_s
    channel.measure_wait_enabled = False
    channel.aperture = aperture_s
    channel.trigger_source = "timer"
    channel.trigger_period = plan.period_s
    channel.trigger_count = plan.n_pulses
    channel.transient_delay = 0
    channel.acquire_delay = plan.width_s - aperture_s - READ_UNTIL_S


def run(driver: KeysightB2901A, what: str) -> None:
    """Begin what is set up on channel 1, and ask until it is over.

    Raises:
        InstrumentError: nothing has run, so that its data are not those of these pulses.
    """
    driver.take_idle_events()
    driver.ch_1.initiate()
    while not driver.is_idle():
        interrupts.check()
    if not driver.take_idle_events():
        raise InstrumentError(f"{what}: the pulses did not begin")


def samples(channel: B2900Channel, plan: PulsePlan, what: str) -> PulseSamples:
    """Return what was measured inside the pulses.

    Raises:
        ProtocolError: not one reading for each pulse.
        InstrumentError: a reading overflowed.
    """
    readings = np.concatenate(list(_parts(channel, plan.n_pulses)))
    if len(readings) != plan.n_pulses:
        raise ProtocolError(
            f"{what}: {len(readings)} readings of {plan.n_pulses} pulses; check what answers there"
        )
    check_readings(readings[:, :2], what)
    limited = any(is_limited(status) for status in readings[:, 2])
    return PulseSamples(readings[:, 0], readings[:, 1], limited)


def check_readings(values: FloatArray, what: str) -> None:
    """Refuse readings that stand for none.

    Raises:
        InstrumentError: one overflowed, or was not taken.
    """
    if not np.all(np.abs(values) < _OVERFLOW):
        raise InstrumentError(
            f"{what}: a reading overflowed or was not taken: {values.tolist()!r:.200}"
        )


def _parts(channel: B2900Channel, n_readings: int) -> Iterator[FloatArray]:
    for offset in range(0, n_readings, _READINGS_PER_QUERY):
        yield channel.readings(offset, min(_READINGS_PER_QUERY, n_readings - offset))
        interrupts.check()
