"""Profile likelihood: how much worse a fit gets when one parameter is held elsewhere."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from calibration.fitting.covariance import Uncertainty
from calibration.fitting.fit import LoopFit, Progress
from calibration.fitting.fit_parameters import FitSpace
from calibration.fitting.loop_problem import LoopProblem
from hil.errors import UsageError
from hil.types import FloatArray

_STEPS = 3
_MAX_EVALUATIONS = 8
_REACH = 3.0
_SIDE = 3  # points on each side of the optimum


@dataclass(frozen=True)
class Profile:
    """Profile of one parameter; arrays of shape (n_points,), in rising order.

    Attributes:
        name: of the parameter.
        values: at which it was held.
        rise: of the sum of squares above that of the fit, all others fitted anew; 1 is one
            standard uncertainty, 4 are two, for a parabola.
        is_log: whether the fit moves its logarithm.
    """

    name: str
    values: FloatArray
    rise: FloatArray
    is_log: bool

    @property
    def interval(self) -> tuple[float, float]:
        """Range with a rise below 4 (k = 2); as far as the profile reaches if it never does."""
        inside = np.flatnonzero(self.rise <= 4)
        low, high = int(inside[0]), int(inside[-1])
        return self._crossing(low, low - 1), self._crossing(high, high + 1)

    def _crossing(self, inner: int, outer: int) -> float:
        if not 0 <= outer < len(self.rise):
            return float(self.values[inner])
        grid = np.log(self.values) if self.is_log else self.values
        share = (4 - self.rise[inner]) / (self.rise[outer] - self.rise[inner])
        at = float(grid[inner] + share * (grid[outer] - grid[inner]))
        return float(np.exp(at)) if self.is_log else at


def profile(fit: LoopFit, uncertain: Uncertainty, name: str) -> Profile:
    """Return the profile of one parameter over three standard uncertainties on both sides.

    Takes about 5 s for eight loops of 200 points.

    Raises:
        UsageError: it was not fitted.
    """
    space = fit.problem.space
    if name not in space.names:
        raise UsageError(f"{name} was not fitted; there are {', '.join(space.names)}")
    k = space.names.index(name)
    parameter = space.free[k]
    low, high = parameter.coordinate(parameter.low), parameter.coordinate(parameter.high)
    deviation = float(np.sqrt(uncertain.covariance[k, k])) or parameter.spread
    centre = float(fit.coordinates[k])
    points = [(centre, _cost_at(fit, fit.coordinates))]
    for side in (-1, 1):
        start = np.delete(fit.coordinates, k)
        for step in range(1, _SIDE + 1):
            at = float(np.clip(centre + side * _REACH * step / _SIDE * deviation, low, high))
            if at in [point[0] for point in points]:
                break
            value = 10**at if parameter.is_log else at
            solution = _held(fit, name, value).descend(start, _STEPS, _MAX_EVALUATIONS)
            start = solution.coordinates
            points.append((at, solution.cost))
    points.sort()
    coordinates, costs = (np.array(column) for column in zip(*points, strict=True))
    values = 10**coordinates if parameter.is_log else coordinates
    return Profile(name, values, 2 * (costs - costs.min()), parameter.is_log)


def worst(uncertain: Uncertainty, fit: LoopFit, n: int) -> list[str]:
    """Return the ``n`` parameters that the loops tell worst, worst first."""
    spreads = fit.problem.space.spreads
    deviation = np.sqrt(np.diag(uncertain.covariance)) / spreads
    deviation[[v == "bound" for v in uncertain.verdicts]] = np.inf
    return [uncertain.names[k] for k in np.argsort(-deviation)[:n]]


def profiles(
    fit: LoopFit, uncertain: Uncertainty, names: Sequence[str], progress: Progress | None = None
) -> list[Profile]:
    """Return the profiles of several parameters."""
    found = []
    for k, name in enumerate(names):
        if progress:
            progress(f"profile of {name}", k / len(names))
        found.append(profile(fit, uncertain, name))
    return found


def _held(fit: LoopFit, name: str, value: float) -> LoopProblem:
    problem = fit.problem
    held = {**problem.held, name: value}
    space = FitSpace.of(problem.space.model, held)
    return replace(problem, space=space, held=held, _simulators={})


def _cost_at(fit: LoopFit, coordinates: FloatArray) -> float:
    return 0.5 * float((fit.problem.residuals(coordinates[None, :], _STEPS) ** 2).sum())
