"""One channel: its settings, its source and its readings.

Source: command reference B2910-90030, "OUTPut Subsystem", "SENSe Subsystem"; user's guide,
"Limit/Compliance", "Ranging Mode". Assumed: limits for positive and for negative values act by the
sign of the source level; a level that the power of the instrument does not reach at the present
limit, or a limit beyond it at the present level, is -221; automatic measurement ranges are chosen
from the signal just before the integration, and not above the range of the limit; a run keeps its
latest 100000 readings; ZERO as the state of an output that is off is 0 V with 100 uA. The interlock
is closed. Not modelled: filter, high capacitance mode, what is between the two low terminals.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from twin.firmware.keysight_b2900.model import (
    A_RANGES_A,
    MAX_READINGS,
    SMU,
    SOURCE_OVER_RANGE_RATIO,
    is_in_power_box,
    range_index,
)
from twin.firmware.keysight_b2900.readings import (
    CURRENT_SOURCE,
    IN_COMPLIANCE,
    OVERFLOWED,
    Reading,
    Trace,
)
from twin.firmware.keysight_b2900.settings import (
    CURR,
    DEFAULT_NPLC,
    FULL_SCALES,
    OTHER,
    RES,
    VOLT,
    ChannelSetup,
    QuantitySettings,
)
from twin.firmware.scpi import OUT_OF_RANGE, SETTINGS_CONFLICT, ScpiError
from twin.firmware.source_measure import (
    OVERFLOW,
    RANGE_LIMIT_RATIO,
    Conversion,
    Drive,
    Function,
    SourceMeasureCore,
)

_FUNCTIONS = {VOLT: Function.VOLTS, CURR: Function.AMPS}
_OFF_LIMIT_A = 100e-6


class Channel:
    """One source-measure channel.

    Args:
        number: 1 or 2.
        core: source and converters.
        on_output_off: called whenever the output goes off.
        on_timer: returns the time of the timer at a bench time.

    Attributes:
        number: 1 or 2.
        core: source and converters.
        setup: all settings; another object after a reset.
        is_on: whether the output is on.
        tripped_off: whether the protection has switched it off.
        level: what is sourced now, or would be if the output were on.
        may_measure_s: bench time before which the measurement wait time is not over.
        readings: of the last run or measurement.
        trace: the trace buffer.
    """

    def __init__(
        self,
        number: int,
        core: SourceMeasureCore,
        on_output_off: Callable[[Channel], None],
        on_timer: Callable[[float], float],
    ) -> None:
        self.number = number
        self.core = core
        self.setup = ChannelSetup()
        self.is_on = False
        self.tripped_off = False
        self.level = 0.0
        self.may_measure_s = -math.inf
        self.readings: list[Reading] = []
        self.trace = Trace()
        self._source_range: int | None = None
        self._on_output_off = on_output_off
        self._on_timer = on_timer

    def reset(self) -> None:
        """Output off, settings of a reset, no data."""
        self.setup = ChannelSetup()
        self.switch_off()
        self.trace = Trace()
        self.readings = []
        self.level, self._source_range = 0.0, None

    # --- output -----------------------------------------------------------------------------

    def switch_on(self) -> None:
        """Output on, at the immediate level."""
        if not self.is_on:
            self.is_on, self.tripped_off = True, False
            self.switch_ranges()
            self.to_immediate_level()

    def switch_off(self) -> None:
        """Output off, as the settings say."""
        was_on, self.is_on = self.is_on, False
        if self.setup.output.off_mode == "ZERO" and was_on:
            limit_range = range_index(A_RANGES_A, _OFF_LIMIT_A)
            self.core.drive(Drive(Function.VOLTS, 0.0, 0, _OFF_LIMIT_A, limit_range))
        else:
            self.core.release()
        if was_on:
            self._on_output_off(self)

    def trip_if_limiting(self) -> None:
        """Switch the output off if it is limiting and the protection is on."""
        if self.setup.output.protection and self.is_limiting:
            self.switch_off()
            self.tripped_off = True

    @property
    def is_limiting(self) -> bool:
        """Whether the source is limiting; looking takes 1 us."""
        return self.is_on and self.core.probe().in_compliance

    # --- source -----------------------------------------------------------------------------

    def to_immediate_level(self) -> None:
        """Source the immediate level."""
        self.source_level(self.setup.source.active.level)

    def source_level(self, level: float, source_range: int | None = None) -> None:
        """Source a level from now on, on a range or on the one that holds it."""
        ranging = self.setup.source.active.ranging
        self.level = level
        self._source_range = ranging.follow(level) if source_range is None else source_range
        ranging.index = self._source_range
        self.refresh()

    def refresh(self) -> None:
        """Drive the terminals with the present level and limit, if the output is on."""
        if not self.is_on:
            return
        function = self.setup.source.function
        if self._source_range is None:
            self._source_range = self.setup.source.active.ranging.follow(self.level)
        limited = self.setup.sense.by_function[OTHER[function]]
        limit = limited.limit(self.level)
        self.core.senses_remotely = self.setup.sense.four_wire
        self.core.drive(
            Drive(
                _FUNCTIONS[function],
                self.level,
                self._source_range,
                limit,
                range_index(FULL_SCALES[OTHER[function]], limit),
                self._range_limit(limited),
            )
        )
        initial_s = SMU.measure_a.settles_s[self.setup.sense.by_function[CURR].ranging.index]
        self.may_measure_s = self.core.now_s() + self.setup.sense.wait.time_s(initial_s)

    def settle(self) -> None:
        """Let pass the time that a change of the level still takes."""
        if self.core.is_settling:
            while self.core.is_settling:
                self.core.wait_s(self._settles_s / 4)
            self.core.wait_s(1e-6)  # what is left, after all, of the change

    @property
    def source_wait_s(self) -> float:
        """How long the source does not change after a change."""
        return self.setup.source.wait.time_s(self._settles_s)

    @property
    def _settles_s(self) -> float:
        source = self.setup.source
        settles_s = (SMU.source_v if source.function == VOLT else SMU.source_a).settles_s
        return settles_s[source.active.ranging.index]

    @staticmethod
    def _range_limit(limited: QuantitySettings) -> float:
        if limited.ranging.auto:
            return math.inf
        return RANGE_LIMIT_RATIO * limited.ranging.full_scale

    def range_is_fixed(self) -> None:
        """Let a fixed measurement range take effect, and the limits that come with it."""
        self.refresh()
        self.core.wait_s(self.switch_ranges())

    # --- checks -----------------------------------------------------------------------------

    def check_level(self, function: str, level: float) -> None:
        """Refuse a level that a fixed range does not hold.

        Raises:
            ScpiError: -222.
        """
        ranging = self.setup.source.by_function[function].ranging
        reach = SOURCE_OVER_RANGE_RATIO * ranging.full_scale * (1 + 1e-9)
        if not ranging.auto and abs(level) > reach:
            raise ScpiError(OUT_OF_RANGE, f"Data out of range; channel {self.number}")

    def check_power(self, level: float | None = None, limit: float | None = None) -> None:
        """Refuse a level and a limit that the instrument does not reach together.

        Raises:
            ScpiError: -221.
        """
        source = self.setup.source
        limits = self.setup.sense.by_function[OTHER[source.function]].limits
        most = max(limits) if limit is None else limit
        used = source.active.level if level is None else level
        pair = (used, most) if source.function == VOLT else (most, used)
        if not is_in_power_box(*pair):
            raise ScpiError(
                SETTINGS_CONFLICT,
                f"Settings conflict; level and compliance exceed power; channel {self.number}",
            )

    # --- measurement ------------------------------------------------------------------------

    @property
    def aperture_s(self) -> float:
        """Integration time."""
        return self.nplc / self.core.line_frequency_hz

    @property
    def nplc(self) -> float:
        """Integration time in power line cycles."""
        sense = self.setup.sense
        return DEFAULT_NPLC if sense.nplc_auto else sense.nplc

    def choose_ranges(self) -> None:
        """Set automatic measurement ranges for the present signal.

        Looking at it takes 1 us, if any range is automatic.
        """
        quantities = self.setup.sense.by_function
        if self.is_on and any(q.ranging.auto for q in quantities.values()):
            now = self.core.probe()
            for name, value in ((VOLT, now.v_v), (CURR, now.i_a)):
                ranging = quantities[name].ranging
                ranging.index = min(ranging.follow(value), self._highest_range(name))

    def switch_ranges(self) -> float:
        """Let the chosen ranges take effect; return the dead time, which has to pass."""
        return self.core.switch_amp_range(self.setup.sense.by_function[CURR].ranging.index)

    def widen_ranges(self, conversion: Conversion) -> bool:
        """Take the next range where an automatic one overflowed; return whether there was any."""
        widened = False
        for name, value in ((VOLT, conversion.v_v), (CURR, conversion.i_a)):
            ranging = self.setup.sense.by_function[name].ranging
            if value == OVERFLOW and ranging.auto and ranging.index < self._highest_range(name):
                ranging.index += 1
                widened = True
        return widened

    def _highest_range(self, name: str) -> int:
        """Return the highest range that automatic ranging takes: it does not exceed the limit."""
        quantity = self.setup.sense.by_function[name]
        if not quantity.ranging.auto:
            return quantity.ranging.index
        if name == self.setup.source.function:
            return quantity.highest
        for_limit = range_index(FULL_SCALES[name], quantity.limit(self.level))
        return min(quantity.highest, max(for_limit, quantity.ranging.lowest))

    def convert(self, dt_s: float) -> Conversion:
        """Integrate on the ranges that are set; bench time passes."""
        quantities = self.setup.sense.by_function
        nplc = dt_s * self.core.line_frequency_hz
        return self.core.convert(
            nplc, quantities[VOLT].ranging.index, quantities[CURR].ranging.index
        )

    def store(self, conversion: Conversion, start_s: float) -> None:
        """Keep a conversion as a reading, stamped with the time at which it began."""
        reading = self._reading(conversion, self._on_timer(start_s))
        self.readings.append(reading)
        if len(self.readings) > MAX_READINGS:
            del self.readings[0]
        self.trace.store(reading)
        if conversion.in_compliance and self.setup.output.protection and self.is_on:
            self.switch_off()
            self.tripped_off = True

    def _reading(self, conversion: Conversion, timer_s: float) -> Reading:
        measured = self.setup.sense.functions
        volts, amps = (_or_infinite(value) for value in (conversion.v_v, conversion.i_a))
        status = CURRENT_SOURCE if self.setup.source.function == CURR else 0
        status |= IN_COMPLIANCE if conversion.in_compliance else 0
        status |= OVERFLOWED if math.isinf(volts) or math.isinf(amps) else 0
        return Reading(
            {
                VOLT: volts if VOLT in measured else math.nan,
                CURR: amps if CURR in measured else math.nan,
                RES: _ratio(volts, amps) if RES in measured else math.nan,
                "TIME": timer_s,
                "STAT": float(status),
                "SOUR": self.level,
            }
        )


def _or_infinite(value: float) -> float:
    return math.inf if value == OVERFLOW else value


def _ratio(volts: float, amps: float) -> float:
    if not (math.isfinite(volts) and math.isfinite(amps)):
        return math.nan
    return volts / amps if amps else math.inf
