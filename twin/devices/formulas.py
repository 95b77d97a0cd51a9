"""What the integrator asks of a device: circuit and law, as formulas on floats or arrays."""

from __future__ import annotations

from typing import Any, NamedTuple, Protocol, Self

from hil.types import IndexArray
from twin.devices.arithmetic import Arithmetic, Values


class PerDevice:
    """Base of frozen sets of values: floats for one device, arrays for many."""

    __slots__: tuple[str, ...] = ()

    def take(self, index: IndexArray) -> Self:
        """Return the values of some devices; arrays only."""
        return type(self)(*(getattr(self, name)[index] for name in self.__slots__))

    def item(self, k: int) -> Self:
        """Return the values of one device as floats."""
        return type(self)(*(getattr(self, name).item(k) for name in self.__slots__))


class OperatingPoint(Protocol):
    """Where a circuit works; what else there is in it is between ``solve`` and ``slopes``."""

    @property
    def v_v(self) -> Values:
        """Voltage across the device."""
        ...

    @property
    def i_a(self) -> Values:
        """Current."""
        ...


class Slopes(NamedTuple):
    """Partial derivatives of device voltage and current by state X and by time."""

    v_x: Values
    v_t: Values
    i_x: Values
    i_t: Values
    v_xx: Values


class Circuit(Protocol):
    """A current-limited source, a resistor and a device."""

    @property
    def r_ohm(self) -> Values:
        """Everything in series with the device."""
        ...

    def take(self, index: IndexArray) -> Self:
        """Return the circuits of some devices."""
        ...

    def item(self, k: int) -> Self:
        """Return the circuit of one device."""
        ...

    def solve(
        self, x: Values, v_source_v: Values, xp: Arithmetic, near_v: Values
    ) -> OperatingPoint:
        """Return the operating point; ``near_v`` is a guess of the device voltage, 0 for none."""
        ...

    def slopes(self, at: Any, v_source_per_s: Values, xp: Arithmetic) -> Slopes:
        """Return the derivatives at an operating point of this circuit.

        All exact but ``v_xx``, which decides the length of steps and not their result.
        """
        ...


class Expansion(NamedTuple):
    """dX/dt and its derivatives, for a voltage that follows X.

    Attributes:
        f: dX/dt.
        f_x: total derivative by X, exact.
        f_xx: second total derivative by X; decides the length of steps, not their result.
        f_v: partial derivative by the voltage, exact.
        width_v: voltage over which the rate changes by a factor of e at most.
        steepness: largest relative change of the rate by X.
    """

    f: Values
    f_x: Values
    f_xx: Values
    f_v: Values
    width_v: Values
    steepness: Values


class Law(Protocol):
    """The rate of a device's state outside its dead band; inside, nothing moves."""

    @property
    def v_dead_on_v(self) -> Values:
        """Upper edge of the dead band; 0 for no dead band."""
        ...

    @property
    def v_dead_off_v(self) -> Values:
        """Magnitude of its lower edge; 0 for no dead band."""
        ...

    def take(self, index: IndexArray) -> Self:
        """Return the law of some devices."""
        ...

    def item(self, k: int) -> Self:
        """Return the law of one device."""
        ...

    def rate(self, x: Values, v_v: Values, xp: Arithmetic) -> Values:
        """Return dX/dt outside the dead band."""
        ...

    def expand(self, x: Values, v_v: Values, slopes: Slopes, xp: Arithmetic) -> Expansion:
        """Return dX/dt outside the dead band and its derivatives."""
        ...
