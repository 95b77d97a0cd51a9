"""How well loops tell each parameter, and which of them they cannot tell apart."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy.linalg import toeplitz

from calibration.fitting.fit import LoopFit
from calibration.fitting.noise import Misfit
from hil.types import FloatArray

Identifiability = Literal["good", "weak", "none", "bound"]

GOOD_SHARE = 1 / 3
"""Well identified: known to a third of what devices differ by (``FitParameter.spread``)."""

TRADE_OFF = 0.9
"""Two parameters trade off from this correlation on."""

_JACOBIAN_STEPS = 9
_AT_BOUND = 1e-3


@dataclass(frozen=True)
class Uncertainty:
    """What a fit knows of its free parameters, in their order.

    Attributes:
        names: of the parameters.
        covariance: of the coordinates (decimal logarithms where the fit moves those).
        standard: standard uncertainty of each value, in its unit; inf at a bound.
        verdicts: ``good``, ``weak`` (known worse than a third of what devices differ by), ``none``
            (not even to what devices differ by), or ``bound`` (the fit ended at a weak bound).
        independent_points: number of points, less what their correlation takes away.
    """

    names: tuple[str, ...]
    covariance: FloatArray
    standard: FloatArray
    verdicts: tuple[Identifiability, ...]
    independent_points: float

    @property
    def correlation(self) -> FloatArray:
        """Correlation matrix; zero for parameters at a bound."""
        deviation = np.sqrt(np.diag(self.covariance))
        scale = np.where(deviation > 0, deviation, np.inf)
        matrix: FloatArray = self.covariance / np.outer(scale, scale)
        np.fill_diagonal(matrix, 1.0)
        return matrix

    def trade_offs(self) -> list[tuple[str, str, float]]:
        """Return pairs that the loops cannot tell apart, with their correlation, worst first."""
        correlation, n = self.correlation, len(self.names)
        pairs = [
            (self.names[i], self.names[k], float(correlation[i, k]))
            for i in range(n)
            for k in range(i + 1, n)
            if abs(correlation[i, k]) >= TRADE_OFF
        ]
        return sorted(pairs, key=lambda pair: -abs(pair[2]))

    def sloppiest(self) -> list[tuple[str, float]]:
        """Return the combination that the loops tell worst: parameters and their shares in it.

        The direction of the largest variance in units of what devices differ by.
        """
        _, vectors = np.linalg.eigh(self._in_spreads())
        worst = vectors[:, -1]
        order = np.argsort(-np.abs(worst))
        return [(self.names[k], float(worst[k])) for k in order if abs(worst[k]) >= 0.3]

    def _in_spreads(self) -> FloatArray:
        return self.correlation if self.spreads is None else self.covariance / self.spreads

    spreads: FloatArray | None = None
    """Outer product of what devices differ by, for ``sloppiest``."""


def uncertainty(fit: LoopFit) -> Uncertainty:
    """Return the uncertainty of the parameters of a fit.

    Covariance of a weighted least-squares estimate whose residuals are correlated:
    (J'J)^-1 J'C J (J'J)^-1, with J the weighted Jacobian and C the correlation of the weighted
    residuals within each loop: white noise, plus a discrepancy with the autocorrelation that was
    found (``Misfit``). For white noise alone this is the usual (J'J)^-1. Priors count as points of
    their own. A weak bound counts as a uniform prior.

    Costs one simulation of two lanes for each parameter, two if the first finds that the steps of
    its differences were wide.
    """
    problem = fit.problem
    n = len(problem.space.free)
    low, high = problem.bounds
    at_bound = np.minimum(fit.coordinates - low, high - fit.coordinates) < _AT_BOUND * (high - low)
    jacobian = problem.jacobian(fit.coordinates, _JACOBIAN_STEPS)
    covariance = _sandwich(jacobian, fit, ~at_bound)
    wide = 0.02 * problem.spreads
    narrow = np.clip(np.sqrt(np.diag(covariance)) / 2, 0.005 * wide, wide)
    if (narrow < wide / 2).any():
        steps = np.where(at_bound, wide, narrow)
        jacobian = problem.jacobian(fit.coordinates, _JACOBIAN_STEPS, steps)
        covariance = _sandwich(jacobian, fit, ~at_bound)
    deviation = np.sqrt(np.diag(covariance))[:n]
    slopes = problem.space.slopes(fit.coordinates[:n])
    spreads = problem.space.spreads
    verdicts = tuple(
        _verdict(d, s, b) for d, s, b in zip(deviation, spreads, at_bound[:n], strict=True)
    )
    return Uncertainty(
        names=problem.space.names,
        covariance=covariance[:n, :n],
        standard=np.where(at_bound[:n], np.inf, np.abs(slopes) * deviation),
        verdicts=verdicts,
        independent_points=_independent_points(fit.misfit),
        spreads=np.outer(spreads, spreads),
    )


def _verdict(deviation: float, spread: float, at_bound: bool) -> Identifiability:
    if at_bound:
        return "bound"
    if deviation <= GOOD_SHARE * spread:
        return "good"
    return "weak" if deviation <= spread else "none"


def _sandwich(jacobian: FloatArray, fit: LoopFit, is_free: np.ndarray) -> FloatArray:
    low, high = fit.problem.bounds
    bound = np.diag(12 / (high - low)[is_free] ** 2)  # of a uniform distribution
    j = jacobian[:, is_free]
    meat = bound.copy()
    start = 0
    for k, loop in enumerate(fit.loops):
        rows = j[start : start + len(loop.t_s)]
        meat += rows.T @ _residual_covariance(fit.misfit, k) @ rows
        start += len(rows)
    meat += j[start:].T @ j[start:]
    bread = np.linalg.inv(j.T @ j + bound)
    covariance = np.zeros((len(is_free), len(is_free)))
    covariance[np.ix_(is_free, is_free)] = bread @ meat @ bread
    return covariance


def _residual_covariance(misfit: Misfit, k: int) -> FloatArray:
    """Covariance of the weighted residuals of loop ``k``."""
    white = misfit.white_a2[k]
    correlation = np.zeros(len(white))
    lags = min(len(white), len(misfit.correlation))
    correlation[:lags] = misfit.correlation[:lags]
    sigma_a = misfit.sigma_a[k]
    covariance = np.diag(white) + misfit.left_out_a2[k] * toeplitz(correlation)
    weighted: FloatArray = covariance / np.outer(sigma_a, sigma_a)
    return weighted


def _independent_points(misfit: Misfit) -> float:
    variances = zip(misfit.white_a2, misfit.left_out_a2, misfit.sigma_a, strict=True)
    return sum(float(((w + left_out) / s**2).sum()) for w, left_out, s in variances)
