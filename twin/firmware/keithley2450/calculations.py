"""What a Keithley 2450 makes of its readings: math and limit tests.

Source: manual 2450-901-01, "CALCulate subsystem", "Limit testing and binning".
"""

from __future__ import annotations

import math
from dataclasses import dataclass

PASSED, FAILED_LOW, FAILED_HIGH = 0, 1, 2
RESULTS = {PASSED: "NONE", FAILED_LOW: "LOW", FAILED_HIGH: "HIGH", 3: "BOTH"}


@dataclass
class MathSettings:
    """CALCulate[1]: what becomes of a reading.

    Attributes:
        on: it is carried out.
        operation: ``MXB``, ``PERC`` or ``REC``.
        slope: m of m x + b.
        offset: b of m x + b.
        reference: that percentages refer to.
    """

    on: bool = False
    operation: str = "PERC"
    slope: float = 1.0
    offset: float = 0.0
    reference: float = 1.0

    def apply(self, value: float) -> float:
        """Return what is shown for a reading."""
        if self.operation == "MXB":
            return self.slope * value + self.offset
        if self.operation == "REC":
            return 1 / value if value else math.inf
        return (value - self.reference) / self.reference * 100 if self.reference else math.inf


@dataclass
class LimitTest:
    """CALCulate2: one of the two tests that a reading is put to.

    Attributes:
        on: it is carried out.
        low: readings below fail.
        high: readings above fail.
        auto_clear: only the last reading counts.
        audible: when it would beep: ``NONE``, ``FAIL`` or ``PASS``.
        result: how it failed.
    """

    on: bool = False
    low: float = -1.0
    high: float = 1.0
    auto_clear: bool = True
    audible: str = "NONE"
    result: int = PASSED

    def test(self, value: float) -> int:
        """Test a reading; return how it failed."""
        if not self.on:
            return PASSED
        failed = FAILED_LOW * (value < self.low) | FAILED_HIGH * (value > self.high)
        self.result = failed if self.auto_clear else self.result | failed
        return failed
