"""Generalised metastable-switch memristors: diode, moving thresholds, memory, cycle to cycle."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hil.types import FloatArray, IndexArray
from twin.devices.arithmetic import ARRAY
from twin.devices.base import Response, Waveform
from twin.devices.gmss_circuit import DiodeCircuit, DiodeConduction
from twin.devices.gmss_law import GeneralisedSwitchLaw
from twin.devices.gmss_memory import Memory
from twin.devices.gmss_parameters import GmssParameters
from twin.devices.mean_field import MeanFieldDevices
from twin.devices.population import checked_state
from twin.devices.progress import Tolerances
from twin.devices.streams import DeviceStreams
from twin.devices.wear import RESET, SET
from twin.waveforms import Constant


class GmssDevices(MeanFieldDevices):
    """Generalised devices; implements ``DeviceModel``.

    State between drives is ``x``, the ``fresh`` part of it, and the thresholds and R_off of the
    half cycle that the device is in. A drive whose source stays inside the dead band is a read:
    the device rests during it. In any other drive the state moves by its law alone.

    Thresholds are drawn anew when a half cycle begins (``base.Wear`` says when): V_on with a SET,
    V_off and R_off with a RESET. R_off stays above R_on.

    Args:
        parameters: of every device.
        x: state to begin with, shape (n_devices,); ``parameters.x_init`` if not given.
        seed: of the draws; each device has a stream of its own.
        numbers: of the devices in their station, which choose the streams; 0, 1, ... if not given.
        device_spread: draw the devices around their parameters, this many times as far as
            ``d2d_...`` say; 0 for not at all.
        tolerances: of the integration; the default keeps X within 1e-6 of it, or within 1e-12.
    """

    def __init__(
        self,
        parameters: GmssParameters,
        x: ArrayLike | None = None,
        *,
        seed: int = 0,
        numbers: Sequence[int] | None = None,
        device_spread: float = 0.0,
        tolerances: Tolerances | None = None,
    ) -> None:
        numbers = range(parameters.n_devices) if numbers is None else numbers
        if device_spread:
            normals = DeviceStreams(seed, "spread", numbers).all_normals(4)
            parameters = parameters.spread(device_spread * normals)
        p = self.parameters = parameters
        self._cycles = DeviceStreams(seed, "cycles", numbers)
        # Of the half cycle that each device is in; the law looks into the same arrays.
        self._v_on_v, self._v_off_v = p.v_on_v.copy(), p.v_off_v.copy()
        self._r_off_ohm = p.r_off_ohm.copy()
        self._fresh = np.zeros(p.n_devices)
        self._rested_s = np.zeros(p.n_devices)  # time that x and fresh have yet to live through
        self._memory = Memory(p.tau_relax_s, p.x_rest, p.tau_rise_s)
        law = GeneralisedSwitchLaw(
            self._v_on_v,
            self._v_off_v,
            p.a_on_v,
            p.a_off_v,
            p.v_t_on_v,
            p.v_t_off_v,
            p.tau_on_s,
            p.tau_off_s,
            p.v_dead_on_v,
            p.v_dead_off_v,
        )
        x = p.x_init if x is None else x
        super().__init__(p.n_devices, law, x, tolerances or Tolerances(x_absolute=1e-14))

    @property
    def x(self) -> FloatArray:
        """Fraction of ON switches, a copy. Setting it makes a settled state: nothing is fresh."""
        self._catch_up(np.arange(self.n_devices))
        return self._x.copy()

    @x.setter
    def x(self, value: ArrayLike) -> None:
        self._x = checked_state(value, self.n_devices)
        self._fresh[:] = self._rested_s[:] = 0.0

    @property
    def fresh(self) -> FloatArray:
        """The part of ``x`` that will be lost at rest, a copy, shape (n_devices,)."""
        self._catch_up(np.arange(self.n_devices))
        return self._fresh.copy()

    @property
    def is_volatile(self) -> bool:
        """Whether any device changes at zero volt: by its parameters, in some state."""
        p = self.parameters
        return bool(((p.fresh_ratio > 0) | (p.x_rest > 0)).any())

    def rest(self, index: IndexArray, dt_s: FloatArray | float) -> None:
        """Let time pass at zero volt for some devices; exact, and done when someone looks."""
        self._rested_s[index] += dt_s

    def _catch_up(self, index: IndexArray) -> None:
        late = index[self._rested_s[index] > 0]
        if len(late):
            self._x[late], self._fresh[late] = self._memory.take(late).after(
                self._x[late], self._fresh[late], self._rested_s[late]
            )
            self._rested_s[late] = 0.0

    def _settle(self, index: IndexArray, x: FloatArray) -> None:
        self._x[index], self._fresh[index], self._rested_s[index] = x, 0.0, 0.0

    def conductance_siemens(self, index: IndexArray, v_v: ArrayLike = 0.0) -> FloatArray:
        """Return the conductance I(V) / V of some devices as they are now; changes nothing."""
        off, on = self._window_siemens(index, np.broadcast_to(v_v, index.shape))
        self._catch_up(index)
        x = self._x[index]
        return x * on + (1 - x) * off

    def conduction(self, index: IndexArray) -> DiodeConduction:
        """Return how some devices conduct as they are now."""
        self._catch_up(index)
        nothing = np.zeros(len(index))
        return DiodeConduction(self._x[index], self._circuit(index, nothing, nothing))

    def _state_of(self, index: IndexArray, g_siemens: FloatArray, v_v: FloatArray) -> FloatArray:
        off, on = self._window_siemens(index, v_v)
        # Far out on the diode the OFF state conducts more than the ON state; nothing is read there.
        x: FloatArray = (g_siemens - off) / np.where(on == off, 1.0, on - off)
        return x

    def _window_siemens(self, index: IndexArray, v_v: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return I(V) / V of some devices at X = 0 and at X = 1."""
        nothing = np.zeros(len(index))
        off, on = self._circuit(index, nothing, nothing).chord_siemens(v_v, ARRAY)
        return off, on

    def _begin_half_cycles(self, begun: Mapping[int, IndexArray]) -> None:
        p = self.parameters
        for k in begun[SET][p.c2c_v_on_v[begun[SET]] > 0]:
            self._v_on_v[k] = p.v_on_v[k] + p.c2c_v_on_v[k] * self._cycles.normals(k, 1)[0]
        drawn = (p.c2c_v_off_v > 0) | (p.c2c_r_off_ratio > 0)
        for k in begun[RESET][drawn[begun[RESET]]]:
            of_v_off, of_r_off = self._cycles.normals(k, 2)
            self._v_off_v[k] = p.v_off_v[k] + p.c2c_v_off_v[k] * of_v_off
            r_off_ohm = p.r_off_ohm[k] * np.exp(p.c2c_r_off_ratio[k] * of_r_off)
            self._r_off_ohm[k] = max(r_off_ohm, p.r_on_ohm[k])

    def _circuit(
        self, index: IndexArray, r_series_ohm: FloatArray, i_limit_a: FloatArray
    ) -> DiodeCircuit:
        p, c = self.parameters, self.parameters.c_forward_ratio[index]
        b_forward, b_reverse = p.b_forward_per_v[index], p.b_reverse_per_v[index]
        return DiodeCircuit(
            1 / p.r_on_ohm[index],
            1 / self._r_off_ohm[index],
            p.n_on_per_v[index],
            c / b_forward,
            b_forward,
            (1 - c) / b_reverse,
            b_reverse,
            r_series_ohm,
            i_limit_a,
        )

    def _integrate(
        self,
        index: IndexArray,
        waveform: Waveform,
        dt_s: FloatArray,
        r_series_ohm: FloatArray,
        i_limit_a: FloatArray,
        leaves_band: NDArray[np.bool_],
    ) -> tuple[Response, FloatArray]:
        self._catch_up(index)
        moves = self._memory.take(index).moves(self._x[index], self._fresh[index])
        rests = ~leaves_band & moves
        # A device that holds its state is read as well: the closed form is cheaper than a step.
        reads = ~leaves_band & isinstance(waveform, Constant)
        outcome = np.empty((7, len(index)))
        for which, act in ((reads, self._read), (~reads, self._switch)):
            rows = np.flatnonzero(which)
            if len(rows):
                outcome[:, rows] = act(
                    index[rows],
                    waveform.take(rows),
                    dt_s[rows],
                    r_series_ohm[rows],
                    i_limit_a[rows],
                )
        slow = rests & ~reads  # the current of these is that of their state at the start
        if slow.any():
            self.rest(index[slow], dt_s[slow])
        return Response(*outcome[:6]), outcome[6]

    def _switch(
        self,
        index: IndexArray,
        waveform: Waveform,
        dt_s: FloatArray,
        r_series_ohm: FloatArray,
        i_limit_a: FloatArray,
    ) -> FloatArray:
        """Let the state follow its law; return the fields of a Response, and the peak current."""
        response, s = self._advance(index, waveform, dt_s, r_series_ohm, i_limit_a)
        fresh = self._fresh[index] * s.kept + self.parameters.fresh_ratio[index] * s.gained
        self._fresh[index] = np.minimum(fresh, self._x[index])
        return np.array([*vars(response).values(), s.i_peak_a])

    def _read(
        self,
        index: IndexArray,
        waveform: Waveform,
        dt_s: FloatArray,
        r_series_ohm: FloatArray,
        i_limit_a: FloatArray,
    ) -> FloatArray:
        """Let the devices rest with a current through them; return the same as ``_switch``."""
        t_s, weight_s = self._memory.take(index).nodes_s(dt_s)
        each = np.repeat(np.arange(len(index)), t_s.shape[1])
        memory = self._memory.take(index[each])
        circuit = self._circuit(index, r_series_ohm, i_limit_a).take(each)
        x, fresh = memory.after(self._x[index[each]], self._fresh[index[each]], t_s.ravel())
        at = circuit.solve(x, waveform.take(each).value_v(t_s.ravel()), ARRAY)
        v_v, i_a = at.v_v.reshape(t_s.shape), at.i_a.reshape(t_s.shape)
        device_j, squared_a2s, charge_c = (
            (weight_s * values).sum(axis=1) for values in (v_v * i_a, i_a * i_a, i_a)
        )
        resistors_j = r_series_ohm * squared_a2s
        self._x[index] = x.reshape(t_s.shape)[:, -1]
        self._fresh[index] = fresh.reshape(t_s.shape)[:, -1]
        return np.array(
            [
                device_j,
                resistors_j,
                device_j + resistors_j,
                charge_c,
                i_a[:, -1],
                v_v[:, -1],
                np.abs(i_a).max(axis=1),
            ]
        )
