"""Terminals that nothing is connected to, on the clock of others."""

from __future__ import annotations

from twin.wiring import Sample, SmuTerminals


class OpenTerminals:
    """An open circuit (``twin.wiring.SmuTerminals``).

    Args:
        beside: terminals of the same instrument; time passes for both.
    """

    def __init__(self, beside: SmuTerminals) -> None:
        self._beside = beside
        self._level_v = 0.0

    @property
    def serial_number(self) -> str:
        """Serial number of the instrument."""
        return self._beside.serial_number

    def now_s(self) -> float:
        """Return the bench time."""
        return self._beside.now_s()

    def wait_s(self, dt_s: float) -> None:
        """Let bench time pass."""
        self._beside.wait_s(dt_s)

    def apply(self, level_v: float, compliance_a: float) -> None:
        """Output on: this voltage is there from now on."""
        self._level_v = level_v

    def release(self) -> None:
        """Output off."""
        self._level_v = 0.0

    def measure(self, aperture_s: float) -> Sample:
        """Integrate for ``aperture_s``; no current flows."""
        self._beside.wait_s(aperture_s)
        return Sample(self._beside.now_s(), self._level_v, 0.0, False)
