"""Reading buffers of a Keithley 2450.

Source: manual 2450-901-01, "Reading buffers", "TRACe subsystem". Compact buffers keep what standard
ones keep. Not modelled: writable buffers, files on flash drives.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass, field, replace
from typing import Self

DEFAULT_NAMES = ("defbuffer1", "defbuffer2")
DEFAULT_CAPACITY = 100_000
MIN_CAPACITY = 10
MAX_CAPACITY = 6_875_000

STAT_TERMINAL = 0x08
STAT_LIMITS = ((0x40, 0x80), (0x10, 0x20))
"""Bits of limits 1 and 2: failed low, failed high."""

STAT_START_GROUP = 0x100
SOURCE_PROTECTION = 0x04
SOURCE_READ_BACK = 0x08
SOURCE_LIMIT = 0x20
SOURCE_SENSE = 0x40
SOURCE_OUTPUT = 0x80


@dataclass(frozen=True, slots=True)
class Reading:
    """One measurement.

    Attributes:
        value: what was measured.
        unit: of the value, as ``:SENSe:...:UNIT`` names it.
        status: of the measurement.
        t_s: bench time.
        source_value: measured, or programmed where it is not read back.
        source_unit: ``VOLT`` or ``AMP``.
        source_status: of the source.
    """

    value: float
    unit: str
    status: int
    t_s: float
    source_value: float
    source_unit: str
    source_status: int

    @property
    def is_limited(self) -> bool:
        """Whether the source was limiting."""
        return bool(self.source_status & SOURCE_LIMIT)

    def with_status(self, bits: int) -> Self:
        """Return this with further bits in its status."""
        return replace(self, status=self.status | bits) if bits else self


@dataclass
class Statistics:
    """Of all readings that a buffer has taken, those that were overwritten among them."""

    n: int = 0
    mean: float = 0.0
    squares: float = 0.0
    least: float = math.inf
    largest: float = -math.inf

    def add(self, value: float) -> None:
        """Take one more reading."""
        self.n += 1
        step = value - self.mean
        self.mean += step / self.n
        self.squares += step * (value - self.mean)
        self.least, self.largest = min(self.least, value), max(self.largest, value)

    @property
    def deviation(self) -> float:
        """Standard deviation of a sample; 0 for a single reading."""
        return math.sqrt(self.squares / (self.n - 1)) if self.n > 1 else 0.0


@dataclass
class Buffer:
    """One reading buffer; positions count from 1.

    Attributes:
        capacity: how many readings it holds.
        is_continuous: the newest readings take the place of the oldest once it is full.
        logs: it logs when it is empty or full.
        readings: oldest first.
        statistics: of all that it has taken.
        start_s: bench time of the first reading.
    """

    capacity: int
    is_continuous: bool = False
    logs: bool = False
    readings: deque[Reading] = field(default_factory=deque)
    statistics: Statistics = field(default_factory=Statistics)
    start_s: float = 0.0

    @property
    def is_full(self) -> bool:
        """Whether it holds all that it can."""
        return len(self.readings) >= self.capacity

    def store(self, reading: Reading) -> bool:
        """Append a reading; return whether the buffer has just become full."""
        if not self.readings:
            self.start_s = reading.t_s
        was_full = self.is_full
        if was_full:
            if not self.is_continuous:
                return False
            self.readings.popleft()
        self.readings.append(reading)
        self.statistics.add(reading.value)
        return self.is_full and not was_full

    def clear(self) -> None:
        """Forget readings and statistics."""
        self.readings.clear()
        self.statistics = Statistics()


def default_buffers() -> dict[str, Buffer]:
    """Return the buffers that are always there."""
    return {name: Buffer(DEFAULT_CAPACITY, True, True) for name in DEFAULT_NAMES}
