"""The converters of the simulated source-measure unit: what it sources and what it reports."""

from __future__ import annotations

from typing import Protocol

import numpy as np

from hil.instruments.accuracy import AccuracyTable, SmuAccuracy
from hil.types import FloatArray, IndexArray


class Converters(Protocol):
    """Between the numbers of an instrument and the volts and amperes at its terminals."""

    def source_v(self, level_v: FloatArray) -> FloatArray:
        """Return the voltage that is really sourced for each programmed level."""
        ...

    def measure_v(self, v_v: FloatArray, nplc: float) -> FloatArray:
        """Return what the instrument reports for each voltage."""
        ...

    def measure_a(self, i_a: FloatArray, nplc: float) -> FloatArray:
        """Return what the instrument reports for each current."""
        ...


class IdealConverters:
    """No gain error, no offset, no noise."""

    def source_v(self, level_v: FloatArray) -> FloatArray:
        """Return the levels."""
        return level_v

    def measure_v(self, v_v: FloatArray, nplc: float) -> FloatArray:
        """Return the voltages."""
        return v_v

    def measure_a(self, i_a: FloatArray, nplc: float) -> FloatArray:
        """Return the currents."""
        return i_a


class RealConverters:
    """Errors of one instrument, within its accuracy table.

    Gain and offset of every range are drawn once, uniformly within the table's bounds: they belong
    to the instrument, not to a reading. White noise is drawn per reading and falls with the square
    root of the integration time.

    Args:
        accuracy: table of the instrument.
        rng: what its errors and its noise are drawn from.
        v_range_v: largest voltage of the range that the source is fixed to, and with it the voltage
            measurement; None where both choose their range by the level. Currents do in any case.
    """

    def __init__(
        self, accuracy: SmuAccuracy, rng: np.random.Generator, v_range_v: float | None = None
    ) -> None:
        self._rng = rng
        self._source_v = _Channel(accuracy.source_v, rng, v_range_v)
        self._measure_v = _Channel(accuracy.measure_v, rng, v_range_v)
        self._measure_a = _Channel(accuracy.measure_a, rng)

    def source_v(self, level_v: FloatArray) -> FloatArray:
        """Return the levels with this instrument's source error."""
        return self._source_v.convert(level_v)

    def measure_v(self, v_v: FloatArray, nplc: float) -> FloatArray:
        """Return the voltages with gain, offset and noise."""
        return self._measure_v.convert(v_v) + self._measure_v.noise(v_v, nplc, self._rng)

    def measure_a(self, i_a: FloatArray, nplc: float) -> FloatArray:
        """Return the currents with gain, offset and noise."""
        return self._measure_a.convert(i_a) + self._measure_a.noise(i_a, nplc, self._rng)


class _Channel:
    def __init__(
        self, table: AccuracyTable, rng: np.random.Generator, fixed_to: float | None = None
    ) -> None:
        gain = np.array([r.gain_ratio for r in table.ranges])
        offset = np.array([r.offset for r in table.ranges])
        self._table = table
        self._fixed = None if fixed_to is None else table.range_index(fixed_to)
        self._gain = 1 + rng.uniform(-gain, gain)
        self._offset = rng.uniform(-offset, offset)
        self._noise_rms = np.array([r.noise_rms for r in table.ranges])

    def convert(self, values: FloatArray) -> FloatArray:
        index = self._index(values)
        converted: FloatArray = values * self._gain[index] + self._offset[index]
        return converted

    def noise(self, values: FloatArray, nplc: float, rng: np.random.Generator) -> FloatArray:
        rms = self._noise_rms[self._index(values)] / np.sqrt(nplc)
        noise: FloatArray = rng.standard_normal(np.shape(values)) * rms
        return noise

    def _index(self, values: FloatArray) -> IndexArray:
        return self._table.range_index(values) if self._fixed is None else self._fixed
