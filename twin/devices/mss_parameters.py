"""Parameters of metastable-switch devices, and what a population of them has in any form."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from hil.types import FloatArray, IndexArray
from twin.devices.device_parameters import DeviceParameters
from twin.devices.mss_law import OhmicCircuit, SwitchLaw


@dataclass(frozen=True)
class MssParameters(DeviceParameters):
    """Parameters of n devices, one array of shape (n_devices,) each.

    X in [0, 1] is the fraction of switches that are ON; positive device voltages drive SET::

        dX/dt = (p (1 - X) - q X) / tau,   G = X / R_on + (1 - X) / R_off
        p = s((V - V_on) / V_T),   q = 1 - s((V + V_off) / V_T),   s(z) = 1 / (1 + exp(-z))
        p = q = 0   for   -v_dead_off < V < v_dead_on

    Attributes:
        r_on_ohm: resistance with all switches ON.
        r_off_ohm: resistance with all switches OFF.
        r_init_ohm: resistance as delivered.
        v_on_v: voltage at which an OFF switch turns ON with probability 1/2 per tau.
        v_off_v: magnitude of the (negative) voltage for the opposite.
        tau_s: attempt time of a switch.
        v_t_v: width of the thresholds, k T / q.
        v_dead_on_v: nothing switches below; 0 for no dead band.
        v_dead_off_v: nothing switches above minus this; 0 for no dead band.
        n_switches: number of switches, integer; only the stochastic model has a finite number.

    Source: Molter and Nugent, arXiv 1608.04659; the dead band is ours.

    Raises:
        UsageError: arrays of different lengths, or values that make no device.
    """

    _positive: ClassVar[tuple[str, ...]] = ("tau_s", "v_t_v", "n_switches")
    _not_negative: ClassVar[tuple[str, ...]] = ("v_dead_on_v", "v_dead_off_v")

    decided: ClassVar[tuple[str, ...]] = ("r_on_ohm", "r_off_ohm", "v_on_v", "v_off_v", "tau_s")

    v_on_v: FloatArray
    v_off_v: FloatArray
    tau_s: FloatArray
    v_t_v: FloatArray
    v_dead_on_v: FloatArray
    v_dead_off_v: FloatArray
    n_switches: FloatArray

    def _check(self) -> None:
        self._require(
            (self.v_dead_on_v > 0) == (self.v_dead_off_v > 0),
            "v_dead_on_v",
            "and v_dead_off_v are both above 0, or both 0 for no dead band",
        )
        self._require(self.n_switches == np.floor(self.n_switches), "n_switches", "is no integer")

    @property
    def is_volatile(self) -> NDArray[np.bool_]:
        """Whether each device changes at zero volt: its dead band does not cover it."""
        volatile: NDArray[np.bool_] = self.v_dead_on_v == 0
        return volatile

    def conductance_siemens(self, x: FloatArray, index: IndexArray) -> FloatArray:
        """Return the conductance of some devices in state ``x``."""
        return x / self.r_on_ohm[index] + (1 - x) / self.r_off_ohm[index]

    def state_of(self, g_siemens: FloatArray, index: IndexArray) -> FloatArray:
        """Return the state in which some devices have a conductance; may be outside [0, 1]."""
        g_off = 1 / self.r_off_ohm[index]
        x: FloatArray = (g_siemens - g_off) / (1 / self.r_on_ohm[index] - g_off)
        return x

    @property
    def law(self) -> SwitchLaw:
        """Rate law of all devices, on arrays."""
        return SwitchLaw(
            self.v_on_v,
            self.v_off_v,
            self.v_t_v,
            self.tau_s,
            self.v_dead_on_v,
            self.v_dead_off_v,
        )

    def circuit(
        self, index: IndexArray, r_series_ohm: FloatArray, i_limit_a: FloatArray
    ) -> OhmicCircuit:
        """Return the circuits in which some devices are driven."""
        g_off = 1 / self.r_off_ohm[index]
        return OhmicCircuit(g_off, 1 / self.r_on_ohm[index] - g_off, r_series_ohm, i_limit_a)
