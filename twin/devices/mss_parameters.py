"""Parameters of metastable-switch devices, and what a population of them has in any form."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hil.errors import UsageError
from hil.types import FloatArray, IndexArray
from twin.devices.mss_law import Circuit, SwitchLaw


@dataclass(frozen=True)
class MssParameters:
    """Parameters of n devices, one array of shape (n_devices,) each.

    X in [0, 1] is the fraction of switches that are ON; positive device voltages drive SET::

        dX/dt = (p (1 - X) - q X) / tau,   G = X / R_on + (1 - X) / R_off
        p = s((V - V_on) / V_T),   q = 1 - s((V + V_off) / V_T),   s(z) = 1 / (1 + exp(-z))
        p = q = 0   for   -v_dead_off < V < v_dead_on

    Attributes:
        r_on_ohm: resistance with all switches ON.
        r_off_ohm: resistance with all switches OFF.
        v_on_v: voltage at which an OFF switch turns ON with probability 1/2 per tau.
        v_off_v: magnitude of the (negative) voltage for the opposite.
        tau_s: attempt time of a switch.
        v_t_v: width of the thresholds, k T / q.
        v_dead_on_v: nothing switches below; 0 for no dead band.
        v_dead_off_v: nothing switches above minus this; 0 for no dead band.
        r_init_ohm: resistance as delivered.
        n_switches: number of switches, integer; only the stochastic model has a finite number.

    Source: Molter and Nugent, arXiv 1608.04659; the dead band is ours.

    Raises:
        UsageError: arrays of different lengths, or values that make no device.
    """

    r_on_ohm: FloatArray
    r_off_ohm: FloatArray
    v_on_v: FloatArray
    v_off_v: FloatArray
    tau_s: FloatArray
    v_t_v: FloatArray
    v_dead_on_v: FloatArray
    v_dead_off_v: FloatArray
    r_init_ohm: FloatArray
    n_switches: FloatArray

    def __post_init__(self) -> None:
        n = np.shape(self.r_on_ohm)
        for f in fields(self):
            value = getattr(self, f.name)
            if np.shape(value) != n or len(n) != 1:
                raise UsageError(
                    f"device parameter {f.name} has shape {np.shape(value)}; "
                    f"all are one-dimensional and as long as r_on_ohm, which has {n}"
                )
            if not np.isfinite(value).all():
                raise UsageError(f"device parameter {f.name} has a value that is not finite")
        for name in ("r_on_ohm", "tau_s", "v_t_v", "n_switches"):
            self._require(getattr(self, name) > 0, name, "must be above 0")
        for name in ("v_dead_on_v", "v_dead_off_v"):
            self._require(getattr(self, name) >= 0, name, "must not be negative")
        self._require(
            (self.v_dead_on_v > 0) == (self.v_dead_off_v > 0),
            "v_dead_on_v",
            "and v_dead_off_v are both above 0, or both 0 for no dead band",
        )
        self._require(self.r_off_ohm > self.r_on_ohm, "r_off_ohm", "must be above r_on_ohm")
        between = (self.r_init_ohm >= self.r_on_ohm) & (self.r_init_ohm <= self.r_off_ohm)
        self._require(between, "r_init_ohm", "must be from r_on_ohm to r_off_ohm")
        self._require(self.n_switches == np.floor(self.n_switches), "n_switches", "is no integer")

    def _require(self, holds: NDArray[np.bool_], name: str, rule: str) -> None:
        bad = np.flatnonzero(np.logical_not(holds))
        if len(bad):
            value = getattr(self, name)[bad[0]]
            raise UsageError(f"device parameter {name} = {value:g} of device {bad[0]}: {rule}")

    @classmethod
    def broadcast(cls, n_devices: int, **values: ArrayLike) -> Self:
        """Return the parameters of ``n_devices`` from scalars or arrays of that length."""
        return cls(
            **{
                name: np.broadcast_to(np.asarray(value, dtype=float), (n_devices,)).copy()
                for name, value in values.items()
            }
        )

    @property
    def n_devices(self) -> int:
        """Number of devices."""
        return len(self.r_on_ohm)

    @property
    def x_init(self) -> FloatArray:
        """Fraction of ON switches that gives ``r_init_ohm``."""
        return np.clip((1 / self.r_init_ohm - 1 / self.r_off_ohm) / self._dg_siemens, 0.0, 1.0)

    @property
    def _dg_siemens(self) -> FloatArray:
        return 1 / self.r_on_ohm - 1 / self.r_off_ohm

    def conductance_siemens(self, x: FloatArray, index: IndexArray) -> FloatArray:
        """Return the conductance of some devices in state ``x``."""
        return x / self.r_on_ohm[index] + (1 - x) / self.r_off_ohm[index]

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
    ) -> Circuit:
        """Return the circuits in which some devices are driven."""
        g_off = 1 / self.r_off_ohm[index]
        return Circuit(g_off, 1 / self.r_on_ohm[index] - g_off, r_series_ohm, i_limit_a)


class MssPopulation:
    """Devices with their parameters and their law; how their state moves is for a subclass.

    Args:
        parameters: of every device.
    """

    def __init__(self, parameters: MssParameters) -> None:
        self.parameters = parameters
        self._law = parameters.law
        self._is_volatile = self._law.v_dead_on_v == 0

    @property
    def n_devices(self) -> int:
        """Number of devices."""
        return self.parameters.n_devices

    @property
    def is_volatile(self) -> bool:
        """Whether any device changes at zero volt: one whose dead band does not cover it."""
        return bool(self._is_volatile.any())

    def volatile_of(self, index: IndexArray) -> IndexArray:
        """Return those of some devices that change at zero volt."""
        volatile: IndexArray = index[self._is_volatile[index]]
        return volatile


def checked_state(value: ArrayLike, n_devices: int) -> FloatArray:
    """Return a copy of a state array.

    Raises:
        UsageError: wrong shape, or a value outside [0, 1].
    """
    x = np.array(value, dtype=float)
    if x.shape != (n_devices,):
        raise UsageError(f"state x has shape {x.shape}; {n_devices} devices need ({n_devices},)")
    bad = np.flatnonzero(~((x >= 0) & (x <= 1)))
    if len(bad):
        raise UsageError(f"state x = {x[bad[0]]:g} of device {bad[0]} is outside 0 ... 1")
    return x
