"""What every device model offers to the plant."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hil.types import FloatArray, IndexArray


class Waveform(Protocol):
    """Source voltage against time since the start of a step, for each driven device; all arrays."""

    def value_v(self, t_s: FloatArray) -> FloatArray:
        """Return the source voltage at each time."""
        ...

    def slope_v_per_s(self, t_s: FloatArray) -> FloatArray:
        """Return the time derivative of the source voltage at each time."""
        ...

    def monotonic_until_s(self, t_s: FloatArray) -> FloatArray:
        """Return a later time up to which each voltage only rises or only falls; inf if for ever.

        Integrators end a step there, so that no excursion between two nodes goes unseen.
        """
        ...

    def take(self, index: IndexArray) -> Waveform:
        """Return the waveform of some of the driven devices."""
        ...


@dataclass(frozen=True)
class Response:
    """What happened to the driven devices; arrays of shape (n_driven,).

    Attributes:
        device_j: integral of V_device I dt.
        resistors_j: integral of I^2 R dt over everything in series with the device.
        source_j: integral of V_terminal I dt; equals the sum of the two others.
        charge_c: integral of I dt.
        i_end_a: current at the end.
        v_device_end_v: voltage across the device at the end.
    """

    device_j: FloatArray
    resistors_j: FloatArray
    source_j: FloatArray
    charge_c: FloatArray
    i_end_a: FloatArray
    v_device_end_v: FloatArray


@dataclass(frozen=True)
class Wear:
    """What devices have been through since they were made; arrays of one entry per device.

    A half cycle begins with the first drive whose source goes beyond the dead band after one of the
    other polarity, or the first ever.

    Attributes:
        n_set_half_cycles: integer.
        n_reset_half_cycles: integer.
        charge_c: sum over the drives of the magnitude of the charge, reads included.
        i_peak_a: largest current, reads included.
    """

    n_set_half_cycles: NDArray[np.int64]
    n_reset_half_cycles: NDArray[np.int64]
    charge_c: FloatArray
    i_peak_a: FloatArray


class Conduction(Protocol):
    """How some devices conduct in the state that they are in."""

    def current(self, v_v: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return current and dI/dV (siemens) of each at these voltages, both of their shape."""
        ...


@dataclass(frozen=True)
class OhmicConduction:
    """Conduction of devices that obey Ohm's law.

    Attributes:
        g_siemens: of each.
    """

    g_siemens: FloatArray

    def current(self, v_v: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return current and dI/dV of each."""
        return self.g_siemens * v_v, self.g_siemens


class DeviceModel(Protocol):
    """A population of devices. Physics moves with time only, never with reads."""

    x: FloatArray
    """State of every device in [0, 1], 1 for all ON, shape (n_devices,); a copy. Settable:
    checkpoints and tests."""

    @property
    def n_devices(self) -> int:
        """Number of devices."""
        ...

    @property
    def is_volatile(self) -> bool:
        """Whether any device changes while no voltage is applied."""
        ...

    def conductance_siemens(self, index: IndexArray, v_v: ArrayLike = 0.0) -> FloatArray:
        """Return the conductance I(V) / V of some devices as they are now; changes nothing.

        Args:
            index: which devices, shape (n,).
            v_v: voltage across each device, scalar or (n,); 0 for the small-signal conductance.
        """
        ...

    def conduction(self, index: IndexArray) -> Conduction:
        """Return how some devices conduct as they are now."""
        ...

    def holds(self, index: IndexArray, v_v: FloatArray) -> NDArray[np.bool_]:
        """Return whether each device keeps its switches where they are at this voltage."""
        ...

    def adopt_conductance(
        self, index: IndexArray, g_siemens: ArrayLike, v_v: ArrayLike = 0.0
    ) -> None:
        """Put some devices into the settled state in which ``conductance_siemens`` is this.

        A conductance outside the window of a device puts it at that end of the window. Costs no
        time and no wear.

        Args:
            index: which devices, shape (n,), none twice.
            g_siemens: scalar or (n,).
            v_v: voltage across each device at which the conductance was read, scalar or (n,).

        Raises:
            UsageError: a conductance is not finite, or negative.
        """
        ...

    def wear(self, index: IndexArray) -> Wear:
        """Return what some devices have been through."""
        ...

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
        """
        ...

    def rest(self, index: IndexArray, dt_s: FloatArray | float) -> None:
        """Let time pass at zero volt for some devices; free where none is volatile.

        Args:
            index: which devices, shape (n,), none twice.
            dt_s: one duration for all, or one for each.
        """
        ...
