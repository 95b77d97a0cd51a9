"""Digital lines of a Keithley 2450: settings, and levels that nothing is connected to.

Source: manual 2450-901-01, "DIGital subsystem", ":TRIGger:DIGital<n>". An input that is open floats
high. Nothing drives the lines, so no edge is ever seen; what they put out goes nowhere.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from twin.firmware.keithley2450.source import conflict
from twin.firmware.keithley2450.trigger_events import NO_EVENT

N_LINES = 6
_ALLOWED = {"DIG": ("IN", "OUT", "OPEN"), "TRIG": ("IN", "OUT", "OPEN"), "SYNC": ("MAST", "ACC")}


@dataclass
class Line:
    """One digital line.

    Attributes:
        kind: ``DIG``, ``TRIG`` or ``SYNC``.
        direction: ``IN``, ``OUT``, ``OPEN``, ``MAST`` or ``ACC``.
        level: that was written to it.
        edge: that it would detect.
        logic: ``POS`` or ``NEG``: of the pulse that it would put out.
        pulse_width_s: of that pulse.
        stimulus: event that would make it.
    """

    kind: str = "DIG"
    direction: str = "IN"
    level: int = 0
    edge: str = "FALL"
    logic: str = "NEG"
    pulse_width_s: float = 1e-5
    stimulus: str = NO_EVENT

    @property
    def state(self) -> int:
        """What is read: an input floats high."""
        return 1 if self.direction == "IN" else self.level

    def set_mode(self, kind: str, direction: str) -> None:
        """Use the line for something else."""
        if direction not in _ALLOWED[kind]:
            raise conflict("line type against direction")
        self.kind, self.direction, self.level = kind, direction, int(direction == "OPEN")

    def write(self, level: int) -> None:
        """Put out a level."""
        if self.kind != "DIG" or self.direction == "IN":
            raise conflict("the line is no digital output")
        self.level = level


@dataclass
class DigitalLines:
    """All lines; line 1 is the lowest bit of a pattern."""

    lines: list[Line] = field(default_factory=lambda: [Line() for _ in range(N_LINES)])

    def read(self) -> int:
        """Return the levels of all lines."""
        return sum(line.state << k for k, line in enumerate(self.lines))

    def write(self, pattern: int, mask: int = 2**N_LINES - 1) -> None:
        """Put out levels on the lines of a mask that are digital outputs."""
        for k, line in enumerate(self.lines):
            if mask >> k & 1 and line.kind == "DIG" and line.direction != "IN":
                line.level = pattern >> k & 1
