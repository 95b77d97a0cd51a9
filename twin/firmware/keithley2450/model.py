"""Ranges, errors and times of a Keithley 2450.

Source: data sheet SPEC-2450 Rev. A (accuracy, resolution, settling of the source); manual
2450-901-01, "Source delay" (automatic delays), "Operating boundaries".

Assumed: readings of a current range settle within half the automatic delay of the manual; the
source settles as on the range of the sheet, the 200 V range in 1 ms; short integrations scatter as
those of the 2602B; one conversion takes 155 us beyond its integration, which makes about 3100
readings per second at 0.01 power line cycles and 60 Hz.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from hil.instruments.accuracy import KEITHLEY_2450, AccuracyTable, RangeAccuracy
from twin.firmware.source_converters import ConverterSpec, SmuSpec

OVER_RANGE_RATIO = 1.05
MIN_LIMIT_A = 1e-9
MIN_LIMIT_V = 0.02
MAX_A, MAX_V = 1.05, 210.0
HIGH_V, MAX_A_AT_HIGH_V = 21.0, 0.105
"""Above this voltage the instrument gives no more than this current."""

AUTO_DELAY_S = (50e-3, 50e-3, 3e-3, 2e-3, 1e-3, 1e-3, 1e-3, 1e-3, 1e-3)
AUTO_DELAY_HIGH_CAPACITANCE_S = (0.1, 0.1, 20e-3, 10e-3, 10e-3, 10e-3, 5e-3, 5e-3, 5e-3)
"""Automatic source delay, by current range."""

TEST_CURRENTS_A = {
    20.0: 0.1,
    200.0: 1e-2,
    2e3: 1e-3,
    2e4: 1e-4,
    2e5: 1e-5,
    2e6: 1e-6,
    2e7: 1e-6,
    2e8: 1e-7,
}
"""What is sourced to measure resistance, by full scale."""

_SETTLES_A_S = (25e-3, 25e-3, 1.5e-3, 1e-3, 0.5e-3, 0.2e-3, 0.2e-3, 0.2e-3, 0.2e-3)
_SETTLES_V_S = (0.2e-3, 0.2e-3, 0.2e-3, 0.2e-3, 1e-3)

_SOURCE_A = AccuracyTable(
    (
        RangeAccuracy(10e-9, 0.001, 100e-12, 500e-15),
        RangeAccuracy(100e-9, 0.0006, 150e-12, 500e-15),
        RangeAccuracy(1e-6, 0.00025, 400e-12, 5e-12),
        RangeAccuracy(10e-6, 0.00025, 1.5e-9, 40e-12),
        RangeAccuracy(100e-6, 0.0002, 15e-9, 400e-12),
        RangeAccuracy(1e-3, 0.0002, 150e-9, 5e-9),
        RangeAccuracy(10e-3, 0.0002, 1.5e-6, 40e-9),
        RangeAccuracy(100e-3, 0.00025, 15e-6, 100e-9),
        RangeAccuracy(1.0, 0.00067, 900e-6, 3e-6),
    )
)


def _converter(table: AccuracyTable, counts: float, settles_s: tuple[float, ...]) -> ConverterSpec:
    """Return a converter whose steps are one ``counts``-th of each full scale."""
    return ConverterSpec(table, tuple(r.full_scale / counts for r in table.ranges), settles_s)


SMU = SmuSpec(
    source_v=_converter(KEITHLEY_2450.source_v, 4e4, _SETTLES_V_S),
    source_a=_converter(_SOURCE_A, 2e4, _SETTLES_A_S),
    measure_v=_converter(KEITHLEY_2450.measure_v, 2e6, _SETTLES_V_S),
    measure_a=_converter(KEITHLEY_2450.measure_a, 1e6, _SETTLES_A_S),
    short_aperture=((1.0, 0.0), (0.1, 1e-4), (0.01, 7e-4)),
    overhead_s=155e-6,
    over_range_ratio=OVER_RANGE_RATIO,
)

V_RANGES_V = SMU.source_v.full_scales
A_RANGES_A = SMU.source_a.full_scales
OHM_RANGES = tuple(TEST_CURRENTS_A)


def range_index(full_scales: Sequence[float], value: float) -> int:
    """Return the index of the lowest range that holds ``value``, or of the highest."""
    reach = OVER_RANGE_RATIO * (1 + 1e-9)
    fits = (k for k, top in enumerate(full_scales) if abs(value) <= top * reach)
    return next(fits, len(full_scales) - 1)


def largest_current_a(volts: float) -> float:
    """Return what the operating boundaries allow at a voltage."""
    return MAX_A_AT_HIGH_V if abs(volts) > HIGH_V * (1 + 1e-9) else MAX_A


def largest_voltage_v(amps: float) -> float:
    """Return what the operating boundaries allow at a current."""
    return HIGH_V if abs(amps) > MAX_A_AT_HIGH_V * (1 + 1e-9) else MAX_V


def is_overflow(value: float) -> bool:
    """Whether a conversion was out of range."""
    return not math.isfinite(value) or abs(value) > 9e37
