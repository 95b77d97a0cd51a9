"""Trigger model of a Keithley 2400: arm layer and trigger layer around source-delay-measure cycles.

The model runs in simulated time, at once, until it is idle or waits for an event that only somebody
else can make: a bus trigger, a key, a line. Commands that arrive meanwhile wait until it is idle,
but for those that end it (``OVERRIDES``).

Source: manual 2400S-900-01 Rev. K, sections 11 and 18 (ARM, TRIGger), 10 (abort on compliance).
Assumed: with an infinite arm count the model stops when the buffer is full, or after one pass of
the arm layer if nothing is stored, and stays busy until it is aborted; nothing is connected to the
trigger link and to the start-of-test line, so their events never come; no pulses are sent.
"""

from __future__ import annotations

from collections.abc import Iterator

from twin.firmware.keithley2400.calculate import Calculator
from twin.firmware.keithley2400.meter import Meter
from twin.firmware.keithley2400.model import INFINITE_ARM_COUNT
from twin.firmware.keithley2400.output import Output
from twin.firmware.keithley2400.readings import BIT_OVERFLOW, Reading
from twin.firmware.keithley2400.settings import Layer, Setup
from twin.firmware.keithley2400.status import (
    BUFFER_AVAILABLE,
    BUFFER_FULL,
    IDLE,
    IN_COMPLIANCE,
    READING_AVAILABLE,
    READING_OVERFLOW,
    SWEEPING,
    WAITS_IN_ARM_LAYER,
    WAITS_IN_TRIGGER_LAYER,
    Keithley2400Status,
)
from twin.firmware.keithley2400.sweep import levels, prepare_range
from twin.firmware.keithley2400.trace import Trace
from twin.firmware.scpi import (
    ARM_DEADLOCK,
    DATA_STALE,
    INIT_IGNORED,
    TRIGGER_IGNORED,
    ScpiError,
)

BUS = "BUS"
NEVER = "abort"
OVERRIDES = frozenset({"*TRG", "*RST", "*RCL", ":ABORt", ":SYSTem:PRESet"})
"""Patterns of commands that are carried out while the model is busy."""
CAN_BE_BYPASSED = ("TLIN", "NST", "PST", "BST")

Events = Iterator[str]


class TriggerModel:
    """Runs cycles and hands readings on.

    Args:
        output: the source and all settings.
        meter: makes readings.
        calculator: computes with them.
        trace: stores them.
        status: hears of them.

    Attributes:
        readings: of the last run; what :FETCh? returns.
    """

    def __init__(
        self,
        output: Output,
        meter: Meter,
        calculator: Calculator,
        trace: Trace,
        status: Keithley2400Status,
    ) -> None:
        self._output, self._meter, self._calculator = output, meter, calculator
        self._trace, self._status = trace, status
        self._events: Events | None = None
        self._awaited = ""
        self.readings: list[Reading] = []

    @property
    def _setup(self) -> Setup:
        return self._output.setup

    @property
    def is_idle(self) -> bool:
        """Whether the model is idle."""
        return self._events is None

    # --- commands ---------------------------------------------------------------------------

    def initiate(self) -> None:
        """:INITiate: leave idle; returns when the model is idle again or waits for an event."""
        if not self.is_idle:
            raise ScpiError(INIT_IGNORED)
        self._meter.check_measurable()
        points = levels(self._setup)
        self._events = self._run(None if points is None else prepare_range(self._setup, points))
        self.readings = []
        self._meter.begin()
        if self._setup.resets_time:
            self._meter.reset_time()
        self._calculator.begin()
        self._status.operation.set(IDLE, False)
        self._advance()

    def read(self) -> list[Reading] | None:
        """:READ?: initiate and return the readings; None while they are still to come."""
        if self._setup.has_no_end:
            raise ScpiError(*INFINITE_ARM_COUNT)
        if self._setup.arm.source == BUS:
            raise ScpiError(ARM_DEADLOCK)
        self.initiate()
        return self.fetch() if self.is_idle else None

    def fetch(self) -> list[Reading]:
        """Return the readings of the last run."""
        if not self.readings:
            raise ScpiError(DATA_STALE)
        return self.readings

    def trigger(self) -> None:
        """*TRG: the event that an arm layer with source BUS waits for."""
        if self._awaited != BUS:
            raise ScpiError(TRIGGER_IGNORED)
        self._advance()

    def abort(self) -> None:
        """Return to idle; readings so far are kept."""
        self._events, self._awaited = None, ""
        operation = self._status.operation
        operation.set(SWEEPING | WAITS_IN_ARM_LAYER | WAITS_IN_TRIGGER_LAYER, False)
        operation.set(IDLE)

    def clear(self) -> None:
        """*RST: return to idle and forget the readings."""
        self.abort()
        self.readings = []
        self._calculator.begin()

    # --- how --------------------------------------------------------------------------------

    def _advance(self) -> None:
        assert self._events is not None
        try:
            awaited = next(self._events, "")
        except ScpiError:
            self.abort()
            raise
        if awaited:
            self._awaited = awaited
        else:
            self.abort()

    def _run(self, points: list[float] | None) -> Events:
        """Pass through both layers; yields the event that has to come before it goes on."""
        self._status.operation.set(SWEEPING, points is not None)
        arm = self._setup.arm
        n_passes, n_cycles = 0, 0
        started_s = self._now_s()
        while n_passes < arm.count:
            if arm.source == "TIM":
                due_s = started_s if n_passes == 0 else started_s + arm.timer_s
                self._output.core.wait_s(max(due_s - self._now_s(), 0.0))
                started_s = max(due_s, self._now_s())
            yield from self._wait_for(arm, n_passes == 0, WAITS_IN_ARM_LAYER)
            for _ in range(int(self._setup.trigger.count)):
                yield from self._wait_in_trigger_layer(n_cycles == 0)
                level = None if points is None else points[n_cycles % len(points)]
                n_cycles += 1
                if self._cycle(level):
                    return
            n_passes += 1
            if self._setup.auto_output_off:
                self._output.switch_off_if_on()
            if self._setup.has_no_end and not self._trace.is_storing:
                yield NEVER

    def _wait_in_trigger_layer(self, is_first: bool) -> Events:
        trigger = self._setup.trigger
        if "NONE" not in trigger.inputs:
            yield from self._wait_for(trigger, is_first, WAITS_IN_TRIGGER_LAYER)
        self._output.core.wait_s(trigger.delay_s)

    def _wait_for(self, layer: Layer, is_first: bool, condition: int) -> Events:
        if layer.source in ("IMM", "TIM"):
            return
        if is_first and layer.direction == "SOUR" and layer.source in CAN_BE_BYPASSED:
            return
        self._status.operation.set(condition)
        yield layer.source
        self._awaited = ""
        self._status.operation.set(condition, False)

    def _cycle(self, level: float | None) -> bool:
        """Make one reading; return whether the sweep is to be aborted."""
        source, sweep = self._setup.source, self._setup.sweep
        if level is not None and sweep.ranging == "AUTO":
            fitting = source.range.fitting(level)
            source.range.full_scale = min(fitting, source.range.full_scales[-1])
        reading = self._meter.cycle(level)
        self._take(reading)
        return level is not None and sweep.abort != "NEV" and reading.in_compliance

    def _take(self, reading: Reading) -> None:
        self.readings.append(reading)
        trace, measurement = self._trace, self._status.measurement
        was_storing = trace.is_storing
        trace.store(reading, self._calculator.take(reading, trace.feed))
        measurement.pulse(READING_AVAILABLE)
        measurement.set(READING_OVERFLOW, bool(reading.status & BIT_OVERFLOW))
        measurement.set(IN_COMPLIANCE, reading.in_compliance)
        if was_storing:
            self.show_buffer()

    def show_buffer(self) -> None:
        """Let the status show how full the buffer is."""
        measurement, trace = self._status.measurement, self._trace
        measurement.set(BUFFER_AVAILABLE, len(trace.readings) >= 2)
        measurement.set(BUFFER_FULL, bool(trace.readings) and trace.is_full)

    def _now_s(self) -> float:
        return self._output.core.now_s()
