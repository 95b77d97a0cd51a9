"""Status byte and registers of a TSP instrument, as far as clients use them.

Modelled: status byte, standard event register, request for service, and of the measurement event
registers the summary of limits. Everything below it, operation and questionable registers, and
those of TSP-Link are refused with error 1100.

Source: manual 2600BS-901-01, section "Status model", and "TSP command reference: status".
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from twin.firmware.tsp.errors import ErrorQueue
from twin.firmware.tsp.tables import Attribute, Function, Refused, Table, stored, whole

MSB, EAV, MAV, ESB, MSS = 0x01, 0x04, 0x10, 0x20, 0x40
POWER_ON, OPERATION_COMPLETE = 0x80, 0x01
VOLTAGE_LIMIT, CURRENT_LIMIT = 0x01, 0x02

BYTE_BITS = {"MSB": MSB, "SSB": 0x02, "EAV": EAV, "QSB": 0x08, "MAV": MAV, "ESB": ESB}
BYTE_NAMES = {
    "MEASUREMENT_SUMMARY_BIT": MSB,
    "ERROR_AVAILABLE": EAV,
    "MESSAGE_AVAILABLE": MAV,
    "EVENT_SUMMARY_BIT": ESB,
    "MSS": MSS,
    "MASTER_SUMMARY_STATUS": MSS,
    "OSB": 0x80,
}
STANDARD_BITS = {"OPC": 0x01, "QYE": 0x04, "DDE": 0x08, "EXE": 0x10, "CME": 0x20, "URQ": 0x40}
STANDARD_NAMES = {
    "OPERATION_COMPLETE": 0x01,
    "QUERY_ERROR": 0x04,
    "DEVICE_DEPENDENT_ERROR": 0x08,
    "EXECUTION_ERROR": 0x10,
    "COMMAND_ERROR": 0x20,
    "USER_REQUEST": 0x40,
    "PON": POWER_ON,
    "POWER_ON": POWER_ON,
}
MEASUREMENT_BITS = {
    "VLMT": VOLTAGE_LIMIT,
    "VOLTAGE_LIMIT": VOLTAGE_LIMIT,
    "ILMT": CURRENT_LIMIT,
    "CURRENT_LIMIT": CURRENT_LIMIT,
}
_BYTE = whole(0, 255)
_WORD = whole(0, 65535)


class Register:
    """Condition, events that rose from it, and which of them show in the summary.

    Args:
        condition: returns the bits as they are now.
    """

    def __init__(self, condition: Callable[[], int]) -> None:
        self.enable = 0
        self._condition = condition
        self._event = 0
        self._before = 0

    def look(self) -> int:
        """Return the condition; what has risen since the last look is an event."""
        now = self._condition()
        self._event |= now & ~self._before
        self._before = now
        return now

    def take(self) -> int:
        """Return the events and forget them."""
        self.look()
        event, self._event = self._event, 0
        return event

    @property
    def summary(self) -> bool:
        """Whether an enabled event waits; nobody looks where none is enabled."""
        if self.enable:
            self.look()
        return bool(self._event & self.enable)

    def reset(self) -> None:
        """Forget events and what is enabled."""
        self.enable = self._event = 0

    def table(self, name: str, bits: Mapping[str, int], unmodelled: tuple[str, ...] = ()) -> Table:
        """Return the register as scripts see it."""
        members: dict[str, object] = {
            "condition": Attribute(lambda: float(self.look())),
            "event": Attribute(lambda: float(self.take())),
            "enable": stored(lambda: self, "enable", _WORD),
        }
        return Table(name, members | dict(bits), ("ntr", "ptr", *unmodelled))


class Status:
    """The status model of one instrument.

    Args:
        errors: of the instrument; they set bits of the standard event register.
        limits: returns ``VOLTAGE_LIMIT`` and ``CURRENT_LIMIT`` as they are now.
        has_output: whether a message waits in the output queue.
    """

    def __init__(
        self, errors: ErrorQueue, limits: Callable[[], int], has_output: Callable[[], bool]
    ) -> None:
        self.standard_enable = 0
        self.request_enable = 0
        self._event = POWER_ON
        self._errors = errors
        self._has_output = has_output
        self._measurement = Register(limits)

    def set_event(self, bit: int) -> None:
        """Set a bit of the standard event register."""
        self._event |= bit

    def take_event(self) -> int:
        """Return the standard event register and clear it."""
        value = self._event | self._errors.events
        self._event = self._errors.events = 0
        return value

    def byte(self) -> int:
        """Return the status byte."""
        event = self._event | self._errors.events
        value = MSB if self._measurement.summary else 0
        value |= EAV if self._errors.count else 0
        value |= MAV if self._has_output() else 0
        value |= ESB if event & self.standard_enable else 0
        return value | (MSS if value & self.request_enable else 0)

    def reset(self) -> None:
        """Clear events and enable registers, as ``status.reset()``."""
        self._event = self._errors.events = 0
        self.standard_enable = self.request_enable = 0
        self._measurement.reset()

    def clear(self) -> None:
        """Clear events and the error queue, as ``*CLS``."""
        self.take_event()
        self._measurement.take()
        self._errors.clear()

    def table(self) -> Table:
        """Return ``status`` as scripts see it."""

        def itself() -> Status:
            return self

        standard: dict[str, object] = {
            "enable": stored(itself, "standard_enable", _BYTE),
            "event": Attribute(lambda: float(self.take_event())),
        }
        standard |= STANDARD_BITS | STANDARD_NAMES
        refused = ("operation", "questionable", "system", "node_enable", "node_event")
        members: dict[str, object] = {
            "condition": Attribute(lambda: float(self.byte())),
            "request_enable": stored(itself, "request_enable", _BYTE),
            "standard": Table("status.standard", standard, ("condition", "ntr", "ptr")),
            "measurement": self._measurement.table(
                "status.measurement",
                MEASUREMENT_BITS,
                (
                    "voltage_limit",
                    "current_limit",
                    "instrument",
                    "buffer_available",
                    "reading_overflow",
                ),
            ),
            "reset": Function("status.reset", lambda *_: self.reset()),
        }
        members |= BYTE_BITS | BYTE_NAMES | {name: Refused(f"status.{name}") for name in refused}
        return Table("status", members, ("request_event",))
