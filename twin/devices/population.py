"""What every population of devices does in the same way, whatever its physics."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hil.errors import UsageError
from hil.types import FloatArray, IndexArray
from twin.devices.base import Conduction, OhmicConduction, Response, Waveform, Wear
from twin.devices.wear import WearCounter


class Population(ABC):
    """Devices in a state ``x``, with their wear; base of the models.

    Args:
        n_devices: how many.
        v_dead_on_v: upper edge of the dead band of each; 0 for none.
        v_dead_off_v: magnitude of its lower edge; 0 for none.
    """

    def __init__(self, n_devices: int, v_dead_on_v: FloatArray, v_dead_off_v: FloatArray) -> None:
        self._n_devices = n_devices
        self._counter = WearCounter(v_dead_on_v, v_dead_off_v)

    @property
    def n_devices(self) -> int:
        """Number of devices."""
        return self._n_devices

    @property
    @abstractmethod
    def x(self) -> FloatArray:
        """State of every device, a copy. Settable."""

    @x.setter
    @abstractmethod
    def x(self, value: ArrayLike) -> None: ...

    @abstractmethod
    def _settle(self, index: IndexArray, x: FloatArray) -> None:
        """Put some devices into a state that has been there for long."""

    @abstractmethod
    def conductance_siemens(self, index: IndexArray, v_v: ArrayLike = 0.0) -> FloatArray:
        """Return the conductance I(V) / V of some devices as they are now; changes nothing."""

    @abstractmethod
    def _state_of(self, index: IndexArray, g_siemens: FloatArray, v_v: FloatArray) -> FloatArray:
        """Return the X of some devices at which I(V) / V is this; may be outside [0, 1]."""

    @abstractmethod
    def _integrate(
        self,
        index: IndexArray,
        waveform: Waveform,
        dt_s: FloatArray,
        r_series_ohm: FloatArray,
        i_limit_a: FloatArray,
        leaves_band: NDArray[np.bool_],
    ) -> tuple[Response, FloatArray]:
        """Drive some devices; return what happened, and the largest current of each."""

    def _begin_half_cycles(self, begun: Mapping[int, IndexArray]) -> None:  # noqa: B027 (optional)
        """Take note of the devices whose SET or RESET half cycle begins."""

    def adopt_conductance(
        self, index: IndexArray, g_siemens: ArrayLike, v_v: ArrayLike = 0.0
    ) -> None:
        """Put some devices into the settled state in which ``conductance_siemens`` is this.

        A conductance outside the window of a device puts it at that end of the window.

        Raises:
            UsageError: a conductance is not finite, or negative.
        """
        g_siemens = checked_conductance(_for_each(g_siemens, index))
        x = self._state_of(index, g_siemens, _for_each(v_v, index))
        self._settle(index, np.clip(x, 0.0, 1.0))

    def conduction(self, index: IndexArray) -> Conduction:
        """Return how some devices conduct as they are now; ohmic unless a model says otherwise."""
        return OhmicConduction(self.conductance_siemens(index))

    def holds(self, index: IndexArray, v_v: FloatArray) -> NDArray[np.bool_]:
        """Return whether each device keeps its switches where they are at this voltage."""
        return self._counter.is_inside(index, v_v)

    def wear(self, index: IndexArray) -> Wear:
        """Return what some devices have been through."""
        return self._counter.of(index)

    def drive(
        self,
        index: IndexArray,
        waveform: Waveform,
        dt_s: FloatArray,
        r_series_ohm: FloatArray,
        i_limit_a: FloatArray,
    ) -> Response:
        """Drive some devices through resistors from current-limited sources, each for its time.

        Args:
            index: which devices, shape (n_driven,), none twice.
            waveform: source voltage of each against time.
            dt_s: duration for each, shape (n_driven,).
            r_series_ohm: everything in series with each device.
            i_limit_a: magnitude at which each source limits its current; inf for none.

        Raises:
            UnmodelledError: the equation cannot be integrated; an input is not finite.
        """
        dt_s, r_series_ohm, i_limit_a = (
            np.broadcast_to(np.asarray(a, dtype=float), (len(index),))
            for a in (dt_s, r_series_ohm, i_limit_a)
        )
        begun, leaves_band = self._counter.begin(index, waveform, dt_s)
        self._begin_half_cycles(begun)
        response, i_peak_a = self._integrate(
            index, waveform, dt_s, r_series_ohm, i_limit_a, leaves_band
        )
        self._counter.add(index, response, i_peak_a)
        return response


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


def checked_conductance(g_siemens: FloatArray) -> FloatArray:
    """Return conductances that a device can be asked to have.

    Raises:
        UsageError: one is not finite, or negative.
    """
    bad = np.flatnonzero(~((g_siemens >= 0) & (g_siemens < np.inf)))
    if len(bad):
        raise UsageError(
            f"a device cannot take over a conductance of {g_siemens[bad[0]]:g} S: "
            "give a finite one that is not negative"
        )
    return g_siemens


def _for_each(value: ArrayLike, index: IndexArray) -> FloatArray:
    return np.broadcast_to(np.asarray(value, dtype=float), index.shape)
