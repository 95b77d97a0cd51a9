"""Device parameters from current-voltage loops."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from calibration.fitting.fit_parameters import FitSpace
from calibration.fitting.loop_problem import LoopProblem, Solution
from calibration.fitting.loop_simulator import NO_PARASITICS, Parasitics
from calibration.fitting.noise import Misfit, estimate, first_guess
from calibration.fitting.priors import Prior, priors_of
from calibration.fitting.quality import r2
from calibration.loops import Loop
from hil.errors import UsageError
from hil.types import FloatArray

Progress = Callable[[str, float], None]
"""Is told what is being done, and how much of it is done, 0 to 1."""

_N_SCREENED = 192
_SCREEN_STEPS, _POLISH_STEPS, _FINAL_STEPS = 1, 3, 9
_FINAL_PERIODS = 4
_N_POLISHED = 2
_TOLERATED = 0.1
_MAX_REWEIGHINGS = 5
_STEADY, _SETTLED = 0.05, 0.1
_FIRST, _MIDDLE, _LAST = (0.3, 0.1), (0.2, 0.05), (0.01,)


@dataclass(frozen=True)
class LoopFit:
    """Parameters of one device, fitted to all of its loops.

    Attributes:
        problem: what was fitted, with the weights of the last descent.
        coordinates: where the fit ended (see ``Solution``).
        values: all parameters by name, the held ones too.
        currents_a: of the fitted model, one array for each loop.
        costs: where each start ended, best first; the first two were followed to the end.
        n_evaluations: simulations with one set of parameters.
        wall_s: how long it took.
    """

    problem: LoopProblem
    coordinates: FloatArray
    values: dict[str, float]
    currents_a: list[FloatArray]
    costs: list[float]
    n_evaluations: int
    wall_s: float

    @property
    def loops(self) -> Sequence[Loop]:
        """The loops that were fitted."""
        return self.problem.loops

    @property
    def misfit(self) -> Misfit:
        """Noise and discrepancy."""
        return self.problem.misfit

    @property
    def priors(self) -> Sequence[Prior]:
        """Prior knowledge that was used."""
        return self.problem.priors

    @property
    def r2(self) -> float:
        """Over all loops, residuals relative to the peak of each loop."""
        return r2(self.loops, self.currents_a)


def fit_loops(
    loops: Sequence[Loop],
    model: str = "gmss",
    *,
    parasitics: Parasitics = NO_PARASITICS,
    priors: Sequence[Prior] | None = None,
    held: Mapping[str, float] | None = None,
    start: Mapping[str, float] | None = None,
    n_starts: int = 6,
    seed: int = 0,
    progress: Progress | None = None,
) -> LoopFit:
    """Fit one parameter set to all loops of one device, frequencies and resistors at once.

    Bounded, weighted least squares. 192 seeded draws are screened, the ``n_starts`` best descend
    with one step per point, the two best of these are followed with finer steps while the weights
    are estimated from what is left. Takes about 20 s for eight loops of 200 points.

    Args:
        loops: all of one device.
        model: ``gmss``, or ``mss`` for comparison.
        parasitics: parallel to the device on the measuring board.
        priors: what is known of the device beside its loops; ``priors_of(model)`` if not given.
        held: parameters that are not to be fitted, with their values.
        start: values of an earlier fit to begin with, beside the drawn ones.
        n_starts: how many starts are followed; 1 follows ``start`` alone.
        seed: of the starts.
        progress: is told how far the fit is.

    Raises:
        UsageError: no loops, loops of several devices, or fewer points than parameters.
    """
    began_s = time.perf_counter()
    space = FitSpace.of(model, held)
    _check(loops, space)
    known = priors_of(model) if priors is None else priors
    problem = LoopProblem(loops, space, known, parasitics, first_guess(loops), dict(held or {}))
    tell = progress or (lambda what, share: None)
    first = _descents(problem, start, n_starts, np.random.default_rng(seed), tell)
    second = []
    problem.misfit = _reweighed(problem, first[0].coordinates, _POLISH_STEPS)
    for k, solution in enumerate(first[:_N_POLISHED]):
        tell("following the best", 0.5 + 0.2 * k)
        second.append(problem.descend(solution.coordinates, _POLISH_STEPS, 20, widths=_MIDDLE))
    best = min(second, key=lambda solution: solution.cost)
    tell("weighing", 0.9)
    third = _refine(problem, best)
    currents = problem.currents_a(third[-1].coordinates[None, :], _FINAL_STEPS, _FINAL_PERIODS)
    return LoopFit(
        problem,
        third[-1].coordinates,
        space.one(third[-1].coordinates[: len(space.free)]),
        [current[0] for current in currents],
        [s.cost for s in first],
        sum(s.n_evaluations for s in first + second + third),
        time.perf_counter() - began_s,
    )


def _refine(problem: LoopProblem, best: Solution) -> list[Solution]:
    """Descend from the best with its own weights, with finer steps where coarse ones would show.

    What the coarse steps get wrong matters as soon as it is a tenth of sigma; that is so where
    the model explains everything but the noise. The Jacobian stays that of coarse steps.
    """
    done: list[Solution] = []
    problem.misfit = _reweighed(problem, best.coordinates, _FINAL_STEPS)
    for _ in range(_MAX_REWEIGHINGS):
        coarse = problem.residuals(best.coordinates[None, :], _POLISH_STEPS)
        fine = problem.residuals(best.coordinates[None, :], _FINAL_STEPS)
        is_coarse_enough = np.sqrt(np.mean((coarse - fine) ** 2)) < _TOLERATED
        start = (coarse if is_coarse_enough else fine)[0]
        if is_coarse_enough:
            best = problem.descend(best.coordinates, _POLISH_STEPS, 10, tolerance=1e-4)
        else:
            best = problem.descend(
                best.coordinates,
                _FINAL_STEPS,
                8,
                widths=_LAST,
                jacobian_steps=_POLISH_STEPS,
                tolerance=1e-5,
            )
        done.append(best)
        fell = 0.5 * float(start @ start) - best.cost
        before_a = np.concatenate(problem.misfit.sigma_a)
        problem.misfit = _reweighed(problem, best.coordinates, _FINAL_STEPS)
        changes = np.concatenate(problem.misfit.sigma_a) / before_a - 1
        if fell < _SETTLED and np.sqrt(np.mean(changes**2)) < _STEADY:
            break
    return done


def _check(loops: Sequence[Loop], space: FitSpace) -> None:
    if not loops:
        raise UsageError("no loops to fit; name runs that hold current-voltage loops")
    devices = sorted({loop.device for loop in loops})
    if len(devices) > 1:
        raise UsageError(
            f"loops of {len(devices)} devices ({', '.join(devices)}): a fit describes one; choose "
            f"with --device {devices[0]}"
        )
    n_points = sum(len(loop.t_s) for loop in loops)
    if n_points <= len(space.free):
        raise UsageError(
            f"{n_points} points of {devices[0]} cannot tell {len(space.free)} parameters; measure "
            "more points"
        )


def _descents(
    problem: LoopProblem,
    start: Mapping[str, float] | None,
    n_starts: int,
    rng: np.random.Generator,
    tell: Progress,
) -> list[Solution]:
    """Return where the best starts end with coarse steps, best first."""
    tell("screening starts", 0.0)
    drawn = problem.space.draw(rng, _N_SCREENED if n_starts > 1 else 1)
    drawn[0] = problem.space.coordinates(start)
    lanes = problem.complete(drawn)
    costs = (problem.residuals(lanes, _SCREEN_STEPS) ** 2).sum(axis=1)
    costs[0] = -np.inf  # the stated start is always followed
    found = []
    for k, lane in enumerate(np.argsort(costs)[:n_starts]):
        tell("following starts", 0.1 + 0.5 * k / n_starts)
        found.append(problem.descend(lanes[lane], _SCREEN_STEPS, 15, widths=_FIRST))
    return sorted(found, key=lambda solution: solution.cost)


def _reweighed(problem: LoopProblem, coordinates: FloatArray, steps_per_point: int) -> Misfit:
    currents = problem.currents_a(coordinates[None, :], steps_per_point)
    return estimate(problem.loops, [i_a[0] for i_a in currents], problem.n_free)
