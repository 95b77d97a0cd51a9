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
    """Ranges in rising order; a reading uses the lowest that holds it, as autoranging does."""

    ranges: tuple[RangeAccuracy, ...]

    @cached_property
    def _tops(self) -> FloatArray:
        return np.array([r.full_scale for r in self.ranges]) * 1.05

    @cached_property
    def noise_rms(self) -> FloatArray:
        """Noise of one reading at 1 power line cycle, by range."""
        return np.array([r.noise_rms for r in self.ranges])

    def range_index(self, readings: ArrayLike) -> np.ndarray[tuple[int, ...], np.dtype[np.intp]]:
        """Return which range each reading falls into; 5 % over-range is allowed."""
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
