"""Readings of a Keithley 2450: ranges, delays, filter, resistance, relative offset, math.

The instrument has one converter: it measures the source value first where it is read back, and then
what is asked for. Both are the same conversion where the source itself is measured.

Source: manual 2450-901-01, "SENSe1 subsystem", "Source readback", "Filtering measurement data",
"Auto range". Assumed: the automatic range is chosen from the signal just before the conversion;
refreshing the references of auto zero takes no time; the moving filter starts full of its first
reading; with the output off the source value is the programmed one.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, replace
from statistics import fmean

from twin.firmware.keithley2450.buffers import (
    SOURCE_LIMIT,
    SOURCE_OUTPUT,
    SOURCE_PROTECTION,
    SOURCE_READ_BACK,
    SOURCE_SENSE,
    STAT_LIMITS,
    STAT_TERMINAL,
    Reading,
)
from twin.firmware.keithley2450.calculations import FAILED_HIGH, FAILED_LOW
from twin.firmware.keithley2450.model import is_overflow
from twin.firmware.keithley2450.settings import CURR, UNITS, VOLT, Range, SenseSettings, Setup
from twin.firmware.keithley2450.source import LIMITED_BY, OutputStage
from twin.firmware.source_measure import OVERFLOW, Conversion


@dataclass(frozen=True)
class _Result:
    """What one measurement found, before relative offset and math."""

    value: float
    source_value: float
    t_s: float
    limited: bool


class Meter:
    """Takes readings.

    Args:
        output: source and settings.
    """

    def __init__(self, output: OutputStage) -> None:
        self._output = output
        self._stack: deque[_Result] = deque()
        self._stack_of: SenseSettings | None = None

    def measure(self) -> Reading:
        """Take one reading; bench time passes."""
        self._output.wait_for_source()
        return self._reading(self._filtered())

    def forget(self) -> None:
        """Empty the stack of the moving filter."""
        self._stack.clear()

    def acquire_relative(self, function: str) -> None:
        """Take a reading as the relative offset of a function."""
        settings = self._output.setup.sense.by_function[function]
        self._output.wait_for_source()
        settings.relative = self._filtered().value

    # --- one measurement --------------------------------------------------------------------

    def _filtered(self) -> _Result:
        settings = self._output.setup.sense.active
        if not settings.filter_on:
            return self._once()
        if settings.filter_type == "REP":
            return _mean([self._once() for _ in range(settings.filter_count)])
        if self._stack_of is not settings or self._stack.maxlen != settings.filter_count:
            self._stack_of, self._stack = settings, deque(maxlen=settings.filter_count)
        if not self._stack:
            self._stack.extend([self._once()] * settings.filter_count)
        else:
            self._stack.append(self._once())
        return _mean(list(self._stack))

    def _once(self) -> _Result:
        if self._output.is_measuring_ohms:
            return self._ohms()
        setup = self._output.setup
        sourced, measured = setup.source.function, setup.sense.function
        last = self._convert()
        source_value = _value(last, sourced)
        if measured != sourced and self._reads_back:
            last = self._convert()
        if not self._reads_back:
            source_value = setup.source.active.level
        value = _value(last, measured)
        if setup.sense.active.unit != UNITS[measured]:
            volts, amps = (source_value, value) if sourced == VOLT else (value, source_value)
            value = _computed(setup.sense.active.unit, volts, amps)
        return _Result(value, source_value, last.t_s, last.in_compliance)

    @property
    def _reads_back(self) -> bool:
        return self._output.source.active.read_back and self._output.is_on

    def _convert(self) -> Conversion:
        core, nplc = self._output.core, self._output.setup.sense.active.nplc
        own = self._own_range()
        self._follow(own)
        while True:
            result = core.convert(nplc, self._index(VOLT), self._index(CURR))
            value = _value(result, LIMITED_BY[self._output.source.function])
            if not (is_overflow(value) and own.auto and own.index < own.high):
                return result
            own.index += 1

    def _own_range(self) -> Range:
        """Return the range of what is not sourced."""
        setup = self._output.setup
        return setup.sense.by_function[LIMITED_BY[setup.source.function]].range

    def _follow(self, own: Range) -> None:
        if own.auto:
            now = self._output.core.probe()
            own.follow(_value(now, LIMITED_BY[self._output.source.function]))

    def _index(self, function: str) -> int:
        """Return the range of a quantity: of its source, or its own."""
        setup = self._output.setup
        if setup.source.function == function:
            index = setup.source.active.range.index
            setup.sense.by_function[function].range.follow(
                setup.sense.by_function[function].range.full_scales[index]
            )
            return index
        return setup.sense.by_function[function].range.index

    # --- resistance -------------------------------------------------------------------------

    def _ohms(self) -> _Result:
        """Measure at the test current of a range; look for the range if it is automatic."""
        ranging = self._output.setup.sense.active.range
        result = self._at_test_current(ranging.full_scale)
        for _ in ranging.full_scales:
            fitting = min(max(ranging.fitting(result.value), ranging.low), ranging.high)
            if not ranging.auto or fitting == ranging.index:
                break
            ranging.index = fitting
            result = self._at_test_current(ranging.full_scale)
        if abs(result.value) > ranging.reach * (1 + 1e-9):
            return replace(result, value=OVERFLOW)
        return result

    def _at_test_current(self, full_scale_ohm: float) -> _Result:
        on = self._volts_and_amps(full_scale_ohm, 1.0)
        volts, amps = on.v_v, on.i_a
        if self._output.setup.sense.active.offset_compensated:
            off = self._volts_and_amps(full_scale_ohm, 0.0)
            volts, amps = volts - off.v_v, amps - off.i_a
        value = _computed("OHM", volts, amps) if self._output.is_on else OVERFLOW
        return _Result(value, on.i_a, on.t_s, on.in_compliance)

    def _volts_and_amps(self, full_scale_ohm: float, ratio: float) -> Conversion:
        output = self._output
        if output.is_on:
            output.source_test_current(full_scale_ohm, ratio)
            output.wait_for_source()
        return self._convert()

    # --- what a reading is worth ------------------------------------------------------------

    def _reading(self, result: _Result) -> Reading:
        setup = self._output.setup
        settings = setup.sense.active
        value = result.value
        if not is_overflow(value):
            if settings.relative_on:
                value -= settings.relative
            if settings.math.on:
                value = settings.math.apply(value)
        return Reading(
            value=value,
            unit=settings.unit,
            status=_status(setup, value),
            t_s=result.t_s,
            source_value=result.source_value,
            source_unit=UNITS[setup.source.function],
            source_status=self._source_status(result),
        )

    def _source_status(self, result: _Result) -> int:
        output = self._output
        bits = {
            SOURCE_PROTECTION: result.limited and output.is_protecting,
            SOURCE_READ_BACK: self._reads_back,
            SOURCE_LIMIT: result.limited,
            SOURCE_SENSE: output.setup.sense.active.four_wire,
            SOURCE_OUTPUT: output.is_on,
        }
        return sum(bit for bit, is_set in bits.items() if is_set)


def _status(setup: Setup, value: float) -> int:
    status = STAT_TERMINAL if setup.terminals == "FRON" else 0
    for limit, (low, high) in zip(setup.sense.active.limits, STAT_LIMITS, strict=True):
        failed = limit.test(value)
        status |= low * bool(failed & FAILED_LOW) | high * bool(failed & FAILED_HIGH)
    return status


def _value(conversion: Conversion, function: str) -> float:
    return conversion.v_v if function == VOLT else conversion.i_a


def _computed(unit: str, volts: float, amps: float) -> float:
    if is_overflow(volts) or is_overflow(amps):
        return OVERFLOW
    if unit == "WATT":
        return volts * amps
    return volts / amps if amps else OVERFLOW


def _mean(results: list[_Result]) -> _Result:
    values = [r.value for r in results]
    value = OVERFLOW if any(map(is_overflow, values)) else fmean(values)
    last = results[-1]
    return _Result(
        value, fmean(r.source_value for r in results), last.t_s, any(r.limited for r in results)
    )
