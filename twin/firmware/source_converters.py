"""Converters of a source-measure unit: ranges, resolution, and the errors of one instrument.

Source: what data sheets list (SPEC-2602B, SPEC-2636B): accuracy and noise by range, derating of
short apertures, settling to 0.1 %.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from hil.instruments.accuracy import AccuracyTable

_REACH = 1 + 1e-9
"""Keeps a value that is a full scale, but for rounding, on its range."""


@dataclass(frozen=True)
class ConverterSpec:
    """One converter: its ranges in rising order.

    Attributes:
        accuracy: gain, offset and noise by range.
        resolutions: smallest step by range, in the unit of the table.
        settles_s: time to settle within 0.1 % by range.
    """

    accuracy: AccuracyTable
    resolutions: tuple[float, ...]
    settles_s: tuple[float, ...]

    @property
    def full_scales(self) -> tuple[float, ...]:
        """Full scale of each range."""
        return tuple(r.full_scale for r in self.accuracy.ranges)

    def fitting(self, value: float) -> int:
        """Return the index of the lowest range that holds ``value``, or of the highest."""
        tops = self.full_scales
        fits = (k for k, top in enumerate(tops) if abs(value) <= top * _REACH)
        return next(fits, len(tops) - 1)


@dataclass(frozen=True)
class SmuSpec:
    """Converters of one type of instrument.

    Attributes:
        source_v: voltage source, and voltage limit of the current source.
        source_a: current source, and current limit of the voltage source.
        measure_v: voltage measurement.
        measure_a: current measurement.
        short_aperture: (power line cycles, error in proportion of the range) of short
            integrations, in falling order from 1 cycle.
        overhead_s: what one conversion takes beyond its integration.
        over_range_ratio: largest reading, in proportion of the range.
    """

    source_v: ConverterSpec
    source_a: ConverterSpec
    measure_v: ConverterSpec
    measure_a: ConverterSpec
    short_aperture: tuple[tuple[float, float], ...]
    overhead_s: float
    over_range_ratio: float

    def short_aperture_ratio(self, nplc: float) -> float:
        """Return the error of a short integration, in proportion of the range."""
        points = sorted(self.short_aperture)
        log_nplc = [math.log10(n) for n, _ in points]
        return float(np.interp(math.log10(nplc), log_nplc, [ratio for _, ratio in points]))


@dataclass(frozen=True)
class Aperture:
    """How long a conversion integrates, and what that costs.

    Attributes:
        nplc: power line cycles.
        short_ratio: error of short integrations, in proportion of the range.
    """

    nplc: float
    short_ratio: float


class Converter:
    """One converter of one instrument, with the errors that this instrument has.

    Args:
        spec: of the type.
        rng: what gain and offset are drawn from, uniformly within the bounds of the accuracy
            table, less what noise and resolution take of them; None for none, and no steps either.
    """

    def __init__(self, spec: ConverterSpec, rng: np.random.Generator | None) -> None:
        self.spec = spec
        self._is_ideal = rng is None
        bounds = [
            (row.gain_ratio, max(row.offset - 3 * row.noise_rms - step / 2, 0.0))
            for row, step in zip(spec.accuracy.ranges, spec.resolutions, strict=True)
        ]
        draws = np.zeros((len(bounds), 2)) if rng is None else rng.uniform(-1, 1, (len(bounds), 2))
        self._errors = [
            (1 + gain * float(by), offset * float(to))
            for (gain, offset), (by, to) in zip(bounds, draws, strict=True)
        ]

    def convert(self, value: float, index: int) -> float:
        """Return what comes out for ``value`` on a range, without noise."""
        gain, offset = self._errors[index]
        return gain * self.step(value, index) + offset

    def step(self, value: float, index: int) -> float:
        """Return ``value`` at the resolution of a range."""
        if self._is_ideal:
            return value
        resolution = self.spec.resolutions[index]
        return round(value / resolution) * resolution

    def read(self, value: float, index: int, draw: float, aperture: Aperture) -> float:
        """Return a reading of ``value``; ``draw`` is one draw of a standard normal."""
        if self._is_ideal:
            return value
        gain, offset = self._errors[index]
        row = self.spec.accuracy.ranges[index]
        white = row.noise_rms / math.sqrt(aperture.nplc)
        sigma = math.hypot(white, aperture.short_ratio / 3 * row.full_scale)
        return self.step(gain * value + offset + sigma * draw, index)
