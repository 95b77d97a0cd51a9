"""What cycling does to a device: when it counts as failed, in which way, and since when."""

from __future__ import annotations

import math
from dataclasses import dataclass

from hil.types import FloatArray

WORKS = "works"
OPEN = "open"
STUCK_LOW = "stuck low"
STUCK_HIGH = "stuck high"
CLOSED = "window closed"

# For a device that never worked, so that nothing is known of its own states. Source: board check of
# Knowm Memristor Discovery, commit 9e01a9b7103: below 10 kOhm and above 100 kOhm.
LOW_SIEMENS = 10e-6
HIGH_SIEMENS = 100e-6


@dataclass(frozen=True)
class Criteria:
    """What a device has to do to count as working.

    Attributes:
        min_window_ratio: smallest conductance after SET over that after RESET.
        open_siemens: what conducts less in both states is open; less than this counts as this.
    """

    min_window_ratio: float
    open_siemens: float

    def window_ratio(self, on_siemens: float, off_siemens: float) -> float:
        """Return the conductance after SET over that after RESET."""
        return on_siemens / max(off_siemens, self.open_siemens)

    def judge(self, on_siemens: float, off_siemens: float, middle_siemens: float) -> str:
        """Return how a device stands by one reading of each state.

        A closed window lies on one side of the middle between what used to be the two states: the
        device cannot be set any more, or not be reset. Otherwise it has closed from both sides.

        Args:
            on_siemens: after SET.
            off_siemens: after RESET.
            middle_siemens: between the states while it worked; NaN if it never did.
        """
        if max(on_siemens, off_siemens) < self.open_siemens:
            return OPEN
        if self.window_ratio(on_siemens, off_siemens) >= self.min_window_ratio:
            return WORKS
        is_known = not math.isnan(middle_siemens)
        if max(on_siemens, off_siemens) < (middle_siemens if is_known else LOW_SIEMENS):
            return STUCK_LOW
        if min(on_siemens, off_siemens) > (middle_siemens if is_known else HIGH_SIEMENS):
            return STUCK_HIGH
        return CLOSED


@dataclass
class Wear:
    """What a device has been through, and how it stands.

    Attributes:
        n_set: SET pulses.
        n_reset: RESET pulses; one of each is a cycle.
        middle_siemens: geometric mean of its two states when it was first seen to work.
        failed_at: cycle at which it was first found failed; 0 for never.
        failed_as: how it had failed then.
        state: how it stood at the last reading; empty before the first.
        window_ratio: at the last reading.
    """

    n_set: int = 0
    n_reset: int = 0
    middle_siemens: float = math.nan
    failed_at: int = 0
    failed_as: str = ""
    state: str = ""
    window_ratio: float = math.nan

    @property
    def n_cycles(self) -> int:
        """Cycles that are complete."""
        return self.n_reset

    @property
    def is_half_done(self) -> bool:
        """Whether a cycle was begun and not ended: it was set and is to be reset."""
        return self.n_set > self.n_reset

    def judged(self, criteria: Criteria, on_siemens: FloatArray, off_siemens: FloatArray) -> str:
        """Return how it stands: it has failed only if every reading says so; the last says how."""
        pairs = zip(on_siemens.tolist(), off_siemens.tolist(), strict=True)
        states = [criteria.judge(on, off, self.middle_siemens) for on, off in pairs]
        return WORKS if WORKS in states else states[-1]

    def note(
        self, cycle: int, state: str, criteria: Criteria, on_siemens: float, off_siemens: float
    ) -> bool:
        """Take note of how it stood after a cycle; return whether it has failed for the first time.

        Args:
            cycle: number of the cycle, from 1.
            state: as ``judged``.
            criteria: by which it was judged.
            on_siemens: after SET.
            off_siemens: after RESET.
        """
        self.state = state
        self.window_ratio = criteria.window_ratio(on_siemens, off_siemens)
        if state == WORKS and math.isnan(self.middle_siemens):
            self.middle_siemens = on_siemens / math.sqrt(self.window_ratio)
        if state == WORKS or self.failed_at:
            return False
        self.failed_at, self.failed_as = cycle, state
        return True
