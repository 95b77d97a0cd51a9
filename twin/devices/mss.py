"""Metastable-switch memristors in the mean field: a population, each with its own parameters."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hil.errors import UsageError
from hil.types import FloatArray, IndexArray
from twin.devices.arithmetic import ARRAY, SCALAR
from twin.devices.base import Response, Waveform
from twin.devices.mss_integrator import MeanField, Progress, Source, Tolerances
from twin.devices.mss_law import Circuit, SwitchLaw
from twin.waveforms import Constant

_FEW = 16  # up to here one device after the other is faster than arrays


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


class MssDevices:
    """Mean-field devices; implements ``DeviceModel``.

    State between drives is ``x`` alone. A device whose dead band covers 0 V keeps it for ever.

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
        self.tolerances = tolerances or Tolerances()
        self._law = parameters.law
        self.x = parameters.x_init if x is None else np.asarray(x, dtype=float)

    @property
    def n_devices(self) -> int:
        """Number of devices."""
        return self.parameters.n_devices

    @property
    def is_volatile(self) -> bool:
        """Whether any device changes at zero volt: one whose dead band does not cover it."""
        return bool((self._law.v_dead_on_v == 0).any())

    @property
    def x(self) -> FloatArray:
        """Fraction of ON switches, a copy, shape (n_devices,). Settable: checkpoints and tests."""
        return self._x.copy()

    @x.setter
    def x(self, value: ArrayLike) -> None:
        self._x = checked_state(value, self.n_devices)

    def conductance_siemens(self, index: IndexArray) -> FloatArray:
        """Return the conductance of some devices at rest; changes nothing."""
        return self.parameters.conductance_siemens(self._x[index], index)

    def rest(self, index: IndexArray, dt_s: float) -> None:
        """Let time pass at zero volt for some devices; exact, and free if none is volatile."""
        volatile = index[self._law.v_dead_on_v[index] == 0]
        if len(volatile):
            law = self._law.take(volatile)
            p, q = law.probabilities(np.zeros(len(volatile)), ARRAY)
            x_inf = p / (p + q)
            decay = np.exp(-(p + q) * dt_s / law.tau_s)
            self._x[volatile] = x_inf + (self._x[volatile] - x_inf) * decay

    def drive(
        self,
        index: IndexArray,
        waveform: Waveform,
        dt_s: FloatArray,
        r_series_ohm: FloatArray,
        i_limit_a: FloatArray,
    ) -> Response:
        """Drive some devices through resistors from current-limited sources, each for its time.

        Costs some 3 ms of CPU for a 20 ms pulse on one device, 0.1 ms if it stays in the dead band;
        arrays are vectorised, with a step length of its own for each device.

        Args:
            index: which devices, shape (n_driven,), none twice.
            waveform: source voltage of each against time.
            dt_s: duration for each, shape (n_driven,).
            r_series_ohm: everything in series with each device.
            i_limit_a: magnitude at which each source limits its current; inf for none.

        Raises:
            UnmodelledError: the equation cannot be integrated; an input is not finite.
        """
        n = len(index)
        dt_s, r_series_ohm, i_limit_a = (
            np.broadcast_to(np.asarray(a, dtype=float), (n,))
            for a in (dt_s, r_series_ohm, i_limit_a)
        )
        law = self._law.take(index)
        circuit = self.parameters.circuit(index, r_series_ohm, i_limit_a)
        s = _begin(self._x[index], dt_s)
        if n <= _FEW:
            for k in range(n):
                self._drive_one(k, s, law, circuit, waveform)
        else:
            self._drive_many(s, law, circuit, waveform)
        self._x[index] = s.x
        end = circuit.solve(s.x, waveform.value_v(s.t_s), ARRAY)
        resistors_j = circuit.r_ohm * s.current_squared_a2s
        return Response(
            s.device_j,
            resistors_j,
            s.device_j + resistors_j,
            s.charge_c,
            end.i_a,
            end.v_v,
        )

    def _drive_one(
        self, k: int, s: Progress, law: SwitchLaw, circuit: Circuit, waveform: Waveform
    ) -> None:
        one = Progress(*(getattr(s, name).item(k) for name in s.__slots__))
        solver = MeanField(
            law.item(k), circuit.item(k), _scalar_source(waveform, k), self.tolerances, SCALAR
        )
        solver.start(one)
        solver.advance(one)
        for name in s.__slots__:
            getattr(s, name)[k] = getattr(one, name)

    def _drive_many(
        self, s: Progress, law: SwitchLaw, circuit: Circuit, waveform: Waveform
    ) -> None:
        """Advance all, keeping the arrays compact: finished devices leave when half are done."""
        rows = np.arange(len(s.x))
        fresh = True
        while len(rows):
            part = waveform.take(rows)
            solver = MeanField(
                law.take(rows),
                circuit.take(rows),
                Source(part.value_v, part.slope_v_per_s, part.monotonic_until_s),
                self.tolerances,
                ARRAY,
            )
            progress = s.take(rows)
            if fresh:
                solver.start(progress)
                fresh = False
            solver.advance(progress, stop_at=len(rows) // 2 if len(rows) > _FEW else 0)
            s.put(rows, progress)
            rows = rows[progress.left_s > 0]


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


def _begin(x: FloatArray, dt_s: FloatArray) -> Progress:
    def zeros() -> FloatArray:
        return np.zeros(len(x))

    return Progress(zeros(), dt_s.copy(), x, *(zeros() for _ in range(6)))


def _scalar_source(waveform: Waveform, k: int) -> Source:
    one = waveform.take(np.array([k]))
    if isinstance(one, Constant):
        level_v = float(np.asarray(one.level_v).reshape(-1)[0])
        return Source(lambda t: level_v, lambda t: 0.0, lambda t: np.inf)

    def value_v(t_s: float) -> float:
        return one.value_v(np.array([t_s])).item()

    def slope_v_per_s(t_s: float) -> float:
        return one.slope_v_per_s(np.array([t_s])).item()

    def monotonic_until_s(t_s: float) -> float:
        return one.monotonic_until_s(np.array([t_s])).item()

    return Source(value_v, slope_v_per_s, monotonic_until_s)
