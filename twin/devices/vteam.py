"""VTEAM memristors: a voltage-threshold model, for comparison with metastable switches."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from hil.types import FloatArray, IndexArray
from twin.devices.arithmetic import Arithmetic, Values
from twin.devices.device_parameters import DeviceParameters
from twin.devices.formulas import Expansion, PerDevice, Slopes
from twin.devices.mean_field import MeanFieldDevices
from twin.devices.progress import Tolerances


@dataclass(frozen=True)
class VteamParameters(DeviceParameters):
    """Parameters of n devices, one array of shape (n_devices,) each.

    X = (w_off - w) / (w_off - w_on) in [0, 1], and the polarity is turned round, so that positive
    voltages drive SET as everywhere in this project::

        I = V / (R_on + (R_off - R_on) (1 - X))
        dX/dt =  k_set (V / v_set - 1)^alpha_set (1 - X^(2 p))                for V > v_set
        dX/dt = -k_reset (-V / v_reset - 1)^alpha_reset (1 - (1 - X)^(2 p))   for V < -v_reset

    The window is that of Biolek, which lets a device leave either end of its range.

    Attributes:
        r_on_ohm: resistance at X = 1.
        r_off_ohm: resistance at X = 0.
        r_init_ohm: as delivered.
        v_set_v: threshold of SET.
        v_reset_v: magnitude of that of RESET.
        alpha_set_ratio: exponent of the overdrive in SET, at least 1.
        alpha_reset_ratio: the same in RESET.
        tau_set_s: 1 / k_set.
        tau_reset_s: 1 / k_reset.
        window_ratio: p of the window, at least 1.

    Source: Kvatinsky et al., IEEE Trans. Circuits Syst. II 62 (2015) 786, equations 1 to 3; window:
    Biolek et al., Radioengineering 18 (2009) 210.

    Raises:
        UsageError: arrays of different lengths, or values that make no device.
    """

    _positive: ClassVar[tuple[str, ...]] = ("v_set_v", "v_reset_v", "tau_set_s", "tau_reset_s")
    decided: ClassVar[tuple[str, ...]] = (
        "r_on_ohm",
        "r_off_ohm",
        "v_set_v",
        "v_reset_v",
        "alpha_set_ratio",
        "alpha_reset_ratio",
        "tau_set_s",
        "tau_reset_s",
    )

    v_set_v: FloatArray
    v_reset_v: FloatArray
    alpha_set_ratio: FloatArray
    alpha_reset_ratio: FloatArray
    tau_set_s: FloatArray
    tau_reset_s: FloatArray
    window_ratio: FloatArray

    def _check(self) -> None:
        for name in ("alpha_set_ratio", "alpha_reset_ratio", "window_ratio"):
            self._require(getattr(self, name) >= 1, name, "must be at least 1")

    @property
    def x_init(self) -> FloatArray:
        """State that gives ``r_init_ohm``."""
        return (self.r_off_ohm - self.r_init_ohm) / (self.r_off_ohm - self.r_on_ohm)


@dataclass(frozen=True, slots=True)
class ThresholdLaw(PerDevice):
    """Rates that grow with a power of the overdrive, inside a window."""

    v_dead_on_v: Values
    v_dead_off_v: Values
    alpha_set: Values
    alpha_reset: Values
    tau_set_s: Values
    tau_reset_s: Values
    window: Values

    def rate(self, x: Values, v_v: Values, xp: Arithmetic) -> Values:
        """Return dX/dt outside the dead band."""
        side, left, drive, _, alpha, tau_s = self._direction(x, v_v, xp)
        return side * drive**alpha * (1 - (1 - left) ** (2 * self.window)) / tau_s

    def expand(self, x: Values, v_v: Values, slopes: Slopes, xp: Arithmetic) -> Expansion:
        """Return dX/dt outside the dead band and its derivatives."""
        side, left, drive, threshold_v, alpha, tau_s = self._direction(x, v_v, xp)
        power = 2 * self.window
        window = 1 - (1 - left) ** power
        w_x = -side * power * (1 - left) ** (power - 1)
        w_xx = -power * (power - 1) * (1 - left) ** xp.maximum(power - 2, 0.0)
        d_x, d_xx = side * slopes.v_x / threshold_v, side * slopes.v_xx / threshold_v
        safe = xp.maximum(drive, 1e-12)
        g = drive**alpha
        g_d = alpha * drive ** (alpha - 1)
        g_dd = alpha * (alpha - 1) * safe ** (alpha - 2)
        g_x, g_xx = g_d * d_x, g_dd * d_x * d_x + g_d * d_xx
        return Expansion(
            side * g * window / tau_s,
            side * (g_x * window + g * w_x) / tau_s,
            side * (g_xx * window + 2 * g_x * w_x + g * w_xx) / tau_s,
            g_d * window / (threshold_v * tau_s),
            threshold_v,
            abs(d_x) + abs(w_x),
        )

    def _direction(
        self, x: Values, v_v: Values, xp: Arithmetic
    ) -> tuple[Values, Values, Values, Values, Values, Values]:
        """Return side, what is left to go, overdrive, threshold, exponent, time constant."""
        up = v_v > 0
        side = xp.where(up, 1.0, -1.0)
        threshold_v = xp.where(up, self.v_dead_on_v, self.v_dead_off_v)
        return (
            side,
            xp.where(up, 1 - x, x),
            xp.maximum(side * v_v / threshold_v - 1, 0.0),
            threshold_v,
            xp.where(up, self.alpha_set, self.alpha_reset),
            xp.where(up, self.tau_set_s, self.tau_reset_s),
        )


class Resistive(NamedTuple):
    """State of the circuit: device resistance, sum with R, limiting or not, current, voltage."""

    r_device_ohm: Values
    r_total_ohm: Values
    limited: Values
    i_a: Values
    v_v: Values


@dataclass(frozen=True, slots=True)
class ResistiveCircuit(PerDevice):
    """A current-limited source, a resistor and a device of resistance ``r_off - dr X``."""

    r_off_ohm: Values
    dr_ohm: Values
    r_ohm: Values
    i_limit_a: Values

    def solve(
        self, x: Values, v_source_v: Values, xp: Arithmetic, near_v: Values = 0.0
    ) -> Resistive:
        """Return the operating point, in closed form."""
        r_device = self.r_off_ohm - self.dr_ohm * x
        r_total = r_device + self.r_ohm
        free = v_source_v / r_total
        limited = abs(free) > self.i_limit_a
        i = xp.where(limited, xp.where(free > 0, self.i_limit_a, -self.i_limit_a), free)
        return Resistive(r_device, r_total, limited, i, i * r_device)

    def slopes(self, at: Resistive, v_source_per_s: Values, xp: Arithmetic) -> Slopes:
        """Return the derivatives at an operating point, all exact."""
        i_x = xp.where(at.limited, 0.0, at.i_a * self.dr_ohm / at.r_total_ohm)
        i_t = xp.where(at.limited, 0.0, v_source_per_s / at.r_total_ohm)
        v_x = i_x * at.r_device_ohm - at.i_a * self.dr_ohm
        v_xx = -2 * i_x * self.dr_ohm * (1 - at.r_device_ohm / at.r_total_ohm)
        return Slopes(v_x, i_t * at.r_device_ohm, i_x, i_t, v_xx)


class VteamDevices(MeanFieldDevices):
    """VTEAM devices; implements ``DeviceModel``. They keep their state at rest.

    Args:
        parameters: of every device.
        x: state to begin with, shape (n_devices,); ``parameters.x_init`` if not given.
        tolerances: of the integration.
    """

    is_volatile = False

    def __init__(
        self,
        parameters: VteamParameters,
        x: ArrayLike | None = None,
        tolerances: Tolerances | None = None,
    ) -> None:
        p = self.parameters = parameters
        law = ThresholdLaw(
            p.v_set_v,
            p.v_reset_v,
            p.alpha_set_ratio,
            p.alpha_reset_ratio,
            p.tau_set_s,
            p.tau_reset_s,
            p.window_ratio,
        )
        x = p.x_init if x is None else x
        super().__init__(p.n_devices, law, x, tolerances or Tolerances(x_absolute=1e-14))

    def rest(self, index: IndexArray, dt_s: FloatArray | float) -> None:
        """Let time pass at zero volt; nothing happens."""

    def conductance_siemens(self, index: IndexArray, v_v: ArrayLike = 0.0) -> FloatArray:
        """Return the conductance of some devices; it does not depend on the voltage."""
        p = self.parameters
        r_off = p.r_off_ohm[index]
        g_siemens: FloatArray = 1 / (r_off - (r_off - p.r_on_ohm[index]) * self._x[index])
        return g_siemens

    def _state_of(self, index: IndexArray, g_siemens: FloatArray, v_v: FloatArray) -> FloatArray:
        p = self.parameters
        r_off = p.r_off_ohm[index]
        r_ohm = 1 / np.maximum(g_siemens, 1e-300)
        x: FloatArray = (r_off - r_ohm) / (r_off - p.r_on_ohm[index])
        return x

    def _circuit(
        self, index: IndexArray, r_series_ohm: FloatArray, i_limit_a: FloatArray
    ) -> ResistiveCircuit:
        p = self.parameters
        r_off = p.r_off_ohm[index]
        return ResistiveCircuit(r_off, r_off - p.r_on_ohm[index], r_series_ohm, i_limit_a)
