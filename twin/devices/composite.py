"""Several models side by side, as one population."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import fields

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hil.errors import UsageError
from hil.types import FloatArray, IndexArray
from twin.devices.base import Conduction, DeviceModel, Response, Waveform, Wear


class CompositeDevices:
    """Devices of several models; implements ``DeviceModel`` by asking the model of each device.

    Args:
        parts: each model, and which devices of the whole its devices are, in its order.

    Raises:
        UsageError: a device belongs to no model, or to two.
    """

    def __init__(self, parts: Sequence[tuple[DeviceModel, IndexArray]]) -> None:
        self.models = tuple(model for model, _ in parts)
        everyone = np.concatenate([devices for _, devices in parts])
        if sorted(everyone.tolist()) != list(range(len(everyone))):
            raise UsageError("each device belongs to one part of a composite, and none is left out")
        self._devices = [devices for _, devices in parts]
        self._part = np.empty(len(everyone), dtype=np.intp)
        self._place = np.empty(len(everyone), dtype=np.intp)
        for k, devices in enumerate(self._devices):
            self._part[devices] = k
            self._place[devices] = np.arange(len(devices))

    @property
    def x(self) -> FloatArray:
        """State of every device, a copy. Settable."""
        x = np.empty(self.n_devices)
        for model, devices in zip(self.models, self._devices, strict=True):
            x[devices] = model.x
        return x

    @x.setter
    def x(self, value: ArrayLike) -> None:
        x = np.asarray(value, dtype=float)
        if x.shape != (self.n_devices,):
            raise UsageError(f"state x has shape {x.shape}; {self.n_devices} devices need one each")
        for model, devices in zip(self.models, self._devices, strict=True):
            model.x = x[devices]

    @property
    def n_devices(self) -> int:
        """Number of devices of all models."""
        return len(self._part)

    @property
    def is_volatile(self) -> bool:
        """Whether any device is."""
        return any(model.is_volatile for model in self.models)

    def conductance_siemens(self, index: IndexArray, v_v: ArrayLike = 0.0) -> FloatArray:
        """Return the conductance I(V) / V of some devices as they are now; changes nothing."""
        v_v = _for_each(v_v, index)
        g_siemens = np.empty(len(index))
        for model, rows, places in self._split(index):
            g_siemens[rows] = model.conductance_siemens(places, v_v[rows])
        return g_siemens

    def conduction(self, index: IndexArray) -> CompositeConduction:
        """Return how some devices conduct as they are now."""
        return CompositeConduction(
            [(rows, model.conduction(places)) for model, rows, places in self._split(index)]
        )

    def holds(self, index: IndexArray, v_v: FloatArray) -> NDArray[np.bool_]:
        """Return whether each device keeps its switches where they are at this voltage."""
        holding = np.empty(len(index), dtype=bool)
        for model, rows, places in self._split(index):
            holding[rows] = model.holds(places, v_v[rows])
        return holding

    def adopt_conductance(
        self, index: IndexArray, g_siemens: ArrayLike, v_v: ArrayLike = 0.0
    ) -> None:
        """Put some devices into the settled state in which ``conductance_siemens`` is this."""
        g_siemens, v_v = _for_each(g_siemens, index), _for_each(v_v, index)
        for model, rows, places in self._split(index):
            model.adopt_conductance(places, g_siemens[rows], v_v[rows])

    def wear(self, index: IndexArray) -> Wear:
        """Return what some devices have been through."""
        columns = [np.zeros(len(index), dtype) for dtype in (np.int64, np.int64, float, float)]
        for model, rows, places in self._split(index):
            wear = model.wear(places)
            for f, column in zip(fields(Wear), columns, strict=True):
                column[rows] = getattr(wear, f.name)
        return Wear(*columns)

    def drive(
        self,
        index: IndexArray,
        waveform: Waveform,
        dt_s: FloatArray,
        r_series_ohm: FloatArray,
        i_limit_a: FloatArray,
    ) -> Response:
        """Drive some devices through resistors from current-limited sources, each for its time."""
        dt_s, r_series_ohm, i_limit_a = (
            _for_each(a, index) for a in (dt_s, r_series_ohm, i_limit_a)
        )
        columns = {f.name: np.empty(len(index)) for f in fields(Response)}
        for model, rows, places in self._split(index):
            response = model.drive(
                places, waveform.take(rows), dt_s[rows], r_series_ohm[rows], i_limit_a[rows]
            )
            for name, column in columns.items():
                column[rows] = getattr(response, name)
        return Response(**columns)

    def rest(self, index: IndexArray, dt_s: FloatArray | float) -> None:
        """Let time pass at zero volt for some devices."""
        dt_s = _for_each(dt_s, index)
        for model, rows, places in self._split(index):
            if model.is_volatile:
                model.rest(places, dt_s[rows])

    def _split(self, index: IndexArray) -> Iterator[tuple[DeviceModel, IndexArray, IndexArray]]:
        """Give each model that is asked, the rows for which, and the places of its devices."""
        part = self._part[index]
        for k, model in enumerate(self.models):
            rows = np.flatnonzero(part == k)
            if len(rows):
                yield model, rows, self._place[index[rows]]


class CompositeConduction:
    """Conduction of devices of several models.

    Args:
        parts: which of the devices each part is of, and how these conduct.
    """

    def __init__(self, parts: Sequence[tuple[IndexArray, Conduction]]) -> None:
        self._parts = parts

    def current(self, v_v: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return current and dI/dV of each."""
        i_a, slope = np.empty_like(v_v), np.empty_like(v_v)
        for rows, conduction in self._parts:
            i_a[rows], slope[rows] = conduction.current(v_v[rows])
        return i_a, slope


def _for_each(value: ArrayLike, index: IndexArray) -> FloatArray:
    return np.broadcast_to(np.asarray(value, dtype=float), index.shape)
