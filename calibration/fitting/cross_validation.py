"""Does a fit predict loops that it has not seen?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from calibration.fitting.fit import LoopFit, Progress, fit_loops
from calibration.fitting.fit_parameters import FitSpace
from calibration.fitting.loop_simulator import LoopSimulator, Parasitics
from calibration.fitting.quality import r2
from calibration.loops import Loop
from hil.errors import UsageError
from hil.types import FloatArray

_STEPS = 9
_PERIODS = 20


@dataclass(frozen=True)
class LeftOut:
    """One condition that was predicted by a fit to all others.

    Attributes:
        label: of the condition.
        loops: measured under it.
        currents_a: predicted.
        values: parameters without this condition.
    """

    label: str
    loops: list[Loop]
    currents_a: list[FloatArray]
    values: dict[str, float]

    @property
    def r2(self) -> float:
        """Of the prediction."""
        return r2(self.loops, self.currents_a)


def leave_one_out(
    fit: LoopFit, *, n_starts: int = 3, seed: int = 0, progress: Progress | None = None
) -> list[LeftOut]:
    """Return for each condition (resistor, amplitude, frequency) its prediction by the others.

    Each is a fit of its own with its own starts; costs about as much as half a fit each.

    Raises:
        UsageError: there is only one condition.
    """
    labels = list(dict.fromkeys(_condition(loop) for loop in fit.loops))
    if len(labels) < 2:
        raise UsageError("one condition only: nothing is left to fit when it is left out")
    results = []
    for k, label in enumerate(labels):
        if progress:
            progress(f"without {label}", k / len(labels))
        out = [loop for loop in fit.loops if _condition(loop) == label]
        rest = [loop for loop in fit.loops if _condition(loop) != label]
        other = fit_loops(
            rest,
            fit.problem.space.model,
            parasitics=fit.problem.parasitics,
            priors=fit.priors,
            held=fit.problem.held,
            n_starts=n_starts,
            seed=seed,
        )
        results.append(LeftOut(label, out, predict(other, out), other.values))
    return results


def r2_left_out(results: Sequence[LeftOut]) -> float:
    """Return R2 over all predictions together."""
    loops = [loop for result in results for loop in result.loops]
    return r2(loops, [i_a for result in results for i_a in result.currents_a])


def jackknife(results: Sequence[LeftOut], space: FitSpace) -> dict[str, float]:
    """Return the standard uncertainty of each parameter that follows from leaving data out.

    Delete-one jackknife over conditions: (g - 1) / g x the sum of squared deviations from the mean
    of g estimates, in the coordinates of the fit, then brought to the unit of the parameter.
    """
    coordinates = np.array([space.coordinates(result.values) for result in results])
    g = len(coordinates)
    middle = coordinates.mean(axis=0)
    deviations = np.sqrt((g - 1) / g * ((coordinates - middle) ** 2).sum(axis=0))
    return dict(zip(space.names, (deviations * np.abs(space.slopes(middle))).tolist(), strict=True))


def predict(fit: LoopFit, loops: Sequence[Loop]) -> list[FloatArray]:
    """Return the current of loops that need not be those that were fitted.

    A periodic loop is driven for 20 periods; any other one begins nearly OFF.
    """
    return predict_values(fit.values, loops, fit.problem.parasitics)


def predict_values(
    values: dict[str, float], loops: Sequence[Loop], parasitics: Parasitics
) -> list[FloatArray]:
    """Return the current of loops for parameters by name."""
    simulator = LoopSimulator(loops, parasitics, _STEPS, _PERIODS)
    lanes = {name: np.array([value]) for name, value in values.items()}
    return [current[0] for current in simulator.current_a(lanes)]


def _condition(loop: Loop) -> str:
    return loop.label.split(" loop ")[0]
