"""Source voltages against time, one per driven device."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Self

import numpy as np
from numpy.typing import ArrayLike

from hil.types import FloatArray, IndexArray


@dataclass(frozen=True)
class _PerDevice:
    """Base of waveforms: every field is one number, or one per driven device."""

    def take(self, index: IndexArray) -> Self:
        """Return the waveform of some of the driven devices."""
        values = {f.name: np.asarray(getattr(self, f.name), dtype=float) for f in fields(self)}
        return type(self)(**{name: v[index] if v.ndim else v for name, v in values.items()})

    def monotonic_until_s(self, t_s: FloatArray) -> FloatArray:
        """Return a later time up to which each voltage only rises or only falls."""
        return np.full(np.shape(t_s), np.inf)


@dataclass(frozen=True)
class Constant(_PerDevice):
    """One level for the whole step.

    Attributes:
        level_v: scalar or one per driven device.
    """

    level_v: ArrayLike

    def value_v(self, t_s: FloatArray) -> FloatArray:
        """Return the level at each time."""
        return np.broadcast_to(_array(self.level_v), np.shape(t_s))

    def slope_v_per_s(self, t_s: FloatArray) -> FloatArray:
        """Return zero at each time."""
        return np.zeros_like(t_s)


@dataclass(frozen=True)
class Sine(_PerDevice):
    """``offset + amplitude sin(2 pi f t + phase)``; fields are scalars or one per driven device."""

    amplitude_v: ArrayLike
    frequency_hz: ArrayLike
    offset_v: ArrayLike = 0.0
    phase_rad: ArrayLike = 0.0

    def value_v(self, t_s: FloatArray) -> FloatArray:
        """Return the voltage at each time."""
        swing_v = _array(self.amplitude_v) * np.sin(self._angle_rad(t_s))
        return _array(self.offset_v) + swing_v

    def slope_v_per_s(self, t_s: FloatArray) -> FloatArray:
        """Return the time derivative at each time."""
        swing_v = _array(self.amplitude_v) * np.cos(self._angle_rad(t_s))
        return 2 * np.pi * _array(self.frequency_hz) * swing_v

    def monotonic_until_s(self, t_s: FloatArray) -> FloatArray:
        """Return the time of the next extremum; one closer than 1e-9 of a half period is passed."""
        half_periods = self._angle_rad(t_s) / np.pi - 0.5
        ahead = np.floor(half_periods + 1e-9) + 1 - half_periods
        return t_s + ahead / (2 * _array(self.frequency_hz))

    def _angle_rad(self, t_s: FloatArray) -> FloatArray:
        return 2 * np.pi * _array(self.frequency_hz) * t_s + _array(self.phase_rad)


@dataclass(frozen=True)
class Ramp(_PerDevice):
    """``start + slope t``; fields are scalars or one per driven device."""

    start_v: ArrayLike
    rate_v_per_s: ArrayLike

    def value_v(self, t_s: FloatArray) -> FloatArray:
        """Return the voltage at each time."""
        return _array(self.start_v) + _array(self.rate_v_per_s) * t_s

    def slope_v_per_s(self, t_s: FloatArray) -> FloatArray:
        """Return the rate at each time."""
        return np.broadcast_to(_array(self.rate_v_per_s), np.shape(t_s))


def _array(value: ArrayLike) -> FloatArray:
    return np.asarray(value, dtype=float)
