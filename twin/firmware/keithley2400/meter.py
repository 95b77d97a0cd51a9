"""Measurement of a Keithley 2400: ranges, filters, resistance, status words, and what it costs.

A cycle takes the source delay, then for each quantity an integration with its overhead, twice more
with automatic zero on (reference and zero), and the overhead of the firmware. An ideal instrument
takes the source delay and one integration for all quantities, unless it sweeps: what a sweep puts
out lasts as long as on a real one.

Source: manual 2400S-900-01 Rev. K, sections 4 (ohms), 7 (ranges, filters), 18 (SENSe1), appendix A.
Assumed: automatic ranges repeat a conversion until it fits its range; the stack of the moving
filter is empty when the trigger model leaves idle. Not modelled: offset-compensated ohms, range
hold-off.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Set
from dataclasses import dataclass

from twin.firmware.keithley2400.model import (
    AUTO_OHMS_IS_ON,
    CONVERSION_OVERHEAD_S,
    NOT_A_NUMBER,
    OUTPUT_IS_OFF,
    OVERFLOW,
    SOURCE_CONFIGURATION_S,
    firmware_overhead_s,
)
from twin.firmware.keithley2400.output import Output
from twin.firmware.keithley2400.readings import (
    BIT_AUTO_OHMS,
    BIT_COMPLIANCE,
    BIT_FILTER,
    BIT_FOUR_WIRE,
    BIT_FRONT,
    BIT_MATH,
    BIT_MEASURED,
    BIT_NULL,
    BIT_OVERFLOW,
    BIT_PROTECTION,
    BIT_RANGE_COMPLIANCE,
    BIT_SOURCED,
    TIMESTAMP_PERIOD_S,
    Reading,
    is_number,
    resistance,
)
from twin.firmware.keithley2400.settings import CURR, LIMITED_BY, RES, VOLT, Range, Setup
from twin.firmware.scpi import ScpiError
from twin.firmware.source_measure import Conversion

MAX_RANGE_CHANGES = 8
_DOWN_BELOW = 0.1
"""An automatic range moves down below this proportion of its full scale."""


@dataclass(frozen=True)
class _Mean:
    """A conversion, or the mean of several."""

    v_v: float
    i_a: float
    in_compliance: bool


class Meter:
    """Makes readings.

    Args:
        output: the source, with its converters.
        mains_hz: of the simulated mains.
        is_ideal: see the module.

    Attributes:
        line_frequency_hz: that integration times refer to.
    """

    def __init__(self, output: Output, mains_hz: int, is_ideal: bool) -> None:
        self._output = output
        self._core = output.core
        self._is_ideal = is_ideal
        self._zero_s = self._core.now_s()
        self._stack: deque[Conversion] = deque()
        self.line_frequency_hz = mains_hz

    @property
    def _setup(self) -> Setup:
        return self._output.setup

    def reset_time(self) -> None:
        """Count time stamps from now."""
        self._zero_s = self._core.now_s()

    def check_measurable(self) -> None:
        """Refuse what cannot be measured: nothing while the output is off, and stays so."""
        if not self._output.is_on and not self._setup.auto_output_off:
            raise ScpiError(*OUTPUT_IS_OFF)
        if self._setup.is_auto_ohms and self._setup.source.mode != "FIX":
            raise ScpiError(*AUTO_OHMS_IS_ON)

    def begin(self) -> None:
        """Leave idle."""
        self._stack.clear()

    # --- one cycle --------------------------------------------------------------------------

    def cycle(self, level: float | None) -> Reading:
        """Source, wait, measure; the level stays.

        Args:
            level: of a sweep; None for what is set.
        """
        sweeps = level is not None
        keeps_real_time = sweeps or not self._is_ideal
        self._source(level)
        if keeps_real_time:
            self._core.wait_s(SOURCE_CONFIGURATION_S)
        self._core.wait_s(self._output.delay_s)
        mean = self._filtered(keeps_real_time)
        if self._setup.auto_output_off and self._setup.auto_output_off_mode == "ALW":
            self._output.switch_off()
        return self._reading(mean)

    def _source(self, level: float | None) -> None:
        setup, output = self._setup, self._output
        if not output.is_on:
            output.switch_on()
        if level is not None:
            output.source(level)
        elif setup.source.triggered is not None:
            output.set_level(setup.source_function, setup.source.triggered)

    def _filtered(self, keeps_real_time: bool) -> _Mean:
        setup = self._setup
        n_samples = setup.filter_count if setup.filter_on else 1
        is_moving = setup.filter_on and setup.filter_type == "MOV"
        if not is_moving:
            self._stack.clear()
        n_new = max(n_samples - len(self._stack), 1)
        self._stack.extend(self._converted(keeps_real_time) for _ in range(n_new))
        while len(self._stack) > n_samples:
            self._stack.popleft()
        return _mean(self._stack)

    def _converted(self, keeps_real_time: bool) -> Conversion:
        """One conversion on the range that it needs; automatic ranges move to it."""
        for _ in range(MAX_RANGE_CHANGES):
            conversion = self._convert_once(keeps_real_time)
            if self._is_ideal and not self._setup.is_auto_ohms:
                self._follow(conversion)
                break
            if not self._change_range(conversion):
                break
        return conversion

    def _convert_once(self, keeps_real_time: bool) -> Conversion:
        core, n_plc = self._core, self._setup.n_plc
        core.line_frequency_hz = self.line_frequency_hz
        if self._is_ideal and keeps_real_time:
            core.wait_s(CONVERSION_OVERHEAD_S)
        conversion = core.convert(n_plc, self._index(VOLT), self._index(CURR))
        if keeps_real_time:
            core.wait_s(self._overhead_s())
        return conversion

    def _index(self, quantity: str) -> int:
        ranging = self._output.sense_range(quantity)
        if self._is_ideal:
            return len(ranging.full_scales) - 1
        if self._setup.is_auto_ohms:
            current_a = self._output.test_current_a
            voltage_v = current_a * self._setup.ranges[RES].full_scale
            return ranging.fitting_index(current_a if quantity == CURR else voltage_v)
        return ranging.index

    def _overhead_s(self) -> float:
        """What a cycle takes beyond its source delay and its first conversion."""
        setup = self._setup
        n_functions = len(self._quantities())
        n_more = n_functions - 1 + (2 if setup.auto_zero else 0)
        one_s = setup.n_plc / self.line_frequency_hz + CONVERSION_OVERHEAD_S
        sources_current = self._output.sourced == CURR
        return n_more * one_s + firmware_overhead_s(setup.auto_zero, n_functions, sources_current)

    def _quantities(self) -> Set[str]:
        """What is converted for the functions that are on."""
        functions = self._setup.functions
        if RES in functions:
            return {VOLT, CURR}
        return functions or {VOLT}

    # --- ranges -----------------------------------------------------------------------------

    def _follow(self, conversion: Conversion) -> None:
        """Move the automatic range of what is not sourced to where the signal is."""
        quantity = LIMITED_BY[self._output.sourced]
        value = conversion.i_a if quantity == CURR else conversion.v_v
        self._setup.ranges[quantity].follow(value)

    def _change_range(self, conversion: Conversion) -> bool:
        """Move an automatic range if the signal does not belong on it; return whether it moved."""
        if self._setup.is_auto_ohms:
            value = resistance(conversion.v_v, conversion.i_a)
            return self._move(RES, value) and self._source_again()
        quantity = LIMITED_BY[self._output.sourced]
        if quantity not in self._quantities():
            return False
        return self._move(quantity, conversion.i_a if quantity == CURR else conversion.v_v)

    def _source_again(self) -> bool:
        self._output.refresh()
        self._core.wait_s(self._output.delay_s)
        return True

    def _move(self, quantity: str, value: float) -> bool:
        ranging = self._setup.ranges[quantity]
        lowest, highest = self._bounds(quantity, ranging)
        wanted = ranging.index
        if not is_number(value) or abs(value) > ranging.full_scale:
            wanted += 1
        elif abs(value) < _DOWN_BELOW * ranging.full_scale:
            wanted = min(ranging.fitting_index(value * 1.01), wanted)
        wanted = min(max(wanted, lowest), max(highest, lowest))
        if not ranging.auto or wanted == ranging.index:
            return False
        ranging.full_scale = ranging.full_scales[wanted]
        return True

    def _bounds(self, quantity: str, ranging: Range) -> tuple[int, int]:
        setup = self._setup
        top = setup.highest_ohms if quantity == RES else setup.compliance(quantity)
        return ranging.fitting_index(setup.lowest_auto[quantity]), ranging.fitting_index(top)

    # --- result -----------------------------------------------------------------------------

    def _reading(self, mean: _Mean) -> Reading:
        setup = self._setup
        functions = setup.functions
        values = {VOLT: _or_overflow(mean.v_v), CURR: _or_overflow(mean.i_a)}
        for quantity in (VOLT, CURR):
            if quantity not in functions:
                # what is sourced and not measured is reported as programmed
                is_sourced = quantity == setup.source_function and not setup.is_auto_ohms
                values[quantity] = self._output.level if is_sourced else NOT_A_NUMBER
        r_ohm = resistance(mean.v_v, mean.i_a) if RES in functions else NOT_A_NUMBER
        if setup.is_auto_ohms and r_ohm > setup.ranges[RES].full_scale * 1.01:
            r_ohm = OVERFLOW
        measured = [{**values, RES: r_ohm}[name] for name in functions]
        overflows = any(not is_number(value) for value in measured)
        return Reading(
            values[VOLT],
            values[CURR],
            r_ohm,
            (self._core.now_s() - self._zero_s) % TIMESTAMP_PERIOD_S,
            self._status_word(mean.in_compliance, overflows),
        )

    def _status_word(self, in_compliance: bool, overflows: bool) -> int:
        setup, sourced = self._setup, self._output.sourced
        by_range = self._output.is_limited_by_range(sourced)
        bits = {
            BIT_OVERFLOW: overflows,
            BIT_FILTER: setup.filter_on,
            BIT_FRONT: setup.terminals == "FRON",
            BIT_COMPLIANCE: in_compliance and not by_range,
            BIT_PROTECTION: self._is_protecting(),
            BIT_MATH: setup.computes,
            BIT_NULL: setup.null_on,
            BIT_AUTO_OHMS: setup.is_auto_ohms,
            BIT_SOURCED[sourced]: True,
            BIT_RANGE_COMPLIANCE: in_compliance and by_range,
            BIT_FOUR_WIRE: setup.four_wire,
            **{BIT_MEASURED[name]: True for name in setup.functions},
        }
        return sum(bit for bit, is_set in bits.items() if is_set)

    def _is_protecting(self) -> bool:
        sources_voltage = self._output.sourced == VOLT
        return sources_voltage and abs(self._output.level) > self._setup.protection_v


def _or_overflow(value: float) -> float:
    """Return a value, or what the instrument writes for one that its range does not hold."""
    return value if is_number(value) else math.copysign(OVERFLOW, value)


def _mean(conversions: deque[Conversion]) -> _Mean:
    n = len(conversions)
    last = conversions[-1]
    if n == 1:
        return _Mean(last.v_v, last.i_a, last.in_compliance)
    return _Mean(
        sum(c.v_v for c in conversions) / n,
        sum(c.i_a for c in conversions) / n,
        last.in_compliance,
    )
