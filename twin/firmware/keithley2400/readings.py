"""Readings of a Keithley 2400 and how they are written.

Source: manual 2400S-900-01 Rev. K, section 18, FORMat subsystem. Elements come in a fixed order,
whatever order they were asked for in.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Self

from twin.firmware.keithley2400.model import OVERFLOW
from twin.firmware.keithley2400.settings import CURR, ELEMENTS, RES, VOLT, Setup
from twin.firmware.scpi import indefinite_block

BIT_OVERFLOW = 1 << 0
BIT_FILTER = 1 << 1
BIT_FRONT = 1 << 2
BIT_COMPLIANCE = 1 << 3
BIT_PROTECTION = 1 << 4
BIT_MATH = 1 << 5
BIT_NULL = 1 << 6
BIT_LIMITS = 1 << 7
BIT_AUTO_OHMS = 1 << 10
BIT_MEASURED = {VOLT: 1 << 11, CURR: 1 << 12, RES: 1 << 13}
BIT_SOURCED = {VOLT: 1 << 14, CURR: 1 << 15}
BIT_RANGE_COMPLIANCE = 1 << 16
BIT_FOUR_WIRE = 1 << 22

TIMESTAMP_PERIOD_S = 1e5


@dataclass(frozen=True, slots=True)
class Reading:
    """One result of a source-delay-measure cycle.

    Attributes:
        v_v: measured or programmed voltage; ``NOT_A_NUMBER`` for neither.
        i_a: measured or programmed current.
        r_ohm: resistance.
        t_s: time stamp.
        status: status word.
    """

    v_v: float
    i_a: float
    r_ohm: float
    t_s: float
    status: int

    def value(self, element: str) -> float:
        """Return one of the elements."""
        values = {VOLT: self.v_v, CURR: self.i_a, RES: self.r_ohm, "TIME": self.t_s}
        return values[element] if element in values else float(self.status)

    def is_measured(self, quantity: str) -> bool:
        """Whether a quantity was measured, not only sourced."""
        return bool(self.status & BIT_MEASURED[quantity])

    @property
    def in_compliance(self) -> bool:
        """Whether the source was limiting, by compliance or by range."""
        return bool(self.status & (BIT_COMPLIANCE | BIT_RANGE_COMPLIANCE))

    def at(self, t_s: float) -> Self:
        """Return this with another time stamp."""
        return replace(self, t_s=t_s)


def is_number(value: float) -> bool:
    """Whether a value is a reading, not an overflow or a place holder."""
    return abs(value) < OVERFLOW


def in_order(chosen: Iterable[str]) -> list[str]:
    """Return elements in the order that they are written in."""
    wanted = set(chosen)
    return [name for name in ELEMENTS if name in wanted]


def written(values: Iterable[float], setup: Setup) -> str:
    """Return numbers in the data format that is set."""
    if setup.data_format == "ASC":
        return ",".join(f"{value:+.6E}" for value in values)
    order = ">" if setup.byte_order == "NORM" else "<"
    numbers = list(values)
    return indefinite_block(struct.pack(f"{order}{len(numbers)}f", *numbers))


def written_readings(readings: Iterable[Reading], setup: Setup) -> str:
    """Return the chosen elements of readings in the data format that is set."""
    elements = in_order(setup.elements)
    return written((r.value(name) for r in readings for name in elements), setup)


def resistance(v_v: float, i_a: float) -> float:
    """Return V / I, or what stands for a quotient that there is not."""
    if not (is_number(v_v) and is_number(i_a)) or not i_a:
        return OVERFLOW
    return v_v / i_a
