"""The branching blocks of the trigger model of a Keithley 2450.

Source: manual 2450-901-01, ":TRIGger:BLOCk:BRANch". The lines of ``:TRIGger:BLOCk:LIST?`` that the
manual does not show are assumed.
"""

from __future__ import annotations

from dataclasses import dataclass

from twin.firmware.keithley2450.trigger_model import NO_STEPS, Steps, TriggerModel


@dataclass(frozen=True)
class BranchAlways:
    """Goes to another block."""

    target: int

    def steps(self, model: TriggerModel, number: int) -> Steps:
        """Branch."""
        model.following = self.target
        return NO_STEPS

    def __str__(self) -> str:
        return f"BRANCH_ALWAYS BRANCH_BLOCK: {self.target}"


@dataclass(frozen=True)
class BranchCounter:
    """Goes to another block until it was reached so many times; 0 for always."""

    count: int
    target: int

    def steps(self, model: TriggerModel, number: int) -> Steps:
        """Count, and branch."""
        counts = model.progress.counts
        reached = counts.get(number, 0)
        counts[number] = 1 if self.count and reached >= self.count else reached + 1
        if not self.count or counts[number] < self.count:
            model.following = self.target
        return NO_STEPS

    def __str__(self) -> str:
        return f"BRANCH_COUNTER VALUE: {self.count} BRANCH_BLOCK: {self.target}"


@dataclass(frozen=True)
class CounterReset:
    """Sets the count of a counter block back to zero."""

    counter: int

    def steps(self, model: TriggerModel, number: int) -> Steps:
        """Reset the count."""
        model.progress.counts[self.counter] = 0
        return NO_STEPS

    def __str__(self) -> str:
        return f"RESET_BRANCH_COUNTER COUNTER: {self.counter}"


@dataclass(frozen=True)
class BranchOnce:
    """Goes to another block the first time, or every other time."""

    target: int
    excluded: bool = False

    def steps(self, model: TriggerModel, number: int) -> Steps:
        """Branch."""
        if (number in model.progress.passed) == self.excluded:
            model.following = self.target
        return NO_STEPS

    def __str__(self) -> str:
        excluded = "_EXCLUDED" if self.excluded else ""
        return f"BRANCH_ONCE{excluded} BRANCH_BLOCK: {self.target}"


@dataclass(frozen=True)
class BranchOnEvent:
    """Goes to another block if an event has happened."""

    event: str
    target: int

    def steps(self, model: TriggerModel, number: int) -> Steps:
        """Branch."""
        if model.has_happened(self.event):
            model.following = self.target
        return NO_STEPS

    def __str__(self) -> str:
        return f"BRANCH_ON_EVENT EVENT: {self.event} BRANCH_BLOCK: {self.target}"


@dataclass(frozen=True)
class BranchOnLimits:
    """Goes to another block if the last reading is above, below, inside or outside of limits."""

    kind: str
    low: float
    high: float
    target: int
    measured_by: int = 0

    def steps(self, model: TriggerModel, number: int) -> Steps:
        """Branch."""
        value = model.last_readings(number, self.measured_by)[-1]
        low, high = sorted((self.low, self.high))
        meets = {
            "ABOV": value > self.high,
            "BEL": value < self.low,
            "IN": low <= value <= high,
            "OUT": not low <= value <= high,
        }
        if meets[self.kind]:
            model.following = self.target
        return NO_STEPS

    def __str__(self) -> str:
        limits = f"LIMIT_TYPE: {self.kind} LOW_LIMIT: {self.low:.6E} HIGH_LIMIT: {self.high:.6E}"
        return f"BRANCH_LIMIT_CONSTANT {limits} BRANCH_BLOCK: {self.target}"


@dataclass(frozen=True)
class BranchOnDynamicLimits:
    """Goes to another block by the limits of a limit test, as they are set then."""

    kind: str
    limit: int
    target: int
    measured_by: int = 0

    def steps(self, model: TriggerModel, number: int) -> Steps:
        """Branch."""
        limit = model.instrument.setup.sense.active.limits[self.limit - 1]
        constant = BranchOnLimits(self.kind, limit.low, limit.high, self.target, self.measured_by)
        return constant.steps(model, number)

    def __str__(self) -> str:
        limits = f"LIMIT_TYPE: {self.kind} LIMIT: {self.limit}"
        return f"BRANCH_LIMIT_DYNAMIC {limits} BRANCH_BLOCK: {self.target}"


@dataclass(frozen=True)
class BranchOnDelta:
    """Goes to another block if the last two readings differ by less than a target."""

    difference: float
    target: int
    measured_by: int = 0

    def steps(self, model: TriggerModel, number: int) -> Steps:
        """Branch."""
        readings = model.last_readings(number, self.measured_by)
        if len(readings) > 1 and readings[0] - readings[1] < self.difference:
            model.following = self.target
        return NO_STEPS

    def __str__(self) -> str:
        return f"BRANCH_ON_DELTA DELTA: {self.difference:.6E} BRANCH_BLOCK: {self.target}"


@dataclass(frozen=True)
class BranchFor:
    """Goes to another block for a time, from when it was first reached: of templates only."""

    duration_s: float
    target: int

    def steps(self, model: TriggerModel, number: int) -> Steps:
        """Branch."""
        since_s = model.progress.since_s.setdefault(number, model.now_s())
        if model.now_s() - since_s < self.duration_s:
            model.following = self.target
        return NO_STEPS

    def __str__(self) -> str:
        return f"BRANCH_DURATION DURATION: {self.duration_s:.9f} BRANCH_BLOCK: {self.target}"
