"""Readings of one channel: ranges, delays, filter, counts, buffers.

Voltage and current are always integrated together; resistance and power are computed from them.
While a function is sourced, it is measured on the range of its source.

Assumed, because the manual leaves it open: the range is chosen from the signal just before the
conversion, and a conversion that overflows is repeated on the next range; the automatic delay is
the settling time of the current range. Not modelled: the reference and zero conversions of
autozero, which take time and change nothing here.

Source: manual 2600BS-901-01, sections "Range", "Filters", "TSP command reference: smuX.measure".
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import fmean, median

from twin.firmware.keithley2600.channel import Channel
from twin.firmware.keithley2600.settings import (
    AUTORANGE_FOLLOW_LIMIT,
    DELAY_AUTO,
    FILTER_MEDIAN,
    FILTER_REPEAT_AVG,
    Ranging,
)
from twin.firmware.source_converters import ConverterSpec
from twin.firmware.source_measure import OVERFLOW, Conversion
from twin.firmware.tsp.buffers import Buffer, Entry

NAMES = {"v": "Voltage", "i": "Current", "r": "Resistance", "p": "Power"}
AUTORANGED_MEASURE, AUTORANGED_SOURCE, FOUR_WIRE = 0x04, 0x08, 0x10
RELATIVE, COMPLIANCE, FILTERED = 0x20, 0x40, 0x80


@dataclass(frozen=True)
class _Ranges:
    """Range indices of one conversion."""

    v: int
    a: int


class Meter:
    """Takes readings.

    Args:
        channel: whose.
        take_turn: called before bench time passes here.
        spend: called for every conversion; raises where there are too many.
    """

    def __init__(
        self, channel: Channel, take_turn: Callable[[], None], spend: Callable[[], None]
    ) -> None:
        self._channel = channel
        self._take_turn = take_turn
        self._spend = spend
        self._stack: deque[Conversion] = deque()

    def measure(
        self, quantities: str, buffers: Sequence[Buffer | None], *, appends: bool = False
    ) -> tuple[float, ...]:
        """Take as many readings as ``measure.count`` says; bench time passes.

        Args:
            quantities: letters ``v``, ``i``, ``r``, ``p``, measured together.
            buffers: one for each quantity, or None.
            appends: within a sweep: what the buffers hold stays.

        Returns:
            The last reading of each quantity.
        """
        settings = self._channel.measure
        if not appends:
            for buffer in buffers:
                if buffer is not None:
                    buffer.begin()
        self._take_turn()
        self._delay()
        start_s = self._channel.core.now_s()
        readings: tuple[float, ...] = ()
        for k in range(settings.count):
            self._wait_until(start_s + k * settings.interval_s)
            readings = self._read(quantities, buffers)
        return readings

    def forget(self) -> None:
        """Empty the stack of the filter."""
        self._stack.clear()

    def range_of(self, quantity: str) -> tuple[int, ConverterSpec]:
        """Return the index of the range that ``v`` or ``i`` is measured on, and its converter."""
        channel = self._channel
        smu = channel.model.smu
        spec = smu.measure_v if quantity == "v" else smu.measure_a
        if channel.is_sourcing_volts == (quantity == "v"):
            ranging, source = channel.source_range
            return spec.fitting(source.full_scales[ranging.index]), spec
        return self._own(quantity).index, spec

    # --- one reading ------------------------------------------------------------------------

    def _read(self, quantities: str, buffers: Sequence[Buffer | None]) -> tuple[float, ...]:
        result = self._filtered()
        readings = []
        for quantity, buffer in zip(quantities, buffers, strict=True):
            reading = self._relative(quantity, _quantity(quantity, result))
            readings.append(reading)
            if buffer is not None:
                buffer.store(self._entry(quantity, reading, result))
        return tuple(readings)

    def _filtered(self) -> Conversion:
        settings = self._channel.measure
        if not settings.filter_on or settings.filter_count == 1:
            return self._convert()
        if settings.filter_type == FILTER_REPEAT_AVG:
            return _joined([self._convert() for _ in range(settings.filter_count)], fmean)
        self._stack = deque(self._stack, maxlen=settings.filter_count)
        self._stack.append(self._convert())
        while len(self._stack) < settings.filter_count:
            self._stack.append(self._convert())
        return _joined(
            list(self._stack), median if settings.filter_type == FILTER_MEDIAN else fmean
        )

    def _convert(self) -> Conversion:
        core, nplc = self._channel.core, self._channel.measure.nplc
        ranges = self._ranges()
        while True:
            self._spend()
            result = core.convert(nplc, ranges.v, ranges.a)
            higher = self._higher(ranges, result)
            if higher == ranges:
                return result
            ranges = higher

    def _ranges(self) -> _Ranges:
        """Choose the ranges that follow the signal; return those of the next conversion."""
        quantity = "i" if self._channel.is_sourcing_volts else "v"
        own = self._own(quantity)
        _, spec = self.range_of(quantity)
        if own.auto == AUTORANGE_FOLLOW_LIMIT:
            own.index = spec.fitting(self._channel.limit)
        elif own.auto:
            now = self._channel.core.probe()
            own.index = max(spec.fitting(now.i_a if quantity == "i" else now.v_v), own.low)
        return _Ranges(self.range_of("v")[0], self.range_of("i")[0])

    def _higher(self, ranges: _Ranges, result: Conversion) -> _Ranges:
        """Return the next ranges where the signal has grown out of the chosen one."""
        quantity = "i" if self._channel.is_sourcing_volts else "v"
        own = self._own(quantity)
        _, spec = self.range_of(quantity)
        value = result.i_a if quantity == "i" else result.v_v
        if value == OVERFLOW and own.auto and own.index + 1 < len(spec.full_scales):
            own.index += 1
        return _Ranges(self.range_of("v")[0], self.range_of("i")[0])

    def _own(self, quantity: str) -> Ranging:
        settings = self._channel.measure
        return settings.range_v if quantity == "v" else settings.range_a

    # --- time -------------------------------------------------------------------------------

    def _delay(self) -> None:
        settings = self._channel.measure
        delay_s = settings.delay_s
        if delay_s == DELAY_AUTO:
            index, spec = self.range_of("i")
            delay_s = spec.settles_s[index] * settings.delay_factor
        if delay_s > 0:
            self._channel.core.wait_s(delay_s)

    def _wait_until(self, t_s: float) -> None:
        left_s = t_s - self._channel.core.now_s()
        if left_s > 0:
            self._channel.core.wait_s(left_s)

    # --- what a reading is worth ------------------------------------------------------------

    def _relative(self, quantity: str, reading: float) -> float:
        relative = self._channel.measure.relative
        if reading == OVERFLOW or not getattr(relative, f"enable_{quantity}"):
            return reading
        level: float = getattr(relative, f"level_{quantity}")
        return reading - level

    def _entry(self, quantity: str, reading: float, result: Conversion) -> Entry:
        channel = self._channel
        source_ranging, source_spec = channel.source_range
        index, spec = self.range_of("v" if quantity == "v" else "i")
        return Entry(
            reading=reading,
            t_s=result.t_s,
            status=self._status(quantity, result),
            function=NAMES[quantity],
            full_scale=spec.full_scales[index],
            source_value=channel.level,
            source_function="Voltage" if channel.is_sourcing_volts else "Current",
            source_full_scale=source_spec.full_scales[source_ranging.index],
            output="On" if channel.is_on else "Off",
        )

    def _status(self, quantity: str, result: Conversion) -> int:
        channel, settings = self._channel, self._channel.measure
        own = settings.range_a if channel.is_sourcing_volts else settings.range_v
        bits = {
            AUTORANGED_MEASURE: own.auto,
            AUTORANGED_SOURCE: channel.source_range[0].auto,
            FOUR_WIRE: channel.sense,
            RELATIVE: getattr(settings.relative, f"enable_{quantity}"),
            COMPLIANCE: result.in_compliance,
            FILTERED: settings.filter_on,
        }
        return sum(bit for bit, is_set in bits.items() if is_set)


def _quantity(quantity: str, result: Conversion) -> float:
    v_v, i_a = result.v_v, result.i_a
    if quantity == "v":
        return v_v
    if quantity == "i":
        return i_a
    if OVERFLOW in (v_v, i_a):
        return OVERFLOW
    if quantity == "p":
        return v_v * i_a
    return v_v / i_a if i_a else OVERFLOW


def _joined(results: Sequence[Conversion], middle: Callable[[list[float]], float]) -> Conversion:
    def of(values: list[float]) -> float:
        return OVERFLOW if OVERFLOW in values else middle(values)

    last = results[-1]
    return Conversion(
        last.t_s, of([r.v_v for r in results]), of([r.i_a for r in results]), last.in_compliance
    )
