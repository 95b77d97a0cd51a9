"""How far the assumed parameters of Cr and C devices may be off, and draws of what they might be.

No public data exist for either, so the ranges are chosen: as wide as published SDC devices of any
kind differ from each other.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Range:
    """What a parameter is multiplied with (``_ohm``, ``_s``) or shifted by (everything else).

    Attributes:
        low: least factor or shift.
        high: largest.
        reason: why so far.
    """

    low: float
    high: float
    reason: str

    @property
    def is_factor(self) -> bool:
        """Whether it multiplies: factors are drawn evenly on a logarithmic scale."""
        return self.low > 0


RANGES: Mapping[str, Range] = {
    "r_on_ohm": Range(0.5, 2.0, "two W devices of one chip differ by 1.6; published sets by more"),
    "r_off_ohm": Range(1 / 3, 3.0, "devices of one chip differ by 3"),
    "v_on_v": Range(-0.06, 0.06, "0.2 V to 0.35 V is published for SDC devices"),
    "v_off_v": Range(-0.04, 0.06, "0.05 V to 0.17 V is published for SDC devices"),
    "tau_on_s": Range(1 / 3, 3.0, "fits to loops of one device type differ by 4"),
    "tau_off_s": Range(1 / 3, 3.0, "fits to loops of one device type differ by 4"),
    "v_t_on_v": Range(-0.006, 0.01, "fits give 10 mV to 26 mV"),
    "c2c_v_on_v": Range(-0.008, 0.027, "0 to 35 mV: the largest published spread of V_on"),
}
"""By the name of the parameter in the records."""


def draw_changes(dopant: str, seed: int, draw: int) -> dict[str, float]:
    """Return one draw of all parameters, evenly in their ranges; the same for the same seed."""
    rng = np.random.default_rng([seed, draw, *dopant.encode()])
    changes = {}
    for name, r in RANGES.items():
        u = float(rng.random())
        value = r.low * (r.high / r.low) ** u if r.is_factor else r.low + (r.high - r.low) * u
        changes[name] = round(value, 6)
    return changes
