"""References in sockets: resistors, shorts and empty sockets, alone or beside memristors."""

from __future__ import annotations

from dataclasses import fields

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hil.errors import UnmodelledError
from hil.types import FloatArray, IndexArray
from twin.devices.base import DeviceModel, Response, Waveform, Wear
from twin.waveforms import Constant


class References:
    """Linear two-terminal devices that nothing changes.

    Attributes:
        x: state; none of them has one: zeros.
    """

    is_volatile = False

    def __init__(self, r_ohm: FloatArray) -> None:
        self._r_ohm = r_ohm
        self.x: FloatArray = np.zeros(len(r_ohm))

    @property
    def n_devices(self) -> int:
        """Number of references."""
        return len(self._r_ohm)

    def conductance_siemens(self, index: IndexArray, v_v: ArrayLike = 0.0) -> FloatArray:
        """Return 1 / R at any voltage: inf for a short, 0 for an empty socket."""
        with np.errstate(divide="ignore"):
            g_siemens: FloatArray = 1 / self._r_ohm[index]
        return g_siemens

    def adopt_conductance(
        self, index: IndexArray, g_siemens: ArrayLike, v_v: ArrayLike = 0.0
    ) -> None:
        """Leave them as they are: the one value that they have is the nearest."""

    def wear(self, index: IndexArray) -> Wear:
        """Return none."""
        none = np.zeros(len(index), dtype=np.int64)
        return Wear(none, none.copy(), np.zeros(len(index)), np.zeros(len(index)))

    def drive(
        self,
        index: IndexArray,
        waveform: Waveform,
        dt_s: FloatArray,
        r_series_ohm: FloatArray,
        i_limit_a: FloatArray,
    ) -> Response:
        """Drive some of them at a constant level; see ``DeviceModel.drive``.

        Raises:
            UnmodelledError: the waveform is not constant.
        """
        if not isinstance(waveform, Constant):
            raise UnmodelledError("references are driven at constant levels only")
        v_v = waveform.value_v(np.zeros(len(index)))
        r_ohm = self._r_ohm[index]
        is_open = np.isinf(r_ohm)
        i_a = np.clip(v_v / (r_series_ohm + r_ohm), -i_limit_a, i_limit_a)
        v_device_v = np.where(is_open, v_v, i_a * np.where(is_open, 0.0, r_ohm))
        device_j, resistors_j = v_device_v * i_a * dt_s, i_a**2 * r_series_ohm * dt_s
        return Response(device_j, resistors_j, device_j + resistors_j, i_a * dt_s, i_a, v_device_v)

    def rest(self, index: IndexArray, dt_s: FloatArray | float) -> None:
        """Let time pass; nothing happens."""


class MixedDevices:
    """Memristors of one model and references, in the order of a station.

    Attributes:
        memristors: the model of the memristors.
        references: what sits in the other sockets.
    """

    def __init__(
        self, memristors: DeviceModel, references: References, is_reference: NDArray[np.bool_]
    ) -> None:
        self.memristors = memristors
        self.references = references
        self._is_reference = is_reference
        self._index = np.where(is_reference, np.cumsum(is_reference), np.cumsum(~is_reference)) - 1

    @property
    def x(self) -> FloatArray:
        """State of every memristor, 0 for a reference; settable."""
        x = np.zeros(self.n_devices)
        x[~self._is_reference] = self.memristors.x
        return x

    @x.setter
    def x(self, value: FloatArray) -> None:
        self.memristors.x = np.asarray(value)[~self._is_reference]

    @property
    def n_devices(self) -> int:
        """Number of devices of both kinds."""
        return len(self._index)

    @property
    def is_volatile(self) -> bool:
        """Whether any memristor is."""
        return self.memristors.is_volatile

    def conductance_siemens(self, index: IndexArray, v_v: ArrayLike = 0.0) -> FloatArray:
        """Return the conductance of some devices at a voltage."""
        v_v = np.broadcast_to(np.asarray(v_v, dtype=float), index.shape)
        g_siemens = np.empty(len(index))
        for model, rows, part in self._split(index):
            g_siemens[rows] = model.conductance_siemens(part, v_v[rows])
        return g_siemens

    def adopt_conductance(
        self, index: IndexArray, g_siemens: ArrayLike, v_v: ArrayLike = 0.0
    ) -> None:
        """Put memristors into the state with these conductances; see ``DeviceModel``."""
        g_siemens, v_v = (
            np.broadcast_to(np.asarray(a, dtype=float), index.shape) for a in (g_siemens, v_v)
        )
        for model, rows, part in self._split(index):
            model.adopt_conductance(part, g_siemens[rows], v_v[rows])

    def wear(self, index: IndexArray) -> Wear:
        """Return what some devices have been through."""
        n = len(index)
        n_set, n_reset = np.zeros((2, n), dtype=np.int64)
        charge_c, i_peak_a = np.zeros((2, n))
        for model, rows, part in self._split(index):
            wear = model.wear(part)
            n_set[rows], n_reset[rows] = wear.n_set_half_cycles, wear.n_reset_half_cycles
            charge_c[rows], i_peak_a[rows] = wear.charge_c, wear.i_peak_a
        return Wear(n_set, n_reset, charge_c, i_peak_a)

    def drive(
        self,
        index: IndexArray,
        waveform: Waveform,
        dt_s: FloatArray,
        r_series_ohm: FloatArray,
        i_limit_a: FloatArray,
    ) -> Response:
        """Drive some devices; see ``DeviceModel.drive``."""
        columns = {f.name: np.empty(len(index)) for f in fields(Response)}
        for model, rows, part in self._split(index):
            response = model.drive(
                part, waveform.take(rows), dt_s[rows], r_series_ohm[rows], i_limit_a[rows]
            )
            for name, column in columns.items():
                column[rows] = getattr(response, name)
        return Response(**columns)

    def rest(self, index: IndexArray, dt_s: FloatArray | float) -> None:
        """Let time pass at zero volt for some devices."""
        dt_s = np.broadcast_to(np.asarray(dt_s, dtype=float), index.shape)
        for model, rows, part in self._split(index):
            model.rest(part, dt_s[rows])

    def _split(self, index: IndexArray) -> list[tuple[DeviceModel, IndexArray, IndexArray]]:
        """Return each model that is addressed, for which rows, and its own indices there."""
        here = self._is_reference[index]
        parts: list[tuple[DeviceModel, IndexArray, IndexArray]] = []
        for model, wanted in ((self.memristors, ~here), (self.references, here)):
            rows = np.flatnonzero(wanted)
            if len(rows):
                parts.append((model, rows, self._index[index[rows]]))
        return parts
