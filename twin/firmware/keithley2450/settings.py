"""Settings of a Keithley 2450, with their values after *RST.

Source: manual 2450-901-01, "SCPI command reference". Assumed: the automatic range that is shown
before anything was measured.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Self

from twin.firmware.keithley2450.calculations import LimitTest, MathSettings
from twin.firmware.keithley2450.model import (
    A_RANGES_A,
    OHM_RANGES,
    OVER_RANGE_RATIO,
    V_RANGES_V,
    range_index,
)

VOLT, CURR, RES = "VOLT", "CURR", "RES"
UNITS = {VOLT: "VOLT", CURR: "AMP", RES: "OHM"}
NONE = "NONE"
N_USER_DELAYS = 5


@dataclass
class Range:
    """The range in use, and whether it follows the signal.

    Attributes:
        full_scales: in rising order.
        index: of the range in use.
        auto: it follows the signal.
        low: index of the lowest range that it follows to.
        high: index of the highest one.
    """

    full_scales: tuple[float, ...]
    index: int = 0
    auto: bool = True
    low: int = 0
    high: int = -1

    def __post_init__(self) -> None:
        self.high = len(self.full_scales) - 1 if self.high < 0 else self.high

    @property
    def full_scale(self) -> float:
        """Full scale of the range in use."""
        return self.full_scales[self.index]

    @property
    def reach(self) -> float:
        """Largest value on the range in use."""
        return OVER_RANGE_RATIO * self.full_scale

    def holds(self, value: float) -> bool:
        """Whether a value is on a range that is in use or that can be taken."""
        return self.auto or abs(value) <= self.reach * (1 + 1e-9)

    def fitting(self, value: float) -> int:
        """Return the index of the lowest range that holds ``value``."""
        return range_index(self.full_scales, value)

    def fix(self, value: float) -> None:
        """Take the range for ``value`` and stay there."""
        self.index, self.auto = self.fitting(value), False

    def follow(self, value: float) -> None:
        """Take the range for ``value`` if the range is automatic."""
        if self.auto:
            self.index = min(max(self.fitting(value), self.low), self.high)


@dataclass
class SourceSettings:
    """Of one source function.

    Attributes:
        level: programmed, in volts or amperes.
        limit: of the other quantity.
        range: of the level.
        delay_s: after a change of the level, before the next measurement.
        delay_auto: the delay follows the current range.
        user_delays_s: for dynamic delay blocks.
        high_capacitance: slower and stable with capacitive loads.
        read_back: the source value is measured.
        off_state: what the terminals see while the output is off.
    """

    limit: float
    range: Range
    level: float = 0.0
    delay_s: float = 1e-3
    delay_auto: bool = True
    user_delays_s: list[float] = field(default_factory=lambda: [0.0] * N_USER_DELAYS)
    high_capacitance: bool = False
    read_back: bool = True
    off_state: str = "NORM"

    def copied(self) -> Self:
        """Return a copy that shares nothing with this."""
        return replace(self, range=copy.copy(self.range), user_delays_s=list(self.user_delays_s))


@dataclass
class SenseSettings:
    """Of one measurement function.

    Attributes:
        unit: of the reading; ``OHM`` and ``WATT`` are computed from voltage and current.
        range: of the measurement.
        nplc: integration time in power line cycles.
        auto_zero: references are refreshed by themselves.
        four_wire: sensed at the device.
        filter_on: readings are averaged.
        filter_count: how many.
        filter_type: ``REP`` or ``MOV``.
        relative_on: an offset is subtracted.
        relative: that offset.
        offset_compensated: thermal voltages are taken out of resistances.
        user_delays_s: for dynamic delay blocks.
        digits: on the display.
        math: what becomes of a reading.
        limits: tests that a reading is put to.
    """

    unit: str
    range: Range
    nplc: float = 1.0
    auto_zero: bool = True
    four_wire: bool = False
    filter_on: bool = False
    filter_count: int = 10
    filter_type: str = "REP"
    relative_on: bool = False
    relative: float = 0.0
    offset_compensated: bool = False
    user_delays_s: list[float] = field(default_factory=lambda: [0.0] * N_USER_DELAYS)
    digits: int = 5
    math: MathSettings = field(default_factory=MathSettings)
    limits: list[LimitTest] = field(default_factory=lambda: [LimitTest(), LimitTest()])

    def copied(self) -> Self:
        """Return a copy that shares nothing with this."""
        return copy.deepcopy(self)


def _sources() -> dict[str, SourceSettings]:
    return {
        VOLT: SourceSettings(1.05e-4, Range(V_RANGES_V)),
        CURR: SourceSettings(21.0, Range(A_RANGES_A)),
    }


def _senses() -> dict[str, SenseSettings]:
    return {
        VOLT: SenseSettings("VOLT", Range(V_RANGES_V)),
        CURR: SenseSettings("AMP", Range(A_RANGES_A)),
        RES: SenseSettings("OHM", Range(OHM_RANGES, index=4)),
    }


@dataclass
class SourceSetup:
    """What a source configuration list holds: the source function and its settings.

    Attributes:
        function: what is sourced.
        by_function: settings of both functions.
        protection: overvoltage protection, ``PROT2`` to ``PROT180`` or ``NONE``.
    """

    function: str = VOLT
    by_function: dict[str, SourceSettings] = field(default_factory=_sources)
    protection: str = NONE

    @property
    def active(self) -> SourceSettings:
        """Settings of the function that is sourced."""
        return self.by_function[self.function]

    @property
    def protection_v(self) -> float:
        """Largest voltage that the overvoltage protection lets out."""
        return math.inf if self.protection == NONE else float(self.protection[4:])

    def restored(self, stored: Self) -> Self:
        """Return this with the active function of what was stored; other functions stay."""
        own = {stored.function: stored.active.copied()}
        return replace(stored, by_function=self.by_function | own)

    def with_level(self, level: float) -> Self:
        """Return a copy with another level of the active function."""
        copied = self.restored(self)
        copied.active.level = level
        copied.active.range.follow(level)
        return copied


@dataclass
class SenseSetup:
    """What a measure configuration list holds: the measurement function and its settings.

    Attributes:
        function: what is measured.
        by_function: settings of all functions.
    """

    function: str = CURR
    by_function: dict[str, SenseSettings] = field(default_factory=_senses)

    @property
    def active(self) -> SenseSettings:
        """Settings of the function that is measured."""
        return self.by_function[self.function]

    def restored(self, stored: Self) -> Self:
        """Return this with the active function of what was stored; other functions stay."""
        own = {stored.function: stored.active.copied()}
        return replace(stored, by_function=self.by_function | own)


@dataclass
class Setup:
    """Everything that *RST sets and *SAV saves; the defaults are the values of *RST.

    Attributes:
        source: of the source.
        sense: of the measurement.
        count: measurements for each request.
        terminals: ``FRON`` or ``REAR``; both are wired to the same place.
        data_format: ``ASC``, ``REAL`` or ``SRE``.
        byte_order: ``NORM`` or ``SWAP``.
        precision: digits of readings; 0 for automatic.
    """

    source: SourceSetup = field(default_factory=SourceSetup)
    sense: SenseSetup = field(default_factory=SenseSetup)
    count: int = 1
    terminals: str = "FRON"
    data_format: str = "ASC"
    byte_order: str = "SWAP"
    precision: int = 0


StoredSetup = SourceSetup | SenseSetup
"""What one position of a configuration list holds."""


@dataclass
class ConfigurationList:
    """Stored settings; positions count from 1.

    Attributes:
        entries: what is stored, all of one kind.
        position: which was recalled last; 0 for none.
    """

    entries: list[StoredSetup] = field(default_factory=list)
    position: int = 0

    def recall(self, index: int) -> StoredSetup | None:
        """Return what is stored at a position, and stay there; None if there is nothing."""
        if not 1 <= index <= len(self.entries):
            return None
        self.position = index
        return self.entries[index - 1]

    def step(self, by: int) -> StoredSetup | None:
        """Return what is stored at the next position, round and round; None in an empty list."""
        n = len(self.entries)
        if not n:
            return None
        here = self.position if self.position or by > 0 else n + 1
        return self.recall((here + by - 1) % n + 1)


class ConfigurationLists:
    """Configuration lists of one kind by name, in the order of their creation."""

    def __init__(self) -> None:
        self._lists: dict[str, ConfigurationList] = {}
        self._catalog: Iterator[str] | None = None

    def create(self, name: str) -> ConfigurationList:
        """Make an empty list; one of that name is lost."""
        self._lists[name] = ConfigurationList()
        return self._lists[name]

    def find(self, name: str) -> ConfigurationList | None:
        """Return the list of a name, or None."""
        return self._lists.get(name)

    def delete(self, name: str) -> None:
        """Remove a list."""
        self._lists.pop(name, None)

    def next_name(self) -> str:
        """Return one name after the other, then an empty one."""
        if self._catalog is None:
            self._catalog = iter(list(self._lists))
        name = next(self._catalog, "")
        if not name:
            self._catalog = None
        return name

    def rewind(self) -> None:
        """Forget which position of each list was recalled last."""
        for one in self._lists.values():
            one.position = 0
