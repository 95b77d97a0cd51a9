"""One channel: from settings to what the terminals are driven with.

Assumed, because the manual leaves it open: a level beyond a fixed range is refused at once while
the output is on, and otherwise keeps the output from being switched on; the safe operating area is
checked against the limit, whatever the load takes; another function takes over with the output on.

Source: manual 2600BS-901-01, sections "Range", "Limits", "TSP command reference: smuX.source".
"""

from __future__ import annotations

import math
from collections.abc import Callable

from twin.firmware.keithley2600.models import SOURCE_OVER_RANGE_RATIO, Model
from twin.firmware.keithley2600.settings import (
    DELAY_AUTO,
    OUTPUT_OFF,
    OUTPUT_ON,
    Measure,
    Ranging,
    Source,
)
from twin.firmware.source_converters import ConverterSpec
from twin.firmware.source_measure import (
    RANGE_LIMIT_RATIO,
    Drive,
    Function,
    SourceMeasureCore,
)
from twin.firmware.tsp.errors import SAFE_AREA, TOO_BIG_FOR_RANGE, TspError


class Channel:
    """Source and settings of one channel.

    Args:
        name: ``a`` or ``b``.
        model: of the instrument.
        core: its source and converters.
        take_turn: called before bench time passes here; lets the other channel settle.
        on_output_off: called when the output goes off.

    Attributes:
        source: settings of the source.
        measure: settings of the measurement.
        sense: 0 for two wires, 1 for four.
        output: value of ``smuX.source.output``.
    """

    def __init__(
        self,
        name: str,
        model: Model,
        core: SourceMeasureCore,
        take_turn: Callable[[], None],
        on_output_off: Callable[[], None],
    ) -> None:
        self.name = name
        self.model = model
        self.core = core
        self.source = Source.of(model)
        self.measure = Measure.of(model)
        self.sense = 0
        self.output = OUTPUT_OFF
        self._take_turn = take_turn
        self._on_output_off = on_output_off
        self._swept: tuple[float, float] | None = None

    @property
    def function(self) -> Function:
        """What is sourced."""
        return Function(self.source.function)

    @property
    def is_on(self) -> bool:
        """Whether the output is on."""
        return self.output == OUTPUT_ON

    @property
    def is_sourcing_volts(self) -> bool:
        """Whether voltage is sourced."""
        return self.function is Function.VOLTS

    # --- what is put out --------------------------------------------------------------------

    @property
    def level(self) -> float:
        """What is sourced: of a sweep under way, or programmed."""
        if self._swept is not None:
            return self._swept[0]
        return self._programmed(self.function)

    @property
    def limit(self) -> float:
        """Limit of the other quantity, with that of the power."""
        source = self.source
        limit = source.limit_a if self.is_sourcing_volts else source.limit_v
        if self._swept is not None:
            limit = self._swept[1]
        if source.limit_w and self.level:
            limit = min(limit, source.limit_w / abs(self.level))
        return limit

    @property
    def source_range(self) -> tuple[Ranging, ConverterSpec]:
        """Range and converter of what is sourced."""
        return self._ranging(self.function)

    def set_level(self, function: Function, level: float) -> None:
        """Program a level; it is put out at once if it is that of what is sourced."""
        name = "level_v" if function is Function.VOLTS else "level_a"
        before = getattr(self.source, name)
        setattr(self.source, name, level)
        try:
            self._check_level(function)
        except TspError:
            setattr(self.source, name, before)
            raise
        if function is self.function:
            self._swept = None
        self._follow_level(function)
        if function is self.function and self.is_on:
            self.refresh()
            self.wait_for_source()

    def set_limit(self, function: Function, limit: float) -> None:
        """Program the limit that a function has."""
        name = "limit_a" if function is Function.VOLTS else "limit_v"
        before = getattr(self.source, name)
        setattr(self.source, name, limit)
        try:
            self._check_area(function)
        except TspError:
            setattr(self.source, name, before)
            raise
        self.refresh()

    def set_source_range(self, function: Function, value: float) -> None:
        """Fix the range of a source to the lowest that holds ``value``."""
        ranging, spec = self._ranging(function)
        before = (ranging.index, ranging.auto)
        ranging.index, ranging.auto = spec.fitting(value), 0
        try:
            self._check_level(function)
        except TspError:
            ranging.index, ranging.auto = before
            raise
        self.refresh()

    def set_source_auto(self, function: Function, auto: int) -> None:
        """Let the range of a source follow its level, or stay where it is."""
        self._ranging(function)[0].auto = auto
        self._follow_level(function)
        self.refresh()

    def set_function(self, value: int) -> None:
        """Source voltage or current."""
        before, self.source.function = self.source.function, value
        try:
            self._check_level(self.function)
            self._check_area(self.function)
        except TspError:
            self.source.function = before
            raise
        self.refresh()

    def set_output(self, value: int) -> None:
        """Switch the output."""
        if value != OUTPUT_ON:
            self.switch_off(value)
            return
        self._check_fit(self.level, self.function)
        self._check_area(self.function)
        self.output = OUTPUT_ON
        self.refresh()
        self.wait_for_source()

    def switch_off(self, value: int = OUTPUT_OFF) -> None:
        """Switch the output off."""
        self.core.release()
        self.output = value
        self._swept = None
        self._on_output_off()

    def reset(self) -> None:
        """Return to the settings of a reset; output off."""
        self.switch_off()
        self.source, self.measure = Source.of(self.model), Measure.of(self.model)
        self.set_sense(0)

    def set_sense(self, value: int) -> None:
        """Sense with two wires or with four."""
        self.sense = value
        self.core.senses_remotely = bool(value)
        self.refresh()

    def sweep_to(self, level: float, limit: float | None) -> None:
        """Put out the level of a sweep, with its own limit if it has one."""
        self._swept = None
        limit = self.limit if limit is None else limit
        ranging, spec = self.source_range
        if ranging.auto:
            ranging.index = max(spec.fitting(level), ranging.low)
        self._check_fit(level, self.function)
        volts, amps = (level, limit) if self.is_sourcing_volts else (limit, level)
        if not self.model.is_safe(volts, amps):
            raise TspError(SAFE_AREA)
        self._swept = (level, limit)
        self.refresh()
        self.wait_for_source()

    def sweep_back(self) -> None:
        """Return from a sweep to the programmed level and limit."""
        self._swept = None
        self._follow_level(self.function)
        self.refresh()

    def refresh(self) -> None:
        """Drive the terminals with the present settings, if the output is on."""
        if not self.is_on:
            return
        ranging, _ = self.source_range
        smu = self.model.smu
        limiter = smu.source_a if self.is_sourcing_volts else smu.source_v
        limit = self.limit
        self.core.drive(
            Drive(
                self.function,
                self.level,
                ranging.index,
                limit,
                limiter.fitting(limit),
                self._range_limit(),
            )
        )

    # --- time -------------------------------------------------------------------------------

    def wait_s(self, dt_s: float) -> None:
        """Let bench time pass while this channel settles."""
        self._take_turn()
        self.core.wait_s(dt_s)

    def wait_for_source(self) -> None:
        """Wait for the source delay."""
        delay_s = self.source.delay_s
        if delay_s == DELAY_AUTO:
            ranging, spec = self.source_range
            delay_s = spec.settles_s[ranging.index]
        if delay_s > 0:
            self.wait_s(delay_s)

    @property
    def in_compliance(self) -> bool:
        """Whether the source is limiting; looking takes 1 us."""
        if not self.is_on:
            return False
        self._take_turn()
        return self.core.probe().in_compliance

    # --- checks -----------------------------------------------------------------------------

    def _range_limit(self) -> float:
        """What a fixed measurement range carries of the quantity that is not sourced."""
        smu, measure = self.model.smu, self.measure
        ranging, spec = measure.range_a, smu.measure_a
        if not self.is_sourcing_volts:
            ranging, spec = measure.range_v, smu.measure_v
        if ranging.auto:
            return math.inf
        return RANGE_LIMIT_RATIO * spec.full_scales[ranging.index]

    def _ranging(self, function: Function) -> tuple[Ranging, ConverterSpec]:
        smu = self.model.smu
        if function is Function.VOLTS:
            return self.source.range_v, smu.source_v
        return self.source.range_a, smu.source_a

    def _programmed(self, function: Function) -> float:
        return self.source.level_v if function is Function.VOLTS else self.source.level_a

    def _follow_level(self, function: Function) -> None:
        ranging, spec = self._ranging(function)
        if ranging.auto:
            ranging.index = max(spec.fitting(self._programmed(function)), ranging.low)

    def _check_level(self, function: Function) -> None:
        if function is self.function:
            if self.is_on:
                self._check_fit(self._programmed(function), function)
            self._check_area(function)

    def _check_fit(self, level: float, function: Function) -> None:
        ranging, spec = self._ranging(function)
        top = spec.full_scales[ranging.index] * SOURCE_OVER_RANGE_RATIO
        if not ranging.auto and abs(level) > top * (1 + 1e-9):
            raise TspError(TOO_BIG_FOR_RANGE)

    def _check_area(self, function: Function) -> None:
        source = self.source
        volts = (source.level_v, source.limit_a)
        amps = (source.limit_v, source.level_a)
        is_safe = self.model.is_safe(*(volts if function is Function.VOLTS else amps))
        if function is self.function and not is_safe:
            raise TspError(SAFE_AREA)
