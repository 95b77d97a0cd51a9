"""What a source-measure unit promises: bounds on its readings, by range."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike

from hil.types import FloatArray


@dataclass(frozen=True, slots=True)
class RangeAccuracy:
    """One row of an accuracy table: bound = ``gain_ratio`` x reading + ``offset``.

    Attributes:
        full_scale: top of the range, in the unit of the table.
        gain_ratio: proportional part.
        offset: constant part, in the unit of the table.
        noise_rms: of one reading at 1 power line cycle, in the unit of the table.
    """

    full_scale: float
    gain_ratio: float
    offset: float
    noise_rms: float


@dataclass(frozen=True)
class AccuracyTable:
    """Ranges in rising order; a reading uses the lowest that holds it, as autoranging does.

    Attributes:
        ranges: one row each.
        over_range_ratio: what autoranging lets a range hold, in proportion of its full scale.
    """

    ranges: tuple[RangeAccuracy, ...]
    over_range_ratio: float = 1.05

    @cached_property
    def _tops(self) -> FloatArray:
        return np.array([r.full_scale for r in self.ranges]) * self.over_range_ratio

    @cached_property
    def noise_rms(self) -> FloatArray:
        """Noise of one reading at 1 power line cycle, by range."""
        return np.array([r.noise_rms for r in self.ranges])

    def range_index(self, readings: ArrayLike) -> np.ndarray[tuple[int, ...], np.dtype[np.intp]]:
        """Return which range each reading falls into."""
        tops = self._tops
        return np.minimum(np.searchsorted(tops, np.abs(readings)), len(tops) - 1)

    def bound(self, readings: ArrayLike) -> FloatArray:
        """Return the largest error that the table allows for each reading."""
        index = self.range_index(readings)
        gain = np.array([r.gain_ratio for r in self.ranges])[index]
        offset = np.array([r.offset for r in self.ranges])[index]
        bound: FloatArray = gain * np.abs(np.asarray(readings, dtype=float)) + offset
        return bound


@dataclass(frozen=True)
class SmuAccuracy:
    """Accuracy of one instrument type, 1 year, 23 +- 5 degC.

    Attributes:
        measure_a: current measurement.
        measure_v: voltage measurement.
        source_v: voltage source.
    """

    measure_a: AccuracyTable
    measure_v: AccuracyTable
    source_v: AccuracyTable


# Keithley 2400 data sheet, 1 year, 23 +- 5 degC, 1 PLC. The noise column is that of the 2450, which
# has the same ranges; the 2400's sheet gives none (assumed).
KEITHLEY_2400 = SmuAccuracy(
    measure_a=AccuracyTable(
        (
            RangeAccuracy(1e-6, 0.00029, 300e-12, 5e-12),
            RangeAccuracy(10e-6, 0.00027, 700e-12, 40e-12),
            RangeAccuracy(100e-6, 0.00025, 6e-9, 400e-12),
            RangeAccuracy(1e-3, 0.00027, 60e-9, 5e-9),
            RangeAccuracy(10e-3, 0.00035, 600e-9, 40e-9),
            RangeAccuracy(100e-3, 0.00055, 6e-6, 400e-9),
            RangeAccuracy(1.0, 0.0022, 570e-6, 4e-6),
        )
    ),
    measure_v=AccuracyTable(
        (
            RangeAccuracy(0.2, 0.00012, 300e-6, 1e-6),
            RangeAccuracy(2.0, 0.00012, 300e-6, 10e-6),
            RangeAccuracy(20.0, 0.00015, 1.5e-3, 100e-6),
            RangeAccuracy(200.0, 0.00015, 10e-3, 1e-3),
        )
    ),
    source_v=AccuracyTable(
        (
            RangeAccuracy(0.2, 0.0002, 600e-6, 0.0),
            RangeAccuracy(2.0, 0.0002, 600e-6, 0.0),
            RangeAccuracy(20.0, 0.0002, 2.4e-3, 0.0),
            RangeAccuracy(200.0, 0.0002, 24e-3, 0.0),
        )
    ),
)

# Keithley 2450 data sheet, SPEC-2450 Rev. A: 1 year, 23 +- 5 degC, 1 PLC. The sheet gives its noise
# for the source, below 10 Hz; that of a reading is taken to be the same (assumed).
KEITHLEY_2450 = SmuAccuracy(
    measure_a=AccuracyTable(
        (
            RangeAccuracy(10e-9, 0.001, 50e-12, 500e-15),
            RangeAccuracy(100e-9, 0.0006, 100e-12, 500e-15),
            RangeAccuracy(1e-6, 0.00025, 300e-12, 5e-12),
            RangeAccuracy(10e-6, 0.00025, 700e-12, 40e-12),
            RangeAccuracy(100e-6, 0.0002, 6e-9, 400e-12),
            RangeAccuracy(1e-3, 0.0002, 60e-9, 5e-9),
            RangeAccuracy(10e-3, 0.0002, 600e-9, 40e-9),
            RangeAccuracy(100e-3, 0.00025, 6e-6, 100e-9),
            RangeAccuracy(1.0, 0.0003, 500e-6, 3e-6),
        )
    ),
    measure_v=AccuracyTable(
        (
            RangeAccuracy(20e-3, 0.001, 150e-6, 1e-6),
            RangeAccuracy(0.2, 0.00012, 200e-6, 1e-6),
            RangeAccuracy(2.0, 0.00012, 300e-6, 10e-6),
            RangeAccuracy(20.0, 0.00015, 1e-3, 100e-6),
            RangeAccuracy(200.0, 0.00015, 10e-3, 1e-3),
        )
    ),
    source_v=AccuracyTable(
        (
            RangeAccuracy(20e-3, 0.001, 200e-6, 1e-6),
            RangeAccuracy(0.2, 0.00015, 200e-6, 1e-6),
            RangeAccuracy(2.0, 0.0002, 300e-6, 10e-6),
            RangeAccuracy(20.0, 0.00015, 2.4e-3, 100e-6),
            RangeAccuracy(200.0, 0.00015, 24e-3, 1e-3),
        )
    ),
)

# Keysight B2901A/B2902A data sheet, 1 year, 23 +- 5 degC, 1 PLC. Noise is that of the Keithley
# 2602B, which has the same accuracies: its sheet gives peak to peak values, 6 sigma (assumed).
_B2900_VOLTS = (
    RangeAccuracy(0.2, 0.00015, 225e-6, 10e-6 / 6),
    RangeAccuracy(2.0, 0.0002, 350e-6, 20e-6 / 6),
    RangeAccuracy(20.0, 0.00015, 5e-3, 200e-6 / 6),
    RangeAccuracy(200.0, 0.00015, 50e-3, 2e-3 / 6),
)
KEYSIGHT_B2901A = SmuAccuracy(
    measure_a=AccuracyTable(
        (
            RangeAccuracy(100e-9, 0.0006, 100e-12, 5e-12 / 6),
            RangeAccuracy(1e-6, 0.00025, 500e-12, 25e-12 / 6),
            RangeAccuracy(10e-6, 0.00025, 1.5e-9, 60e-12 / 6),
            RangeAccuracy(100e-6, 0.0002, 25e-9, 3e-9 / 6),
            RangeAccuracy(1e-3, 0.0002, 200e-9, 6e-9 / 6),
            RangeAccuracy(10e-3, 0.0002, 2.5e-6, 200e-9 / 6),
            RangeAccuracy(100e-3, 0.0002, 20e-6, 600e-9 / 6),
            RangeAccuracy(1.0, 0.0003, 1.5e-3, 70e-6 / 6),
            RangeAccuracy(1.5, 0.0005, 3.5e-3, 150e-6 / 6),
            RangeAccuracy(3.0, 0.004, 7e-3, 150e-6 / 6),
        )
    ),
    measure_v=AccuracyTable(_B2900_VOLTS),
    source_v=AccuracyTable(_B2900_VOLTS),
)

# Keithley 2602B data sheet, SPEC-2602B Rev. B: 1 year, 23 +- 5 degC, 1 PLC. Noise is a sixth of
# what the sheet gives from peak to peak, 0.1 to 10 Hz, for the source; that of a reading is taken
# to be the same (assumed). Ranging leaves a range at its full scale.
KEITHLEY_2602B = SmuAccuracy(
    measure_a=AccuracyTable(
        (
            RangeAccuracy(1e-07, 0.0005, 1e-10, 8.33e-13),
            RangeAccuracy(1e-06, 0.00025, 5e-10, 4.17e-12),
            RangeAccuracy(1e-05, 0.00025, 1.5e-09, 1e-11),
            RangeAccuracy(0.0001, 0.0002, 2.5e-08, 5e-10),
            RangeAccuracy(0.001, 0.0002, 2e-07, 1e-09),
            RangeAccuracy(0.01, 0.0002, 2.5e-06, 3.33e-08),
            RangeAccuracy(0.1, 0.0002, 2e-05, 1e-07),
            RangeAccuracy(1.0, 0.0003, 0.0015, 1.17e-05),
            RangeAccuracy(3.0, 0.0005, 0.0035, 2.5e-05),
        ),
        over_range_ratio=1.0,
    ),
    measure_v=AccuracyTable(
        (
            RangeAccuracy(0.1, 0.00015, 0.00015, 3.33e-06),
            RangeAccuracy(1.0, 0.00015, 0.0002, 8.33e-06),
            RangeAccuracy(6.0, 0.00015, 0.001, 1.67e-05),
            RangeAccuracy(40.0, 0.00015, 0.008, 8.33e-05),
        ),
        over_range_ratio=1.0,
    ),
    source_v=AccuracyTable(
        (
            RangeAccuracy(0.1, 0.0002, 0.00025, 3.33e-06),
            RangeAccuracy(1.0, 0.0002, 0.0004, 8.33e-06),
            RangeAccuracy(6.0, 0.0002, 0.0018, 1.67e-05),
            RangeAccuracy(40.0, 0.0002, 0.012, 8.33e-05),
        ),
        over_range_ratio=1.0,
    ),
)

# Keithley 2636B data sheet, SPEC-2636B, as above. Not checked against the sheet: voltage ranges,
# and current ranges below 1 uA.
KEITHLEY_2636B = SmuAccuracy(
    measure_a=AccuracyTable(
        (
            RangeAccuracy(1e-10, 0.0015, 1.2e-13, 1e-14),
            RangeAccuracy(1e-09, 0.0015, 2.4e-13, 1.33e-13),
            RangeAccuracy(1e-08, 0.0015, 3e-12, 3.33e-13),
            RangeAccuracy(1e-07, 0.0006, 4e-11, 8.33e-13),
            RangeAccuracy(1e-06, 0.00025, 5e-10, 4.17e-12),
            RangeAccuracy(1e-05, 0.00025, 1.5e-09, 1e-11),
            RangeAccuracy(0.0001, 0.0002, 2.5e-08, 5e-10),
            RangeAccuracy(0.001, 0.0002, 2e-07, 1e-09),
            RangeAccuracy(0.01, 0.0002, 2.5e-06, 3.33e-08),
            RangeAccuracy(0.1, 0.0002, 2e-05, 1e-07),
            RangeAccuracy(1.0, 0.0003, 0.0015, 1.17e-05),
            RangeAccuracy(1.5, 0.0005, 0.0035, 2.5e-05),
        ),
        over_range_ratio=1.0,
    ),
    measure_v=AccuracyTable(
        (
            RangeAccuracy(0.2, 0.00015, 0.000225, 3.33e-06),
            RangeAccuracy(2.0, 0.0002, 0.00035, 8.33e-06),
            RangeAccuracy(20.0, 0.00015, 0.005, 5e-05),
            RangeAccuracy(200.0, 0.00015, 0.05, 0.000333),
        ),
        over_range_ratio=1.0,
    ),
    source_v=AccuracyTable(
        (
            RangeAccuracy(0.2, 0.0002, 0.000375, 3.33e-06),
            RangeAccuracy(2.0, 0.0002, 0.0006, 8.33e-06),
            RangeAccuracy(20.0, 0.0002, 0.005, 5e-05),
            RangeAccuracy(200.0, 0.0002, 0.05, 0.000333),
        ),
        over_range_ratio=1.0,
    ),
)
