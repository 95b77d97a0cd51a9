"""The source of a Keithley 2450: from settings to what the terminals are driven with.

Source: manual 2450-901-01, "SOURce subsystem", "Source limits", "Operating boundaries".

Assumed, because the manual leaves it open: a level beyond a fixed range is -222, a range that does
not hold the present level -221; a limit that the operating boundaries or a fixed measurement range
do not allow is -221 where it is programmed, and adjusted with a warning where the range moves; the
sign of a limit does not matter; another source function switches the output off.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable

from twin.firmware.keithley2450.event_log import LIMIT_ADJUSTED, WARNING, EventLog
from twin.firmware.keithley2450.model import (
    A_RANGES_A,
    AUTO_DELAY_HIGH_CAPACITANCE_S,
    AUTO_DELAY_S,
    HIGH_V,
    MAX_A_AT_HIGH_V,
    TEST_CURRENTS_A,
    V_RANGES_V,
    largest_current_a,
    largest_voltage_v,
    range_index,
)
from twin.firmware.keithley2450.settings import (
    CURR,
    RES,
    VOLT,
    Range,
    Setup,
    SourceSettings,
    SourceSetup,
)
from twin.firmware.scpi import OUT_OF_RANGE, SETTINGS_CONFLICT, ScpiError
from twin.firmware.source_measure import RANGE_LIMIT_RATIO, Drive, Function, SourceMeasureCore

FUNCTIONS = {VOLT: Function.VOLTS, CURR: Function.AMPS}
LIMITED_BY = {VOLT: CURR, CURR: VOLT}
MIN_LIMIT_RATIO = 1e-3
"""A limit is at least this proportion of a fixed measurement range."""


class OutputStage:
    """Source settings and the terminals that they act on.

    Args:
        core: source and converters.
        log: gets warnings.
        on_output_off: called whenever the output goes off.

    Attributes:
        core: source and converters.
        setup: all settings; another object after *RST and *RCL.
        is_on: whether the output is on.
    """

    def __init__(
        self, core: SourceMeasureCore, log: EventLog, on_output_off: Callable[[], None]
    ) -> None:
        self.core = core
        self.setup = Setup()
        self.is_on = False
        self._log = log
        self._on_output_off = on_output_off
        self._ready_s = -math.inf
        self._sourced: tuple[str, float] | None = None

    @property
    def source(self) -> SourceSetup:
        """Settings of the source."""
        return self.setup.source

    @property
    def is_measuring_ohms(self) -> bool:
        """Whether the instrument chooses the source current, to measure resistance."""
        return self.setup.sense.function == RES

    @property
    def _sources_voltage(self) -> bool:
        return self.source.function == VOLT

    # --- settings ---------------------------------------------------------------------------

    def set_function(self, function: str) -> None:
        """Source voltage or current."""
        if self.is_measuring_ohms and function != CURR:
            raise conflict("resistance is measured")
        if function != self.source.function:
            self.switch_off()
            self.source.function = function

    def set_level(self, function: str, level: float) -> None:
        """Program a level; it is put out at once if it is that of what is sourced."""
        settings = self.source.by_function[function]
        check_level(settings, level)
        settings.level = level
        settings.range.follow(level)
        self._adjust_limit(function)
        self.refresh()
        self.settle()

    def set_range(self, function: str, value: float) -> None:
        """Fix the range of a source to the lowest that holds ``value``."""
        settings = self.source.by_function[function]
        before = copy.copy(settings.range)
        settings.range.fix(value)
        if not settings.range.holds(settings.level):
            settings.range = before
            raise conflict("the source level does not fit the range")
        self._adjust_limit(function)
        self.refresh()

    def set_range_auto(self, function: str, auto: bool) -> None:
        """Let the range of a source follow its level, or stay where it is."""
        settings = self.source.by_function[function]
        settings.range.auto = auto
        settings.range.follow(settings.level)
        self.refresh()

    def set_limit(self, function: str, limit: float) -> None:
        """Program the limit that a source function has."""
        limit = abs(limit)
        if limit > self._largest_limit(function) or limit < self._smallest_limit(function):
            raise conflict("source limit against range")
        self.source.by_function[function].limit = limit
        self.refresh()

    def set_protection(self, protection: str) -> None:
        """Set the overvoltage protection."""
        self.source.protection = protection
        self.refresh()

    def set_delay(self, function: str, delay_s: float) -> None:
        """Set a source delay; the automatic one is off then."""
        settings = self.source.by_function[function]
        settings.delay_s, settings.delay_auto = delay_s, False

    def restore(self, stored: SourceSetup) -> None:
        """Take over settings out of a configuration list."""
        if stored.function != self.source.function:
            self.switch_off()
        self.setup.source = self.source.restored(stored)
        self.refresh()

    def sense_range_moved(self) -> None:
        """Adjust the limit to a measurement range that was fixed."""
        function = self.source.function
        settings = self.source.by_function[function]
        least = self._smallest_limit(function)
        if settings.limit < least:
            settings.limit = least
            self._log.log(*LIMIT_ADJUSTED, WARNING)
        self.refresh()
        amps = self.setup.sense.by_function[CURR].range
        if not amps.auto:
            self.core.select_amp_range(amps.index)

    # --- output -----------------------------------------------------------------------------

    def set_output(self, on: bool) -> None:
        """Switch the output."""
        if not on:
            self.switch_off()
        elif not self.is_on:
            self.is_on = True
            self._sourced = None
            self.refresh()

    def switch_off(self) -> None:
        """Switch the output off."""
        self.core.release()
        was_on, self.is_on = self.is_on, False
        self._sourced = None
        if was_on:
            self._on_output_off()

    def refresh(self) -> None:
        """Drive the terminals with the present settings, if the output is on."""
        if not self.is_on:
            return
        if self.is_measuring_ohms:
            self.source_test_current(self.setup.sense.active.range.full_scale)
            return
        settings = self.source.active
        self._drive(self.source.function, settings.level, settings)

    def source_test_current(self, full_scale_ohm: float, ratio: float = 1.0) -> None:
        """Source what a resistance range is measured with, or a proportion of it."""
        level_a = TEST_CURRENTS_A[full_scale_ohm] * ratio
        settings = self.source.by_function[CURR]
        settings.range.index = range_index(A_RANGES_A, TEST_CURRENTS_A[full_scale_ohm])
        self._drive(CURR, level_a, settings)

    def wait_for_source(self) -> None:
        """Wait for what is left of the source delay."""
        left_s = self._ready_s - self.core.now_s()
        if left_s > 0:
            self.core.wait_s(left_s)

    def settle(self) -> None:
        """Let a level that was just set arrive: nobody else lets it while bench time passes."""
        if self.core.is_settling:
            spec = self.core.spec.source_v if self._sources_voltage else self.core.spec.source_a
            self.core.wait_s(spec.settles_s[self.source.active.range.index])
            self.refresh()

    @property
    def is_limiting(self) -> bool:
        """Whether the source is limiting; looking takes 1 us."""
        return self.is_on and self.core.probe().in_compliance

    @property
    def is_protecting(self) -> bool:
        """Whether the overvoltage protection holds the voltage back."""
        bound_v = self.source.protection_v
        if self.source.function == VOLT:
            return self.is_on and abs(self.source.active.level) > bound_v
        return self.is_limiting and bound_v <= self.source.active.limit

    # --- how --------------------------------------------------------------------------------

    def _drive(self, function: str, level: float, settings: SourceSettings) -> None:
        limit, bound_v = settings.limit, self.source.protection_v
        if function == VOLT:
            level = math.copysign(min(abs(level), bound_v), level)
        else:
            limit = min(limit, bound_v)
        self.core.senses_remotely = self.setup.sense.active.four_wire
        limits = V_RANGES_V if function == CURR else A_RANGES_A
        self.core.drive(
            Drive(
                FUNCTIONS[function],
                level,
                settings.range.index,
                limit,
                range_index(limits, limit),
                self._range_limit(function),
            )
        )
        if (function, abs(level)) != self._sourced:
            self._sourced = (function, abs(level))
            self._ready_s = self.core.now_s() + self.delay_s(settings)

    def delay_s(self, settings: SourceSettings) -> float:
        """Return the source delay, which may follow the current range."""
        if not settings.delay_auto:
            return settings.delay_s
        ranging = (
            settings.range
            if self.source.function == CURR
            else self.setup.sense.by_function[CURR].range
        )
        table = AUTO_DELAY_HIGH_CAPACITANCE_S if settings.high_capacitance else AUTO_DELAY_S
        return table[ranging.index]

    def _fixed_range(self, function: str) -> Range | None:
        """Return the range of what limits a source function, if it is measured on a fixed one."""
        sense = self.setup.sense
        if sense.function != LIMITED_BY[function] or sense.active.range.auto:
            return None
        return sense.active.range

    def _range_limit(self, function: str) -> float:
        fixed = self._fixed_range(function)
        return math.inf if fixed is None else RANGE_LIMIT_RATIO * fixed.full_scale

    def _smallest_limit(self, function: str) -> float:
        fixed = self._fixed_range(function)
        return 0.0 if fixed is None else MIN_LIMIT_RATIO * fixed.full_scale

    def _largest_limit(self, function: str) -> float:
        settings = self.source.by_function[function]
        top = max(abs(settings.level), 0.0 if settings.range.auto else settings.range.full_scale)
        return largest_current_a(top) if function == VOLT else largest_voltage_v(top)

    def _adjust_limit(self, function: str) -> None:
        settings = self.source.by_function[function]
        if settings.limit > self._largest_limit(function):
            settings.limit = MAX_A_AT_HIGH_V if function == VOLT else HIGH_V
            self._log.log(*LIMIT_ADJUSTED, WARNING)


def check_level(settings: SourceSettings, level: float) -> None:
    """Raise -222 if a level is beyond a fixed range."""
    if not settings.range.holds(level):
        raise ScpiError(OUT_OF_RANGE)


def conflict(why: str) -> ScpiError:
    """Return -221, and what is in conflict."""
    return ScpiError(SETTINGS_CONFLICT, f"Settings conflict: {why}")
