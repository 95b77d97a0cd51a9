"""Metastable-switch memristors with a finite number of switches: exact binomial transitions."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hil.errors import UnmodelledError
from hil.types import FloatArray, IndexArray
from twin.devices.arithmetic import ARRAY
from twin.devices.base import Response, Waveform
from twin.devices.mss_law import Electrical, OhmicCircuit, SwitchLaw
from twin.devices.mss_parameters import MssParameters
from twin.devices.population import Population, checked_state

_DRIFT_VT_RATIO = 0.1  # mean-field move of the device voltage in a step, in units of V_T
_SPREAD_VT_RATIO = 0.25  # standard deviation of the same
_SINGLE_SWITCH = 0.05  # steps need not be shorter than it takes to expect so many transitions
_MAX_STEPS = 10_000_000


class StochasticMssDevices(Population):
    """Devices of ``n_switches`` switches each; implements ``DeviceModel``.

    In a step the device voltage is frozen at the middle of the source's move, and every switch
    makes its exact two-state transition: an ON switch is ON at the end with probability
    ``x_inf + (1 - x_inf) e``, an OFF switch with ``x_inf (1 - e)``, ``e = exp(-(p+q) h / tau)``.
    Steps are as long as the voltage moves little, on average and in its spread. Energies are
    trapezoids over these steps. A pulse of milliseconds costs some ten milliseconds of CPU.

    Args:
        parameters: of every device.
        rng: every draw comes from here; the same state of it gives the same run.
        x: state to begin with, rounded to whole switches; ``parameters.x_init`` if not given.
    """

    def __init__(
        self, parameters: MssParameters, rng: np.random.Generator, x: ArrayLike | None = None
    ) -> None:
        self.parameters = parameters
        self._law = parameters.law
        self._volatile = parameters.is_volatile
        super().__init__(parameters.n_devices, parameters.v_dead_on_v, parameters.v_dead_off_v)
        self._rng = rng
        self._n_switches = parameters.n_switches.astype(np.int64)
        self.x = parameters.x_init if x is None else np.asarray(x, dtype=float)

    @property
    def n_on(self) -> NDArray[np.int64]:
        """How many switches are ON, a copy, shape (n_devices,)."""
        return self._n_on.copy()

    @property
    def x(self) -> FloatArray:
        """Fraction of ON switches, shape (n_devices,). Settable; rounds to whole switches."""
        return np.asarray(self._n_on / self._n_switches)

    @x.setter
    def x(self, value: ArrayLike) -> None:
        x = checked_state(value, self.n_devices)
        self._n_on = np.rint(x * self._n_switches).astype(np.int64)

    @property
    def is_volatile(self) -> bool:
        """Whether any device changes at zero volt: one whose dead band does not cover it."""
        return bool(self._volatile.any())

    def rest(self, index: IndexArray, dt_s: FloatArray | float) -> None:
        """Let time pass at zero volt for some devices; exact, and free if none is volatile."""
        which = self._volatile[index]
        if which.any():
            volatile = index[which]
            dt_s = np.broadcast_to(dt_s, index.shape)[which]
            self._switch(volatile, self._law.take(volatile), np.zeros(len(volatile)), dt_s)

    def _settle(self, index: IndexArray, x: FloatArray) -> None:
        self._n_on[index] = np.rint(x * self._n_switches[index]).astype(np.int64)

    def conductance_siemens(self, index: IndexArray, v_v: ArrayLike = 0.0) -> FloatArray:
        """Return the conductance of some devices; it does not depend on the voltage."""
        return self.parameters.conductance_siemens(self.x[index], index)

    def _state_of(self, index: IndexArray, g_siemens: FloatArray, v_v: FloatArray) -> FloatArray:
        return self.parameters.state_of(g_siemens, index)

    def _integrate(
        self,
        index: IndexArray,
        waveform: Waveform,
        dt_s: FloatArray,
        r_series_ohm: FloatArray,
        i_limit_a: FloatArray,
        leaves_band: NDArray[np.bool_],
    ) -> tuple[Response, FloatArray]:
        n = len(index)
        left_s = dt_s.copy()
        circuit = self.parameters.circuit(index, r_series_ohm, i_limit_a)
        sums = np.zeros((3, n))  # V I dt, I^2 dt, I dt
        t_s, peak_a = np.zeros(n), np.zeros(n)
        for _ in range(_MAX_STEPS):
            rows = np.flatnonzero(left_s > 0)
            if not len(rows):
                break
            h, integrals, i_a = self._step(
                index[rows], circuit.take(rows), waveform.take(rows), t_s[rows], left_s[rows]
            )
            sums[:, rows] += integrals
            peak_a[rows] = np.maximum(peak_a[rows], i_a)
            t_s[rows] += h
            left_s[rows] = np.where(h < left_s[rows], left_s[rows] - h, 0.0)
        else:
            raise UnmodelledError(
                f"stochastic devices took more than {_MAX_STEPS} steps in one drive: "
                "check that all device parameters and drive voltages are finite"
            )
        end = circuit.solve(self.x[index], waveform.value_v(t_s), ARRAY)
        device_j, resistors_j, charge_c = sums[0], r_series_ohm * sums[1], sums[2]
        source_j = device_j + resistors_j
        response = Response(device_j, resistors_j, source_j, charge_c, end.i_a, end.v_v)
        return response, np.maximum(peak_a, np.abs(end.i_a))

    def _step(
        self,
        devices: IndexArray,
        circuit: OhmicCircuit,
        waveform: Waveform,
        t_s: FloatArray,
        left_s: FloatArray,
    ) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Make one step of every device.

        Returns:
            Its lengths, the integrals of VI, I^2, I, and the magnitude of the current at its start.
        """
        law = self._law.take(devices)
        h = self._step_length(devices, law, circuit, waveform, t_s, left_s)
        before = circuit.solve(self.x[devices], waveform.value_v(t_s), ARRAY)
        middle = circuit.solve(self.x[devices], waveform.value_v(t_s + 0.5 * h), ARRAY)
        self._switch(devices, law, middle.v_v, h)
        after = circuit.solve(self.x[devices], waveform.value_v(t_s + h), ARRAY)
        sums = 0.5 * h * (_integrands(before) + _integrands(after))
        return h, sums, np.abs(before.i_a)

    def _step_length(
        self,
        devices: IndexArray,
        law: SwitchLaw,
        circuit: OhmicCircuit,
        waveform: Waveform,
        t_s: FloatArray,
        left_s: FloatArray,
    ) -> FloatArray:
        x = self.x[devices]
        v_source = waveform.value_v(t_s)
        at = circuit.solve(x, v_source, ARRAY)
        p, q = _probabilities(law, at.v_v)
        v_x = np.abs(circuit.slopes(at, np.zeros(len(x)), ARRAY).v_x)
        up, down = p * (1 - x) / law.tau_s, q * x / law.tau_s
        may_move = _DRIFT_VT_RATIO * law.v_t_v
        drift = may_move / np.maximum(v_x * np.abs(up - down), 1e-300)
        variance = v_x**2 * (up + down) / self._n_switches[devices]
        spread = (_SPREAD_VT_RATIO * law.v_t_v) ** 2 / np.maximum(variance, 1e-300)
        to_corner = waveform.monotonic_until_s(t_s) - t_s
        single = _SINGLE_SWITCH / np.maximum(self._n_switches[devices] * (up + down), 1e-300)
        h = np.maximum(np.minimum(drift, spread), single)
        h = np.minimum(h, np.minimum(left_s, to_corner))
        while True:
            moves = np.abs(waveform.value_v(t_s + h) - v_source) / at.loop > may_move
            if not moves.any():
                return np.asarray(h)
            h = np.where(moves, 0.5 * h, h)

    def _switch(
        self, devices: IndexArray, law: SwitchLaw, v_v: FloatArray, h_s: FloatArray
    ) -> None:
        p, q = _probabilities(law, v_v)
        total = p + q
        x_inf = p / np.where(total > 0, total, 1.0)
        moved = -np.expm1(-total * h_s / law.tau_s)
        on = self._n_on[devices]
        stay = np.clip(1 - (1 - x_inf) * moved, 0.0, 1.0)
        rise = np.clip(x_inf * moved, 0.0, 1.0)
        self._n_on[devices] = self._rng.binomial(on, stay) + self._rng.binomial(
            self._n_switches[devices] - on, rise
        )


def _probabilities(law: SwitchLaw, v_v: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return (p, q) with the dead band."""
    p, q = law.probabilities(v_v, ARRAY)
    awake = (v_v >= law.v_dead_on_v) | (v_v <= -law.v_dead_off_v)
    return np.where(awake, p, 0.0), np.where(awake, q, 0.0)


def _integrands(at: Electrical) -> FloatArray:
    return np.stack([at.v_v * at.i_a, at.i_a**2, at.i_a])
