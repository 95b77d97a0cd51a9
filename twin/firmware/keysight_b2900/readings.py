"""Readings, and the buffers that hold them.

Source: command reference B2910-90030, "Data Output Format" (elements, status data, not a number),
"TRACe Subsystem". Assumed: a reading beyond its range is told as positive infinity; bits 1 and 2 of
the status data are 1 in compliance, whatever the reason; an element that was not measured is not a
number; the sample variance of one reading is not a number.
"""

from __future__ import annotations

import math
import statistics
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from twin.firmware.keysight_b2900.model import MAX_TRACE_POINTS
from twin.firmware.scpi import ScpiError

ELEMENTS = ("VOLTage", "CURRent", "RESistance", "TIME", "STATus", "SOURce")
SHORT_ELEMENTS = ("VOLT", "CURR", "RES", "TIME", "STAT", "SOUR")
NOT_A_NUMBER, INFINITY = 9.91e37, 9.9e37

CURRENT_SOURCE = 1 << 0
IN_COMPLIANCE = 1 << 1
OVERFLOWED = 1 << 13

STORAGE_ACTIVE = (861, "Trace; Illegal with storage active")
NO_TRACE_DATA = (862, "Trace; No trace data")


@dataclass(frozen=True)
class Reading:
    """One measurement.

    Attributes:
        values: by short name of the element; nan where it was not measured, inf on overflow.
    """

    values: dict[str, float]

    def select(self, elements: Sequence[str]) -> list[float]:
        """Return the values of some elements."""
        return [self.values[name] for name in elements]

    @property
    def overflowed(self) -> bool:
        """Whether the range did not hold the signal."""
        return bool(int(self.values["STAT"]) & OVERFLOWED)


NO_READING = Reading(dict.fromkeys(SHORT_ELEMENTS, math.nan))


@dataclass
class DataFormat:
    """How data are sent.

    Attributes:
        kind: ``ASC``, ``REAL,32`` or ``REAL,64``.
        swapped: least significant byte first.
        elements: what a reading is made of, in their fixed order.
    """

    kind: str = "ASC"
    swapped: bool = False
    elements: tuple[str, ...] = SHORT_ELEMENTS

    def select(self, names: Sequence[str]) -> None:
        """Choose elements; their order is fixed."""
        self.elements = tuple(name for name in SHORT_ELEMENTS if name in names)

    def encode(self, values: Sequence[float]) -> str:
        """Return data as a reply; bytes of a block stand as characters of the same code."""
        if self.kind == "ASC":
            return ",".join(_text(value) for value in values)
        order = "<" if self.swapped else ">"
        letter = "f" if self.kind == "REAL,32" else "d"
        data = struct.pack(f"{order}{len(values)}{letter}", *values)
        size = str(len(data))
        return f"#{len(size)}{size}" + data.decode("latin-1")


def _text(value: float) -> str:
    if math.isnan(value):
        value = NOT_A_NUMBER
    elif math.isinf(value):
        value = math.copysign(INFINITY, value)
    return f"{value:+.6E}"


def chosen(readings: Sequence[Reading], offset: int | None, size: int | None) -> list[Reading]:
    """Return ``size`` readings from ``offset`` on; from the start or to the end where None."""
    first = offset or 0
    return list(readings[first:] if size is None else readings[first : first + size])


_STATISTICS: dict[str, Callable[[list[float]], float]] = {
    "MEAN": statistics.fmean,
    "SDEV": lambda values: statistics.stdev(values) if len(values) > 1 else math.nan,
    "PKPK": lambda values: max(values) - min(values),
    "MIN": min,
    "MAX": max,
}


@dataclass
class Trace:
    """The trace buffer of a channel.

    Attributes:
        points: how many readings it holds.
        control: NEXT while it fills, NEV otherwise.
        statistic: MEAN, SDEV, PKPK, MIN or MAX.
        is_delta: time stamps are told from the reading before and not from the first.
        readings: what it holds.
    """

    points: int = MAX_TRACE_POINTS
    control: str = "NEV"
    statistic: str = "MEAN"
    is_delta: bool = False
    readings: list[Reading] = field(default_factory=list)

    def store(self, reading: Reading) -> None:
        """Take a reading, if it is filling; the last one ends that."""
        if self.control == "NEXT":
            self.readings.append(reading)
            if len(self.readings) >= self.points:
                self.control = "NEV"

    def check_idle(self) -> None:
        """Refuse changes while it fills.

        Raises:
            ScpiError: +861.
        """
        if self.control == "NEXT":
            raise ScpiError(*STORAGE_ACTIVE)

    def start(self) -> None:
        """Fill from now on, from the beginning if it was full."""
        if len(self.readings) >= self.points:
            self.readings.clear()
        self.control = "NEXT"

    def stamped(self) -> list[Reading]:
        """Return the readings with their time stamps by the rule that is set.

        Raises:
            ScpiError: +862.
        """
        if not self.readings:
            raise ScpiError(*NO_TRACE_DATA)
        times_s = [reading.values["TIME"] for reading in self.readings]
        before_s = [times_s[0], *times_s] if self.is_delta else [times_s[0]] * len(times_s)
        return [
            Reading({**reading.values, "TIME": t_s - since_s})
            for reading, t_s, since_s in zip(self.readings, times_s, before_s, strict=False)
        ]

    def statistics(self, elements: Sequence[str]) -> list[float]:
        """Return the statistic of each quantity among the elements."""
        readings = self.stamped()
        compute = _STATISTICS[self.statistic]
        columns = [
            [reading.values[name] for reading in readings]
            for name in elements
            if name in ("VOLT", "CURR", "RES")
        ]
        return [
            compute(values) if all(map(math.isfinite, values)) else math.nan for values in columns
        ]
