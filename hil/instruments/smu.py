"""What boards ask of a source-measure unit, whoever made it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from hil.instruments.accuracy import SmuAccuracy
from hil.types import FloatArray, Source


@dataclass(frozen=True, slots=True)
class SmuSample:
    """One source-measure result: terminal voltage, current, and whether the source was limiting."""

    v_v: float
    i_a: float
    in_compliance: bool


@dataclass(frozen=True, slots=True)
class PulseSamples:
    """What an instrument measured inside the pulses that it timed itself, one sample each.

    Attributes:
        v_v: voltages at the terminals, shape (n_pulses,).
        i_a: currents, shape (n_pulses,).
        in_compliance: whether the source was limiting in any of them.
    """

    v_v: FloatArray
    i_a: FloatArray
    in_compliance: bool


class Smu(Protocol):
    """A source-measure unit that sources voltage and measures voltage and current at once.

    Every setting that guards a device (level range, current limit) is read back and compared
    before the output goes on. Errors: ``LinkError`` where the link fails, ``InstrumentError`` where
    the instrument refuses or holds something else than it was told, ``ProtocolError`` where a reply
    cannot be read.
    """

    @property
    def accuracy(self) -> SmuAccuracy:
        """Bounds on readings of this type."""
        ...

    @property
    def min_pulse_width_s(self) -> float:
        """The shortest pulse that ``pulse`` makes."""
        ...

    @property
    def max_pulses(self) -> int:
        """How many pulses one call of ``pulse`` makes at most."""
        ...

    @property
    def n_trains(self) -> int:
        """How often ``pulse`` got so far that pulses may have been sourced."""
        ...

    @staticmethod
    def period_s(width_s: float) -> float:
        """Return the shortest period of pulses of this width."""
        ...

    @staticmethod
    def train_s(width_s: float, n_pulses: int, period_s: float) -> float:
        """Return how long the instrument is busy with a call of ``pulse``."""
        ...

    def identify(self) -> str:
        """Return the answer to ``*IDN?``; ``IdentityError`` if it is another type."""
        ...

    def source_of(self, identity: str) -> Source:
        """Return whether an identity is that of an instrument or of its twin (serial TWIN...)."""
        ...

    def prepare(self, max_voltage_v: float) -> None:
        """Reset, set up for sourcing up to this voltage; output off, level zero."""
        ...

    def limit_current(self, compliance_a: float) -> None:
        """Set the current limit and make sure that it arrived; costs nothing if it is set."""
        ...

    def integrate(self, nplc: float) -> None:
        """Set the integration time in power line cycles; costs nothing if it is set."""
        ...

    def output_on(self) -> None:
        """Switch the output on at level zero; costs nothing if it is on."""
        ...

    def set_level(self, level_v: float) -> None:
        """Source this level from now on. Sends only."""
        ...

    def wait_until_done(self) -> None:
        """Return once all that was told is carried out; costs one exchange."""
        ...

    def measure(self) -> SmuSample:
        """Measure voltage and current once."""
        ...

    def pulse(
        self, amplitude_v: float, width_s: float, n_pulses: int, period_s: float
    ) -> PulseSamples:
        """Apply pulses from zero that the instrument times itself; returns when all are over.

        One sample inside each pulse, at its end; the level is zero afterwards. Output is on.

        Args:
            amplitude_v: of all pulses, within the range of ``prepare``.
            width_s: ``min_pulse_width_s`` at least; refused below, before a byte is sent.
            n_pulses: 1 to ``max_pulses``.
            period_s: from start to start, longer than the width.
        """
        ...

    def check_errors(self) -> None:
        """Empty the error queue; ``InstrumentError`` if there was something in it."""
        ...

    def make_safe(self) -> None:
        """Level to zero, then output off. Sends only; aborts pulses that still run."""
        ...

    def resynchronise(self) -> None:
        """Throw away replies that nobody waits for any more."""
        ...

    def close(self) -> None:
        """Give the link back."""
        ...
