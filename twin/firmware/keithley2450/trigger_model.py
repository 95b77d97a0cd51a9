"""Trigger model of a Keithley 2450: runs its blocks in bench time, in turns.

``:INITiate`` starts the model and returns. Bench time is simulated, so the model advances when
somebody gives it a turn: up to a bench time, or to its end. A turn ends early where the model waits
for an event that nothing on the bench will make, and after ``MAX_BLOCKS_PER_TURN`` blocks, so that
an endless model ends no session.

Source: manual 2450-901-01, "Trigger model", "TRIGger subsystem". Assumed: recalling a configuration
list takes 100 us, other blocks none; the count of a counter block starts anew once it was reached.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Protocol

from twin.firmware.keithley2450.event_log import (
    ERROR,
    TRIGGER_ABORTED,
    TRIGGER_FAILED,
    TRIGGER_IDLE,
    TRIGGER_STARTED,
)
from twin.firmware.keithley2450.instrument import Instrument
from twin.firmware.keithley2450.source import conflict
from twin.firmware.keithley2450.trigger_events import NO_EVENT, SOURCE_LIMIT, Events
from twin.firmware.scpi import ScpiError

MAX_BLOCKS = 63
MAX_BLOCKS_PER_TURN = 200_000
RECALL_S = 100e-6
WAITS_AFTER_S = 0.1
_TINY_S = 1e-9

Steps = Iterator[None]
NO_STEPS: Steps = iter(())


class Block(Protocol):
    """One block: what it does, and how ``:TRIGger:BLOCk:LIST?`` shows it."""

    def steps(self, model: TriggerModel, number: int) -> Steps:
        """Do it; yield where the turn may end; set ``model.following`` to branch."""
        ...

    def __str__(self) -> str: ...


@dataclass
class Progress:
    """What a run of the model remembers.

    Attributes:
        counts: of counter blocks.
        passed: blocks that were reached before.
        readings: the last two readings of each measure block.
        background: buffer of measurements without end; None for none.
        since_s: when blocks that last for a time were first reached.
    """

    counts: dict[int, int] = field(default_factory=dict)
    passed: set[int] = field(default_factory=set)
    readings: dict[int, list[float]] = field(default_factory=dict)
    background: str | None = None
    since_s: dict[int, float] = field(default_factory=dict)


class TriggerModel:
    """Blocks, their run, and its state.

    Args:
        instrument: what the blocks act on.

    Attributes:
        instrument: what the blocks act on.
        events: what blocks wait for.
        blocks: by number, from 1.
        progress: of the present or last run.
        position: block that was executed last.
        following: block that comes next.
    """

    def __init__(self, instrument: Instrument) -> None:
        self.instrument = instrument
        self.events = Events()
        self.blocks: dict[int, Block] = {}
        self.progress = Progress()
        self.position = 0
        self.following = 0
        self._state = "EMPTY"
        self._steps: Steps | None = None
        self._until_s = -math.inf
        self._waits_since_s = math.inf
        self._n_done = 0

    # --- blocks -----------------------------------------------------------------------------

    def load(self, blocks: list[Block]) -> None:
        """Replace all blocks."""
        self.check_idle()
        if len(blocks) > MAX_BLOCKS:
            raise conflict("too many trigger blocks")
        self.blocks = dict(enumerate(blocks, 1))
        self.position = 0
        self._state = "BUILDING" if blocks else "EMPTY"

    def set_block(self, number: int, block: Block) -> None:
        """Set one block."""
        self.check_idle()
        self.blocks[number] = block
        self._state = "BUILDING"

    def clear(self) -> None:
        """*RST: no blocks, no events; a run ends."""
        self.abort()
        self.load([])
        self.events = Events()

    # --- running ----------------------------------------------------------------------------

    @property
    def is_running(self) -> bool:
        """Whether a run has begun and not ended."""
        return self._steps is not None

    @property
    def state(self) -> str:
        """State and last block, as ``:TRIGger:STATe?`` answers."""
        state = self._state
        if self.is_running:
            waits = self.now_s() - self._waits_since_s > WAITS_AFTER_S - _TINY_S
            state = "WAITING" if waits else "RUNNING"
        return f"{state};{state};{self.position}"

    def now_s(self) -> float:
        """Return the bench time."""
        return self.instrument.core.now_s()

    def check_idle(self) -> None:
        """Raise -221 if the model runs."""
        if self.is_running:
            raise conflict("the trigger model is running")

    def initiate(self) -> None:
        """Start; nothing is done before the first turn."""
        self.check_idle()
        if not self.blocks:
            raise conflict("no trigger model is defined")
        missing = set(range(1, max(self.blocks) + 1)) - set(self.blocks)
        if missing:
            raise conflict(f"trigger block {min(missing)} is not defined")
        self.progress = Progress()
        self.events.forget_all()
        for lists in (self.instrument.source_lists, self.instrument.sense_lists):
            lists.rewind()
        self._steps = self._run()
        self.instrument.log.log(*TRIGGER_STARTED)

    def abort(self) -> None:
        """Stop at once; the output stays as it is."""
        if self.is_running:
            self._end("ABORTED")
            self.instrument.log.log(*TRIGGER_ABORTED)

    def run(self, until_s: float) -> None:
        """Give the model a turn: until a bench time, or to its end with inf."""
        self._until_s, self._n_done = until_s, 0
        while self._steps is not None and self._may_go_on(until_s):
            try:
                next(self._steps)
            except StopIteration:
                self._end("IDLE")
                self.instrument.log.log(*TRIGGER_IDLE)
            except ScpiError as error:
                self._end("FAILED")
                self.instrument.log.report(error)
                self.instrument.log.log(*TRIGGER_FAILED, ERROR)

    def _may_go_on(self, until_s: float) -> bool:
        if self._n_done >= MAX_BLOCKS_PER_TURN:
            return False
        waits_for_ever = self._waits_since_s < math.inf and self.events.next_s == math.inf
        return self.now_s() < until_s - _TINY_S and not (until_s == math.inf and waits_for_ever)

    def _end(self, state: str) -> None:
        self._steps = None
        self._state = state
        self._waits_since_s = math.inf

    def _run(self) -> Steps:
        self.following = 1
        while self.following in self.blocks:
            self.position = number = self.following
            self.following += 1
            self._n_done += 1
            yield from self.blocks[number].steps(self, number)
            self.progress.passed.add(number)
            yield

    # --- what blocks do ---------------------------------------------------------------------

    def wait_s(self, dt_s: float) -> Steps:
        """Let bench time pass, with measurements in the background if there are any."""
        end_s = self.now_s() + dt_s
        while end_s - self.now_s() > _TINY_S:
            if self.progress.background is not None:
                self.instrument.measure_into(self.progress.background, 1)
            else:
                t_s = min(end_s, self._until_s)
                self.instrument.core.wait_s(max(t_s - self.now_s(), 0.0))
            yield

    def wait_for(self, events: tuple[str, ...], all_of_them: bool) -> Steps:
        """Let bench time pass until events have happened."""
        enough = all if all_of_them else any
        while True:
            self.events.advance(self.now_s() + _TINY_S)
            if enough(self.events.has_happened(event) for event in events):
                break
            if self._waits_since_s == math.inf:
                self._waits_since_s = self.now_s()
            t_s = min(self.events.next_s, self._until_s)
            if t_s < math.inf:
                self.instrument.core.wait_s(max(t_s - self.now_s(), 0.0))
            yield
        self._waits_since_s = math.inf
        self.events.forget(events)

    def measure(self, number: int, buffer: str, count: int) -> Steps:
        """Take readings into a buffer; those in the background end."""
        self.progress.background = None
        for k in range(count):
            reading = self.instrument.measure_into(buffer, 1, starts_group=not k)
            kept = self.progress.readings.setdefault(number, [])
            self.progress.readings[number] = [*kept[-1:], reading.value]
            if reading.is_limited:
                self.events.happen(SOURCE_LIMIT, self.now_s())
            yield

    def has_happened(self, event: str) -> bool:
        """Whether an event has happened; it is forgotten then."""
        if event == NO_EVENT:
            raise conflict("a trigger block waits for no event")
        self.events.advance(self.now_s() + _TINY_S)
        happened = self.events.has_happened(event)
        self.events.forget((event,))
        return happened

    def last_readings(self, before: int, measured_by: int) -> list[float]:
        """Return the last two readings of a measure block, or of the last one before a block."""
        numbers = [measured_by] if measured_by else sorted(self.progress.readings, reverse=True)
        for number in numbers:
            if number in self.progress.readings and (measured_by or number < before):
                return self.progress.readings[number]
        raise conflict("no measure block comes before a branch block")

    def __str__(self) -> str:
        return "\n".join(f" {number}) {self.blocks[number]}" for number in sorted(self.blocks))
