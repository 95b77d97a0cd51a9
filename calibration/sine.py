"""The sine that a source followed for exactly one period."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hil.types import FloatArray

MAX_RESIDUAL_RATIO = 0.02
"""A source that follows a sine leaves less. Chosen: measured sines leave below 0.001 of their
amplitude, a triangle leaves 0.09, half a period of a sine 0.16, two percent too long a one 0.03."""


@dataclass(frozen=True)
class SineFit:
    """``offset + amplitude sin(2 pi f t + phase)``, fitted to one period of the source.

    Attributes:
        amplitude_v: peak.
        frequency_hz: as it was set; the samples cannot tell it.
        offset_v: mean.
        phase_rad: of the first row of the data as stored, -pi to pi.
        residual_v: root mean square of what the sine leaves.
    """

    amplitude_v: float
    frequency_hz: float
    offset_v: float
    phase_rad: float
    residual_v: float

    @property
    def residual_ratio(self) -> float:
        """What the sine leaves, relative to its amplitude; inf for no sine at all."""
        return self.residual_v / self.amplitude_v if self.amplitude_v else float("inf")

    @property
    def is_sine(self) -> bool:
        """Whether the source followed a sine at all."""
        return self.residual_ratio <= MAX_RESIDUAL_RATIO


def fit_sine(v_v: FloatArray, frequency_hz: float) -> SineFit:
    """Fit a sine to samples that are equal steps of exactly one period, shape (n,).

    Least squares: with such samples, sine, cosine and constant are orthogonal, so the fit is
    the first coefficient of the discrete Fourier transform.
    """
    n = len(v_v)
    coefficients = np.fft.rfft(v_v) / n
    offset_v, first = float(coefficients[0].real), 2 * coefficients[1]
    amplitude_v, phase_rad = float(abs(first)), float(np.angle(first) + np.pi / 2)
    phase_rad -= 2 * np.pi * (phase_rad > np.pi)
    angle_rad = 2 * np.pi * np.arange(n) / n + phase_rad
    rest_v = v_v - offset_v - amplitude_v * np.sin(angle_rad)
    residual_v = float(np.sqrt(np.mean(rest_v**2)))
    return SineFit(amplitude_v, frequency_hz, offset_v, phase_rad, residual_v)
