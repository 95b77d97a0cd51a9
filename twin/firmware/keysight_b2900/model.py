"""Ranges, limits and times of a Keysight B2901A or B2902A.

Source: data sheet 5990-7009EN (accuracy, resolution, settling, derating of short apertures,
timers); command reference B2910-90030, "Source Output Ranges", "Measurement Ranges".

Assumed: accuracy of the current source is that of the current measurement; short integrations
scatter as the column for 1 uA to 100 mA says, on all ranges; settling of the voltage source is that
of the data sheet, taken to be 50 us, 50 us, 110 us and 700 us; the least limits are 1 nA and 2 mV.
Not modelled: the 10 A range, which is for pulses only; what both channels may carry together.
"""

from __future__ import annotations

from collections.abc import Sequence

from hil.instruments.accuracy import KEYSIGHT_B2901A, AccuracyTable
from twin.firmware.source_converters import ConverterSpec, SmuSpec

MODELS = {"B2901A": 1, "B2902A": 2}
"""Number of channels by model."""

MAX_V, MAX_A = 210.0, 3.03
MIN_LIMIT_V, MIN_LIMIT_A = 2e-3, 1e-9
SOURCE_OVER_RANGE_RATIO = 1.05
POWER_BOX = ((6.0, 3.03), (21.0, 1.515), (210.0, 0.105))
"""Up to each voltage, the largest current."""

MIN_APERTURE_S, MAX_APERTURE_S = 8e-6, 2.0
MIN_PULSE_WIDTH_S, MAX_TIME_S = 50e-6, 1e5
MIN_TRIGGER_PERIOD_S = 20e-6
TIME_STEP_S = 1e-6
MAX_COUNT = 100_000
INFINITE = 2_147_483_647
MAX_SWEEP_POINTS = 2500
MAX_TRACE_POINTS = 100_000
MAX_READINGS = 100_000

CONVERSION_OVERHEAD_S = 20e-6
"""From the end of an integration to the next trigger; assumed from the least trigger period."""
QUERY_S = 1e-3
"""What answering a question about a run takes: about what instruments need."""

_SETTLES_V_S = (50e-6, 50e-6, 110e-6, 700e-6)
_SETTLES_A_S = (10e-3, 500e-6, 250e-6, 250e-6, 80e-6, 80e-6, 80e-6, 80e-6, 80e-6, 80e-6)


def _converter(
    table: AccuracyTable, steps: tuple[float, ...], settles_s: tuple[float, ...]
) -> ConverterSpec:
    return ConverterSpec(table, steps, settles_s)


SMU = SmuSpec(
    source_v=_converter(KEYSIGHT_B2901A.source_v, (1e-6, 10e-6, 100e-6, 1e-3), _SETTLES_V_S),
    source_a=_converter(
        KEYSIGHT_B2901A.measure_a,
        (1e-12, 10e-12, 100e-12, 1e-9, 10e-9, 100e-9, 1e-6, 10e-6, 10e-6, 100e-6),
        _SETTLES_A_S,
    ),
    measure_v=_converter(KEYSIGHT_B2901A.measure_v, (100e-9, 1e-6, 10e-6, 100e-6), _SETTLES_V_S),
    measure_a=_converter(
        KEYSIGHT_B2901A.measure_a,
        (100e-15, 1e-12, 10e-12, 100e-12, 1e-9, 10e-9, 100e-9, 1e-6, 1e-6, 10e-6),
        _SETTLES_A_S,
    ),
    short_aperture=((1.0, 0.0), (0.1, 1e-4), (0.01, 5e-4), (0.001, 5e-3)),
    overhead_s=0.0,
    over_range_ratio=1.06,
)

V_RANGES_V = SMU.source_v.full_scales
A_RANGES_A = SMU.source_a.full_scales


def range_index(full_scales: Sequence[float], value: float) -> int:
    """Return the index of the lowest range that holds ``value``, or of the highest."""
    reach = SOURCE_OVER_RANGE_RATIO * (1 + 1e-9)
    fits = (k for k, top in enumerate(full_scales) if abs(value) <= top * reach)
    return next(fits, len(full_scales) - 1)


def is_in_power_box(v_v: float, i_a: float) -> bool:
    """Whether the instrument gives this voltage and this current at the same time."""
    slack = 1 + 1e-9
    return any(
        abs(v_v) <= top_v * slack and abs(i_a) <= top_a * slack for top_v, top_a in POWER_BOX
    )
