"""Where the firmware of an instrument meets the simulated bench: terminals, not bytes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


class ByteDevice(Protocol):
    """Anything at the far end of a wire."""

    def receive(self, data: bytes) -> bytes:
        """Take what arrived, in pieces of any size, and return what the device sends back."""
        ...


@dataclass(frozen=True, slots=True)
class Sample:
    """One source-measure result, as the instrument's converters report it.

    Attributes:
        t_s: bench time at the end of the integration.
        v_v: voltage at the terminals.
        i_a: current out of the terminals.
        in_compliance: the source was limiting its current at the end.
    """

    t_s: float
    v_v: float
    i_a: float
    in_compliance: bool


class SmuTerminals(Protocol):
    """The output terminals of a source-measure unit on the bench."""

    @property
    def serial_number(self) -> str:
        """Serial number; the twin's starts with ``TWIN``."""
        ...

    def now_s(self) -> float:
        """Return the bench time."""
        ...

    def wait_s(self, dt_s: float) -> None:
        """Let bench time pass."""
        ...

    def apply(self, level_v: float, compliance_a: float) -> None:
        """Output on: source this voltage from now on, with this current limit."""
        ...

    def release(self) -> None:
        """Output off."""
        ...

    def measure(self, aperture_s: float) -> Sample:
        """Integrate voltage and current for ``aperture_s``; bench time passes."""
        ...


class SwitchTerminals(Protocol):
    """The switches of the switch board on the bench. At most one is closed."""

    @property
    def n_positions(self) -> int:
        """How many switches there are."""
        ...

    @property
    def position(self) -> int | None:
        """The closed switch, or None; the watchdog may have opened it meanwhile."""
        ...

    def now_s(self) -> float:
        """Return the bench time."""
        ...

    def wait_s(self, dt_s: float) -> None:
        """Let bench time pass."""
        ...

    def connect(self, position: int | None) -> None:
        """Open all switches, then close this one; at once."""
        ...

    def set_deadline(self, t_s: float | None) -> None:
        """Open all switches when bench time reaches ``t_s``, unless a later call moves it."""
        ...
