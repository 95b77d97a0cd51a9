"""Error queue and status registers.

Source: command reference B2910-90030, "Status Byte", "STATus Subsystem" (bits of the condition
registers), "Error Messages". Assumed: the queue holds 30 errors; errors of this instrument alone
(positive numbers) set bit 3 of the standard event register.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from twin.firmware.keysight_b2900.actions import ACQUIRE, TRANSIENT, Event
from twin.firmware.keysight_b2900.channel import Channel
from twin.firmware.keysight_b2900.trigger_system import TriggerSystem
from twin.firmware.scpi import OUT_OF_RANGE, Command, Register, ScpiError, Status

MEASURING = (203, "Not able to execute while instrument is measuring")
NOT_COMPLETED = (210, "Operation is not completed")
NOTHING_SAVED = (290, "Not able to recall state: it is empty")
RELAY_MUST_BE_OFF = (211, "Cannot switch low sense terminal with output on")

_NO_ERROR = '+0,"No error"'
_OPERATION = {TRANSIENT: 1, ACQUIRE: 4}
"""Bit of the idle state of an action; the two after it are for its trigger and its arm layer."""
_SECOND_CHANNEL_BITS = 6


class ErrorQueue(Status):
    """The error queue and the standard event register."""

    def report(self, error: ScpiError) -> None:
        """Put an error into the queue."""
        if error.code == OUT_OF_RANGE and error.text.startswith("Parameter"):
            error = ScpiError(error.code, "Data out of range")
        event = self.event
        super().report(error)
        if error.code > 0:
            self.event = event | 0x08

    def next_error(self) -> str:
        """Take the oldest error out of the queue."""
        return super().next_error() if self.n_errors else _NO_ERROR

    def all_errors(self) -> str:
        """Take all errors out of the queue."""
        return super().all_errors() if self.n_errors else _NO_ERROR

    def next_code(self) -> str:
        """Take the oldest error out of the queue; return its number only."""
        return self.next_error().split(",")[0]

    def all_codes(self) -> str:
        """Take all errors out of the queue; return their numbers only."""
        codes = [self.next_code() for _ in range(max(1, self.n_errors))]
        return ",".join(codes)


@dataclass
class Registers:
    """All status registers of the instrument.

    Attributes:
        errors: error queue and standard event register.
        measurement: readings and buffers.
        operation: what the trigger system does.
        questionable: outputs that the protection has switched off, lost events.
        wants_complete: *OPC waits for the end of a run.
    """

    errors: ErrorQueue = field(default_factory=lambda: ErrorQueue(depth=30))
    measurement: Register = field(default_factory=Register)
    operation: Register = field(default_factory=Register)
    questionable: Register = field(default_factory=Register)
    wants_complete: bool = False

    def update(self, channels: Sequence[Channel], system: TriggerSystem) -> None:
        """Bring the condition registers up to date."""
        measurement = operation = questionable = 0
        for channel in channels:
            shift = _SECOND_CHANNEL_BITS * (channel.number - 1)
            measurement |= _measurement_bits(channel) << shift
            operation |= _operation_bits(channel, system) << shift
            questionable |= 0x04 * channel.tripped_off << channel.number - 1
        _replace(self.measurement, measurement)
        _replace(self.operation, operation)
        _replace(self.questionable, questionable)
        if self.wants_complete and not system.is_running:
            self.errors.operation_complete()
            self.wants_complete = False

    def event_lost(self, channel: Channel, kind: str) -> None:
        """Take note of an event that came while an action was busy."""
        bit = 11 + 2 * (channel.number - 1) + (kind == ACQUIRE)
        self.questionable.pulse(1 << bit)

    def byte(self) -> int:
        """*STB?: return the status byte."""
        value = self.errors.summary()
        for bit, register in ((0, self.measurement), (3, self.questionable), (7, self.operation)):
            value |= register.summary << bit
        return self.errors.with_request(value)

    def clear(self) -> None:
        """*CLS: empty the queue and the event registers; *OPC waits no more."""
        self.errors.clear()
        self.wants_complete = False
        for register in (self.measurement, self.operation, self.questionable):
            register.take_event()

    def power_on(self) -> None:
        """Forget everything; bit 7 of the standard event register says why."""
        self.clear()
        self.preset()
        self.errors.event, self.errors.event_enable, self.errors.request_enable = 0x80, 0, 0

    def preset(self) -> None:
        """:STATus:PRESet."""
        for register in (self.measurement, self.operation, self.questionable):
            register.preset()

    def commands(self, finish: Callable[[], None]) -> list[Command]:
        """Return the part of the command table that is about status.

        Args:
            finish: waits for the end of a run, or raises ``ScpiError``.
        """
        replaced = {"*CLS", "*STB", "*OPC", ":STATus:QUEue[:NEXT]", ":STATus:QUEue:CLEar"}
        errors = self.errors

        def wait() -> str:
            finish()
            return "1"

        return [
            *(c for c in errors.commands() if c.pattern not in replaced),
            Command("*CLS", write=self.clear),
            Command("*STB", query=lambda: str(self.byte())),
            Command("*OPC", lambda: setattr(self, "wants_complete", True), wait),
            Command("*WAI", write=finish),
            Command(":SYSTem:ERRor:ALL", query=errors.all_errors),
            Command(":SYSTem:ERRor:COUNt", query=lambda: str(errors.n_errors)),
            Command(":SYSTem:ERRor:CODE[:NEXT]", query=errors.next_code),
            Command(":SYSTem:ERRor:CODE:ALL", query=errors.all_codes),
            Command(":STATus:PRESet", write=self.preset),
            *self.measurement.commands(":STATus:MEASurement", has_transitions=True),
            *self.operation.commands(":STATus:OPERation", has_transitions=True),
            *self.questionable.commands(":STATus:QUEStionable", has_transitions=True),
        ]


def _replace(register: Register, condition: int) -> None:
    if condition != register.condition:
        register.set(condition)
        register.set(~condition & 0x7FFF, False)


def _measurement_bits(channel: Channel) -> int:
    bits = 0
    if channel.readings:
        bits |= 0x04 if channel.readings[-1].overflowed else 0x02
    if channel.trace.readings:
        bits |= 0x08
    if len(channel.trace.readings) >= channel.trace.points:
        bits |= 0x10
    return bits


def _operation_bits(channel: Channel, system: TriggerSystem) -> int:
    bits = 0
    for kind, first in _OPERATION.items():
        action = system.action(channel, kind)
        if action is None:
            bits |= 1 << first
        elif isinstance(action.wish, Event):
            bits |= 1 << first + (1 if action.wish.layer == "trigger" else 2)
    return bits
