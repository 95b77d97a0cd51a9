"""How far measured currents may lie from a model: noise, and what the model leaves out."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.optimize import brentq

from calibration.loops import Loop
from hil.types import FloatArray

_NORMAL_MEDIAN = 0.6745  # median magnitude of a standard normal number
_LAST_CORRELATION = 0.05
_MAX_LAG_SHARE = 0.25
_JUMP_SHARE = 0.25
_FLOOR_REACH = 5.0  # over sqrt(n): three standard errors of a median of third differences
_EXPLAINED = 1e-3
_SMOOTH = 8.0  # second differences beyond so many medians are a jump


def noise_floor_a(loop: Loop) -> float:
    """Return the standard deviation of the noise of a loop, from neighbouring points.

    Third differences of a smooth current vanish; of white noise their variance is 20 times its
    own. Their median magnitude passes over the few points where the device switches. Never below
    the noise of the converter's own steps (step / sqrt 12).
    """
    if len(loop.i_a) < 8:
        return 0.0
    rough = float(np.median(np.abs(np.diff(loop.i_a, 3)))) / (_NORMAL_MEDIAN * 20**0.5)
    levels = np.unique(loop.i_a)
    steps = np.diff(levels)
    steps = steps[steps > 1e-9 * np.ptp(levels)]
    is_stepped = len(levels) < 0.5 * len(loop.i_a)
    return max(rough, float(steps.min() / np.sqrt(12))) if is_stepped and len(steps) else rough


@dataclass(frozen=True)
class Misfit:
    """What is left between model and measurement.

    Attributes:
        noise_a: standard deviation of the white noise, one for each loop.
        peak_a: largest magnitude of the current of each loop.
        jump_a: for each loop and point, how far a current that jumps may be off because the moment
            of the jump is not known to a fraction of a point.
        discrepancy_ratio: standard deviation of what the model leaves out, relative to the peak
            of each loop; one number for all loops, 0 if noise explains everything.
        correlation: autocorrelation of what the model leaves out, at 0, 1, 2 ... points.
    """

    noise_a: FloatArray
    peak_a: FloatArray
    jump_a: tuple[FloatArray, ...]
    discrepancy_ratio: float
    correlation: FloatArray

    @property
    def correlated_points(self) -> float:
        """Return how many neighbouring points tell as much as one independent one."""
        return max(1.0, float(2 * self.correlation.sum() - 1))

    @property
    def sigma_a(self) -> list[FloatArray]:
        """Return the standard deviation that weighs each point of each loop.

        ``noise^2 + jump^2 + m (discrepancy x peak)^2``: m correlated points count as one, so that
        loops and prior knowledge are weighed by what they really tell.
        """
        return [
            np.sqrt(white + self.correlated_points * left_out)
            for white, left_out in zip(self.white_a2, self.left_out_a2, strict=True)
        ]

    @property
    def white_a2(self) -> list[FloatArray]:
        """Return the variance of each point that has nothing to do with its neighbours'."""
        return [n**2 + jump**2 for n, jump in zip(self.noise_a, self.jump_a, strict=True)]

    @property
    def left_out_a2(self) -> FloatArray:
        """Return the variance of what the model leaves out, one for each loop."""
        return np.square(self.discrepancy_ratio * self.peak_a)


def first_guess(loops: Sequence[Loop]) -> Misfit:
    """Return what the first fit weighs with: 5 % of each peak, uncorrelated."""
    peak_a = np.array([np.abs(loop.i_a).max() for loop in loops])
    noise_a = np.maximum([noise_floor_a(loop) for loop in loops], 1e-9 * peak_a)
    jump_a = tuple(np.zeros(len(loop.i_a)) for loop in loops)
    return Misfit(noise_a, peak_a, jump_a, 0.05, np.ones(1))


def estimate(loops: Sequence[Loop], fitted_a: Sequence[FloatArray], n_free: int) -> Misfit:
    """Return the noise and the discrepancy that explain what a fit leaves.

    The noise of a loop is that of its residuals, as far as the noise floor of its own, which fewer
    points tell and so less well, allows. The discrepancy is the one with which the weighted sum of
    squares then equals the number of points less the ``n_free`` parameters that were fitted.
    """
    guess = first_guess(loops)
    residuals = [loop.i_a - i_a for loop, i_a in zip(loops, fitted_a, strict=True)]
    jumps = tuple(_jump_a(loop, i_a) for loop, i_a in zip(loops, fitted_a, strict=True))
    n_points = sum(len(r) for r in residuals)
    degrees_ratio = max(n_points - n_free, 1) / n_points
    noise_a = np.array(
        [
            _noise_a(r, jump, floor, degrees_ratio)
            for r, jump, floor in zip(residuals, jumps, guess.noise_a.tolist(), strict=True)
        ]
    )
    misfit = replace(guess, noise_a=noise_a, jump_a=jumps, discrepancy_ratio=0.0)

    def excess(ratio: float) -> float:
        trial = replace(misfit, discrepancy_ratio=ratio)
        squares = [(r**2 / s**2).sum() for r, s in zip(residuals, trial.sigma_a, strict=True)]
        return float(sum(squares)) / (degrees_ratio * n_points) - 1

    if excess(0.0) <= _EXPLAINED:
        return misfit
    ratio = float(brentq(excess, 0.0, 10.0)) if excess(10.0) < 0 else 10.0
    relative = [r / p for r, p in zip(residuals, misfit.peak_a, strict=True)]
    return replace(misfit, discrepancy_ratio=ratio, correlation=_correlation(relative, loops))


def _noise_a(
    residual_a: FloatArray, jump_a: FloatArray, floor_a: float, degrees_ratio: float
) -> float:
    """Return the white noise that explains residuals, near the noise floor."""
    reach = 1 + _FLOOR_REACH / math.sqrt(len(residual_a))

    def excess(noise_a: float) -> float:
        squares = residual_a**2 / (noise_a**2 + jump_a**2)
        return float(squares.mean()) / degrees_ratio - 1

    low_a, high_a = floor_a / reach, floor_a * reach
    if excess(low_a) <= 0:
        return low_a
    return high_a if excess(high_a) >= 0 else float(brentq(excess, low_a, high_a))


def _jump_a(loop: Loop, fitted_a: FloatArray) -> FloatArray:
    """Return a share of the second difference of a current, above what it is where it is smooth."""
    if loop.is_periodic:
        bend_a = np.abs(np.roll(fitted_a, 1) - 2 * fitted_a + np.roll(fitted_a, -1))
    else:
        bend_a = np.zeros_like(fitted_a)
        bend_a[1:-1] = np.abs(np.diff(fitted_a, 2))
    smooth_a = _SMOOTH * float(np.median(bend_a))
    return _JUMP_SHARE * np.maximum(bend_a - smooth_a, 0.0)


def _correlation(relative: Sequence[FloatArray], loops: Sequence[Loop]) -> FloatArray:
    """Pooled autocorrelation, tapered to zero where it is lost (Bartlett: never negative)."""
    n_lags = max(1, int(_MAX_LAG_SHARE * min(len(r) for r in relative)))
    products = np.zeros(n_lags)
    for r, loop in zip(relative, loops, strict=True):
        for lag in range(n_lags):
            partner = np.roll(r, -lag) if loop.is_periodic else np.append(r[lag:], np.zeros(lag))
            products[lag] += float(r @ partner)
    if products[0] == 0:
        return np.ones(1)
    correlation = products / products[0]
    lost = np.flatnonzero(correlation < _LAST_CORRELATION)
    width = 2 * int(lost[0]) if len(lost) else n_lags
    lags = np.arange(min(width, n_lags))
    tapered: FloatArray = correlation[: len(lags)] * (1 - lags / max(width, 1))
    return tapered
