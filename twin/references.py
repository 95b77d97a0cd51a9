"""References in sockets: resistors, shorts and empty sockets, alone or beside memristors."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hil.errors import UnmodelledError
from hil.types import FloatArray, IndexArray
from twin.devices.base import OhmicConduction, Response, Waveform, Wear
from twin.waveforms import Constant


class References:
    """Linear two-terminal devices that nothing changes.

    Attributes:
        x: state, which means nothing to them.
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

    def conduction(self, index: IndexArray) -> OhmicConduction:
        """Return how they conduct; a short has an infinite conductance."""
        return OhmicConduction(self.conductance_siemens(index))

    def holds(self, index: IndexArray, v_v: FloatArray) -> NDArray[np.bool_]:
        """Return that nothing changes them."""
        return np.ones(len(index), dtype=bool)

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
