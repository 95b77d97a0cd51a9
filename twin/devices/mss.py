"""Metastable-switch memristors in the mean field: a population, each with its own parameters."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from hil.types import FloatArray, IndexArray
from twin.devices.arithmetic import ARRAY, SCALAR
from twin.devices.base import Response, Waveform
from twin.devices.mss_integrator import MeanField, Progress, Source, Tolerances
from twin.devices.mss_law import Circuit, SwitchLaw
from twin.devices.mss_parameters import MssParameters, MssPopulation, checked_state
from twin.waveforms import Constant

_FEW = 16  # up to here one device after the other is faster than arrays


class MssDevices(MssPopulation):
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
        super().__init__(parameters)
        self.tolerances = tolerances or Tolerances()
        self.x = parameters.x_init if x is None else np.asarray(x, dtype=float)

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
        volatile = self.volatile_of(index)
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
