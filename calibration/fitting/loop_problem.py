"""Loops, parameters and weights as one least-squares problem."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from scipy.optimize import least_squares

from calibration.comparing.loop_replay import start_siemens
from calibration.fitting.fit_parameters import FitSpace, Values
from calibration.fitting.loop_simulator import LoopSimulator, Parasitics
from calibration.fitting.noise import Misfit
from calibration.fitting.priors import Prior
from calibration.loops import Loop
from hil.types import FloatArray

_NARROW = 0.02  # step of a finite difference, in spreads
_LOST = 1e3  # residual, in sigma, where a simulation fails


@dataclass(frozen=True)
class Solution:
    """Where one descent ended.

    Attributes:
        coordinates: of the parameters, then the state in which each sweep that is not periodic
            begins.
        cost: half the sum of squares.
        n_evaluations: simulations with one set of parameters.
    """

    coordinates: FloatArray
    cost: float
    n_evaluations: int


@dataclass
class LoopProblem:
    """Everything that stays the same during a fit but the weights.

    Attributes:
        loops: all of one device.
        space: coordinates of the parameters.
        priors: further data points.
        parasitics: of the measuring board.
        misfit: noise and discrepancy that weigh the residuals.
        held: parameters that were told to be held, beside those that always are.
    """

    loops: Sequence[Loop]
    space: FitSpace
    priors: Sequence[Prior]
    parasitics: Parasitics
    misfit: Misfit
    held: Mapping[str, float] = field(default_factory=dict)
    _simulators: dict[tuple[int, int], LoopSimulator] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._swept = [k for k, loop in enumerate(self.loops) if not loop.is_periodic]

    @property
    def n_free(self) -> int:
        """Number of coordinates."""
        return len(self.space.free) + len(self._swept)

    @property
    def bounds(self) -> tuple[FloatArray, FloatArray]:
        """Bounds of all coordinates."""
        low, high = self.space.bounds
        n = len(self._swept)
        return np.append(low, np.zeros(n)), np.append(high, np.ones(n))

    @property
    def spreads(self) -> FloatArray:
        """Scale on which each coordinate matters."""
        return np.append(self.space.spreads, np.full(len(self._swept), 0.05))

    def complete(self, coordinates: FloatArray) -> FloatArray:
        """Return coordinates (n_lanes, n_parameters) with states that the sweeps begin in added."""
        values = self.space.values(coordinates)
        g_on, g_off = 1 / values["r_on_ohm"], 1 / values["r_off_ohm"]
        starts = [
            np.clip((start_siemens(self.loops[k]) - g_off) / (g_on - g_off), 1e-3, 0.99)
            for k in self._swept
        ]
        return np.column_stack([coordinates, *starts])

    def currents_a(
        self, coordinates: FloatArray, steps_per_point: int, periods: int = 2
    ) -> list[FloatArray]:
        """Return the current of each loop, (n_lanes, n_points), for (n_lanes, n_free)."""
        values, x_start = self._split(coordinates)
        return self._simulator(steps_per_point, periods).current_a(values, x_start)

    def residuals(
        self, coordinates: FloatArray, steps_per_point: int, periods: int = 2
    ) -> FloatArray:
        """Return measured less simulated over sigma, then priors, shape (n_lanes, n_residuals)."""
        currents = self.currents_a(coordinates, steps_per_point, periods)
        sigma_a = self.misfit.sigma_a
        values, _ = self._split(coordinates)
        with np.errstate(over="ignore", invalid="ignore"):  # parameters far from sense
            parts = [
                (loop.i_a - current) / sigma
                for loop, current, sigma in zip(self.loops, currents, sigma_a, strict=True)
            ]
            parts += [
                ((p.value - p.predict(values)) / p.standard_uncertainty)[:, None]
                for p in self.priors
            ]
        every = np.concatenate(parts, axis=1)
        return np.clip(np.nan_to_num(every, nan=_LOST, posinf=_LOST, neginf=-_LOST), -_LOST, _LOST)

    def jacobian(
        self, coordinates: FloatArray, steps_per_point: int, steps: FloatArray | None = None
    ) -> FloatArray:
        """Return d(residual)/d(coordinate), (n_residuals, n_free), by central differences.

        All of them in one simulation of 2 n_free + 1 lanes.
        """
        return self.linearised(coordinates, steps_per_point, steps)[1]

    def linearised(
        self, coordinates: FloatArray, steps_per_point: int, steps: FloatArray | None = None
    ) -> tuple[FloatArray, FloatArray]:
        """Return residuals and Jacobian from one simulation: little dearer than either."""
        n = len(coordinates)
        wide = _NARROW * self.spreads if steps is None else steps
        lanes = np.tile(coordinates, (2 * n + 1, 1))
        lanes[:n] += np.diag(wide)
        lanes[n:-1] -= np.diag(wide)
        r = self.residuals(lanes, steps_per_point)
        slopes: FloatArray = ((r[:n] - r[n:-1]) / (2 * wide[:, None])).T
        return r[-1], slopes

    def descend(
        self,
        start: FloatArray,
        steps_per_point: int,
        max_evaluations: int,
        *,
        widths: Sequence[float] = (_NARROW,),
        jacobian_steps: int | None = None,
        tolerance: float = 1e-3,
    ) -> Solution:
        """Return the minimum below one start (trust region, within the bounds).

        Where a RESET is abrupt, the sum of squares is rugged: it steps as the jump crosses a point.
        Wide differences look across such steps, narrow ones find the bottom in the end.

        Args:
            start: coordinates.
            steps_per_point: of the simulation.
            max_evaluations: of residuals, for each width.
            widths: of the finite differences, in spreads, one descent after the other.
            jacobian_steps: of the simulation for the Jacobian, where they are to be coarser.
            tolerance: relative, of cost and coordinates.
        """
        low, high = self.bounds
        margin = 1e-6 * (high - low)
        at, n_evaluations, cost = start, 0, np.inf
        for width in widths:
            evaluate = _Linearised(self, steps_per_point, jacobian_steps, width * self.spreads)
            found = least_squares(
                evaluate.residuals,
                np.clip(at, low + margin, high - margin),
                jac=evaluate.jacobian,
                bounds=(low, high),
                x_scale=self.spreads,
                max_nfev=max_evaluations,
                ftol=tolerance,
                xtol=tolerance,
                gtol=None,
            )
            at, cost = found.x, float(found.cost)
            n_evaluations += evaluate.n_evaluations
        return Solution(at, cost, n_evaluations)

    def _split(self, coordinates: FloatArray) -> tuple[Values, FloatArray]:
        n = len(self.space.free)
        x_start = np.full((len(coordinates), len(self.loops)), 0.05)
        x_start[:, self._swept] = np.clip(coordinates[:, n:], 0.0, 1.0)
        return self.space.values(coordinates[:, :n]), x_start

    def _simulator(self, steps_per_point: int, periods: int) -> LoopSimulator:
        key = (steps_per_point, periods)
        if key not in self._simulators:
            self._simulators[key] = LoopSimulator(
                self.loops, self.parasitics, steps_per_point, periods
            )
        return self._simulators[key]


class _Linearised:
    """Residuals and Jacobian for an optimiser, which asks for the one and then for the other."""

    def __init__(
        self,
        problem: LoopProblem,
        steps_per_point: int,
        jacobian_steps: int | None,
        differences: FloatArray,
    ) -> None:
        self.n_evaluations = 0
        self._problem = problem
        self._steps = steps_per_point
        self._jacobian_steps = jacobian_steps
        self._differences = differences
        self._at: FloatArray | None = None
        self._slopes = np.empty(0)

    def residuals(self, coordinates: FloatArray) -> FloatArray:
        if self._jacobian_steps is not None:
            self.n_evaluations += 1
            one: FloatArray = self._problem.residuals(coordinates[None, :], self._steps)[0]
            return one
        self.n_evaluations += 2 * len(coordinates) + 1
        r, self._slopes = self._problem.linearised(coordinates, self._steps, self._differences)
        self._at = coordinates.copy()
        return r

    def jacobian(self, coordinates: FloatArray) -> FloatArray:
        if self._at is not None and np.array_equal(coordinates, self._at):
            return self._slopes
        self.n_evaluations += 2 * len(coordinates) + 1
        steps = self._jacobian_steps or self._steps
        return self._problem.jacobian(coordinates, steps, self._differences)
