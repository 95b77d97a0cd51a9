"""Settings of one channel, with their values after a reset.

Ranges are indices into those of the model, in rising order.

Source: manual 2600BS-901-01, "TSP command reference": default values of smuX.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from twin.firmware.keithley2600.models import Model
from twin.firmware.source_measure import Function

DELAY_AUTO = -1.0
AUTORANGE_OFF, AUTORANGE_ON, AUTORANGE_FOLLOW_LIMIT = 0, 1, 2
FILTER_MOVING_AVG, FILTER_REPEAT_AVG, FILTER_MEDIAN = 0, 1, 2
AUTOZERO_OFF, AUTOZERO_ONCE, AUTOZERO_AUTO = 0, 1, 2
OUTPUT_OFF, OUTPUT_ON, OUTPUT_HIGH_Z = 0, 1, 2
SOURCE_IDLE, SOURCE_HOLD = 0, 1
_MEASURE_RANGE_A = 100e-3


@dataclass
class Ranging:
    """The range of one quantity.

    Attributes:
        index: in use, or the last one in use where it follows the signal.
        auto: whether it follows the signal, or the limit.
        low: lowest index that it goes down to by itself.
    """

    index: int = 0
    auto: int = AUTORANGE_ON
    low: int = 0


@dataclass
class Source:
    """``smuX.source``: what is put out.

    Attributes:
        function: value of ``func``.
        level_v: of the voltage source.
        level_a: of the current source.
        range_v: of the voltage source.
        range_a: of the current source.
        limit_v: of the current source.
        limit_a: of the voltage source.
        limit_w: power of either; 0 for none.
        delay_s: after every change of the level; -1 for the settling time of the range.
    """

    limit_v: float
    limit_a: float
    off_limit_v: float
    function: int = Function.VOLTS.value
    level_v: float = 0.0
    level_a: float = 0.0
    range_v: Ranging = field(default_factory=Ranging)
    range_a: Ranging = field(default_factory=Ranging)
    limit_w: float = 0.0
    delay_s: float = 0.0
    off_mode: int = 0
    off_function: int = Function.VOLTS.value
    off_limit_a: float = 1e-3
    sink: int = 0
    settling: int = 0
    output_enable_action: int = 0

    @classmethod
    def of(cls, model: Model) -> Source:
        """Return the settings of a model."""
        return cls(model.limit_v, model.limit_a, model.limit_v)


@dataclass
class Relative:
    """``smuX.measure.rel``: what is taken off readings of each quantity."""

    enable_v: int = 0
    enable_i: int = 0
    enable_r: int = 0
    enable_p: int = 0
    level_v: float = 0.0
    level_i: float = 0.0
    level_r: float = 0.0
    level_p: float = 0.0


@dataclass
class Measure:
    """``smuX.measure``: how it is measured.

    Attributes:
        range_v: used while current is sourced.
        range_a: used while voltage is sourced.
        nplc: integration time in power line cycles.
        count: readings of one command.
        delay_s: before the first of them; -1 for the settling time of the range.
        delay_factor: multiplies the automatic delay.
        interval_s: from reading to reading.
        filter_count: conversions of one reading, where the filter is on.
    """

    delay_s: float
    range_a: Ranging
    range_v: Ranging = field(default_factory=Ranging)
    nplc: float = 1.0
    autozero: int = AUTOZERO_AUTO
    count: int = 1
    delay_factor: float = 1.0
    high_c_delay_factor: float = 10.0
    interval_s: float = 0.0
    filter_on: int = 0
    filter_type: int = FILTER_REPEAT_AVG
    filter_count: int = 1
    analog_filter: int = 1
    relative: Relative = field(default_factory=Relative)

    @classmethod
    def of(cls, model: Model) -> Measure:
        """Return the settings of a model."""
        index = model.smu.measure_a.fitting(_MEASURE_RANGE_A)
        return cls(model.measure_delay_s, Ranging(index))
