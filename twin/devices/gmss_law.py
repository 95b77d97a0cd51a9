"""Rate law of generalised metastable-switch devices, as formulas."""

from __future__ import annotations

from dataclasses import dataclass

from twin.devices.arithmetic import Arithmetic, Values
from twin.devices.formulas import Expansion, PerDevice, Slopes

_MAX_EXPONENT = 500.0


@dataclass(frozen=True, slots=True)
class GeneralisedSwitchLaw(PerDevice):
    """SET above the dead band, RESET below it, each with a threshold that moves with the state.

    Both are one formula: with V, X counted in the direction of the switching, s the share of
    switches that attempt it and W those that are left to do so, dW/dt = -W s / tau.
    """

    v_on_v: Values
    v_off_v: Values
    a_on_v: Values
    a_off_v: Values
    v_t_on_v: Values
    v_t_off_v: Values
    tau_on_s: Values
    tau_off_s: Values
    v_dead_on_v: Values
    v_dead_off_v: Values

    def rate(self, x: Values, v_v: Values, xp: Arithmetic) -> Values:
        """Return dX/dt outside the dead band."""
        side, left, attempting, _, _, tau_s = self._direction(x, v_v, xp)
        return side * left * attempting / tau_s

    def expand(self, x: Values, v_v: Values, slopes: Slopes, xp: Arithmetic) -> Expansion:
        """Return dX/dt outside the dead band and its derivatives, all exact."""
        side, left, s, width_v, moves_v, tau_s = self._direction(x, v_v, xp)
        s_z = s * (1 - s)
        z_x = (side * slopes.v_x - moves_v) / width_v
        z_xx = side * slopes.v_xx / width_v
        s_zz = s_z * (1 - 2 * s)
        return Expansion(
            side * left * s / tau_s,
            (side * left * s_z * z_x - s) / tau_s,
            (side * left * (s_zz * z_x * z_x + s_z * z_xx) - 2 * s_z * z_x) / tau_s,
            left * s_z / (width_v * tau_s),
            width_v,
            abs(z_x),
        )

    def _direction(
        self, x: Values, v_v: Values, xp: Arithmetic
    ) -> tuple[Values, Values, Values, Values, Values, Values]:
        """Return side, switches left, share attempting, width, move of the threshold, tau."""
        up = v_v > 0
        side = xp.where(up, 1.0, -1.0)
        width_v = xp.where(up, self.v_t_on_v, self.v_t_off_v)
        moves_v = xp.where(up, self.a_on_v, self.a_off_v)
        threshold_v = xp.where(up, self.v_on_v, self.v_off_v - 0.5 * self.a_off_v) + moves_v * x
        z = xp.clip((threshold_v - side * v_v) / width_v, -_MAX_EXPONENT, _MAX_EXPONENT)
        return (
            side,
            xp.where(up, 1 - x, x),
            1 / (1 + xp.exp(z)),
            width_v,
            moves_v,
            xp.where(up, self.tau_on_s, self.tau_off_s),
        )
