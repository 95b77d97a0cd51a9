"""Keithley 2400 behind pymeasure's driver, as a source of pulses and reads.

Responsible for: the order of commands, the state they leave the instrument in, its error queue.
Not responsible for: limits of devices (``hil.limits``), what is connected.
"""

from __future__ import annotations

import math
import re

import numpy as np
from pymeasure.adapters import Adapter

from hil import interrupts
from hil.errors import (
    IdentityError,
    InstrumentError,
    LimitError,
    LinkTimeout,
    ProtocolError,
)
from hil.instruments.accuracy import KEITHLEY_2400, SmuAccuracy
from hil.instruments.keithley2400_pulses import (
    MAX_POINTS_HIGH,
    MAX_PULSES,
    MIN_PULSE_WIDTH_S,
    PulsePlan,
)
from hil.instruments.keithley2400_scpi import (
    IN_COMPLIANCE,
    IN_RANGE_COMPLIANCE,
    Keithley2400ListSweeps,
)
from hil.instruments.smu import PulseSamples, SmuSample
from hil.links import drain, mapping_errors
from hil.station import SmuTable
from hil.types import FloatArray, Source
from hil.units import text

__all__ = ["MIN_PULSE_WIDTH_S", "Keithley2400Smu", "SmuSample"]

_NOT_A_NUMBER = 9.9e37


class Keithley2400Smu:
    """A Keithley 2400 that sources voltage and measures voltage and current at once."""

    accuracy: SmuAccuracy = KEITHLEY_2400
    min_pulse_width_s: float = MIN_PULSE_WIDTH_S
    max_pulses: int = MAX_PULSES

    def __init__(self, adapter: Adapter, table: SmuTable) -> None:
        self._table = table
        self._what = f"SMU {table.driver} at {table.address}"
        self._adapter = adapter
        self._nplc = math.nan
        self._compliance_a = math.nan
        self._max_voltage_v = 0.0
        self._range_v = math.nan
        self._output_on = False
        self._is_set_for_pulses = False
        self._is_pulsing = False
        self.n_trains = 0
        with self._mapped():
            self._driver = Keithley2400ListSweeps(adapter)

    def identify(self) -> str:
        """Return the answer to ``*IDN?``.

        Raises:
            IdentityError: it is not a Keithley 2400-series instrument.
        """
        with self._mapped():
            identity = str(self._driver.id).strip()
        if not re.search(r"KEITHLEY.*MODEL 24[0-4]0", identity):
            raise IdentityError(f"{self._what}: expected a Keithley 2400, found {identity!r}")
        return identity

    @staticmethod
    def source_of(identity: str) -> Source:
        """Return whether an identity is that of an instrument or of its twin (serial TWIN...)."""
        serial_number = [*identity.split(","), "", ""][2].strip()
        return Source.TWIN if serial_number.startswith("TWIN") else Source.BENCH

    def prepare(self, max_voltage_v: float) -> None:
        """Reset, and set up for sourcing up to ``max_voltage_v``. Output off, level zero.

        Raises:
            InstrumentError: the instrument refused a setting, or holds another range.
        """
        self._forget_settings()
        with self._mapped():
            driver = self._driver
            driver.reset()
            driver.clear()
            driver.reset_data_format()
            driver.source_mode = "voltage"
            driver.source_voltage = 0.0
            driver.source_voltage_range = max_voltage_v
            range_v = float(driver.source_voltage_range)
            driver.auto_output_off_enabled = False
            driver.resistance_mode_auto_enabled = False
            driver.write(":SENSE:FUNCTION:ALL")
            driver.current_range_auto_enabled = True
            driver.source_delay = self._table.settle_s
        self.check_errors()
        if not max_voltage_v <= range_v * (1 + 1e-6):
            raise InstrumentError(
                f"{self._what}: range set for {text(max_voltage_v, 'V')} but it holds "
                f"{text(range_v, 'V')}; nothing was sourced"
            )
        self._max_voltage_v, self._range_v = max_voltage_v, range_v

    def limit_current(self, compliance_a: float) -> None:
        """Set the compliance and make sure that it arrived; costs nothing if it is set already.

        Raises:
            InstrumentError: the instrument holds another value afterwards.
        """
        self._leave_pulses()
        if compliance_a == self._compliance_a:
            return
        self._compliance_a = math.nan  # not known until the answer has come
        with self._mapped():
            self._driver.compliance_current = compliance_a
            held_a = float(self._driver.compliance_current)
        self._compare("compliance", compliance_a, held_a, "A")
        self._compliance_a = compliance_a

    def integrate(self, nplc: float) -> None:
        """Set the integration time in power line cycles; costs nothing if it is set already."""
        self._leave_pulses()
        if nplc == self._nplc:
            return
        self._nplc = math.nan
        with self._mapped():
            self._driver.current_nplc = nplc
        self._nplc = nplc

    def output_on(self) -> None:
        """Switch the output on at level zero; costs nothing if it is on already."""
        self._leave_pulses()
        if not self._output_on:
            with self._mapped():
                self._driver.source_voltage = 0.0
                self._driver.source_enabled = True
            self._output_on = True

    def set_level(self, level_v: float) -> None:
        """Source ``level_v`` from now on."""
        self._leave_pulses()
        with self._mapped():
            self._driver.source_voltage = level_v

    def wait_until_done(self) -> None:
        """Return once the instrument has carried out all that it was told; costs one exchange.

        Raises:
            LinkError: it does not answer.
            ProtocolError: it answers something else.
        """
        with self._mapped():
            reply = self._driver.ask("*OPC?")
        self._check_done(reply)

    def measure(self) -> SmuSample:
        """Measure voltage and current; takes the source delay and the integration time.

        Raises:
            ProtocolError: the reply is not five numbers.
            InstrumentError: a reading overflowed.
        """
        self._leave_pulses()
        with self._mapped():
            reply = self._driver.values(":READ?")
        try:
            v_v, i_a, _, _, status = (float(value) for value in reply)
        except ValueError as error:
            raise ProtocolError(f"{self._what}: {reply!r} is no reading of 5 numbers") from error
        if abs(v_v) >= _NOT_A_NUMBER or abs(i_a) >= _NOT_A_NUMBER:
            raise InstrumentError(f"{self._what}: reading overflowed or was not taken: {reply!r}")
        return SmuSample(v_v, i_a, bool(int(status) & IN_COMPLIANCE))

    @staticmethod
    def period_s(width_s: float) -> float:
        """Return the shortest period of pulses of this width; it leaves a list of few points."""
        return width_s + max(MIN_PULSE_WIDTH_S, width_s / MAX_POINTS_HIGH)

    @staticmethod
    def train_s(width_s: float, n_pulses: int, period_s: float) -> float:
        """Return how long the instrument is busy with a call of ``pulse``."""
        return PulsePlan(0.0, width_s, n_pulses, period_s, 50).whole_s

    def pulse(
        self, amplitude_v: float, width_s: float, n_pulses: int, period_s: float
    ) -> PulseSamples:
        """Apply pulses from zero that the instrument times itself; returns when all are over.

        Currents are measured on the range that holds the compliance, at the end of each pulse.
        Afterwards the level is zero and the output on. Widths are right to some 0.3 ms, see
        ``hil.instruments.keithley2400_pulses``.

        Raises:
            LimitError: width, period, number or amplitude are out of reach; nothing was sent.
            InstrumentError: the instrument refused, or holds other guards than it was told.
            ProtocolError: the buffer does not hold a reading for each point.
        """
        plan = PulsePlan(amplitude_v, width_s, n_pulses, period_s, self._table.line_frequency_hz)
        problem = plan.problem(self._max_voltage_v)
        if not self._output_on:
            problem = "the output is off"
        elif not math.isfinite(self._compliance_a):
            problem = "no compliance is set"
        if problem:
            raise LimitError(f"{self._what}: {problem}; nothing was sent")
        self._set_up_pulses(plan)
        self.check_errors()
        self._is_pulsing = True
        self.n_trains += 1
        with self._mapped():
            self._driver.initiate()
        self._wait_for_idle(plan.whole_s)
        self._is_pulsing = False
        samples = self._pulse_samples(plan)
        self._leave_pulses()
        return samples

    def check_errors(self) -> None:
        """Empty the instrument's error queue.

        Raises:
            InstrumentError: it held at least one error.
        """
        with self._mapped():
            errors = self._driver.check_errors()
        if errors:
            shown = "; ".join(f"{int(code)} {str(what).strip()}" for code, what in errors)
            raise InstrumentError(f"{self._what}: {shown}")

    def make_safe(self) -> None:
        """Level to zero, then output off. Sends only: it works while a reply is still pending.

        Pulses that may still run are aborted first: until they are over, a 2400 carries nothing
        else out.

        Raises:
            LinkError: a step could not be sent; the others were tried.
        """
        steps = [self._level_to_zero, self._driver.disable_source]
        if self._is_pulsing:
            steps.insert(0, self._driver.reset_trigger)
        failures: list[BaseException] = []
        for step in steps:
            try:
                with self._mapped():
                    step()
            except BaseException as error:  # Ctrl-C as well: the other steps come first
                failures.append(error)
        self._output_on = self._is_pulsing = False
        if failures:
            raise failures[0]

    def resynchronise(self) -> None:
        """Throw away replies that nobody waits for any more."""
        drain(self._adapter)

    def close(self) -> None:
        """Give the link back."""
        with self._mapped():
            self._adapter.close()

    # --- pulses -----------------------------------------------------------------------------

    def _set_up_pulses(self, plan: PulsePlan) -> None:
        """Fix the current range, load the list; make sure that all guards stand."""
        self._leave_pulses()
        self._is_set_for_pulses = True
        nplc = plan.nplc(self._nplc)
        with self._mapped():
            driver = self._driver
            driver.auto_zero_enabled = False
            driver.write(":SENSE:FUNCTION:OFF 'RES'")
            driver.current_range = self._compliance_a
            driver.current_nplc = nplc
            driver.cycle_delay = plan.delay_s(nplc)
            driver.load_list(plan.levels_v, plan.n_pulses, plan.timer_s)
            compliance_a = float(driver.compliance_current)
            range_v = float(driver.source_voltage_range)
            levels_v = driver.source_voltage_list
            n_cycles = driver.values(":ARM:COUNT?;:TRIGGER:COUNT?", separator=";")
        self._compare("compliance", self._compliance_a, compliance_a, "A")
        self._compare("range", self._range_v, range_v, "V")
        if np.shape(levels_v) != (plan.n_points,) or n_cycles != [plan.n_pulses, plan.n_points]:
            raise InstrumentError(
                f"{self._what}: {plan.n_pulses} x {plan.n_points} points set but it holds "
                f"{n_cycles} and levels {levels_v}; nothing was sourced"
            )
        for wanted_v, held_v in zip(plan.levels_v, levels_v, strict=True):
            self._compare("level", wanted_v, held_v, "V")

    def _wait_for_idle(self, duration_s: float) -> None:
        """Return when the instrument answers again, which it does not while it pulses."""
        n_tries = 2 + math.ceil(duration_s / self._table.timeout_s)
        with self._mapped():
            self._driver.write("*OPC?")
        for left in reversed(range(n_tries)):
            try:
                with self._mapped():
                    reply = self._driver.read()
            except LinkTimeout:
                if not left:
                    raise
                interrupts.check()
            else:
                self._check_done(reply)
                return

    def _pulse_samples(self, plan: PulsePlan) -> PulseSamples:
        with self._mapped():
            readings = self._driver.buffered_readings()
        if len(readings) != plan.n_readings:
            raise ProtocolError(
                f"{self._what}: {len(readings)} readings of {plan.n_readings}; "
                f"check what answers there"
            )
        by_pulse = readings.reshape(plan.n_pulses, plan.n_points, 3)[:, : plan.n_points_high]
        self._check_readings(by_pulse[..., :2])
        limited = by_pulse[..., 2].astype(int) & (IN_COMPLIANCE | IN_RANGE_COMPLIANCE)
        last = by_pulse[:, -1]
        return PulseSamples(last[:, 0], last[:, 1], bool(limited.any()))

    def _leave_pulses(self) -> None:
        """Return to readings at a fixed level; costs nothing if no pulses were set up."""
        if not self._is_set_for_pulses:
            return
        with self._mapped():
            driver = self._driver
            if self._is_pulsing:
                driver.reset_trigger()
                self._is_pulsing = False
            driver.unload_list()
            driver.source_delay = self._table.settle_s
            driver.current_range_auto_enabled = True
            driver.write(":SENSE:FUNCTION:ALL")
            driver.auto_zero_enabled = True
            if math.isfinite(self._nplc):
                driver.current_nplc = self._nplc
        self._is_set_for_pulses = False

    def _level_to_zero(self) -> None:
        self._driver.source_voltage = 0.0

    # --- guards -----------------------------------------------------------------------------

    def _forget_settings(self) -> None:
        """Nothing is known of what the instrument is set to."""
        self._nplc = self._compliance_a = self._range_v = math.nan
        self._max_voltage_v = 0.0
        self._output_on = self._is_set_for_pulses = self._is_pulsing = False

    def _check_done(self, reply: str) -> None:
        if reply.strip() != "1":
            raise ProtocolError(
                f"{self._what}: {reply!r} is no answer to *OPC?; check what answers there"
            )

    def _check_readings(self, values: FloatArray) -> None:
        if not np.all(np.abs(values) < _NOT_A_NUMBER):
            raise InstrumentError(f"{self._what}: a reading overflowed: {values.tolist()!r}")

    def _compare(self, name: str, wanted: float, held: float, unit: str) -> None:
        if not math.isclose(held, wanted, rel_tol=1e-4, abs_tol=1e-12):
            raise InstrumentError(
                f"{self._what}: {name} set to {text(wanted, unit)} but it holds "
                f"{text(held, unit)}; nothing was sourced"
            )

    def _mapped(self) -> mapping_errors:
        return mapping_errors(self._what)
