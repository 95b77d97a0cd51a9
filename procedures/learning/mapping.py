"""Weights of either sign on conductances that have none."""

from __future__ import annotations

from dataclasses import dataclass

from hil.errors import ParameterError
from hil.types import Dopant, FloatArray


@dataclass(frozen=True)
class ConductanceWindow:
    """Part of a device's range that carries weights.

    One memristor per weight: w = (G - G_ref) / half width, with G_ref in the middle. On a board the
    reference is one fixed conductance per neuron in an inverting path (reconstruction: the paper
    does not say how it makes signed weights).

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

    @property
    def g_ref_siemens(self) -> float:
        """Conductance of weight zero."""
        return (self.g_min_siemens + self.g_max_siemens) / 2

    @property
    def half_width_siemens(self) -> float:
        """Conductance that a weight of one adds to the reference."""
        return (self.g_max_siemens - self.g_min_siemens) / 2

    def conductances(self, weights: FloatArray) -> FloatArray:
        """Return the target conductance of each weight in -1..1."""
        return self.g_ref_siemens + weights * self.half_width_siemens

    def weights(self, g_siemens: FloatArray) -> FloatArray:
        """Return the weight that each conductance carries."""
        return (g_siemens - self.g_ref_siemens) / self.half_width_siemens


# Chosen inside what one SET pulse of 20 ms can reach at amplitudes that the limits allow, with the
# station's default series resistors (W: 10 kOhm, Cr and C: 47 kOhm); above each device's off state.
DEFAULT_WINDOWS = {
    Dopant.W: ConductanceWindow(20e-6, 220e-6),
    Dopant.CR: ConductanceWindow(20e-6, 120e-6),
    Dopant.C: ConductanceWindow(5e-6, 45e-6),
}
