"""Status of a Keithley 2400: the registers of measurement, operation and questionable events.

Source: manual 2400S-900-01 Rev. K, section 15. *RST leaves the status alone.
"""

from __future__ import annotations

from collections.abc import Callable

from twin.firmware.scpi import Command, Register, Status

LOW_LIMITS = {2: 1 << 1, 3: 1 << 3}
HIGH_LIMITS = {2: 1 << 2, 3: 1 << 4}
COMPLIANCE_LIMIT = 1 << 0
LIMITS_PASS = 1 << 5
READING_AVAILABLE = 1 << 6
READING_OVERFLOW = 1 << 7
BUFFER_AVAILABLE = 1 << 8
BUFFER_FULL = 1 << 9
IN_COMPLIANCE = 1 << 14

SWEEPING = 1 << 3
WAITS_IN_TRIGGER_LAYER = 1 << 5
WAITS_IN_ARM_LAYER = 1 << 6
IDLE = 1 << 10

FORMATS: dict[str, Callable[[int], str]] = {
    "ASC": str,
    "HEX": lambda value: f"#H{value:X}",
    "OCT": lambda value: f"#Q{value:o}",
    "BIN": lambda value: f"#B{value:b}",
}


class Keithley2400Status(Status):
    """Error queue and registers.

    Args:
        register_format: returns the format that registers are answered in.

    Attributes:
        measurement: measurement events.
        operation: operation events.
        questionable: questionable events; nothing here sets them.
    """

    def __init__(self, register_format: Callable[[], str]) -> None:
        super().__init__()
        self.measurement = Register()
        self.operation = Register(condition=IDLE)
        self.questionable = Register()
        self._register_format = register_format

    @property
    def _registers(self) -> dict[int, tuple[str, Register]]:
        return {
            0x01: ("MEASurement", self.measurement),
            0x08: ("QUEStionable", self.questionable),
            0x80: ("OPERation", self.operation),
        }

    def summary(self) -> int:
        """Return the status byte without its request for service."""
        summaries = (bit for bit, (_, register) in self._registers.items() if register.summary)
        return super().summary() | sum(summaries)

    def clear(self) -> None:
        """*CLS: empty the queue and all event registers."""
        super().clear()
        for _, register in self._registers.values():
            register.event = 0

    def power_on(self) -> None:
        """Start anew."""
        super().power_on()
        self.preset()
        self.operation.set(IDLE)

    def preset(self) -> None:
        """:STATus:PRESet: nothing of the three registers is enabled."""
        for _, register in self._registers.values():
            register.preset()

    def commands(self) -> list[Command]:
        """Return the part of the command table that is about status."""
        table = [
            *super().commands(),
            Command("*WAI", write=lambda: None),  # commands are sequential
            Command(":STATus:PRESet", write=self.preset),
            Command(":SYSTem:ERRor:ALL", query=self.all_errors),
            Command(":SYSTem:ERRor:COUNt", query=lambda: str(self.n_errors)),
            Command(":SYSTem:ERRor:CODE[:NEXT]", query=lambda: _codes(self.next_error())),
            Command(":SYSTem:ERRor:CODE:ALL", query=lambda: _codes(self.all_errors())),
            Command(":SYSTem:CLEar", write=self.clear_errors),
        ]
        for name, register in self._registers.values():
            table += register.commands(f":STATus:{name}", self._written)
        return table

    def _written(self, value: int) -> str:
        return FORMATS[self._register_format()](value)


def _codes(errors: str) -> str:
    """Return the numbers of errors, out of their numbers and texts."""
    parts = errors.split(",")
    return ",".join(part for part in parts if part.lstrip("+-").isdigit())
