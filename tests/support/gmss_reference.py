"""The equations of a generalised device written out once more, for scipy; no shared code."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.integrate import solve_ivp
from scipy.optimize import brentq

from hil.types import FloatArray

_MICRO = 1e6  # energies in microjoule, so that one atol serves all


@dataclass(frozen=True)
class GmssReference:
    """A device behind a resistor and a current limit, without memory."""

    p: dict[str, float]
    v_source_v: Callable[[float], float]
    r_ohm: float
    i_limit_a: float

    def current_a(self, x: float, v_v: float) -> float:
        p = self.p
        c, b_f, b_r = p["c_forward_ratio"], p["b_forward_per_v"], p["b_reverse_per_v"]
        off = c * math.expm1(b_f * v_v) / b_f - (1 - c) * math.expm1(-b_r * v_v) / b_r
        on = v_v * (1 + p["n_on_per_v"] * abs(v_v))
        return x * on / p["r_on_ohm"] + (1 - x) * off / p["r_off_ohm"]

    def operating_point(self, t_s: float, x: float) -> tuple[float, float]:
        source = self.v_source_v(t_s)
        v = _root(lambda v: v + self.r_ohm * self.current_a(x, v) - source, source)
        i = self.current_a(x, v)
        if abs(i) > self.i_limit_a:
            limit = math.copysign(self.i_limit_a, i)
            return _root(lambda u: self.current_a(x, u) - limit, v), limit
        return v, i

    def rate_hz(self, x: float, v_v: float) -> float:
        p = self.p
        if v_v > 0:
            z = (v_v - p["v_on_v"] - p["a_on_v"] * x) / p["v_t_on_v"]
            return (1 - x) * _logistic(z) / p["tau_on_s"]
        z = -(v_v + p["v_off_v"] + p["a_off_v"] * (x - 0.5)) / p["v_t_off_v"]
        return -x * _logistic(z) / p["tau_off_s"]

    def solve(self, x0: float, start_s: float, stop_s: float) -> FloatArray:
        """Return state and the energies of device, resistor and source, in microjoule."""
        t, y = start_s, np.array([x0, 0.0, 0.0, 0.0])
        while t < stop_s:
            t, y = self._until_edge(t, y, stop_s)
        return y

    def _until_edge(self, t: float, y: FloatArray, stop_s: float) -> tuple[float, FloatArray]:
        on_v, off_v = self.p["v_dead_on_v"], self.p["v_dead_off_v"]
        v, _ = self.operating_point(t, y[0])
        if min(abs(v - on_v), abs(v + off_v)) < 1e-9:  # on an edge: look a little ahead
            v, _ = self.operating_point(t + 1e-9 * (stop_s - t), y[0])
        switching = not -off_v < v < on_v

        def derivatives(t_s: float, y: FloatArray) -> list[float]:
            v, i = self.operating_point(t_s, y[0])
            rate = self.rate_hz(y[0], v) if switching else 0.0
            series_w = i * i * self.r_ohm
            return [rate, *(_MICRO * w for w in (v * i, series_w, v * i + series_w))]

        def edge(t_s: float, y: FloatArray) -> float:
            v, _ = self.operating_point(t_s, y[0])
            return min(on_v - v, v + off_v)

        edge.terminal = True  # type: ignore[attr-defined]  # solve_ivp's interface
        edge.direction = 1.0 if switching else -1.0  # type: ignore[attr-defined]
        part = solve_ivp(
            derivatives,
            (t, stop_s),
            y,
            method="Radau",
            rtol=1e-10,
            atol=[1e-20, 1e-16, 1e-16, 1e-16],
            events=edge,
            first_step=min(1e-9, (stop_s - t) / 10),
        )
        assert part.success
        return float(part.t[-1]), part.y[:, -1]


def _root(f: Callable[[float], float], end: float) -> float:
    if end == 0 or f(end) == 0:
        return end
    return float(brentq(f, min(0.0, end), max(0.0, end), xtol=1e-16, rtol=1e-15))


def _logistic(z: float) -> float:
    return 1 / (1 + math.exp(-z)) if z > -700 else 0.0
