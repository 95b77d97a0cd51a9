"""Ranges, errors and times of a Keithley 2400.

Source: data sheet SPEC-2400 Rev. H (accuracy, resolution); manual 2400S-900-01 Rev. K, table 3-1
(ranges), table 4-1 (test currents), appendix A (times), appendix B (error numbers).

Assumed: settling times (the sheet gives less than 250 us for a change of load) and automatic delays
by range as those of the 2450; short integrations scatter as those of the 2602B; with automatic zero
off, the second function adds 0.5 ms of overhead, as it does with automatic zero on; no trigger
latency, which the manual gives for the trigger link.
"""

from __future__ import annotations

from dataclasses import replace

from hil.instruments.accuracy import KEITHLEY_2400, AccuracyTable, RangeAccuracy
from twin.firmware.source_converters import ConverterSpec, SmuSpec

V_RANGES_V = (0.21, 2.1, 21.0, 210.0)
I_RANGES_A = (1.05e-6, 1.05e-5, 1.05e-4, 1.05e-3, 1.05e-2, 1.05e-1, 1.05)
R_RANGES_OHM = (2.1e1, 2.1e2, 2.1e3, 2.1e4, 2.1e5, 2.1e6, 2.1e7, 2.1e8)
TEST_CURRENTS_A = (1e-1, 1e-2, 1e-3, 1e-4, 1e-5, 1e-6, 1e-6, 1e-7)
"""What automatic ohms sources, by resistance range."""

MIN_COMPLIANCE_A = 1e-9
MIN_COMPLIANCE_V = 2e-4
MIN_COMPLIANCE_RATIO = 1e-3
"""A limit is at least this proportion of a fixed measurement range."""
MAX_A, MAX_V = 1.05, 210.0
MAX_A_ON_200_V = 0.105
MAX_V_ON_1_A = 21.0

MAX_POINTS = 2500
MAX_LIST_POINTS = 100
N_SETUPS = 5
AUTO_DELAYS_S = (3e-3, 2e-3, 1e-3, 1e-3, 1e-3, 1e-3, 1e-3)
"""Automatic source delay, by current range."""

OVERFLOW = 9.9e37
NOT_A_NUMBER = 9.91e37

ILLEGAL_WHILE_STORING = (800, "Illegal with storage active")
OUTPUT_IS_BLOCKED = (802, "OUTPUT blocked by output enable")
OUTPUT_IS_OFF = (803, "Not permitted with OUTPUT off")
EXPRESSION_NOT_FOUND = (806, "Expression not found")
COMPLIANCE_BELOW_RANGE = (822, "Too small for sense range")
RANGE_OF_THE_SOURCE = (823, "Invalid with source read-back on")
RANGE_ABOVE_COMPLIANCE = (824, "Cannot exceed compliance range")
AUTO_OHMS_IS_ON = (825, "Invalid with auto-ohms on")
POWER_LIMIT = (826, "Attempt to exceed power limit")
INFINITE_ARM_COUNT = (830, "Invalid with INF ARM:COUNT")

SOURCE_CONFIGURATION_S = 50e-6
CONVERSION_OVERHEAD_S = 185e-6
_FIRST_OVERHEAD_S = {True: 1.8e-3, False: 0.3e-3}
"""Firmware overhead of one function while sourcing voltage, with automatic zero on and off."""
_SECOND_FUNCTION_S = 0.5e-3
_SOURCING_CURRENT_S = 0.35e-3


def firmware_overhead_s(auto_zero: bool, n_functions: int, sources_current: bool) -> float:
    """Return what one source-delay-measure cycle takes beyond its conversions (appendix A)."""
    overhead_s = _FIRST_OVERHEAD_S[auto_zero] + _SECOND_FUNCTION_S * (n_functions - 1)
    return overhead_s + (_SOURCING_CURRENT_S if sources_current else 0.0)


_SOURCE_A = AccuracyTable(
    (
        RangeAccuracy(1e-6, 0.00035, 600e-12, 0.0),
        RangeAccuracy(10e-6, 0.00033, 2e-9, 0.0),
        RangeAccuracy(100e-6, 0.00031, 20e-9, 0.0),
        RangeAccuracy(1e-3, 0.00034, 200e-9, 0.0),
        RangeAccuracy(10e-3, 0.00045, 2e-6, 0.0),
        RangeAccuracy(100e-3, 0.00066, 20e-6, 0.0),
        RangeAccuracy(1.0, 0.0027, 900e-6, 0.0),
    )
)
_SETTLES_A_S = (1.5e-3, 1e-3, 0.5e-3, 0.2e-3, 0.2e-3, 0.2e-3, 0.2e-3)
_SETTLES_V_S = (0.2e-3, 0.2e-3, 0.2e-3, 1e-3)


def _converter(table: AccuracyTable, counts: float, settles_s: tuple[float, ...]) -> ConverterSpec:
    """Return a converter whose steps are one ``counts``-th of each full scale."""
    return ConverterSpec(table, tuple(r.full_scale / counts for r in table.ranges), settles_s)


SMU = SmuSpec(
    source_v=_converter(KEITHLEY_2400.source_v, 4e4, _SETTLES_V_S),
    source_a=_converter(_SOURCE_A, 2e4, _SETTLES_A_S),
    measure_v=_converter(KEITHLEY_2400.measure_v, 2e6, _SETTLES_V_S),
    measure_a=_converter(KEITHLEY_2400.measure_a, 1e6, _SETTLES_A_S),
    short_aperture=((1.0, 0.0), (0.1, 1e-4), (0.01, 7e-4)),
    overhead_s=CONVERSION_OVERHEAD_S,
    over_range_ratio=1.055,
)


def _at_once(spec: ConverterSpec) -> ConverterSpec:
    return replace(spec, settles_s=(0.0,) * len(spec.settles_s))


IDEAL_SMU = replace(
    SMU,
    source_v=_at_once(SMU.source_v),
    source_a=_at_once(SMU.source_a),
    measure_v=_at_once(SMU.measure_v),
    measure_a=_at_once(SMU.measure_a),
    overhead_s=0.0,
)
"""The same without settling and overhead."""
