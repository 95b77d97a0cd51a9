"""Events that trigger blocks of a Keithley 2450 wait for, and the timers that make some of them.

Nothing is connected to digital lines, LAN triggers and TSP-Link, and nobody presses keys: these
events can be waited for and never come.

Source: manual 2450-901-01, "Trigger events", "TRIGger:TIMer". Not modelled: timers as alarms,
event blenders.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from twin.firmware.scpi import ILLEGAL_PARAMETER_VALUE, ScpiError

N_TIMERS = 4
COMMAND, SOURCE_LIMIT, NO_EVENT = "COMM", "SLIM", "NONE"

_NUMBERED = {"NOTify": 8, "DIGio": 6, "TSPLink": 3, "LAN": 8, "TIMer": N_TIMERS}
_PLAIN = ("NONE", "DISPlay", "COMMand", "SLIMit")


def _spelled(word: str) -> tuple[str, str]:
    return "".join(c for c in word if not c.islower()), word.upper()


class EventName:
    """SCPI parameter: the name of an event; its value is the short form."""

    def parse(self, text: str) -> str:
        """Return the short form, with its number."""
        stem = text.upper().rstrip("0123456789")
        number = text[len(stem) :]
        for word in _PLAIN:
            if not number and stem in _spelled(word):
                return _spelled(word)[0]
        for word, most in _NUMBERED.items():
            if stem in _spelled(word) and number and 1 <= int(number) <= most:
                return _spelled(word)[0] + number
        raise ScpiError(ILLEGAL_PARAMETER_VALUE)

    def format(self, value: str) -> str:
        """Return the short form."""
        return value


@dataclass
class Timer:
    """One trigger timer.

    Attributes:
        delay_s: from its start to its event, and from one event to the next.
        count: events for each start; 0 for no end.
        at_start: one more event at its start.
        stimulus: the event that starts it; ``NONE`` for at once.
        enabled: it reacts to its stimulus.
    """

    delay_s: float = 1e-5
    count: int = 1
    at_start: bool = False
    stimulus: str = NO_EVENT
    enabled: bool = False
    next_s: float = math.inf
    n_left: float = 0

    def start(self, now_s: float) -> None:
        """Begin; one that runs goes on as it is."""
        if self.next_s == math.inf:
            self.next_s = now_s if self.at_start else now_s + self.delay_s
            self.n_left = (self.count or math.inf) + self.at_start

    def stop(self) -> None:
        """End without a further event."""
        self.next_s = math.inf

    def expire(self) -> None:
        """Go on to the next event, if there is one."""
        self.n_left -= 1
        self.next_s = self.next_s + self.delay_s if self.n_left > 0 else math.inf


class Events:
    """Which events have happened, and when the next one will."""

    def __init__(self) -> None:
        self.timers = [Timer() for _ in range(N_TIMERS)]
        self._detected: set[str] = set()

    def happen(self, event: str, now_s: float) -> None:
        """Note an event, and start the timers that it starts."""
        self._detected.add(event)
        for timer in self.timers:
            if timer.enabled and timer.stimulus == event:
                timer.start(now_s)

    def enable(self, timer: Timer, on: bool, now_s: float) -> None:
        """Enable a timer; one without stimulus starts at once."""
        timer.enabled = on
        if not on:
            timer.stop()
        elif timer.stimulus == NO_EVENT:
            timer.start(now_s)

    def advance(self, now_s: float) -> None:
        """Let all events of timers up to now happen, in order."""
        while self.next_s <= now_s:
            timer = min(self.timers, key=lambda one: one.next_s)
            t_s = timer.next_s
            timer.expire()
            self.happen(f"TIM{self.timers.index(timer) + 1}", t_s)

    @property
    def next_s(self) -> float:
        """Bench time of the next event of a timer; inf for none."""
        return min(timer.next_s for timer in self.timers)

    def has_happened(self, event: str) -> bool:
        """Whether an event has happened since it was last forgotten."""
        return event in self._detected

    def forget(self, events: tuple[str, ...]) -> None:
        """Forget that these have happened."""
        self._detected.difference_update(events)

    def forget_all(self) -> None:
        """Forget all that has happened; timers run on."""
        self._detected.clear()
