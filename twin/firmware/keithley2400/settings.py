"""Settings of a Keithley 2400, with their values after *RST.

Source: manual 2400S-900-01 Rev. K, tables 18-1 to 18-11. Assumed: but for the byte order,
:SYSTem:PRESet sets what *RST sets.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from twin.firmware.keithley2400.model import (
    I_RANGES_A,
    MAX_POINTS,
    OVERFLOW,
    R_RANGES_OHM,
    V_RANGES_V,
)

VOLT, CURR, RES = "VOLT", "CURR", "RES"
LIMITED_BY = {VOLT: CURR, CURR: VOLT}
ELEMENTS = (VOLT, CURR, RES, "TIME", "STAT")
LIMIT_NUMBERS = (2, 3, 5, 6, 7, 8, 9, 10, 11, 12)


@dataclass
class Range:
    """A set of ranges by full scale, the one in use, and whether it follows the signal."""

    full_scales: tuple[float, ...]
    full_scale: float
    auto: bool = True

    @property
    def index(self) -> int:
        """Position of the one in use, in rising order."""
        return self.full_scales.index(self.full_scale)

    def fitting(self, value: float) -> float:
        """Return the smallest full scale that holds ``value``."""
        return next((f for f in self.full_scales if abs(value) <= f * (1 + 1e-9)), OVERFLOW)

    def fitting_index(self, value: float) -> int:
        """Return the position of the smallest range that holds ``value``, or of the largest."""
        fitting = self.fitting(value)
        return len(self.full_scales) - 1 if fitting == OVERFLOW else self.full_scales.index(fitting)

    def fix(self, value: float) -> None:
        """Take the range for ``value`` and stay there."""
        self.full_scale = self.fitting(value)
        self.auto = False

    def follow(self, value: float) -> None:
        """Take the range for ``value`` if the range is automatic."""
        if self.auto:
            self.full_scale = min(self.fitting(value), self.full_scales[-1])


@dataclass
class Source:
    """What one source function is set to.

    Attributes:
        range: of the level.
        level: put out at once.
        triggered: put out with the next trigger; None where none is waiting.
        mode: FIX, LIST or SWE.
        start: of a sweep.
        stop: of a sweep.
        points: of a list sweep.
        first: point of the list that a list sweep starts at, from 1.
    """

    range: Range
    level: float = 0.0
    triggered: float | None = None
    mode: str = "FIX"
    start: float = 0.0
    stop: float = 0.0
    points: list[float] = field(default_factory=lambda: [0.0])
    first: int = 1


@dataclass
class Sweep:
    """What linear and logarithmic sweeps have in common."""

    spacing: str = "LIN"
    n_points: int = MAX_POINTS
    direction: str = "UP"
    ranging: str = "BEST"
    abort: str = "NEV"


@dataclass
class Layer:
    """One layer of the trigger model.

    Attributes:
        count: passes; inf for no end (arm layer only).
        source: of its events.
        direction: ``SOUR`` lets the first pass through without an event.
        input_line: trigger link line of its events.
        output_line: trigger link line of its pulses.
        output: when it sends a pulse.
        timer_s: between events of a timer (arm layer).
        delay_s: before each source-delay-measure cycle (trigger layer).
        inputs: where it waits for events (trigger layer).
    """

    input_line: int
    output_line: int
    count: float = 1
    source: str = "IMM"
    direction: str = "ACC"
    output: list[str] = field(default_factory=lambda: ["NONE"])
    timer_s: float = 0.1
    delay_s: float = 0.0
    inputs: list[str] = field(default_factory=lambda: ["SOUR"])


@dataclass
class Limit:
    """One limit test of CALCulate2."""

    lower: float = -1.0
    upper: float = 1.0
    is_on: bool = False


def v_range() -> Range:
    """Return the voltage ranges as after *RST."""
    return Range(V_RANGES_V, 21.0)


def i_range() -> Range:
    """Return the current ranges as after *RST."""
    return Range(I_RANGES_A, 1.05e-4)


def r_range() -> Range:
    """Return the resistance ranges as after *RST."""
    return Range(R_RANGES_OHM, 2.1e5)


@dataclass
class Setup:
    """Everything that *RST sets; the defaults are its values.

    ``delay_s`` counts while the automatic delay is off.
    """

    source_function: str = VOLT
    sources: dict[str, Source] = field(
        default_factory=lambda: {VOLT: Source(v_range()), CURR: Source(i_range())}
    )
    sweep: Sweep = field(default_factory=Sweep)
    delay_s: float = 0.0
    delay_auto: bool = True
    protection_v: float = V_RANGES_V[-1]
    auto_output_off: bool = False
    auto_output_off_mode: str = "ALW"
    output_off_state: str = "NORM"
    output_enable: bool = False
    compliance_a: float = 1.05e-4
    compliance_v: float = 21.0
    synchronizes_ranges: bool = False
    functions: frozenset[str] = frozenset({CURR})
    concurrent: bool = True
    n_plc: float = 1.0
    ranges: dict[str, Range] = field(
        default_factory=lambda: {VOLT: v_range(), CURR: i_range(), RES: r_range()}
    )
    lowest_auto: dict[str, float] = field(
        default_factory=lambda: {VOLT: 0.21, CURR: 1.05e-6, RES: 21.0}
    )
    highest_ohms: float = R_RANGES_OHM[-1]
    ohms_mode: str = "AUTO"
    filter_on: bool = False
    filter_type: str = "REP"
    filter_count: int = 10
    elements: frozenset[str] = frozenset(ELEMENTS)
    data_format: str = "ASC"
    byte_order: str = "NORM"
    register_format: str = "ASC"
    four_wire: bool = False
    guard: str = "CABL"
    range_change_mode: str = "SING"
    terminals: str = "FRON"
    auto_zero: bool = True
    resets_time: bool = False
    caches_zero: bool = False
    display_on: bool = True
    digits: int = 6
    digital_output: int = 15
    arm: Layer = field(default_factory=lambda: Layer(1, 2))
    trigger: Layer = field(default_factory=lambda: Layer(1, 2))
    computes: bool = False
    feed: str = VOLT
    null_offset: float = 0.0
    null_on: bool = False
    compliance_limit_on: bool = False
    compliance_limit_fails: str = "IN"
    limits: dict[int, Limit] = field(
        default_factory=lambda: {number: Limit() for number in LIMIT_NUMBERS}
    )
    statistic: str = "MEAN"

    @property
    def source(self) -> Source:
        """What is sourced."""
        return self.sources[self.source_function]

    @property
    def is_auto_ohms(self) -> bool:
        """Whether the instrument chooses the source current, to measure resistance."""
        return RES in self.functions and self.ohms_mode == "AUTO"

    @property
    def n_readings(self) -> float:
        """How many readings one run of the trigger model takes."""
        return self.arm.count * self.trigger.count

    def compliance(self, function: str) -> float:
        """Return the limit of a quantity."""
        return self.compliance_a if function == CURR else self.compliance_v

    @property
    def has_no_end(self) -> bool:
        """Whether the trigger model runs until it is aborted."""
        return math.isinf(self.arm.count)


def preset() -> Setup:
    """Return the settings after :SYSTem:PRESet, with which the instrument wakes up."""
    return Setup(byte_order="SWAP")
