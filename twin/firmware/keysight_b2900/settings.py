"""Settings of one channel, with the values that they have after a reset.

Source: command reference B2910-90030, "Subsystem Command Summary".
Assumed: the immediate level sets the triggered level as well; all three measurement functions are
enabled after a reset; the automatic aperture is 0.1 power line cycles on every range.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from twin.firmware.keysight_b2900.model import (
    A_RANGES_A,
    MIN_TRIGGER_PERIOD_S,
    V_RANGES_V,
    range_index,
)

VOLT, CURR, RES = "VOLT", "CURR", "RES"
FULL_SCALES = {VOLT: V_RANGES_V, CURR: A_RANGES_A}
OTHER = {VOLT: CURR, CURR: VOLT}
DEFAULT_LIMITS = {VOLT: 2.0, CURR: 100e-6}
DEFAULT_NPLC = 0.1


@dataclass
class Ranging:
    """A range that is fixed, or follows what it has to hold.

    Attributes:
        full_scales: in rising order.
        index: range that is fixed, or was used last.
        auto: whether it follows.
        lowest: index of the lowest range that it follows to.
    """

    full_scales: tuple[float, ...]
    index: int
    auto: bool = True
    lowest: int = 0

    @property
    def full_scale(self) -> float:
        """Full scale of the range."""
        return self.full_scales[self.index]

    def fix(self, value: float) -> None:
        """Take the lowest range that holds ``value``; do not follow any more."""
        self.index, self.auto = range_index(self.full_scales, value), False

    def follow(self, value: float) -> int:
        """Return the range for ``value``: the fixed one, or the lowest that holds it."""
        if self.auto:
            self.index = max(range_index(self.full_scales, value), self.lowest)
        return self.index


@dataclass
class Wait:
    """How long a channel waits after a change of its source.

    Attributes:
        on: whether it waits at all.
        auto: whether the time that the instrument chooses is part of it.
        gain_ratio: factor to that time.
        offset_s: added to it.
    """

    on: bool = True
    auto: bool = True
    gain_ratio: float = 1.0
    offset_s: float = 0.0

    def time_s(self, initial_s: float) -> float:
        """Return the wait, where ``initial_s`` is the time that the instrument chooses."""
        if not self.on:
            return 0.0
        return (self.gain_ratio * initial_s if self.auto else 0.0) + self.offset_s


@dataclass
class Sweep:
    """Start, stop and step of one function.

    Attributes:
        start: first level.
        stop: end of the span.
        step: between levels; kept consistent with the number of points.
    """

    start: float = 0.0
    stop: float = 0.0
    step: float = 0.0


@dataclass
class LevelSettings:
    """What one source function puts out.

    Attributes:
        ranging: of the source.
        level: immediate level; base of pulses.
        triggered: level after a trigger; peak of pulses.
        mode: FIX, SWE or LIST.
        sweep: for SWE.
        values: for LIST.
        list_start: for LIST, the value that comes first, from 1.
        stored_range: index of the range that was asked for last; None for none.
    """

    ranging: Ranging
    level: float = 0.0
    triggered: float = 0.0
    mode: str = "FIX"
    sweep: Sweep = field(default_factory=Sweep)
    values: list[float] = field(default_factory=lambda: [0.0])
    list_start: int = 1
    stored_range: int | None = None


@dataclass
class SourceSettings:
    """The source of a channel.

    Attributes:
        function: VOLT or CURR.
        shape: DC or PULS.
        by_function: levels, for VOLT and CURR.
        points: of sweeps.
        direction: UP or DOWN.
        spacing: LIN or LOG.
        staircase: SING or DOUB.
        ranging: of sweeps: BEST, AUTO or FIX.
        pulse_delay_s: from the start of the output to the start of a pulse.
        pulse_width_s: of a pulse.
        wait: after a change of the output.
        keeps_last: whether the last level of a run stays.
    """

    function: str = VOLT
    shape: str = "DC"
    by_function: dict[str, LevelSettings] = field(
        default_factory=lambda: {
            VOLT: LevelSettings(Ranging(V_RANGES_V, range_index(V_RANGES_V, 2.0))),
            CURR: LevelSettings(Ranging(A_RANGES_A, range_index(A_RANGES_A, 100e-6))),
        }
    )
    points: int = 1
    direction: str = "UP"
    spacing: str = "LIN"
    staircase: str = "SING"
    ranging: str = "BEST"
    pulse_delay_s: float = 0.0
    pulse_width_s: float = 50e-6
    wait: Wait = field(default_factory=Wait)
    keeps_last: bool = False

    @property
    def active(self) -> LevelSettings:
        """Levels of the function that is sourced."""
        return self.by_function[self.function]


@dataclass
class QuantitySettings:
    """Measurement of one quantity, and the limit that it is held to.

    Attributes:
        ranging: of the measurement.
        limits: of positive and of negative values; both are magnitudes.
        highest: index of the highest range that automatic ranging takes.
        auto_mode: NORM, RES or SPE.
        threshold_percent: of automatic ranging.
    """

    ranging: Ranging
    limits: list[float]
    highest: int
    auto_mode: str = "NORM"
    threshold_percent: float = 90.0

    def limit(self, sign: float) -> float:
        """Return the limit on the side of ``sign``."""
        return self.limits[1 if sign < 0 else 0]


@dataclass
class ResistanceRange:
    """Range of resistance measurements with a test current that the instrument chooses.

    It has no effect on those with the current that is sourced.
    """

    full_scale_ohm: float = 2.0
    auto: bool = True
    lowest_ohm: float = 2.0
    highest_ohm: float = 200e6


@dataclass
class SenseSettings:
    """The measurement of a channel.

    Attributes:
        functions: what is measured: VOLT, CURR, RES.
        by_function: of VOLT and CURR.
        nplc: integration time in power line cycles.
        nplc_auto: whether the instrument chooses it.
        four_wire: remote sensing.
        wait: after a change of the source.
        resistance: kept and answered.
    """

    functions: set[str] = field(default_factory=lambda: {VOLT, CURR, RES})
    by_function: dict[str, QuantitySettings] = field(
        default_factory=lambda: {
            name: QuantitySettings(
                Ranging(tops, range_index(tops, DEFAULT_LIMITS[name]), lowest=lowest),
                [DEFAULT_LIMITS[name]] * 2,
                highest=len(tops) - 1,
            )
            for name, tops, lowest in ((VOLT, V_RANGES_V, 0), (CURR, A_RANGES_A, 1))
        }
    )
    nplc: float = DEFAULT_NPLC
    nplc_auto: bool = True
    four_wire: bool = False
    wait: Wait = field(default_factory=Wait)
    resistance: ResistanceRange = field(default_factory=ResistanceRange)


@dataclass
class Layer:
    """Arm or trigger layer of one device action.

    Attributes:
        source: AINT, TIM or BUS.
        count: how often; ``model.INFINITE`` for no end.
        delay_s: from the event to what follows.
        period_s: of TIM.
        bypass: whether the first event is not waited for.
    """

    source: str = "AINT"
    count: int = 1
    delay_s: float = 0.0
    period_s: float = MIN_TRIGGER_PERIOD_S
    bypass: bool = False


@dataclass
class ActionSettings:
    """Both layers of one device action."""

    arm: Layer = field(default_factory=Layer)
    trigger: Layer = field(default_factory=Layer)


@dataclass
class OutputSettings:
    """The output of a channel.

    Attributes:
        off_mode: NORM, HIZ or ZERO.
        off_auto: whether it goes off at the end of a run.
        on_auto: whether runs and measurements switch it on.
        protection: whether reaching the limit switches it off.
        low: FLO or GRO.
    """

    off_mode: str = "NORM"
    off_auto: bool = False
    on_auto: bool = True
    protection: bool = False
    low: str = "GRO"


@dataclass
class ChannelSetup:
    """All settings of a channel.

    Attributes:
        source: the source.
        sense: the measurement.
        actions: TRAN and ACQ.
        output: the output.
    """

    source: SourceSettings = field(default_factory=SourceSettings)
    sense: SenseSettings = field(default_factory=SenseSettings)
    actions: dict[str, ActionSettings] = field(
        default_factory=lambda: {"TRAN": ActionSettings(), "ACQ": ActionSettings()}
    )
    output: OutputSettings = field(default_factory=OutputSettings)
