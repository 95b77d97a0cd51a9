"""Newton's method for the cells of a crossbar that are not linear."""

from __future__ import annotations

from typing import NamedTuple, Protocol

import numpy as np

from hil.errors import UnmodelledError
from hil.types import FloatArray
from twin.network_equations import Conductances, Equations, Ports, norms
from twin.network_linear import dots
from twin.network_state import NetworkState

_MAX_STEPS = 200
_MAX_HALVINGS = 50
_TINY_A = 1e-300
_SPARE_RATIO = 0.3  # of the tolerance, for the linear equations alone
_LOOSEST_RATIO = 1e-3  # residual that a linear solve may leave, of the one before it
_SLOPE_RATIO = 0.9
"""Of the slope of the power along a step, what may be left behind it or be overshot.

The power (the co-content of the cells and the wires) is convex for cells that only rise, and the
residuals are its gradient: a step that flattens it along its own direction leads downhill.
"""
_NO_CURRENT_RATIO = 1e-9  # of what flows without wires; there may be no path for any current


class CellLaw(Protocol):
    """What the cells of an array conduct."""

    def current(self, v_v: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return the current of every cell and its derivative in siemens.

        Args:
            v_v: voltage over every cell, (k, n, m).
        """
        ...


class _Point(NamedTuple):
    """Where the equations are evaluated."""

    i_a: FloatArray
    slope_siemens: FloatArray
    words_a: FloatArray
    bits_a: FloatArray

    @property
    def missing_a(self) -> FloatArray:
        return np.hypot(norms(self.words_a), norms(self.bits_a))


def solve_cells(
    cells: CellLaw, ports: Ports, tolerance: float, near: NetworkState | None
) -> NetworkState:
    """Solve cells of any law; see ``CrossbarNetwork.solve_cells``."""
    k = max(len(ports.rows_v), len(ports.columns_v))
    equations = Equations(ports, k)
    if not equations.begin(near):
        equations.add(np.zeros(ports.words.drops_shape(k)), np.zeros(ports.bits.drops_shape(k)))
    with np.errstate(over="ignore", invalid="ignore"):  # steps too long are found and shortened
        return _newton(cells, equations, tolerance)


def _newton(cells: CellLaw, equations: Equations, tolerance: float) -> NetworkState:
    point = _evaluate(cells, equations)
    n_iterations = 0
    for _ in range(_MAX_STEPS):
        at = Conductances(np.maximum(point.slope_siemens, 0.0), equations.ports)
        ideal_a = norms(point.slope_siemens * equations.v0_v)
        missing_a = point.missing_a
        i_a = np.maximum(norms(point.i_a), _NO_CURRENT_RATIO * ideal_a)
        goal = np.maximum(tolerance * i_a, equations.noise_a())
        going = missing_a > goal
        if not going.any():
            return equations.state(point.i_a, ideal_a, n_iterations, at)
        if not np.isfinite(missing_a).all():
            break
        ratio = np.minimum(_LOOSEST_RATIO, missing_a / np.maximum(i_a, _TINY_A))
        target = np.maximum(ratio * missing_a, _SPARE_RATIO * goal)
        found = at.correct(point.words_a, point.bits_a, target, "auto")
        n_iterations += found.n_iterations
        step = [part * going[:, None, None] for part in (found.kept, found.eliminated)]
        shorter = _along(cells, equations, point, step[0], step[1])
        if shorter is None:
            break
        point = shorter
    worst = float(np.max(missing_a / np.maximum(i_a, _TINY_A)))
    raise UnmodelledError(
        f"crossbar: Newton's method does not converge, {worst:.2g} of the currents are missing at "
        "nodes; cells of negative differential resistance have no unique solution"
    )


def _along(
    cells: CellLaw, equations: Equations, point: _Point, words_v: FloatArray, bits_v: FloatArray
) -> _Point | None:
    """Take a step, or as much of it as does not overshoot; None if no part of it will do."""
    before = dots(point.words_a, words_v) + dots(point.bits_a, bits_v)
    part = np.ones(len(before))
    equations.add(words_v, bits_v)
    for _ in range(_MAX_HALVINGS):
        there = _evaluate(cells, equations)
        slope = dots(there.words_a, words_v) + dots(there.bits_a, bits_v)
        fits = slope >= -_SLOPE_RATIO * before
        if fits.all():
            return there
        less = np.where(fits, 0.0, 0.5 * part)
        part -= less
        back = -less[:, None, None]
        equations.add(back * words_v, back * bits_v)
    return None


def _evaluate(cells: CellLaw, equations: Equations) -> _Point:
    i_a, slope = cells.current(equations.v0_v - equations.drops_v())
    return _Point(i_a, slope, *equations.residuals_a(i_a))
