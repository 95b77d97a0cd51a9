"""Time, as a board sees it. Waits go through ``board.clock``; nobody else sleeps."""

import time
from typing import Protocol


class Clock(Protocol):
    """The time base of a board; its zero is when the board was opened."""

    def now_s(self) -> float:
        """Return the time since the board was opened, in seconds."""
        ...

    def sleep_s(self, dt_s: float) -> None:
        """Let ``dt_s`` seconds pass on this clock. The board's watchdog is fed meanwhile."""
        ...


class WallClock:
    """Time of the machine, monotonic: the clock of a bench."""

    def __init__(self) -> None:
        self._start_s = time.monotonic()

    def now_s(self) -> float:
        """Return seconds since this clock was made."""
        return time.monotonic() - self._start_s

    def sleep_s(self, dt_s: float) -> None:
        """Block for ``dt_s`` seconds; returns early only by an exception (Ctrl-C, SIGTERM)."""
        if dt_s > 0:
            time.sleep(dt_s)
