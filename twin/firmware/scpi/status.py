"""Error queue and status registers of SCPI instruments, with the commands that show them.

Source: IEEE 488.2, section 11; SCPI-99 volume 1, section 9 and volume 2, section 20.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from twin.firmware.scpi.command import Command
from twin.firmware.scpi.errors import QUEUE_OVERFLOW, ScpiError
from twin.firmware.scpi.parameters import Number

_BYTE = Number(0, 255, 0, integer=True)
_WORD = Number(0, 65535, 0, integer=True)


@dataclass
class Status:
    """Error queue and status registers, with the common commands that show them.

    Attributes:
        event: standard event register; bit 7 says that the power came on.
        event_enable: which of its bits show in the status byte.
        request_enable: which bits of the status byte ask for service.
        depth: how many errors the queue holds; the last place is taken by -350 when it is full.
    """

    event: int = 0x80
    event_enable: int = 0
    request_enable: int = 0
    depth: int = 10
    _errors: deque[str] = field(default_factory=deque)

    def report(self, error: ScpiError) -> None:
        """Put an error into the queue and set its bit in the event register."""
        self.event |= _event_bit(error.code)
        if len(self._errors) < self.depth:
            self._errors.append(str(error))
        else:
            self._errors[-1] = str(ScpiError(QUEUE_OVERFLOW))

    def next_error(self) -> str:
        """Take the oldest error out of the queue; ``0,"No error"`` if there is none."""
        return self._errors.popleft() if self._errors else str(ScpiError(0))

    def all_errors(self) -> str:
        """Take all errors out of the queue, separated by commas."""
        errors = ",".join(self._errors) or str(ScpiError(0))
        self._errors.clear()
        return errors

    @property
    def n_errors(self) -> int:
        """How many errors are in the queue."""
        return len(self._errors)

    def clear_errors(self) -> None:
        """Empty the error queue."""
        self._errors.clear()

    def clear(self) -> None:
        """*CLS: empty the queue and the event register."""
        self.clear_errors()
        self.event = 0

    def power_on(self) -> None:
        """Start anew, with the bit set that says that the power came on."""
        self.clear()
        self.event, self.event_enable, self.request_enable = 0x80, 0, 0

    def take_event(self) -> int:
        """*ESR?: return the event register and clear it."""
        value, self.event = self.event, 0
        return value

    def byte(self) -> int:
        """*STB?: error available, event summary, and request for service."""
        return self.with_request(self.summary())

    def summary(self) -> int:
        """Return the status byte without its request for service."""
        return (0x04 if self._errors else 0) | (0x20 if self.event & self.event_enable else 0)

    def with_request(self, value: int) -> int:
        """Return a status byte with its request for service."""
        return value | (0x40 if value & self.request_enable else 0)

    def operation_complete(self) -> None:
        """*OPC: every operation is over when the next command is read."""
        self.event |= 0x01

    def commands(self) -> list[Command]:
        """Return the part of a command table that is about status."""
        return [
            Command("*CLS", write=self.clear),
            Command("*ESR", query=lambda: str(self.take_event())),
            Command(
                "*ESE",
                lambda value: setattr(self, "event_enable", value),
                lambda: str(self.event_enable),
                (_BYTE,),
            ),
            Command(
                "*SRE",
                lambda value: setattr(self, "request_enable", value & ~0x40),
                lambda: str(self.request_enable),
                (_BYTE,),
            ),
            Command("*STB", query=lambda: str(self.byte())),
            Command("*OPC", self.operation_complete, lambda: "1"),
            Command(":SYSTem:ERRor[:NEXT]", query=self.next_error),
            Command(":STATus:QUEue[:NEXT]", query=self.next_error),
            Command(":STATus:QUEue:CLEar", write=self.clear_errors),
        ]


@dataclass
class Register:
    """A condition register with its event and enable registers (SCPI-99 volume 1, 9).

    Attributes:
        condition: what is the case now.
        event: what became the case since this was last read.
        enable: which events show in the status byte.
        rises: conditions whose begin is an event (PTRansition).
        falls: conditions whose end is an event (NTRansition).
    """

    condition: int = 0
    event: int = 0
    enable: int = 0
    rises: int = 0x7FFF
    falls: int = 0

    def set(self, bits: int, is_set: bool = True) -> None:
        """Let conditions begin or end."""
        condition = self.condition | bits if is_set else self.condition & ~bits
        begun, ended = condition & ~self.condition, self.condition & ~condition
        self.event |= begun & self.rises | ended & self.falls
        self.condition = condition

    def pulse(self, bits: int) -> None:
        """Record something that happens and is over at once."""
        self.event |= bits & (self.rises | self.falls)

    def take_event(self) -> int:
        """Return the event register and clear it."""
        value, self.event = self.event, 0
        return value

    @property
    def summary(self) -> bool:
        """Whether an enabled event is recorded."""
        return bool(self.event & self.enable)

    def preset(self) -> None:
        """:STATus:PRESet: nothing is enabled, begins are events."""
        self.enable, self.rises, self.falls = 0, 0x7FFF, 0

    def commands(
        self,
        root: str,
        write: Callable[[int], str] = str,
        *,
        has_transitions: bool = False,
    ) -> list[Command]:
        """Return the commands of this register.

        Args:
            root: header, for example ``:STATus:OPERation``.
            write: how a value is answered.
            has_transitions: whether its transition filters can be set.
        """

        def stored(node: str, name: str) -> Command:
            return Command(
                f"{root}:{node}",
                lambda value: setattr(self, name, value & 0x7FFF),
                lambda: write(getattr(self, name)),
                (_WORD,),
            )

        transitions = [stored("PTRansition", "rises"), stored("NTRansition", "falls")]
        return [
            Command(f"{root}[:EVENt]", query=lambda: write(self.take_event())),
            Command(f"{root}:CONDition", query=lambda: write(self.condition)),
            stored("ENABle", "enable"),
            *(transitions if has_transitions else []),
        ]


def saved_setups(
    n_places: int, save: Callable[[int], None], recall: Callable[[int], None]
) -> list[Command]:
    """Return *SAV and *RCL with places 0 to ``n_places - 1``."""
    place = Number(0, n_places - 1, 0, integer=True)
    return [
        Command("*SAV", write=save, parameters=(place,)),
        Command("*RCL", write=recall, parameters=(place,)),
    ]


def _event_bit(code: int) -> int:
    if -200 < code <= -100:
        return 0x20
    if -400 < code <= -300:
        return 0x08
    if -500 < code <= -400:
        return 0x04
    return 0x10
