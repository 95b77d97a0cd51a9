"""The two device actions of a channel, as processes that say what they wait for.

An action goes through its arm layer and its trigger layer. What it yields, the trigger system
grants: a time, an event, or a measurement.

Source: user's guide, "Trigger System", "Pulse Output"; command reference B2910-90030, "TRIGger
Subsystem". Assumed: the timer of a layer starts when the layer is entered, and its first event
comes then; an event of the timer that comes while the action is busy is lost and does not count;
more triggers than levels begin with the first level again.
"""

from __future__ import annotations

import math
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from itertools import count, cycle
from typing import Protocol

from twin.firmware.keysight_b2900.channel import Channel
from twin.firmware.keysight_b2900.model import CONVERSION_OVERHEAD_S, INFINITE
from twin.firmware.keysight_b2900.settings import Layer
from twin.firmware.keysight_b2900.waveform import check_reach, levels_of, range_for

TRANSIENT, ACQUIRE = "TRAN", "ACQ"
KINDS = (TRANSIENT, ACQUIRE)
TINY_S = 2e-9
"""Less than this is not waited for: bench time has steps of 1 ns."""
_LATE_S = 1e-6
"""An event of a timer that is later than this is lost."""


@dataclass(frozen=True)
class At:
    """Wait until a time of the run."""

    t_s: float


@dataclass(frozen=True)
class Automatic:
    """Wait until the actions of the channel that trigger automatically are all waiting."""


@dataclass(frozen=True)
class Event:
    """Wait for an event from outside, in the arm or in the trigger layer."""

    layer: str


@dataclass(frozen=True)
class Measure:
    """Wait until a measurement is taken."""


Wish = At | Automatic | Event | Measure
Steps = Generator[Wish, None, None]
Moment = Generator[Wish, None, float]


class Clock(Protocol):
    """What an action knows of the run."""

    def now_s(self) -> float:
        """Return the time of the run."""
        ...

    def event_lost(self, channel: Channel, kind: str) -> None:
        """Take note of an event that came while the action was busy."""
        ...


class Action:
    """A device action under way.

    Args:
        channel: whose action it is.
        kind: TRANSIENT or ACQUIRE.
        clock: of the run.

    Attributes:
        channel: whose action it is.
        kind: TRANSIENT or ACQUIRE.
        wish: what it waits for; None when it is over.
        is_automatic: it triggers automatically.
        is_endless: it has no end.
        is_pulsing: a pulse is under way.

    Raises:
        ScpiError: -221, the levels do not fit the range or the power of the instrument.
    """

    def __init__(self, channel: Channel, kind: str, clock: Clock) -> None:
        self.channel = channel
        self.kind = kind
        self.is_pulsing = False
        self._clock = clock
        self._settings = channel.setup.actions[kind]
        self.is_automatic = self._settings.trigger.source == "AINT"
        self.is_endless = INFINITE in (self._settings.arm.count, self._settings.trigger.count)
        if kind == TRANSIENT:
            self._levels, self._source_range = self._prepare()
        self._steps = self._layers()
        self.wish: Wish | None = At(clock.now_s())

    @property
    def due_s(self) -> float:
        """The time of the run that it waits for; inf if it does not wait for a time."""
        return self.wish.t_s if isinstance(self.wish, At) else math.inf

    def resume(self) -> None:
        """Go on, because the wish is granted."""
        self.wish = next(self._steps, None)

    # --- layers -----------------------------------------------------------------------------

    def _layers(self) -> Steps:
        arm, trigger = self._settings.arm, self._settings.trigger
        arm_s = self._clock.now_s()
        for n_arm in _passes(arm.count):
            arm_s = yield from self._event("arm", arm, arm_s, n_arm)
            yield At(arm_s + arm.delay_s)
            trigger_s = self._clock.now_s()
            for n_trigger in _passes(trigger.count):
                trigger_s = yield from self._event("trigger", trigger, trigger_s, n_trigger)
                start_s = trigger_s + trigger.delay_s
                yield At(start_s)
                yield from self._act(start_s)

    def _event(self, name: str, layer: Layer, last_s: float, n_before: int) -> Moment:
        """Wait for the event of a layer; return its time."""
        if layer.source == "TIM":
            due_s = last_s + (layer.period_s if n_before else 0.0)
            while due_s < self._clock.now_s() - _LATE_S:
                self._clock.event_lost(self.channel, self.kind)
                due_s += layer.period_s
            yield At(due_s)
            return due_s
        if layer.source == "BUS" and not (layer.bypass and n_before == 0):
            yield Event(name)
        elif layer.source == "AINT" and name == "trigger":
            yield Automatic()
        return self._clock.now_s()

    # --- actions ----------------------------------------------------------------------------

    def _act(self, start_s: float) -> Steps:
        if self.kind == ACQUIRE:
            return self._acquire()
        pulses = self.channel.setup.source.shape == "PULS"
        return self._pulse(start_s) if pulses else self._step(start_s)

    def _acquire(self) -> Steps:
        while (left_s := self.channel.may_measure_s - self.channel.core.now_s()) > TINY_S:
            yield At(self._clock.now_s() + left_s)
        yield Measure()
        yield At(self._clock.now_s() + CONVERSION_OVERHEAD_S)

    def _step(self, start_s: float) -> Steps:
        self.channel.source_level(next(self._levels), self._source_range)
        yield At(start_s + self.channel.source_wait_s)

    def _pulse(self, start_s: float) -> Steps:
        channel, source = self.channel, self.channel.setup.source
        rise_s = start_s + source.pulse_delay_s
        fall_s = rise_s + source.pulse_width_s
        yield At(rise_s)
        self.is_pulsing = True
        channel.source_level(next(self._levels), self._source_range)
        yield At(fall_s)
        self.is_pulsing = False
        channel.source_level(source.active.level, self._source_range)
        yield At(fall_s + channel.source_wait_s)

    def _prepare(self) -> tuple[Iterator[float], int | None]:
        """Return the levels, again and again, and the range for all of them."""
        channel, source = self.channel, self.channel.setup.source
        levels = levels_of(source)
        index = range_for(source, levels)
        check_reach(source.active, levels, index)
        channel.check_power(level=max(levels, key=abs))
        return cycle(levels), index


def _passes(n: int) -> range | count[int]:
    return count() if n == INFINITE else range(n)
