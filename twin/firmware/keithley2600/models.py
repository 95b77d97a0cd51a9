"""What tells the models of the 2600B series apart: ranges, accuracy, limits, defaults.

The 10 A range, for pulses only, is left out. Noise is given for 0.1 to 10 Hz from peak to peak.

Source: data sheets SPEC-2602B Rev. B and SPEC-2636B (accuracy 1 year, 23 +- 5 degC; noise;
settling within 0.1 %; derating by NPLC); manual 2600BS-901-01 (limits and defaults). Not checked
against the sheet: voltage ranges of the 2636B, and its current ranges below 1 uA.

Assumed: source and measurement settle alike on a range of currents, and are as noisy as each other;
ranges derate alike, as the worst of them but those below 1 uA; one conversion takes 33 us beyond
its integration, which makes the 20 000 readings per second of the sheet at 0.001 PLC and 60 Hz.
"""

from __future__ import annotations

from dataclasses import dataclass

from hil.instruments.accuracy import (
    KEITHLEY_2602B,
    KEITHLEY_2636B,
    AccuracyTable,
    RangeAccuracy,
)
from twin.firmware.source_converters import ConverterSpec, SmuSpec

SIGMA_PER_PEAK_TO_PEAK = 1 / 6
SOURCE_OVER_RANGE_RATIO = 1.01
MEASURE_OVER_RANGE_RATIO = 1.02
CONVERSION_OVERHEAD_S = 33e-6
PERCENT = 0.01
SHORT_APERTURE = ((1.0, 0.0), (0.1, 1e-4), (0.01, 7e-4), (0.001, 6e-3))

Row = tuple[float, float, float, float]
"""Full scale, gain in percent, offset, noise from peak to peak."""


@dataclass(frozen=True)
class Model:
    """One model.

    Attributes:
        name: as ``localnode.model`` gives it.
        smu: ranges and accuracy of each channel.
        limit_v: voltage limit after a reset.
        limit_a: current limit after a reset.
        min_limit_v: smallest voltage limit.
        min_limit_a: smallest current limit.
        high_v: voltages above belong to the highest range, which bears less current.
        max_a_at_high_v: the current that it bears.
        measure_delay_s: after a reset; -1 for automatic.
    """

    name: str
    smu: SmuSpec
    limit_v: float
    limit_a: float
    min_limit_v: float
    min_limit_a: float
    high_v: float
    max_a_at_high_v: float
    measure_delay_s: float

    @property
    def max_v(self) -> float:
        """Largest voltage, without over-range."""
        return self.smu.source_v.full_scales[-1]

    @property
    def max_a(self) -> float:
        """Largest current, without over-range."""
        return self.smu.source_a.full_scales[-1]

    def is_safe(self, v_v: float, i_a: float) -> bool:
        """Return whether voltage and current are within the safe operating area together."""
        reach = SOURCE_OVER_RANGE_RATIO
        return abs(v_v) <= self.high_v * reach or abs(i_a) <= self.max_a_at_high_v * reach


def _source_a(*rows: Row) -> AccuracyTable:
    return AccuracyTable(
        tuple(
            RangeAccuracy(full_scale, gain * PERCENT, offset, noise_pp * SIGMA_PER_PEAK_TO_PEAK)
            for full_scale, gain, offset, noise_pp in rows
        )
    )


_SOURCE_1_UA_TO_1_A: tuple[Row, ...] = (
    (1e-6, 0.03, 800e-12, 25e-12),
    (10e-6, 0.03, 5e-9, 60e-12),
    (100e-6, 0.03, 60e-9, 3e-9),
    (1e-3, 0.03, 300e-9, 6e-9),
    (10e-3, 0.03, 6e-6, 200e-9),
    (100e-3, 0.03, 30e-6, 600e-9),
    (1.0, 0.05, 1.8e-3, 70e-6),
)
_SOURCE_STEPS_1_UA_TO_1_A = (20e-12, 200e-12, 2e-9, 20e-9, 200e-9, 2e-6, 20e-6)
_MEASURE_STEPS_1_UA_TO_1_A = (1e-12, 10e-12, 100e-12, 1e-9, 10e-9, 100e-9, 1e-6)
_SETTLES_1_UA_TO_1_A_S = (2e-3, 500e-6, 150e-6, 100e-6, 80e-6, 80e-6, 80e-6)

_SETTLES_2602_V_S = (50e-6, 50e-6, 110e-6, 150e-6)
_SETTLES_2602_A_S = (20e-3, *_SETTLES_1_UA_TO_1_A_S, 80e-6)

K2602B = Model(
    name="2602B",
    smu=SmuSpec(
        source_v=ConverterSpec(
            KEITHLEY_2602B.source_v, (5e-6, 50e-6, 50e-6, 500e-6), _SETTLES_2602_V_S
        ),
        source_a=ConverterSpec(
            _source_a(
                (100e-9, 0.06, 100e-12, 5e-12),
                *_SOURCE_1_UA_TO_1_A,
                (3.0, 0.06, 4e-3, 150e-6),
            ),
            (2e-12, *_SOURCE_STEPS_1_UA_TO_1_A, 20e-6),
            _SETTLES_2602_A_S,
        ),
        measure_v=ConverterSpec(
            KEITHLEY_2602B.measure_v, (100e-9, 1e-6, 1e-6, 10e-6), _SETTLES_2602_V_S
        ),
        measure_a=ConverterSpec(
            KEITHLEY_2602B.measure_a,
            (100e-15, *_MEASURE_STEPS_1_UA_TO_1_A, 1e-6),
            _SETTLES_2602_A_S,
        ),
        short_aperture=SHORT_APERTURE,
        overhead_s=CONVERSION_OVERHEAD_S,
        over_range_ratio=MEASURE_OVER_RANGE_RATIO,
    ),
    limit_v=40.0,
    limit_a=1.0,
    min_limit_v=10e-3,
    min_limit_a=10e-9,
    high_v=6.0,
    max_a_at_high_v=1.0,
    measure_delay_s=0.0,
)

_SETTLES_2636_V_S = (50e-6, 50e-6, 110e-6, 700e-6)
_SETTLES_2636_A_S = (360e-3, 90e-3, 15e-3, *_SETTLES_1_UA_TO_1_A_S, 120e-6)

K2636B = Model(
    name="2636B",
    smu=SmuSpec(
        source_v=ConverterSpec(
            KEITHLEY_2636B.source_v, (5e-6, 50e-6, 500e-6, 5e-3), _SETTLES_2636_V_S
        ),
        source_a=ConverterSpec(
            _source_a(
                (1e-9, 0.15, 2e-12, 800e-15),
                (10e-9, 0.15, 5e-12, 2e-12),
                (100e-9, 0.06, 50e-12, 5e-12),
                *_SOURCE_1_UA_TO_1_A,
                (1.5, 0.06, 4e-3, 150e-6),
            ),
            (20e-15, 200e-15, 2e-12, *_SOURCE_STEPS_1_UA_TO_1_A, 50e-6),
            _SETTLES_2636_A_S,
        ),
        measure_v=ConverterSpec(
            KEITHLEY_2636B.measure_v, (100e-9, 1e-6, 10e-6, 100e-6), _SETTLES_2636_V_S
        ),
        measure_a=ConverterSpec(
            KEITHLEY_2636B.measure_a,
            (0.1e-15, 1e-15, 10e-15, 100e-15, *_MEASURE_STEPS_1_UA_TO_1_A, 1e-6),
            (360e-3, *_SETTLES_2636_A_S),
        ),
        short_aperture=SHORT_APERTURE,
        overhead_s=CONVERSION_OVERHEAD_S,
        over_range_ratio=MEASURE_OVER_RANGE_RATIO,
    ),
    limit_v=20.0,
    limit_a=100e-3,
    min_limit_v=20e-3,
    min_limit_a=100e-12,
    high_v=20.0,
    max_a_at_high_v=100e-3,
    measure_delay_s=-1.0,
)
