"""What an integration is given, and how far it has come."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from hil.types import IndexArray
from twin.devices.arithmetic import Values


@dataclass(frozen=True, slots=True)
class Tolerances:
    """Bounds on the estimated local error of one step.

    The estimate is that of the embedded method of order 3; the solution is of order 4, and its
    error is ten to a thousand times smaller.

    Attributes:
        x_relative: of X, relative to X.
        x_absolute: of X.
        energy_relative: of the source energy, relative to the energy so far.
    """

    x_relative: float = 2.5e-7
    x_absolute: float = 1e-30
    energy_relative: float = 1e-5


@dataclass(slots=True)
class Source:
    """Source voltages as functions of time; floats or arrays."""

    value_v: Callable[[Values], Values]
    slope_v_per_s: Callable[[Values], Values]
    monotonic_until_s: Callable[[Values], Values]


@dataclass(slots=True)
class Progress:
    """How far the driven devices have come; every field a float, or an array of them.

    Attributes:
        t_s: time since the start of the drive.
        left_s: time that is left; exactly 0 at the end.
        x: state.
        h_s: step to try next; 0 asks for a guess.
        mode: DEAD, SWITCHING or SLIDING.
        side: 1 at the SET edge of the dead band, -1 at the RESET edge.
        device_j: integral of V I dt so far.
        current_squared_a2s: integral of I^2 dt so far.
        charge_c: integral of I dt so far.
        v_v: voltage across the device.
        i_a: current.
        i_peak_a: largest magnitude of the current at the end of a step so far.
        kept: share of the state at the start of the drive that was not lost since.
        gained: state that was gained since, and not lost again (a loss takes the same share of
            what was there and of what was gained).
    """

    t_s: Values
    left_s: Values
    x: Values
    h_s: Values
    mode: Values
    side: Values
    device_j: Values
    current_squared_a2s: Values
    charge_c: Values
    v_v: Values
    i_a: Values
    i_peak_a: Values
    kept: Values
    gained: Values

    def take(self, index: IndexArray) -> Progress:
        """Return the progress of some devices; arrays only."""
        return Progress(*(getattr(self, name)[index] for name in self.__slots__))

    def put(self, index: IndexArray, part: Progress) -> None:
        """Write the progress of some devices back; arrays only."""
        for name in self.__slots__:
            getattr(self, name)[index] = getattr(part, name)
