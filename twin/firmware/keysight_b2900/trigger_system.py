"""Runs the device actions of all channels in bench time, in the order of their events.

``:INITiate`` begins actions and returns. Bench time is simulated: a run goes on when a message
arrives, as far as time has passed since the last one, and to its end when somebody waits for it or
asks for data. It pauses only where no pulse and no measurement is under way, so that no pulse is
longer than it was told to be, however late the next message comes.

Source: user's guide, "Trigger System"; command reference B2910-90030, ":INITiate", ":ABORt",
":IDLE?". Assumed: when both actions are over, the output returns to the immediate level unless the
continuous operation of the transient action is on; channels measure one after the other; waiting
for a run that waits for an event from outside, or that has no end, ends at once.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable

from twin.firmware.keysight_b2900.actions import (
    ACQUIRE,
    TINY_S,
    TRANSIENT,
    Action,
    At,
    Automatic,
    Event,
    Measure,
)
from twin.firmware.keysight_b2900.channel import Channel
from twin.firmware.keysight_b2900.model import QUERY_S
from twin.firmware.source_measure import OVERFLOW, Conversion

CATCH_UP_S = 1.0
"""A run without end takes up no more than this of the time that has passed."""
MAX_STEPS_PER_TURN = 3_000_000
"""So many events end a turn: a run without end hangs no session."""


class TriggerSystem:
    """Actions that run, and their time.

    Args:
        now_s: bench time.
        on_lost: called with channel and kind of an action that missed an event.
    """

    def __init__(self, now_s: Callable[[], float], on_lost: Callable[[Channel, str], None]) -> None:
        self._bench_s = now_s
        self.event_lost = on_lost
        self._actions: list[Action] = []
        self._stepped: set[Channel] = set()
        self._paused_s = 0.0
        self._seen_s = now_s()
        self._is_measuring = False

    def now_s(self) -> float:
        """Return the time of the run: bench time without what passed while it was paused."""
        return self._bench_s() - self._paused_s

    # --- state ------------------------------------------------------------------------------

    @property
    def is_running(self) -> bool:
        """Whether any action is under way."""
        return bool(self._actions)

    @property
    def is_endless(self) -> bool:
        """Whether an action is under way that has no end."""
        return any(action.is_endless for action in self._actions)

    def action(self, channel: Channel, kind: str) -> Action | None:
        """Return an action that is under way."""
        found = (a for a in self._actions if a.channel is channel and a.kind == kind)
        return next(found, None)

    # --- from outside -----------------------------------------------------------------------

    def initiate(self, channels: Iterable[Channel], kinds: Iterable[str]) -> None:
        """Begin actions; they go on in turns.

        Raises:
            ScpiError: -221, levels do not fit; nothing begins.
        """
        kinds = tuple(kinds)
        self._actions += [Action(channel, kind, self) for channel in channels for kind in kinds]

    def measure(self, channel: Channel) -> None:
        """Take one reading outside of any run."""
        channel.core.wait_s(max(0.0, channel.may_measure_s - self._bench_s()))
        self._measure(channel)

    def abort(self, channels: Iterable[Channel], kinds: Iterable[str]) -> None:
        """End actions at once; the output returns to the immediate level."""
        kinds = tuple(kinds)
        for channel in channels:
            for kind in kinds:
                action = self.action(channel, kind)
                if action is not None:
                    self._end(action, aborted=True)

    def happen(self, layer: str | None, channels: Iterable[Channel], kinds: Iterable[str]) -> None:
        """Let an event happen, in one layer or in any; it is lost where no action waits for it."""
        kinds = tuple(kinds)
        for action in [self.action(channel, kind) for channel in channels for kind in kinds]:
            if action is not None and isinstance(action.wish, Event):
                if layer in (None, action.wish.layer):
                    action.wish = At(self.now_s())
            elif action is not None:
                self.event_lost(action.channel, action.kind)

    # --- turns ------------------------------------------------------------------------------

    def message_arrives(self) -> None:
        """Catch up with the time that has passed since the last message."""
        passed_s = self._bench_s() - self._seen_s
        self._paused_s += passed_s
        if self._actions and passed_s > 0:
            self.run(self.now_s() + (min(passed_s, CATCH_UP_S) if self.is_endless else passed_s))

    def message_is_over(self) -> None:
        """Take note of the time: what passed during a message was not a pause."""
        self._seen_s = self._bench_s()

    def look(self) -> None:
        """Let pass the time that answering a question takes."""
        if self._actions:
            self.run(self.now_s() + QUERY_S)

    def finish(self) -> bool:
        """Run to the end, or to where it waits; return whether nothing runs any more."""
        if self.is_endless:
            self.look()
        else:
            self.run(math.inf)
        return not self._actions

    def run(self, until_s: float) -> None:
        """Run until a time of the run, and on to where it may pause."""
        for _ in range(MAX_STEPS_PER_TURN):
            if not self._actions or (self.now_s() >= until_s - TINY_S and self._may_pause()):
                return
            if not self._step(until_s):
                return

    def _may_pause(self) -> bool:
        return not any(action.is_pulsing for action in self._actions)

    def _step(self, until_s: float) -> bool:
        """Let the next thing happen; return False if there is none."""
        if self._grant_automatic():
            return True
        action = self._next_due()
        if action is None:
            return False
        if action.due_s > until_s and self._may_pause():
            self._pass_until(until_s, action.channel)
            return True
        self._pass_until(action.due_s, action.channel)
        self._resume(action)
        return True

    def _next_due(self) -> Action | None:
        due = [a for a in self._actions if isinstance(a.wish, At) and self._may_go_on(a)]
        return min(due, key=lambda a: (a.due_s, a.kind == ACQUIRE), default=None)

    def _may_go_on(self, action: Action) -> bool:
        return not (self._is_measuring and action.kind == ACQUIRE)

    def _grant_automatic(self) -> bool:
        """Trigger the actions of a channel that all wait for it."""
        granted = False
        for channel in {action.channel for action in self._actions}:
            group = [a for a in self._actions if a.channel is channel and a.is_automatic]
            if group and all(isinstance(action.wish, Automatic) for action in group):
                for action in group:
                    action.wish = At(self.now_s())
                granted = True
        return granted

    def _resume(self, action: Action) -> None:
        action.resume()
        if isinstance(action.wish, Measure):
            self._measure(action.channel)
            if action in self._actions:  # the protection may have ended it
                action.resume()
        if action.wish is None and action in self._actions:
            self._end(action)

    def _end(self, action: Action, *, aborted: bool = False) -> None:
        self._actions.remove(action)
        channel, setup = action.channel, action.channel.setup
        if action.kind == TRANSIENT:
            self._stepped.add(channel)
        is_idle = not any(a.channel is channel for a in self._actions)
        if channel in self._stepped and (is_idle or aborted):
            self._stepped.remove(channel)
            if aborted or not setup.source.keeps_last:
                channel.to_immediate_level()
        if is_idle and setup.output.off_auto:
            channel.switch_off()

    # --- time and measurement ---------------------------------------------------------------

    def _pass_until(self, t_s: float, channel: Channel) -> None:
        """Let time pass; a channel that does not pass it settles at once."""
        left_s = t_s - self.now_s()
        if left_s > TINY_S:
            channel.core.wait_s(left_s)
            for other in {a.channel for a in self._actions} - {channel}:
                other.core.settle_now()

    def _measure(self, channel: Channel) -> None:
        """Take a reading; sources go on meanwhile."""
        start_s = self._bench_s()
        self._is_measuring = True
        try:
            conversion = self._converted(channel)
        finally:
            self._is_measuring = False
        channel.store(conversion, start_s)

    def _converted(self, channel: Channel) -> Conversion:
        channel.choose_ranges()
        while True:
            self._interruptible(channel, channel.switch_ranges(), integrates=False)
            result = self._interruptible(channel, channel.aperture_s, integrates=True)
            if not channel.widen_ranges(result):
                return result

    def _interruptible(self, channel: Channel, dt_s: float, *, integrates: bool) -> Conversion:
        """Integrate, or only wait, for a time that the events of sources cut into pieces."""
        end_s = self.now_s() + dt_s
        pieces: list[tuple[float, Conversion]] = []
        while (left_s := end_s - self.now_s()) > TINY_S:
            following = self._next_due()
            piece_s = left_s if following is None else min(left_s, following.due_s - self.now_s())
            if piece_s <= TINY_S and following is not None:
                self._resume(following)
            elif integrates:
                pieces.append((piece_s, channel.convert(piece_s)))
            else:
                channel.core.wait_s(piece_s)
        return _mean(pieces)


def _mean(pieces: list[tuple[float, Conversion]]) -> Conversion:
    """Return one conversion for the pieces of an integration."""
    if not pieces:
        return Conversion(0.0, 0.0, 0.0, False)
    if len(pieces) == 1:
        return pieces[0][1]
    total_s = sum(dt_s for dt_s, _ in pieces)

    def mean(values: list[float]) -> float:
        if OVERFLOW in values:
            return OVERFLOW
        return sum(dt_s * value for (dt_s, _), value in zip(pieces, values, strict=True)) / total_s

    conversions = [conversion for _, conversion in pieces]
    return Conversion(
        conversions[-1].t_s,
        mean([conversion.v_v for conversion in conversions]),
        mean([conversion.i_a for conversion in conversions]),
        any(conversion.in_compliance for conversion in conversions),
    )
