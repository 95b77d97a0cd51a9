"""The blocks of the trigger model of a Keithley 2450 that do not branch.

Source: manual 2450-901-01, "Trigger model building blocks", ":TRIGger:BLOCk". The lines of
``:TRIGger:BLOCk:LIST?`` that the manual does not show are assumed.
"""

from __future__ import annotations

from dataclasses import dataclass

from twin.firmware.keithley2450.event_log import (
    ERROR,
    INFORMATION,
    TRIGGER_LOGGED,
    WARNING,
)
from twin.firmware.keithley2450.source import conflict
from twin.firmware.keithley2450.trigger_model import NO_STEPS, RECALL_S, Steps, TriggerModel

INFINITE = -1
ABORT = "ABOR"


@dataclass(frozen=True)
class NoOperation:
    """Does nothing."""

    def steps(self, model: TriggerModel, number: int) -> Steps:
        """Do nothing."""
        return NO_STEPS

    def __str__(self) -> str:
        return "NO_OPERATION"


@dataclass(frozen=True)
class BufferClear:
    """Empties a reading buffer."""

    buffer: str

    def steps(self, model: TriggerModel, number: int) -> Steps:
        """Empty the buffer."""
        model.instrument.clear_buffer(self.buffer)
        return NO_STEPS

    def __str__(self) -> str:
        return f"BUFFER_CLEAR BUFFER: {self.buffer}"


@dataclass(frozen=True)
class SourceOutput:
    """Switches the output."""

    on: bool

    def steps(self, model: TriggerModel, number: int) -> Steps:
        """Switch the output."""
        model.instrument.output.set_output(self.on)
        return NO_STEPS

    def __str__(self) -> str:
        return f"SOURCE_OUTPUT OUTPUT: {'ON' if self.on else 'OFF'}"


@dataclass(frozen=True)
class Recall:
    """Recalls positions of one or two configuration lists."""

    entries: tuple[tuple[str, int], ...]

    def steps(self, model: TriggerModel, number: int) -> Steps:
        """Recall, then wait until that is done."""
        yield from model.wait_s(RECALL_S)
        for name, index in self.entries:
            model.instrument.recall(name, index)

    def __str__(self) -> str:
        lists = " ".join(f"CONFIG_LIST: {name} INDEX: {index}" for name, index in self.entries)
        return f"CONFIG_RECALL {lists}"


@dataclass(frozen=True)
class RecallStep:
    """Recalls the next or previous positions of one or two configuration lists."""

    names: tuple[str, ...]
    by: int

    def steps(self, model: TriggerModel, number: int) -> Steps:
        """Recall, then wait until that is done."""
        yield from model.wait_s(RECALL_S)
        for name in self.names:
            model.instrument.recall_step(name, self.by)

    def __str__(self) -> str:
        kind = "CONFIG_NEXT" if self.by > 0 else "CONFIG_PREV"
        return " ".join([kind, *(f"CONFIG_LIST: {name}" for name in self.names)])


@dataclass(frozen=True)
class Measure:
    """Takes readings; those of an infinite count are taken while the next blocks run."""

    buffer: str
    count: int = 1

    def steps(self, model: TriggerModel, number: int) -> Steps:
        """Measure."""
        model.instrument.buffer(self.buffer)
        yield from model.measure(number, self.buffer, self.count)
        if self.count == INFINITE:
            model.progress.background = self.buffer

    def __str__(self) -> str:
        count = "INF" if self.count == INFINITE else self.count
        return f"MEASURE BUFFER: {self.buffer} COUNT: {count}"


@dataclass(frozen=True)
class Delay:
    """Waits for a time."""

    delay_s: float

    def steps(self, model: TriggerModel, number: int) -> Steps:
        """Wait."""
        return model.wait_s(self.delay_s)

    def __str__(self) -> str:
        return f"DELAY_CONSTANT DELAY: {self.delay_s:.9f}"


@dataclass(frozen=True)
class DynamicDelay:
    """Waits for a user delay of the source or of the measurement, as it is set then."""

    of_source: bool
    index: int

    def steps(self, model: TriggerModel, number: int) -> Steps:
        """Wait."""
        setup = model.instrument.setup
        settings = setup.source.active if self.of_source else setup.sense.active
        return model.wait_s(settings.user_delays_s[self.index - 1])

    def __str__(self) -> str:
        return f"DELAY_DYNAMIC DELAY: {'SOURCE' if self.of_source else 'MEASURE'}{self.index}"


@dataclass(frozen=True)
class DigitalOutput:
    """Puts out levels on the digital lines of a mask."""

    pattern: int
    mask: int = 63

    def steps(self, model: TriggerModel, number: int) -> Steps:
        """Put the levels out."""
        model.instrument.digital.write(self.pattern, self.mask)
        return NO_STEPS

    def __str__(self) -> str:
        return f"DIGITAL_IO VALUE: {self.pattern} MASK: {self.mask}"


@dataclass(frozen=True)
class Notify:
    """Makes an event."""

    index: int

    def steps(self, model: TriggerModel, number: int) -> Steps:
        """Let the event happen."""
        model.events.happen(f"NOT{self.index}", model.now_s())
        return NO_STEPS

    def __str__(self) -> str:
        return f"NOTIFY NOTIFY: {self.index}"


@dataclass(frozen=True)
class Wait:
    """Waits for one or all of some events."""

    events: tuple[str, ...]
    clears: bool = False
    all_of_them: bool = False

    def steps(self, model: TriggerModel, number: int) -> Steps:
        """Wait."""
        if "NONE" in self.events:
            raise conflict("a wait block waits for no event")
        if self.clears:
            model.events.forget(self.events)
        return model.wait_for(self.events, self.all_of_them)

    def __str__(self) -> str:
        logic = f" LOGIC: {'AND' if self.all_of_them else 'OR'}" if len(self.events) > 1 else ""
        clears = "ENTER" if self.clears else "NEVER"
        return f"WAIT {' '.join(f'EVENT: {e}' for e in self.events)} CLEAR: {clears}{logic}"


@dataclass(frozen=True)
class LogEvent:
    """Logs an event; ``ABOR`` ends the run as well."""

    event: str
    message: str

    def steps(self, model: TriggerModel, number: int) -> Steps:
        """Log."""
        kinds = {"INFO": INFORMATION, "WARN": WARNING, "ERR": ERROR, ABORT: WARNING}
        stem = self.event.rstrip("1234")
        offset = int(self.event[len(stem) :] or 1) - 1
        model.instrument.log.log(TRIGGER_LOGGED[kinds[stem]] + offset, self.message, kinds[stem])
        if stem == ABORT:
            model.following = 0
        return NO_STEPS

    def __str__(self) -> str:
        return f"LOG_EVENT EVENT: {self.event} MESSAGE: {self.message}"
