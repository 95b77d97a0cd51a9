"""Event log and status registers of a Keithley 2450.

Every error, warning and information gets a line in the log; errors set bits of the standard event
register as well. Events can be mapped to bits of the operation and questionable registers, which
start without any.

Source: manual 2450-901-01, "SYSTem subsystem" (format of the log), "Status model". Assumed: the
texts of events but for 1115, 1133 and 2790, and the number 4921; dates with semicolons, as later
firmware writes them; what the log does when it is full (-350 takes the last place).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from twin.firmware.scpi import QUEUE_OVERFLOW, ScpiError, Status

ERROR, WARNING, INFORMATION = 1, 2, 4
DEPTH = 1000
N_BITS = 15

TRIGGER_ABORTED = (2728, "Trigger model, Aborted: Trigger model has been aborted")
TRIGGER_FAILED = (2730, "Trigger model, Failed")
TRIGGER_STARTED = (2731, "Trigger model, Initiated: Trigger model has been initiated")
TRIGGER_IDLE = (2732, "Trigger model, Idle: Trigger model has been idled")
TRIGGER_LOGGED = {INFORMATION: 2734, WARNING: 2738, ERROR: 2742}
BUFFER_EMPTY = (4916, "Reading buffer, 0% filled")
BUFFER_FULL = (4917, "Reading buffer, 100% filled")
LIMIT_ADJUSTED = (4921, "Source limit adjusted to the source range")
USER_EVENT = 1003

EPOCH = datetime(2026, 1, 1, tzinfo=UTC)
"""What the clock of the instrument shows at the start of the bench time."""


@dataclass(frozen=True)
class Event:
    """One line of the log."""

    code: int
    text: str
    kind: int
    when: datetime

    def __str__(self) -> str:
        stamp = f"{self.when:%Y/%m/%d %H:%M:%S}.{self.when.microsecond // 1000:03d}"
        return f'{self.code},"{self.text};{self.kind};{stamp}"'


class Clock:
    """Date and time of the instrument, from the bench time.

    Args:
        now_s: the bench time.
    """

    def __init__(self, now_s: Callable[[], float]) -> None:
        self._now_s = now_s
        self._zero = EPOCH

    def at(self, t_s: float) -> datetime:
        """Return date and time at a bench time."""
        return self._zero + timedelta(seconds=t_s)

    def now(self) -> datetime:
        """Return date and time."""
        return self.at(self._now_s())

    def set(self, when: datetime) -> None:
        """Set date and time."""
        self._zero = when - timedelta(seconds=self._now_s())


@dataclass
class EventRegister:
    """One of the two register sets that events are mapped to.

    Attributes:
        condition: bits whose set event came after their clear event.
        event: bits whose set event came since this was last read.
        enable: bits that show in the status byte.
        mapping: (set event, clear event) by bit; 0 for none.
    """

    condition: int = 0
    event: int = 0
    enable: int = 0
    mapping: dict[int, tuple[int, int]] = field(default_factory=dict)

    def see(self, code: int) -> None:
        """Set and clear the bits that an event is mapped to."""
        for bit, (sets, clears) in self.mapping.items():
            if code == sets:
                self.condition |= 1 << bit
                self.event |= 1 << bit
            if code == clears:
                self.condition &= ~(1 << bit)

    def take_event(self) -> int:
        """Return the event register and clear it."""
        value, self.event = self.event, 0
        return value

    @property
    def summary(self) -> bool:
        """Whether an enabled bit is set."""
        return bool(self.event & self.enable)


class EventLog(Status):
    """Log and registers; takes the place of the error queue of the SCPI engine.

    Args:
        clock: date and time of the instrument.

    Attributes:
        operation: operation event register.
        questionable: questionable event register.
    """

    def __init__(self, clock: Clock) -> None:
        super().__init__()
        self.operation = EventRegister()
        self.questionable = EventRegister()
        self._clock = clock
        self._events: deque[Event] = deque()

    def report(self, error: ScpiError) -> None:
        """Log an error, and set its bit in the standard event register."""
        super().report(error)
        super().clear_errors()  # the queue of the engine is not used
        self.log(error.code, error.text, ERROR)

    def log(self, code: int, text: str, kind: int = INFORMATION) -> None:
        """Log an event, and let the registers see it."""
        event = Event(code, text, kind, self._clock.now())
        if len(self._events) < DEPTH:
            self._events.append(event)
        else:
            overflow = ScpiError(QUEUE_OVERFLOW)
            self._events[-1] = Event(overflow.code, overflow.text, ERROR, event.when)
        self.operation.see(code)
        self.questionable.see(code)

    def take(self, kinds: int) -> Event | None:
        """Take the oldest event of these kinds; those before it are gone as well."""
        for position, event in enumerate(self._events):
            if event.kind & kinds:
                for _ in range(position + 1):
                    self._events.popleft()
                return event
        return None

    def count(self, kinds: int) -> int:
        """Return how many events of these kinds are in the log."""
        return sum(bool(event.kind & kinds) for event in self._events)

    def next_error(self) -> str:
        """:SYSTem:ERRor[:NEXT]?: take the oldest error."""
        return self.next_event(ERROR)

    def next_event(self, kinds: int) -> str:
        """Take the oldest event of these kinds, as the instrument writes it."""
        event = self.take(kinds)
        return '0,"No error;0;0 0"' if event is None else str(event)

    def next_code(self) -> str:
        """:SYSTem:ERRor:CODE[:NEXT]?: take the oldest error, return its number."""
        event = self.take(ERROR)
        return "0" if event is None else str(event.code)

    def clear_errors(self) -> None:
        """Empty the log."""
        self._events.clear()

    def clear(self) -> None:
        """*CLS: empty the log and the event registers."""
        super().clear()
        self.clear_registers()

    def clear_registers(self) -> None:
        """:STATus:CLEar: empty the operation and questionable event registers."""
        self.operation.event = self.questionable.event = 0

    def preset(self) -> None:
        """:STATus:PRESet: empty their event and enable registers."""
        self.clear_registers()
        self.operation.enable = self.questionable.enable = 0

    def byte(self) -> int:
        """*STB?: measurement (questionable), error, event and operation summaries."""
        bits = {
            0x01 | 0x08: self.questionable.summary,
            0x04: bool(self.count(ERROR)),
            0x20: bool(self.event & self.event_enable),
            0x80: self.operation.summary,
        }
        value = sum(bit for bit, is_set in bits.items() if is_set)
        return self.with_request(value)
