"""Ranges and settings of a Keithley 2400, with their values after *RST.

Source: Series 2400 SourceMeter User's Manual, 2400S-900-01 Rev. K, tables 18-3 to 18-9.
"""

from __future__ import annotations

from dataclasses import dataclass, field

V_RANGES_V = (0.21, 2.1, 21.0, 210.0)
I_RANGES_A = (1.05e-6, 1.05e-5, 1.05e-4, 1.05e-3, 1.05e-2, 1.05e-1, 1.05)
R_RANGES_OHM = (2.1e1, 2.1e2, 2.1e3, 2.1e4, 2.1e5, 2.1e6, 2.1e7, 2.1e8)

AUTO_DELAY_S = 1e-3
OVERFLOW = 9.9e37


@dataclass
class Range:
    """A set of ranges by full scale, the one in use, and whether it follows the signal."""

    full_scales: tuple[float, ...]
    full_scale: float
    auto: bool = True

    def fitting(self, value: float) -> float:
        """Return the smallest full scale that holds ``value``."""
        return next((f for f in self.full_scales if abs(value) <= f * (1 + 1e-9)), OVERFLOW)

    def fix(self, value: float) -> None:
        """Take the range for ``value`` and stay there."""
        self.full_scale = self.fitting(value)
        self.auto = False

    def follow(self, value: float) -> None:
        """Take the range for ``value`` if the range is automatic."""
        if self.auto:
            self.full_scale = min(self.fitting(value), self.full_scales[-1])


@dataclass
class Source:
    """A programmed level and its range."""

    range: Range
    level: float = 0.0


def v_range() -> Range:
    """Return the voltage ranges as after *RST."""
    return Range(V_RANGES_V, 21.0)


def i_range() -> Range:
    """Return the current ranges as after *RST."""
    return Range(I_RANGES_A, 1.05e-4)


def r_range() -> Range:
    """Return the resistance ranges as after *RST."""
    return Range(R_RANGES_OHM, 2.1e5)


@dataclass
class Setup:
    """Everything that *RST sets; the defaults are its values."""

    source_function: str = "VOLT"
    source_v: Source = field(default_factory=lambda: Source(v_range()))
    source_a: Source = field(default_factory=lambda: Source(i_range()))
    source_mode: str = "FIX"
    delay_s: float = AUTO_DELAY_S
    delay_auto: bool = True
    auto_output_off: bool = False
    output_off_state: str = "NORM"
    compliance_a: float = 1.05e-4
    compliance_v: float = 21.0
    functions: frozenset[str] = frozenset({"CURR"})
    concurrent: bool = True
    n_plc: float = 1.0
    sense_v: Range = field(default_factory=v_range)
    sense_a: Range = field(default_factory=i_range)
    sense_ohm: Range = field(default_factory=r_range)
    ohms_mode: str = "AUTO"
    filter_on: bool = False
    filter_type: str = "REP"
    filter_count: int = 10
    elements: frozenset[str] = frozenset({"VOLT", "CURR", "RES", "TIME", "STAT"})
    data_format: str = "ASC"
    four_wire: bool = False
    terminals: str = "FRON"
    auto_zero: bool = True
    display_on: bool = True
