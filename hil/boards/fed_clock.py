"""A clock that keeps the switch board's watchdog fed while it waits."""

from __future__ import annotations

from contextlib import suppress

from hil import interrupts
from hil.clock import Clock
from hil.errors import BoardError, SwitchBoardError
from hil.instruments.switch_board import SwitchBoard

_FEEDS_PER_WATCHDOG = 3
_RESOLUTION_S = 1e-9  # of a simulated clock; a shorter wait would never end


class FedClock:
    """The board's clock: waits are cut in pieces, with a heartbeat between them.

    No thread feeds the watchdog: a host that hangs must lose its connections.
    """

    def __init__(self, clock: Clock, switches: SwitchBoard, watchdog_s: float) -> None:
        self._clock = clock
        self._switches = switches
        self._period_s = watchdog_s / _FEEDS_PER_WATCHDOG
        self._fed_at_s = clock.now_s()

    def now_s(self) -> float:
        """Return the time since the board was opened."""
        return self._clock.now_s()

    def sleep_s(self, dt_s: float) -> None:
        """Let ``dt_s`` seconds pass between two operations, with heartbeats.

        Raises:
            LinkError: the switch board does not answer any more.
        """
        end_s = self.now_s() + dt_s
        while end_s - self.now_s() > _RESOLUTION_S:
            # If the watchdog has acted while the host was busy elsewhere, nothing was driven: the
            # next operation connects its device anew.
            with suppress(SwitchBoardError):
                self.sleep_until(end_s)

    def sleep_until(self, t_s: float) -> None:
        """Let time pass until ``t_s`` inside an operation; returns at once if it is later already.

        Raises:
            SwitchBoardError: the watchdog has opened the switches.
            LinkError: the switch board does not answer any more.
        """
        while (left_s := t_s - self._clock.now_s()) > _RESOLUTION_S:
            self._clock.sleep_s(min(left_s, self._period_s))
            self.feed()
            interrupts.check()

    def fed(self) -> None:
        """Note that the switch board has just been spoken to."""
        self._fed_at_s = self._clock.now_s()

    def feed(self) -> None:
        """Send a heartbeat if one is due."""
        if self._clock.now_s() - self._fed_at_s >= self._period_s - _RESOLUTION_S:
            self._switches.heartbeat()
            self.fed()

    def confirm(self, position: int) -> None:
        """Make sure that a switch stayed closed since the switch board was last spoken to.

        Asks the board only if so much time has passed that its watchdog could have acted.

        Raises:
            BoardError: another switch, or none, is closed now.
        """
        if self._clock.now_s() - self._fed_at_s < self._period_s:
            return
        now = self._switches.heartbeat()
        self.fed()
        if now != position:
            raise BoardError(
                f"switch board: position {position} was opened during an operation "
                f"(closed now: {'none' if now is None else now}); what was measured is void"
            )
