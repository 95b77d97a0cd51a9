"""Many loops under many parameter sets at once: what a fit evaluates thousands of times.

The law is that of ``twin.devices.gmss``; the twin integrates one device with error control, this
integrates hundreds side by side with a fixed number of steps for each point. Device capacitance
and load of the measuring board lie parallel to the device; the current is that through the series
resistor, as boards and source-measure units measure it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from calibration.fitting.loop_drive import LoopDrive, cut_into_steps
from calibration.loops import Loop
from hil.types import FloatArray

_MIN_STEP_S = 1e-12
_RUNAWAY = -0.95
_START_ITERATIONS = 40


@dataclass(frozen=True)
class Parasitics:
    """What lies parallel to the device on the measuring board.

    Attributes:
        c_board_f: capacitance.
        g_load_siemens: input conductance of the voltmeter.
    """

    c_board_f: float = 0.0
    g_load_siemens: float = 0.0


NO_PARASITICS = Parasitics()

MEMRISTOR_DISCOVERY_V2 = Parasitics(c_board_f=180e-12, g_load_siemens=1e-6)
"""Board capacitance of its own correction table, and the 1 MOhm input of its oscilloscope, which
lies across the device; memristor-discovery 9e01a9b, ``RC_ResistanceComputer.java``."""


class LoopSimulator:
    """Simulates the current of loops; cheap to keep, one call takes 20 to 300 ms.

    Second order in the step: the voltage is solved in the middle of each step, and the state moves
    by the exact solution for a rate that is an exponential of the state. An abrupt RESET may come
    out one step early or late, which matters where it falls onto a point.

    Args:
        loops: of any kinds; those of equal kind and number of points run together.
        parasitics: of the measuring board.
        steps_per_point: odd; 3 is within 0.4 % of the peak beside abrupt steps.
        periods: that a periodic loop is driven for; the last one counts.
    """

    def __init__(
        self,
        loops: Sequence[Loop],
        parasitics: Parasitics = NO_PARASITICS,
        steps_per_point: int = 3,
        periods: int = 2,
    ) -> None:
        self.n_points = [len(loop.t_s) for loop in loops]
        self._parasitics = parasitics
        self._periods = periods
        self._drives = cut_into_steps(list(loops), steps_per_point)

    def current_a(
        self, values: Mapping[str, FloatArray], x_start: FloatArray | None = None
    ) -> list[FloatArray]:
        """Return the current of each loop, shape (n_lanes, n_points).

        Args:
            values: parameters of ``twin.devices.gmss`` by name, each of shape (n_lanes,).
            x_start: state in which each loop begins, shape (n_lanes, n_loops); a periodic loop
                forgets it. 0.05 if not given.
        """
        n_lanes, n_loops = len(next(iter(values.values()))), len(self.n_points)
        x = np.full((n_lanes, n_loops), 0.05) if x_start is None else x_start
        currents: list[FloatArray] = [np.empty(0)] * n_loops
        for drive in self._drives:
            run = _Run(drive, values, self._parasitics, x[:, list(drive.index)])
            for _ in range(self._periods if drive.is_periodic else 1):
                i_a = run.once()
            for column, k in enumerate(drive.index):
                currents[k] = i_a[:, :, column].T
        return currents


@dataclass(frozen=True)
class _Direction:
    """Law of one polarity: rate sigma((V - threshold - shift x) slope) / tau beyond the edge."""

    sign: FloatArray
    threshold: FloatArray
    shift: FloatArray
    slope: FloatArray
    rate: FloatArray
    edge: FloatArray
    grows: FloatArray

    def mixed(self, other: _Direction, here: NDArray[np.bool_]) -> _Direction:
        """Return this direction in the columns ``here``, the other one elsewhere."""
        parts = (
            np.where(here, getattr(self, name), getattr(other, name))
            for name in self.__dataclass_fields__
        )
        return _Direction(*parts)


class _Run:
    """One group of loops on its way; all arrays (n_lanes, n_loops)."""

    def __init__(
        self,
        drive: LoopDrive,
        values: Mapping[str, FloatArray],
        parasitics: Parasitics,
        x_start: FloatArray,
    ) -> None:
        shape = x_start.shape
        p = {
            name: np.ascontiguousarray(np.broadcast_to(value[:, None], shape))
            for name, value in values.items()
        }
        self._drive = drive
        self._dt_s = np.maximum(drive.dt_s, _MIN_STEP_S)
        self._r_ohm = np.ascontiguousarray(np.broadcast_to(drive.r_series_ohm, shape))
        self._lag = self._r_ohm * parasitics.c_board_f
        self._load = 1 + self._r_ohm * parasitics.g_load_siemens
        self._conduction(p)
        ones = np.ones(shape)
        self._set = _Direction(
            ones,
            p["v_on_v"],
            p["a_on_v"],
            1 / p["v_t_on_v"],
            1 / p["tau_on_s"],
            p["v_dead_on_v"],
            ones,
        )
        self._reset = _Direction(
            -ones,
            p["a_off_v"] / 2 - p["v_off_v"],
            -p["a_off_v"],
            -1 / p["v_t_off_v"],
            1 / p["tau_off_s"],
            p["v_dead_off_v"],
            0 * ones,
        )
        self._direction, self._pattern = self._set, b""
        self._x = x_start.copy()
        self._v_v = np.zeros(shape)
        self._v_before_v = np.zeros(shape)
        self._v_max_v = np.abs(drive.v_mid_v).max(axis=0) + 1e-3
        self._is_new = True

    def _conduction(self, p: Mapping[str, FloatArray]) -> None:
        g_off = 1 / p["r_off_ohm"]
        share, b_f, b_r = p["c_forward_ratio"], p["b_forward_per_v"], p["b_reverse_per_v"]
        self._g_on = 1 / p["r_on_ohm"]
        self._g_on_slope = self._g_on * p["n_on_per_v"]
        self._b_f, self._b_r = b_f, -b_r
        self._forward, self._reverse = g_off * share, g_off * (1 - share)
        self._forward_a, self._reverse_a = self._forward / b_f, self._reverse / b_r
        self._constant_a = self._reverse_a - self._forward_a

    def once(self) -> FloatArray:
        """Drive all loops through all of their steps; return currents (n_points, lanes, loops)."""
        drive = self._drive
        v_v, n_steps = drive.v_mid_v, len(drive.v_mid_v)
        ahead_v = np.diff(v_v, axis=0, append=v_v[:1] if drive.is_periodic else v_v[-1:])
        i_a = np.zeros((drive.n_points, *self._x.shape))
        with np.errstate(all="ignore"):  # parameters far from sense end in a bad fit, not here
            if self._is_new:
                self._solve(v_v[0], self._load, 0 * self._lag, _START_ITERATIONS)
                self._v_before_v[:] = self._v_v
                self._is_new = False
            for k in range(n_steps):
                point, part = divmod(k, drive.per_point)
                v_device_v = self._step(k, ahead_v[k])
                if weight := drive.weights[part]:
                    i_a[point] += weight * (v_v[k] - v_device_v) / self._r_ohm
        return i_a

    def _step(self, k: int, ahead_v: FloatArray) -> FloatArray:
        """Take one step; return the device voltage in its middle."""
        drive = self._drive
        dt_s = self._dt_s[k]
        lag = self._lag / dt_s
        self._solve(drive.v_mid_v[k], self._load + lag, lag, drive.newton)
        v, d, w = self._v_v, self._stiffness, self._v_per_x
        way = self._direction_of(drive.v_mid_v[k])
        limit = way.rate * dt_s
        z = way.threshold + way.shift * self._x
        np.subtract(v, z, out=z)
        z *= way.slope
        np.negative(z, out=z)
        np.exp(z, out=z)
        z += 1
        share = np.reciprocal(z, out=z)
        growth = 1 - share
        beyond = np.abs(drive.rise_v[k] / d)
        beyond += 1e-12
        gate = way.sign * v
        gate -= way.edge
        gate /= beyond
        gate += 0.5
        np.clip(gate, 0, 1, out=gate)
        share *= limit
        share *= gate
        rest = way.grows - self._x  # what is left to switch: 1 - x in SET, -x in RESET
        growth *= share
        growth *= rest
        growth *= way.slope
        w_shift = w + way.shift
        growth *= w_shift
        np.maximum(growth, _RUNAWAY, out=growth)
        growth += 1e-300
        moved = np.log1p(growth)
        moved /= growth
        moved *= share
        np.minimum(moved, limit, out=moved)
        np.negative(moved, out=moved)
        np.expm1(moved, out=moved)
        moved *= rest  # the change of x, negated
        self._x -= moved
        w *= moved
        self._v_before_v = v + 0.5 * w
        v += w
        v += ahead_v / d
        np.clip(v, -self._v_max_v, self._v_max_v, out=v)
        return self._v_before_v

    def _solve(
        self, v_source_v: FloatArray, linear: FloatArray, lag: FloatArray, iterations: int
    ) -> None:
        """Solve V (1 + R g + R C/h) + R I(x, V) = V_source + V_before R C/h by Newton's method."""
        v, x = self._v_v, self._x
        drive_v = v_source_v + lag * self._v_before_v
        for _ in range(iterations):
            forward = np.multiply(self._b_f, v)
            np.exp(forward, out=forward)
            reverse = np.multiply(self._b_r, v)
            np.exp(reverse, out=reverse)
            off_a = self._forward_a * forward
            off_a += self._constant_a
            off_a -= self._reverse_a * reverse
            forward *= self._forward
            reverse *= self._reverse
            forward += reverse
            bend = np.abs(v)
            bend *= self._g_on_slope
            on = self._g_on + bend
            extra_a = v * on
            extra_a -= off_a
            on += bend
            on -= forward
            on *= x
            on += forward
            on *= self._r_ohm
            on += linear
            error_v = x * extra_a
            error_v += off_a
            error_v *= self._r_ohm
            error_v += linear * v
            error_v -= drive_v
            error_v /= on
            v -= error_v
        self._stiffness = on
        extra_a *= self._r_ohm
        extra_a /= on
        self._v_per_x = extra_a  # -dV/dx

    def _direction_of(self, v_source_v: FloatArray) -> _Direction:
        positive = v_source_v > 0
        pattern = positive.tobytes()
        if pattern != self._pattern:
            self._pattern = pattern
            if positive.all():
                self._direction = self._set
            elif not positive.any():
                self._direction = self._reset
            else:
                self._direction = self._set.mixed(self._reset, positive)
        return self._direction
