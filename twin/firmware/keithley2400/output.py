"""The source of a Keithley 2400: levels, ranges, compliance, output.

Source: manual 2400S-900-01 Rev. K, sections 6 (compliance, boundaries), 13 (output), 18 (SOURce1,
SENSe1:...:PROTection). Assumed: a fixed source range below the present level is refused with -221;
the output goes off when the source function changes; in every output-off state the terminals count
as disconnected, although the instrument drives 0 V in some of them; after a sweep the source stays
at the last level.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from twin.firmware.keithley2400.model import (
    AUTO_DELAYS_S,
    AUTO_OHMS_IS_ON,
    COMPLIANCE_BELOW_RANGE,
    MAX_A_ON_200_V,
    MAX_V_ON_1_A,
    MIN_COMPLIANCE_A,
    MIN_COMPLIANCE_RATIO,
    MIN_COMPLIANCE_V,
    OUTPUT_IS_BLOCKED,
    POWER_LIMIT,
    RANGE_ABOVE_COMPLIANCE,
    RANGE_OF_THE_SOURCE,
    TEST_CURRENTS_A,
    V_RANGES_V,
)
from twin.firmware.keithley2400.settings import CURR, LIMITED_BY, RES, VOLT, Range, Setup, Source
from twin.firmware.scpi import OUT_OF_RANGE, SETTINGS_CONFLICT, ScpiError
from twin.firmware.source_measure import Drive, Function, SourceMeasureCore

FUNCTIONS = {VOLT: Function.VOLTS, CURR: Function.AMPS}
MIN_COMPLIANCE = {VOLT: MIN_COMPLIANCE_V, CURR: MIN_COMPLIANCE_A}
_REACH = 1 + 1e-9


class Output:
    """Source settings and the terminals that they act on.

    Args:
        core: source and converters.
        on_output_off: called whenever the output is switched off.

    Attributes:
        core: source and converters.
        setup: all settings; another object after *RST and *RCL.
        is_on: whether the output is on.
        level: what was put out last, by settings or by a sweep.
    """

    def __init__(self, core: SourceMeasureCore, on_output_off: Callable[[], None]) -> None:
        self.core = core
        self.setup = Setup()
        self.is_on = False
        self.level = 0.0
        self._on_output_off = on_output_off

    # --- output -----------------------------------------------------------------------------

    def set_state(self, on: bool) -> None:
        """Switch the output."""
        if on:
            self.switch_on()
        else:
            self.switch_off()

    def switch_on(self) -> None:
        """Put the present level out."""
        if self.setup.output_enable:  # nothing is plugged into the enable line
            raise ScpiError(*OUTPUT_IS_BLOCKED)
        self.is_on = True
        self.refresh()

    def switch_off(self) -> None:
        """Switch the output off."""
        self.core.release()
        self.is_on = False
        self._on_output_off()

    def switch_off_if_on(self) -> None:
        """Switch the output off for a setting that cannot change while it is on."""
        if self.is_on:
            self.switch_off()

    def refresh(self) -> None:
        """Bring changed settings to the terminals at once."""
        if not self.is_on:
            return
        if self.setup.is_auto_ohms:
            self.source_test_current()
        else:
            self.source(self.setup.source.level)

    def source(self, level: float) -> None:
        """Put a level out; settings stay as they are."""
        self.level = level
        self._drive(self.setup.source_function, level, self.setup.source.range)

    @property
    def test_current_a(self) -> float:
        """What the present resistance range is measured with."""
        return TEST_CURRENTS_A[self.setup.ranges[RES].index]

    def source_test_current(self) -> None:
        """Put out what the present resistance range is measured with."""
        level_a = self.test_current_a
        ranging = Range(self.setup.sources[CURR].range.full_scales, 0.0)
        ranging.follow(level_a)
        self._drive(CURR, level_a, ranging)

    def limit(self, function: str) -> float:
        """What limits a source function: the compliance, or a fixed range that is below it."""
        by_quantity = LIMITED_BY[function]
        return min(self.setup.compliance(by_quantity), self._range_limit(by_quantity))

    def is_limited_by_range(self, function: str) -> bool:
        """Whether a fixed measurement range limits before the compliance does."""
        return self.limit(function) < self.setup.compliance(LIMITED_BY[function])

    def _range_limit(self, quantity: str) -> float:
        sense = self.setup.ranges[quantity]
        return math.inf if sense.auto or self.setup.is_auto_ohms else sense.full_scale

    def _drive(self, function: str, level: float, ranging: Range) -> None:
        setup = self.setup
        if function == VOLT:
            level = math.copysign(min(abs(level), setup.protection_v), level)
        quantity = LIMITED_BY[function]
        limit = setup.compliance(quantity)
        if function == CURR:
            limit = min(limit, setup.protection_v)
        self.core.senses_remotely = setup.four_wire
        self.core.drive(
            Drive(
                FUNCTIONS[function],
                level,
                ranging.index,
                limit,
                setup.ranges[quantity].fitting_index(limit),
                self._range_limit(quantity),
            )
        )

    @property
    def sourced(self) -> str:
        """The function that is sourced now, by settings or by automatic ohms."""
        return CURR if self.setup.is_auto_ohms else self.setup.source_function

    # --- source settings --------------------------------------------------------------------

    def set_function(self, function: str) -> None:
        """Source voltage or current."""
        self._check_no_auto_ohms()
        if function != self.setup.source_function:
            self.switch_off_if_on()
            self.setup.source_function = function

    def set_level(self, function: str, level: float) -> None:
        """Program a level; it is put out at once if it is that of what is sourced."""
        source = self.setup.sources[function]
        full_scale = self._scale_for(source, level)
        self._check_power(function, full_scale)
        source.range.full_scale = full_scale
        source.level, source.triggered = level, None
        if function == self.setup.source_function:
            self.refresh()

    def set_triggered_level(self, function: str, level: float) -> None:
        """Program a level that the next trigger puts out."""
        source = self.setup.sources[function]
        self._check_power(function, self._scale_for(source, level))
        source.triggered = level

    def set_range(self, function: str, value: float) -> None:
        """Fix the range of a source to the lowest that holds ``value``."""
        source = self.setup.sources[function]
        full_scale = source.range.fitting(value)
        if full_scale * _REACH < abs(source.level):
            raise ScpiError(SETTINGS_CONFLICT)
        self._check_power(function, full_scale)
        source.range.fix(value)
        self.refresh()

    def set_range_auto(self, function: str, auto: bool) -> None:
        """Let the range of a source follow its level, or stay where it is."""
        source = self.setup.sources[function]
        source.range.auto = auto
        if source.level:
            source.range.follow(source.level)
        self.refresh()

    def set_protection(self, value: float) -> None:
        """Limit the voltage of either source to the lowest step that holds ``value``."""
        steps = (20.0, 40.0, 60.0, 80.0, 100.0, 120.0, 160.0)
        fits = (step for step in steps if abs(value) <= step)
        self.setup.protection_v = next(fits, V_RANGES_V[-1])
        self.refresh()

    def set_delay(self, delay_s: float) -> None:
        """Set the source delay; the automatic one is off then."""
        self.setup.delay_s, self.setup.delay_auto = delay_s, False

    def set_delay_auto(self, auto: bool) -> None:
        """Let the instrument choose the source delay, or keep the present one."""
        self.setup.delay_s, self.setup.delay_auto = self.delay_s, auto

    @property
    def delay_s(self) -> float:
        """The source delay; the automatic one follows the current range."""
        if not self.setup.delay_auto:
            return self.setup.delay_s
        return AUTO_DELAYS_S[self.sense_range(CURR).index]

    def _scale_for(self, source: Source, level: float) -> float:
        if source.range.auto:
            return source.range.fitting(level)
        if abs(level) > source.range.full_scale * _REACH:
            raise ScpiError(OUT_OF_RANGE)
        return source.range.full_scale

    def _check_no_auto_ohms(self) -> None:
        if self.setup.is_auto_ohms:
            raise ScpiError(*AUTO_OHMS_IS_ON)

    # --- compliance -------------------------------------------------------------------------

    def set_compliance(self, quantity: str, value: float) -> None:
        """Set the limit of a quantity; its sign does not matter."""
        setup, magnitude = self.setup, abs(value)
        if magnitude < MIN_COMPLIANCE[quantity] * (1 - 1e-9):
            raise ScpiError(OUT_OF_RANGE)
        sense = setup.ranges[quantity]
        nominal = sense.full_scale / 1.05
        if setup.synchronizes_ranges and not sense.auto:
            nominal = 0.0
        if not sense.auto and magnitude < MIN_COMPLIANCE_RATIO * nominal:
            raise ScpiError(*COMPLIANCE_BELOW_RANGE)
        function = LIMITED_BY[quantity]
        self._check_power(function, setup.sources[function].range.full_scale, magnitude)
        if quantity == CURR:
            setup.compliance_a = magnitude
        else:
            setup.compliance_v = magnitude
        if setup.synchronizes_ranges and not sense.auto:
            sense.fix(magnitude)
        self.refresh()

    def set_sense_range(self, quantity: str, value: float) -> None:
        """Fix a measurement range to the lowest that holds ``value``."""
        setup = self.setup
        sense = setup.ranges[quantity]
        if quantity == RES:
            if setup.ohms_mode == "MAN":
                raise ScpiError(SETTINGS_CONFLICT)
        elif quantity == setup.source_function:
            raise ScpiError(*RANGE_OF_THE_SOURCE)
        elif sense.fitting(value) > sense.fitting(setup.compliance(quantity)):
            raise ScpiError(*RANGE_ABOVE_COMPLIANCE)
        sense.fix(value)
        self.refresh()

    def set_sense_auto(self, quantity: str, auto: bool) -> None:
        """Let a measurement range follow the signal, or stay where it is."""
        self.setup.ranges[quantity].auto = auto
        self.refresh()

    def sense_range(self, quantity: str) -> Range:
        """Return the range that a quantity is measured on."""
        setup = self.setup
        return setup.source.range if quantity == setup.source_function else setup.ranges[quantity]

    @property
    def is_limiting(self) -> bool:
        """Whether the source is limiting; looking takes 1 us."""
        return self.is_on and self.core.probe().in_compliance

    def _check_power(
        self, function: str, full_scale: float, compliance: float | None = None
    ) -> None:
        limit = self.setup.compliance(LIMITED_BY[function]) if compliance is None else compliance
        top, most = (21.0, MAX_A_ON_200_V) if function == VOLT else (0.105, MAX_V_ON_1_A)
        if full_scale > top * _REACH and limit > most * _REACH:
            raise ScpiError(*POWER_LIMIT)
