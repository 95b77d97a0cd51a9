"""The reading buffer of a Keithley 2400 and its statistics.

Source: manual 2400S-900-01 Rev. K, sections 9 and 18 (TRACe, CALCulate3). Statistics come for what
was measured, in the order voltage, current, resistance; an empty buffer is -230. Assumed: -230 for
the data of an empty buffer as well; the standard deviation is that of a sample.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence

from twin.firmware.keithley2400.model import ILLEGAL_WHILE_STORING
from twin.firmware.keithley2400.readings import Reading
from twin.firmware.keithley2400.settings import CURR, RES, VOLT
from twin.firmware.scpi import DATA_STALE, ScpiError

BYTES_PER_READING = 24
"""Assumed, for :TRACe:FREE?."""
DEFAULT_POINTS = 100

STATISTICS: dict[str, Callable[[Sequence[float]], float]] = {
    "MEAN": statistics.fmean,
    "SDEV": lambda values: statistics.stdev(values) if len(values) > 1 else 0.0,
    "MAX": max,
    "MIN": min,
    "PKPK": lambda values: max(values) - min(values),
}


class Trace:
    """The buffer: it takes what is fed to it until it is full; *RST leaves it alone.

    Attributes:
        n_points: size.
        feed: ``SENS``, ``CALC`` or ``CALC2``.
        is_storing: what is measured goes in.
        stamps: ``ABS`` or ``DELT``.
        readings: what is in it.
        computed: results of CALCulate1 or 2 in their place.
    """

    def __init__(self) -> None:
        self.n_points = DEFAULT_POINTS
        self.feed = "SENS"
        self.is_storing = False
        self.stamps = "ABS"
        self.readings: list[Reading] = []
        self.computed: list[float] = []

    def set_points(self, n_points: int) -> None:
        """Set the size; the buffer is empty then."""
        self._check_idle()
        self.n_points = n_points
        self.clear()

    def set_feed(self, feed: str) -> None:
        """Choose what goes in."""
        self._check_idle()
        self.feed = feed

    def set_control(self, control: str) -> None:
        """NEXT starts to fill the buffer anew, NEVer stops."""
        if control == "NEXT":
            self.clear()
        self.is_storing = control == "NEXT"

    def clear(self) -> None:
        """Empty the buffer."""
        self.readings, self.computed = [], []

    def store(self, reading: Reading, computed: float) -> None:
        """Take a reading, if the buffer is being filled."""
        if not self.is_storing:
            return
        self.readings.append(reading)
        self.computed.append(computed)
        if self.is_full:
            self.is_storing = False

    @property
    def is_full(self) -> bool:
        """Whether there is no place left."""
        return len(self.readings) >= self.n_points

    def stamped(self) -> list[Reading]:
        """Return the readings with the time stamps that are asked for."""
        if not self.readings:
            raise ScpiError(DATA_STALE)
        times_s = [reading.t_s for reading in self.readings]
        origins_s = [times_s[0]] * len(times_s)
        if self.stamps == "DELT":
            origins_s = [times_s[0], *times_s[:-1]]
        pairs = zip(self.readings, origins_s, strict=True)
        return [reading.at(reading.t_s - zero_s) for reading, zero_s in pairs]

    def statistic(self, name: str) -> list[float]:
        """Return a statistic of each quantity that was measured, or of what was computed."""
        if not self.readings:
            raise ScpiError(DATA_STALE)
        function = STATISTICS[name]
        if self.feed != "SENS":
            return [function(self.computed)]
        measured = [q for q in (VOLT, CURR, RES) if self.readings[0].is_measured(q)]
        return [function([r.value(quantity) for r in self.readings]) for quantity in measured]

    def _check_idle(self) -> None:
        if self.is_storing:
            raise ScpiError(*ILLEGAL_WHILE_STORING)
