"""Weights of either sign on conductances that have none.

A network sums currents, and the current of a synapse is that of its branch: device, series resistor
and switch. So weights are linear in the branch conductance b = G / (1 + G R), and the conductance
that a device is programmed to follows from it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np

from hil.errors import ParameterError
from hil.types import BoardInfo, CellArray, Dopant, FloatArray

REFERENCE, DIFFERENTIAL = "reference", "differential"
SCHEMES = (REFERENCE, DIFFERENTIAL)
"""How signed weights are made: w = (b - b_ref) / half with one reference conductance per neuron, or
w = (b_plus - b_minus) / (2 half) with a pair of devices for each weight."""


@dataclass(frozen=True)
class ConductanceWindow:
    """Part of a device's range that carries weights.

    Attributes:
        g_min_siemens: carries weight -1.
        g_max_siemens: carries weight +1.
    """

    g_min_siemens: float
    g_max_siemens: float

    def __post_init__(self) -> None:
        if not 0 < self.g_min_siemens < self.g_max_siemens:
            raise ParameterError(
                f"conductance window {self.g_min_siemens:g} S to {self.g_max_siemens:g} S: "
                f"give two positive conductances in rising order"
            )


# Chosen inside what one SET pulse of 20 ms can reach at amplitudes that the limits allow, with the
# station's default series resistors (W: 10 kOhm, Cr and C: 47 kOhm); above each device's off state.
DEFAULT_WINDOWS = {
    Dopant.W: ConductanceWindow(20e-6, 220e-6),
    Dopant.CR: ConductanceWindow(20e-6, 120e-6),
    Dopant.C: ConductanceWindow(5e-6, 45e-6),
}


@dataclass(frozen=True)
class WeightMap:
    """Weights in -1..1 on the conductances of devices behind resistors.

    Attributes:
        window: conductances of the devices that carry -1 and +1.
        r_path_ohm: series resistor and switch of every device.
        scheme: ``reference`` (paper 1 has one memristor per weight; how it makes signs is not
            known, so this is a reconstruction) or ``differential``.
    """

    window: ConductanceWindow
    r_path_ohm: float
    scheme: str = REFERENCE

    @classmethod
    def on(
        cls, info: BoardInfo, cells: CellArray, window: ConductanceWindow, scheme: str = REFERENCE
    ) -> Self:
        """Return the map for devices of a board, from its nominal resistors.

        Raises:
            ParameterError: the devices sit behind different resistors, so that one reference
                conductance cannot serve all.
        """
        r_ohm = info.r_series_ohm[info.index_of(cells)] + info.switch_resistance_ohm
        if np.ptp(r_ohm) > info.tolerance_ratio * r_ohm[0]:
            raise ParameterError(
                f"the devices of the network sit behind {r_ohm.min():g} to {r_ohm.max():g} ohm; "
                f"a network needs the same series resistor everywhere"
            )
        return cls(window, float(r_ohm[0]), scheme)

    @property
    def n_devices_per_weight(self) -> int:
        """One, or two of a pair."""
        return 2 if self.scheme == DIFFERENTIAL else 1

    @property
    def reference_siemens(self) -> float:
        """Branch conductance of weight zero."""
        return float(sum(self._ends)) / 2

    @property
    def half_width_siemens(self) -> float:
        """Branch conductance between weight zero and weight one, for one device."""
        low, high = self._ends
        return float(high - low) / 2

    @property
    def unit_siemens(self) -> float:
        """Difference of branch conductances that a neuron takes for a weight of one."""
        return self.half_width_siemens * self.n_devices_per_weight

    def branch_siemens(self, g_siemens: FloatArray) -> FloatArray:
        """Return the conductance of the whole branch of each device."""
        return g_siemens / (1 + g_siemens * self.r_path_ohm)

    def conductances(self, weights: FloatArray) -> FloatArray:
        """Return the target of each device for weights in -1..1, shape (n_weights,).

        Returns:
            Shape (n_weights,), or (2 n_weights,) for pairs: all plus devices, then all minus ones.
        """
        signed = weights
        if self.scheme == DIFFERENTIAL:
            signed = np.concatenate([weights, -weights], axis=-1)
        branch = self.reference_siemens + signed * self.half_width_siemens
        g_siemens: FloatArray = branch / (1 - branch * self.r_path_ohm)
        return g_siemens

    def weights(self, g_siemens: FloatArray) -> FloatArray:
        """Return the weights that conductances carry; the inverse of ``conductances``."""
        branch = self.branch_siemens(g_siemens)
        if self.scheme == DIFFERENTIAL:
            plus, minus = np.split(branch, 2, axis=-1)
            return (plus - minus) / self.unit_siemens
        return (branch - self.reference_siemens) / self.unit_siemens

    def disturbed(
        self, weights: FloatArray, error_ratio: float, rng: np.random.Generator
    ) -> FloatArray:
        """Return weights whose devices are off by a normal relative error of their conductance.

        Args:
            weights: shape (..., n_weights).
            error_ratio: standard deviation of the relative error of each conductance.
            rng: what it is drawn from.
        """
        g_siemens = self.conductances(weights)
        factor = 1 + error_ratio * rng.standard_normal(g_siemens.shape)
        return self.weights(g_siemens * np.maximum(factor, 0.0))

    @property
    def _ends(self) -> tuple[float, float]:
        ends = np.array([self.window.g_min_siemens, self.window.g_max_siemens])
        low, high = self.branch_siemens(ends)
        return float(low), float(high)
