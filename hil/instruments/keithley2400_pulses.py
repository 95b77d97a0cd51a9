"""What pulses a Keithley 2400 can make, and the list sweep that makes them.

A 2400 has no pulse mode. It steps through a list of levels, and stays on each of them for one
source-delay-measure cycle; the timer of the arm layer starts the list anew for each pulse. All
points of a list last equally long, and the last one is zero: where there is less time between two
pulses than a pulse lasts, a pulse is several points.

Source: Series 2400 SourceMeter User's Manual, 2400S-900-01 Rev. K, appendix A (times of a cycle),
sections 10 (custom sweeps) and 11 (timer). Assumed: with automatic zero off, a second function adds
0.5 ms of overhead, as it does with automatic zero on. The manual gives these times as about right;
widths may differ from what was asked for by some 0.3 ms.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from hil.units import text

MIN_PULSE_WIDTH_S = 2e-3
"""One cycle with both functions at 0.01 power line cycles is 1.6 ms; the rest is for settling."""
MAX_PULSES = 250
MAX_READINGS = 2500
MAX_LIST_POINTS = 100
MAX_POINTS_HIGH = 8
"""Of one pulse of a train at its shortest period; ``MAX_PULSES`` of them fit into the buffer."""
MIN_NPLC = 0.01
DEFAULT_NPLC = 0.1

SOURCE_CONFIGURATION_S = 50e-6
CONVERSION_OVERHEAD_S = 185e-6
FIRMWARE_OVERHEAD_S = 0.8e-3
SETTLES_S = 0.25e-3
_N_CONVERSIONS = 2
_TIMER_STEP_S = 1e-5


@dataclass(frozen=True)
class PulsePlan:
    """Equal pulses from zero, as a list sweep.

    Attributes:
        amplitude_v: of all pulses.
        width_s: at this level.
        n_pulses: how many.
        period_s: from start to start.
        line_frequency_hz: of the mains.
    """

    amplitude_v: float
    width_s: float
    n_pulses: int
    period_s: float
    line_frequency_hz: float

    def problem(self, max_voltage_v: float) -> str:
        """Return why the instrument cannot make these pulses; empty if it can."""
        width, period = text(self.width_s, "s"), text(self.period_s, "s")
        if not self.width_s >= MIN_PULSE_WIDTH_S * (1 - 1e-9):
            return f"a pulse of {width} is shorter than {text(MIN_PULSE_WIDTH_S, 's')}"
        if not 1 <= self.n_pulses <= MAX_PULSES:
            return f"{self.n_pulses} pulses are not 1 to {MAX_PULSES}"
        if not abs(self.amplitude_v) <= max_voltage_v:
            most = text(max_voltage_v, "V")
            return f"an amplitude of {text(self.amplitude_v, 'V')} is above {most}"
        if self.n_pulses > 1 and not self._gap_s >= MIN_PULSE_WIDTH_S * (1 - 1e-9):
            least = text(MIN_PULSE_WIDTH_S, "s")
            return f"pulses of {width} every {period} leave no {least} between them"
        if self.n_points > MAX_LIST_POINTS or self.n_readings > MAX_READINGS:
            return (
                f"{self.n_pulses} pulses of {width} every {period} take {self.n_readings} readings "
                f"of {MAX_READINGS}; apply fewer, or leave more time between them"
            )
        return ""

    @property
    def n_points_high(self) -> int:
        """How many points of the list are at the amplitude."""
        if self.n_pulses == 1 or self._gap_s >= self.width_s:
            return 1
        return max(1, math.ceil(self.width_s / self._gap_s * (1 - 1e-9)))

    @property
    def n_points(self) -> int:
        """How many points the list has."""
        return self.n_points_high + 1

    @property
    def n_readings(self) -> int:
        """How many readings the sweep takes."""
        return self.n_points * self.n_pulses

    @property
    def levels_v(self) -> list[float]:
        """The list."""
        return [self.amplitude_v] * self.n_points_high + [0.0]

    @property
    def timer_s(self) -> float:
        """What the timer is set to, in its steps."""
        return round(self.period_s / _TIMER_STEP_S) * _TIMER_STEP_S

    @property
    def point_s(self) -> float:
        """How long each point lasts."""
        return self.width_s / self.n_points_high

    def nplc(self, wanted: float) -> float:
        """Return the integration time: what is wanted, or the longest that has room in a point."""
        overhead_s = SOURCE_CONFIGURATION_S + FIRMWARE_OVERHEAD_S + SETTLES_S
        room_s = (self.point_s - overhead_s) / _N_CONVERSIONS - CONVERSION_OVERHEAD_S
        longest = math.floor(room_s * self.line_frequency_hz * 100 * (1 + 1e-9)) / 100
        wanted = wanted if math.isfinite(wanted) else DEFAULT_NPLC
        return max(MIN_NPLC, min(wanted, longest))

    def delay_s(self, nplc: float) -> float:
        """Return the source delay that makes a point last as long as it has to."""
        one_s = nplc / self.line_frequency_hz + CONVERSION_OVERHEAD_S
        fixed_s = SOURCE_CONFIGURATION_S + FIRMWARE_OVERHEAD_S + _N_CONVERSIONS * one_s
        return max(0.0, self.point_s - fixed_s)

    @property
    def whole_s(self) -> float:
        """How long all pulses take."""
        return (self.n_pulses - 1) * self.timer_s + self.n_points * self.point_s

    @property
    def _gap_s(self) -> float:
        return self.timer_s - self.width_s
