"""What a host can know of a train of pulses (or of one read) from a few samples of the current."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(slots=True)
class Train:
    """Samples of the pulses on one cell, as they come in.

    Charge and energy are trapezoids between samples; before the first sample of a pulse and after
    its last one the current is taken as constant. A device that switches between two samples makes
    the largest error: up to half of the energy of a RESET that runs away early in its pulse.

    Attributes:
        n_done: pulses that were applied.
        width_s: their widths together.
        t_s: when the last one ended.
        v_v: last voltage at the terminals.
        i_a: last current.
        i2_dt: integral of I^2 dt.
        source_j: integral of V I dt at the terminals.
    """

    n_done: int = 0
    width_s: float = 0.0
    t_s: float = 0.0
    v_v: float = 0.0
    i_a: float = 0.0
    i2_dt: float = 0.0
    source_j: float = 0.0

    def add(self, dt_s: float, v_v: float, i_from_a: float, i_to_a: float) -> None:
        """Add a stretch of time during which the current went from one value to another."""
        self.i2_dt += (i_from_a**2 + i_to_a**2) / 2 * dt_s
        self.source_j += v_v * (i_from_a + i_to_a) / 2 * dt_s
        self.v_v, self.i_a = v_v, i_to_a

    def end_pulse(self, t_on_s: float, t_off_s: float) -> None:
        """Note that a pulse ended."""
        self.n_done += 1
        self.width_s += t_off_s - t_on_s
        self.t_s = t_off_s

    def lose_track(self) -> None:
        """Note that a pulse was not sampled to its end: current and energy are not known."""
        self.v_v = self.i_a = self.i2_dt = self.source_j = math.nan
