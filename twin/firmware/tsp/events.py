"""Trigger events on the simulated bench: timers, generators, and whoever waits for them.

An event happens at a bench time. Whoever waits for it is woken at once or, where nobody waits yet,
finds it detected later; further events are lost meanwhile. Timers run on while something else takes
time: what they would have done is then done late, in order.

Source: manual 2600BS-901-01, section "Triggering". Assumed: the numbers of the events; delays are
exact. A timer that is triggered while it runs ignores that.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count
from typing import Protocol

DEFAULT_DELAY_S = 1e-5


@dataclass
class Detector:
    """Waits for one event.

    Attributes:
        stimulus: the event; 0 for none.
        detected: it has happened since it was last taken.
    """

    stimulus: int = 0
    detected: bool = False

    def take(self) -> bool:
        """Return whether the event has happened, and wait for the next one."""
        detected, self.detected = self.detected, False
        return detected


@dataclass
class Timer:
    """A delay that makes events.

    Attributes:
        event: what it makes.
        delays_s: one after the other, again and again.
        count: events for each trigger; 0 for no end.
        pass_through: one more event at once.
        stimulus: the event that triggers it; 0 for none.
    """

    event: int
    delays_s: list[float] = field(default_factory=lambda: [DEFAULT_DELAY_S])
    count: int = 1
    pass_through: bool = False
    stimulus: int = 0
    is_running: bool = False
    _position: int = 0

    def next_delay_s(self) -> float:
        """Return the delay that comes next."""
        delay_s = self.delays_s[self._position % len(self.delays_s)]
        self._position += 1
        return delay_s

    def reset(self) -> None:
        """Return to the settings of a reset; a delay under way ends without an event."""
        self.delays_s, self.count = [DEFAULT_DELAY_S], 1
        self.pass_through, self.stimulus = False, 0
        self.is_running, self._position = False, 0


class Waiting(Protocol):
    """Something that goes on when events let it."""

    @property
    def is_active(self) -> bool:
        """Whether it has begun and not ended."""
        ...

    def resume(self) -> bool:
        """Go on as far as events let it; return whether anything was done."""
        ...


class Events:
    """Everything that triggers and is triggered.

    Args:
        now_s: returns the bench time.
        wait_s: lets bench time pass.
        spend: called for every event; raises where there are too many.

    Attributes:
        timers: what events trigger.
        detectors: what detects them.
        waiting: what goes on when they do.
    """

    def __init__(
        self,
        now_s: Callable[[], float],
        wait_s: Callable[[float], None],
        spend: Callable[[], None],
    ) -> None:
        self.timers: list[Timer] = []
        self.detectors: list[Detector] = []
        self.waiting: list[Waiting] = []
        self._now_s = now_s
        self._wait_s = wait_s
        self._spend = spend
        self._numbers = count(1)
        self._order = count()
        self._due: list[tuple[float, int, Timer, int]] = []

    def new_event(self) -> int:
        """Return the number of a further event."""
        return next(self._numbers)

    def happen(self, event: int, at_s: float | None = None) -> None:
        """Let an event happen, now if no time is given."""
        self._spend()
        for detector in self.detectors:
            if detector.stimulus == event:
                detector.detected = True
        for timer in self.timers:
            if timer.stimulus == event:
                self._start(timer, self._now_s() if at_s is None else at_s)

    def advance(self) -> None:
        """Let everything that waits go on as far as it can without further events."""
        while any(waiting.resume() for waiting in self.waiting):
            pass

    def pass_s(self, dt_s: float) -> None:
        """Let bench time pass, with all that is due meanwhile."""
        end_s = self._now_s() + dt_s
        self.advance()
        while self._due and self._due[0][0] <= end_s:
            self._step()
        self._wait_s(max(0.0, end_s - self._now_s()))

    def wait_for(self, detector: Detector, timeout_s: float) -> None:
        """Let bench time pass until an event has happened, at most for so long."""
        end_s = self._now_s() + timeout_s
        self.advance()
        while not detector.detected and self._due and self._due[0][0] <= end_s:
            self._step()
        if not detector.detected:
            self._wait_s(max(0.0, end_s - self._now_s()))

    def finish(self) -> bool:
        """Let time pass until nothing waits any more; return False if something waits for ever."""
        self.advance()
        while self._due and self._is_active():
            self._step()
        return not self._is_active()

    def reset(self) -> None:
        """Stop all timers and return them to the settings of a reset."""
        for timer in self.timers:
            self.reset_timer(timer)

    def reset_timer(self, timer: Timer) -> None:
        """Stop a timer and return it to the settings of a reset."""
        timer.reset()
        self._due = [entry for entry in self._due if entry[2] is not timer]
        heapq.heapify(self._due)

    def _is_active(self) -> bool:
        return any(waiting.is_active for waiting in self.waiting)

    def _step(self) -> None:
        """Pass time to the next event of a timer, and let it have its consequences."""
        due_s, _, timer, n_left = heapq.heappop(self._due)
        self._wait_s(max(0.0, due_s - self._now_s()))
        if n_left == 1:
            timer.is_running = False
        else:
            self._schedule(timer, due_s, n_left - 1)
        self.happen(timer.event, due_s)
        self.advance()

    def _start(self, timer: Timer, at_s: float) -> None:
        if timer.is_running:
            return
        timer.is_running = True
        self._schedule(timer, at_s, timer.count)
        if timer.pass_through:
            self.happen(timer.event, at_s)

    def _schedule(self, timer: Timer, at_s: float, n_left: int) -> None:
        """Count down; from 0 there is no end."""
        due_s = at_s + timer.next_delay_s()
        heapq.heappush(self._due, (due_s, next(self._order), timer, n_left))
