"""A Keithley 2450 of the twin with a resistor on its terminals, and what it did to them."""

from __future__ import annotations

from tests.support.loads import Load
from twin.firmware.keithley2450.firmware import Keithley2450Firmware

LOAD_OHM = 10e3


class Rig:
    """The instrument, its bench, and a line to it."""

    def __init__(
        self,
        load_ohm: float = LOAD_OHM,
        *,
        is_ideal: bool = True,
        lead_ohm: float = 0.0,
        serial_number: str = "TWIN2450",
    ) -> None:
        self.bench = Load(load_ohm, serial_number)
        self.firmware = Keithley2450Firmware(
            self.bench, line_frequency_hz=50, is_ideal=is_ideal, lead_ohm=lead_ohm
        )

    def raw(self, *lines: str) -> bytes:
        """Send lines and return everything that came back."""
        return self.firmware.receive("".join(line + "\n" for line in lines).encode())

    def ask(self, *lines: str) -> str:
        """Send lines and return the text that came back."""
        return self.raw(*lines).decode("latin-1").strip("\n")

    def send(self, *lines: str) -> None:
        """Send lines that have no reply and that the instrument accepts."""
        assert self.ask(*lines) == ""
        assert self.error() == 0, lines

    def numbers(self, *lines: str) -> list[float]:
        """Send lines and return the numbers that came back."""
        return [float(value) for value in self.ask(*lines).split(",")]

    def error(self) -> int:
        """Return the number of the oldest error, and forget it."""
        return int(self.ask(":SYST:ERR?").split(",")[0])

    def refused(self, *lines: str) -> int:
        """Send lines that are refused; return the number of the only error."""
        assert self.ask(*lines) == ""
        code = self.error()
        assert self.error() == 0
        return code

    @property
    def levels_v(self) -> list[float]:
        """Every level that was sourced."""
        return [level_v for _, level_v in self.bench.log if level_v is not None]

    def pulses(self, threshold_v: float = 0.05) -> list[tuple[float, float]]:
        """Return (start, width) of every time that the level was above a threshold."""
        found: list[tuple[float, float]] = []
        start_s: float | None = None
        for t_s, level_v in self.bench.log:
            is_above = level_v is not None and level_v > threshold_v
            if start_s is None and is_above:
                start_s = t_s
            elif start_s is not None and not is_above:
                found.append((start_s, t_s - start_s))
                start_s = None
        return found
