"""Metastable-switch memristors in the mean field: a population, each with its own parameters."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from hil.types import FloatArray, IndexArray
from twin.devices.arithmetic import ARRAY
from twin.devices.mean_field import MeanFieldDevices
from twin.devices.mss_law import OhmicCircuit
from twin.devices.mss_parameters import MssParameters
from twin.devices.progress import Tolerances


class MssDevices(MeanFieldDevices):
    """Mean-field devices; implements ``DeviceModel``.

    State between drives is ``x`` alone. A device whose dead band covers 0 V keeps it for ever.
    A drive costs some 3 ms of CPU for a 20 ms pulse on one device, 0.1 ms if it stays in the dead
    band; arrays are vectorised, with a step length of its own for each device.

    Args:
        parameters: of every device.
        x: state to begin with, shape (n_devices,); ``parameters.x_init`` if not given.
        tolerances: of the integration; the default keeps X within 1e-6 over thousands of pulses.
    """

    def __init__(
        self,
        parameters: MssParameters,
        x: ArrayLike | None = None,
        tolerances: Tolerances | None = None,
    ) -> None:
        self.parameters = parameters
        self._switch_law = parameters.law
        self._volatile = parameters.is_volatile
        x = parameters.x_init if x is None else x
        super().__init__(parameters.n_devices, self._switch_law, x, tolerances)

    @property
    def is_volatile(self) -> bool:
        """Whether any device changes at zero volt: one whose dead band does not cover it."""
        return bool(self._volatile.any())

    def rest(self, index: IndexArray, dt_s: FloatArray | float) -> None:
        """Let time pass at zero volt for some devices; exact, and free if none is volatile."""
        which = self._volatile[index]
        if not which.any():
            return
        dt_s = np.broadcast_to(dt_s, index.shape)[which]
        volatile = index[which]
        law = self._switch_law.take(volatile)
        p, q = law.probabilities(np.zeros(len(volatile)), ARRAY)
        x_inf = p / (p + q)
        decay = np.exp(-(p + q) * dt_s / law.tau_s)
        self._x[volatile] = x_inf + (self._x[volatile] - x_inf) * decay

    def conductance_siemens(self, index: IndexArray, v_v: ArrayLike = 0.0) -> FloatArray:
        """Return the conductance of some devices; it does not depend on the voltage."""
        return self.parameters.conductance_siemens(self._x[index], index)

    def _state_of(self, index: IndexArray, g_siemens: FloatArray, v_v: FloatArray) -> FloatArray:
        return self.parameters.state_of(g_siemens, index)

    def _circuit(
        self, index: IndexArray, r_series_ohm: FloatArray, i_limit_a: FloatArray
    ) -> OhmicCircuit:
        return self.parameters.circuit(index, r_series_ohm, i_limit_a)
