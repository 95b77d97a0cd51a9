"""Circuit of a device that is not ohmic: its conduction, and where it works behind a resistor."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from hil.types import FloatArray
from twin.devices.arithmetic import Arithmetic, Values
from twin.devices.formulas import PerDevice, Slopes

_CLOSE_RATIO = 1e-7  # a Newton step this small leaves an error of the order of its square
_MAX_ITERATIONS = 100
_TINY = 1e-300


class Conducting(NamedTuple):
    """An operating point with the derivatives of the current there.

    Attributes:
        v_v: device voltage.
        i_a: current.
        limited: whether the source limits its current.
        i_v: dI/dV.
        i_vv: its second derivative.
        i_x: dI/dX.
        i_xv: the mixed derivative.
    """

    v_v: Values
    i_a: Values
    limited: Values
    i_v: Values
    i_vv: Values
    i_x: Values
    i_xv: Values


class _Branch(NamedTuple):
    """Conduction at one sign of the voltage, in magnitudes u = |V|.

    I(u) = on u (1 + n u) + off (grows (e^(b u) - 1) + saturates (1 - e^(-d u)))
    """

    on: Values
    off: Values
    n: Values
    grows: Values
    b: Values
    saturates: Values
    d: Values


class _Root(NamedTuple):
    """Where a branch works: u, I, and e^(b u) - 1, e^(-d u) - 1."""

    u: Values
    i: Values
    rising: Values
    falling: Values


@dataclass(frozen=True, slots=True)
class DiodeCircuit(PerDevice):
    """A current-limited source, a resistor and a device with an ON and an OFF part.

    I = X G_on V (1 + n |V|) + (1 - X) G_off h(V), as ``GmssParameters`` says; ``forward_v`` is
    c_f / b_f and ``reverse_v`` (1 - c_f) / b_r.
    """

    g_on_siemens: Values
    g_off_siemens: Values
    n_on_per_v: Values
    forward_v: Values
    b_forward_per_v: Values
    reverse_v: Values
    b_reverse_per_v: Values
    r_ohm: Values
    i_limit_a: Values

    def chord_siemens(self, v_v: Values, xp: Arithmetic) -> tuple[Values, Values]:
        """Return I(V) / V at X = 0 and at X = 1."""
        safe_v = xp.where(v_v == 0, 1.0, v_v)
        forward = self.forward_v * xp.expm1(self.b_forward_per_v * safe_v)
        reverse = self.reverse_v * xp.expm1(-self.b_reverse_per_v * safe_v)
        off = self.g_off_siemens * xp.where(v_v == 0, 1.0, (forward - reverse) / safe_v)
        return off, self.g_on_siemens * (1 + self.n_on_per_v * abs(v_v))

    def solve(
        self, x: Values, v_source_v: Values, xp: Arithmetic, near_v: Values = 0.0
    ) -> Conducting:
        """Return the operating point, to round-off.

        The root of a function that only rises: V + R I(V) - V_source, or I(V) - I_limit.
        """
        side = xp.where(v_source_v < 0, -1.0, 1.0)
        branch = self._branch(x, side, xp)
        near, most = side * near_v, abs(v_source_v)
        root = _root(branch, 1.0, self.r_ohm, most, most, near, xp)
        limited = root.i > self.i_limit_a
        if xp.count_nonzero(limited):
            i = xp.where(limited, self.i_limit_a, root.i)
            u, _, rising, falling = _root(branch, 0.0, 1.0, i, root.u, near, xp)
            root = _Root(
                xp.where(limited, u, root.u),
                i,
                xp.where(limited, rising, root.rising),
                xp.where(limited, falling, root.falling),
            )
        return self._conducting(side, branch, root, limited)

    def slopes(self, at: Conducting, v_source_per_s: Values, xp: Arithmetic) -> Slopes:
        """Return the derivatives at an operating point, all exact."""
        free = xp.where(at.limited, 0.0, 1 / (1 + self.r_ohm * at.i_v))
        by_current = xp.where(at.limited, 1 / at.i_v, self.r_ohm * free)
        v_x = -at.i_x * by_current
        v_t = v_source_per_s * free
        v_xx = -by_current * (2 * at.i_xv + at.i_vv * v_x) * v_x
        return Slopes(v_x, v_t, at.i_x * free, at.i_v * v_t, v_xx)

    def _branch(self, x: Values, side: Values, xp: Arithmetic) -> _Branch:
        up = side > 0
        return _Branch(
            x * self.g_on_siemens,
            (1 - x) * self.g_off_siemens,
            self.n_on_per_v,
            xp.where(up, self.forward_v, self.reverse_v),
            xp.where(up, self.b_forward_per_v, self.b_reverse_per_v),
            xp.where(up, self.reverse_v, self.forward_v),
            xp.where(up, self.b_reverse_per_v, self.b_forward_per_v),
        )

    def _conducting(
        self, side: Values, branch: _Branch, root: _Root, limited: Values
    ) -> Conducting:
        on, off, n, grows, b, saturates, d = branch
        u, i, rising, falling = root
        first = grows * b * (rising + 1) + saturates * d * (falling + 1)
        second = grows * b * b * (rising + 1) - saturates * d * d * (falling + 1)
        stretch = 1 + 2 * n * u
        return Conducting(
            side * u,
            side * i,
            limited,
            on * stretch + off * first,
            side * (2 * n * on + off * second),
            side
            * (
                self.g_on_siemens * u * (1 + n * u)
                - self.g_off_siemens * (grows * rising - saturates * falling)
            ),
            self.g_on_siemens * stretch - self.g_off_siemens * first,
        )


class DiodeConduction:
    """Conduction of such devices at the voltage across them alone.

    Args:
        x: states, shape (n,).
        circuit: of the same devices, on arrays; its resistor does not count.
    """

    def __init__(self, x: FloatArray, circuit: DiodeCircuit) -> None:
        c = circuit
        self._on = x * c.g_on_siemens
        self._bend = self._on * c.n_on_per_v
        off = (1 - x) * c.g_off_siemens
        self._rises, self._b = off * c.forward_v, c.b_forward_per_v
        self._falls, self._d = off * c.reverse_v, c.b_reverse_per_v

    def current(self, v_v: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return current and dI/dV of each."""
        rising, falling = np.expm1(self._b * v_v), np.expm1(-self._d * v_v)
        bent = self._bend * np.abs(v_v)
        i_a = (self._on + bent) * v_v + self._rises * rising - self._falls * falling
        slope = (
            self._on
            + 2 * bent
            + self._rises * self._b * (rising + 1)
            + self._falls * self._d * (falling + 1)
        )
        return i_a, slope


def _root(
    branch: _Branch,
    weight: Values,
    r_ohm: Values,
    total: Values,
    most: Values,
    near: Values,
    xp: Arithmetic,
) -> _Root:
    """Return the u from 0 to ``most`` at which weight u + R I(u) = total.

    Newton's method inside a bracket. Its upper end is where the ohmic part of I, or its exponential
    part, would do alone: no exponential overflows whatever the source.
    """
    on, off, n, grows, b, saturates, d = branch
    chord = weight + r_ohm * (on + off * grows * b)
    alone = total / xp.maximum(r_ohm * off * grows, _TINY)
    high = xp.minimum(most, total / xp.maximum(chord, _TINY))
    high = xp.minimum(high, xp.log1p(alone) / b)
    low = 0.0 * high
    u = xp.where((near > 0) & (near < high), near, high)
    for _ in range(_MAX_ITERATIONS):
        rising, falling = xp.expm1(b * u), xp.expm1(-d * u)
        i = on * u * (1 + n * u) + off * (grows * rising - saturates * falling)
        up, down = b * (rising + 1), d * (falling + 1)
        i_u = on * (1 + 2 * n * u) + off * (grows * up + saturates * down)
        excess = weight * u + r_ohm * i - total
        du = -excess / (weight + r_ohm * i_u)
        far = abs(du) > _CLOSE_RATIO * u
        if not xp.count_nonzero(far):
            break
        high = xp.where(excess > 0, u, high)
        low = xp.where(excess > 0, low, u)
        inside = (u + du > low) & (u + du < high)
        u = xp.where(far, xp.where(inside, u + du, 0.5 * (low + high)), u)
    return _Root(u + du, i + i_u * du, rising + up * du, falling - down * du)
