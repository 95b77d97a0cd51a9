"""Simulated terminals with a resistor on them, for the firmware of source-measure units."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from itertools import pairwise

from twin.wiring import Sample

NS_PER_S = 1_000_000_000


@dataclass
class Load:
    """A resistor, on a clock in steps of 1 ns (``twin.wiring.SmuTerminals``).

    Attributes:
        ohm: resistance.
        serial_number: of the instrument.
        now_ns: bench time.
        source: level and limit; None while nothing drives the terminals.
        log: bench time and level of every change; None for released.
    """

    ohm: float = 10e3
    serial_number: str = "TWINB2900"
    now_ns: int = 0
    source: tuple[float, float] | None = None
    log: list[tuple[float, float | None]] = field(default_factory=list)

    def now_s(self) -> float:
        return self.now_ns / NS_PER_S

    def wait_s(self, dt_s: float) -> None:
        self.now_ns += round(dt_s * NS_PER_S)

    def apply(self, level_v: float, compliance_a: float) -> None:
        self.source = (level_v, compliance_a)
        self.log.append((self.now_s(), level_v))

    def release(self) -> None:
        self.source = None
        self.log.append((self.now_s(), None))

    def measure(self, aperture_s: float) -> Sample:
        assert self.source is not None
        self.wait_s(aperture_s)
        level_v, compliance_a = self.source
        wanted_a = level_v / self.ohm
        i_a = math.copysign(min(abs(wanted_a), compliance_a), level_v)
        return Sample(self.now_s(), i_a * self.ohm, i_a, abs(wanted_a) > compliance_a)

    def time_above_s(self, threshold_v: float) -> float:
        """Return for how long the level was above a threshold, until the last change."""
        spans = pairwise(self.log)
        return sum(b[0] - a[0] for a, b in spans if a[1] is not None and a[1] > threshold_v)

    def rises(self, threshold_v: float) -> list[float]:
        """Return when the level came above a threshold."""
        levels = [(t_s, level if level is not None else 0.0) for t_s, level in self.log]
        return [b[0] for a, b in pairwise(levels) if a[1] <= threshold_v < b[1]]
