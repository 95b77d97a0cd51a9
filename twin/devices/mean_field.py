"""Devices whose state is one number that moves without noise: from a drive to its integration."""

from __future__ import annotations

from abc import abstractmethod

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hil.types import FloatArray, IndexArray
from twin.devices.arithmetic import ARRAY, SCALAR
from twin.devices.base import Response, Waveform
from twin.devices.formulas import Circuit, Law
from twin.devices.integrator import MeanField
from twin.devices.population import Population, checked_state
from twin.devices.progress import Progress, Source, Tolerances
from twin.waveforms import Constant

_FEW = 16  # up to here one device after the other is faster than arrays


class MeanFieldDevices(Population):
    """Devices with a law and a circuit in formulas; base of such models.

    Args:
        n_devices: how many.
        law: of all devices, on arrays.
        x: state to begin with, shape (n_devices,).
        tolerances: of the integration; the default keeps X within 1e-6 over thousands of pulses.
    """

    def __init__(
        self, n_devices: int, law: Law, x: ArrayLike, tolerances: Tolerances | None = None
    ) -> None:
        super().__init__(n_devices, law.v_dead_on_v, law.v_dead_off_v)
        self.tolerances = tolerances or Tolerances()
        self._law = law
        self.x = np.asarray(x, dtype=float)

    @property
    def x(self) -> FloatArray:
        """Fraction of ON switches, a copy, shape (n_devices,). Settable: checkpoints and tests."""
        return self._x.copy()

    @x.setter
    def x(self, value: ArrayLike) -> None:
        self._x = checked_state(value, self.n_devices)

    def _settle(self, index: IndexArray, x: FloatArray) -> None:
        self._x[index] = x

    @abstractmethod
    def _circuit(
        self, index: IndexArray, r_series_ohm: FloatArray, i_limit_a: FloatArray
    ) -> Circuit:
        """Return the circuits in which some devices are driven."""

    def _integrate(
        self,
        index: IndexArray,
        waveform: Waveform,
        dt_s: FloatArray,
        r_series_ohm: FloatArray,
        i_limit_a: FloatArray,
        leaves_band: NDArray[np.bool_],
    ) -> tuple[Response, FloatArray]:
        response, s = self._advance(index, waveform, dt_s, r_series_ohm, i_limit_a)
        return response, s.i_peak_a

    def _advance(
        self,
        index: IndexArray,
        waveform: Waveform,
        dt_s: FloatArray,
        r_series_ohm: FloatArray,
        i_limit_a: FloatArray,
    ) -> tuple[Response, Progress]:
        """Integrate the law of some devices and move their state."""
        law = self._law.take(index)
        circuit = self._circuit(index, r_series_ohm, i_limit_a)
        s = _begin(self._x[index], dt_s)
        if len(index) <= _FEW:
            for k in range(len(index)):
                self._advance_one(k, s, law, circuit, waveform)
        else:
            self._advance_many(s, law, circuit, waveform)
        self._x[index] = s.x
        resistors_j = r_series_ohm * s.current_squared_a2s
        response = Response(
            s.device_j, resistors_j, s.device_j + resistors_j, s.charge_c, s.i_a, s.v_v
        )
        return response, s

    def _advance_one(
        self, k: int, s: Progress, law: Law, circuit: Circuit, waveform: Waveform
    ) -> None:
        one = Progress(*(getattr(s, name).item(k) for name in s.__slots__))
        solver = MeanField(
            law.item(k), circuit.item(k), _scalar_source(waveform, k), self.tolerances, SCALAR
        )
        solver.start(one)
        solver.advance(one)
        for name in s.__slots__:
            getattr(s, name)[k] = getattr(one, name)

    def _advance_many(self, s: Progress, law: Law, circuit: Circuit, waveform: Waveform) -> None:
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
    values = {name: np.zeros(len(x)) for name in Progress.__slots__}
    return Progress(**values | {"left_s": dt_s.copy(), "x": x, "kept": np.ones(len(x))})


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
