"""Rate law and circuit of driven metastable-switch devices, as formulas."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from twin.devices.arithmetic import Arithmetic, Values
from twin.devices.formulas import Expansion, PerDevice, Slopes

_MAX_EXPONENT = 500.0


class Electrical(NamedTuple):
    """State of the circuit: conductance, 1 + R G, limiting or not, current, device voltage."""

    g_siemens: Values
    loop: Values
    limited: Values
    i_a: Values
    v_v: Values


@dataclass(frozen=True, slots=True)
class SwitchLaw(PerDevice):
    """Rates of the metastable switches with their dead band, without the circuit.

    Source: Molter and Nugent, arXiv 1608.04659; rates in the mean-field limit.
    """

    v_on_v: Values
    v_off_v: Values
    v_t_v: Values
    tau_s: Values
    v_dead_on_v: Values
    v_dead_off_v: Values

    def probabilities(self, v_v: Values, xp: Arithmetic) -> tuple[Values, Values]:
        """Return (p, q), switching probabilities per tau, as if there were no dead band."""
        p, q, _, _ = self._logistics(v_v, xp)
        return p, q

    def rate(self, x: Values, v_v: Values, xp: Arithmetic) -> Values:
        """Return dX/dt outside the dead band."""
        p, q, _, _ = self._logistics(v_v, xp)
        return (p * (1 - x) - q * x) / self.tau_s

    def expand(self, x: Values, v_v: Values, slopes: Slopes, xp: Arithmetic) -> Expansion:
        """Return dX/dt outside the dead band and its derivatives."""
        p, q, a, b = self._logistics(v_v, xp)
        off = 1 - x
        rise, fall = p * a * p, q * b * q  # V_T times dp/dV and -dq/dV
        k = slopes.v_x / self.v_t_v
        f_z = rise * off + fall * x
        f_zz = rise * (a - 1) * p * off + fall * (1 - b) * q * x
        bend = slopes.v_xx / self.v_t_v
        return Expansion(
            (p * off - q * x) / self.tau_s,
            (f_z * k - p - q) / self.tau_s,
            (f_zz * k * k + f_z * bend - 2 * (rise - fall) * k) / self.tau_s,
            f_z / (self.v_t_v * self.tau_s),
            self.v_t_v,
            abs(k),
        )

    def _logistics(self, v_v: Values, xp: Arithmetic) -> tuple[Values, Values, Values, Values]:
        a = xp.exp(xp.clip((self.v_on_v - v_v) / self.v_t_v, -_MAX_EXPONENT, _MAX_EXPONENT))
        b = xp.exp(xp.clip((v_v + self.v_off_v) / self.v_t_v, -_MAX_EXPONENT, _MAX_EXPONENT))
        return 1 / (1 + a), 1 / (1 + b), a, b


@dataclass(frozen=True, slots=True)
class OhmicCircuit(PerDevice):
    """A current-limited source, a resistor and a device of conductance ``g_off + dg X``."""

    g_off_siemens: Values
    dg_siemens: Values
    r_ohm: Values
    i_limit_a: Values

    def solve(
        self, x: Values, v_source_v: Values, xp: Arithmetic, near_v: Values = 0.0
    ) -> Electrical:
        """Return the operating point, in closed form."""
        g = self.g_off_siemens + self.dg_siemens * x
        loop = 1 + self.r_ohm * g
        free = v_source_v * g / loop
        limited = abs(free) > self.i_limit_a
        i = xp.where(limited, xp.where(free > 0, self.i_limit_a, -self.i_limit_a), free)
        return Electrical(g, loop, limited, i, i / g)

    def slopes(self, at: Electrical, v_source_per_s: Values, xp: Arithmetic) -> Slopes:
        """Return the derivatives at an operating point, all exact."""
        free = xp.where(at.limited, 0.0, 1 / at.loop)
        v_x = -at.v_v * self.dg_siemens * xp.where(at.limited, 1 / at.g_siemens, self.r_ohm * free)
        v_t = v_source_per_s * free
        v_xx = 2 * v_x * v_x / xp.where(at.v_v == 0, 1.0, at.v_v)
        return Slopes(v_x, v_t, at.v_v * self.dg_siemens * free, v_t * at.g_siemens, v_xx)
