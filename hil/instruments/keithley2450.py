"""Keithley 2450 as a source of pulses and reads, in its SCPI command set.

Responsible for: the order of commands, the state they leave the instrument in, its event log.
Not responsible for: limits of devices (``hil.limits``), what is connected.

Pulses run on the instrument, as a trigger model: level up, delay, one measurement of voltage and
then current, level down, delay. The measurement is part of the pulse, so a pulse integrates as long
as ``integrate`` has set, or shorter where it has no room for that. The shortest pulse is 2 ms: what
the trigger model does between its blocks is not specified, and about 0.1 ms in practice.

Source: Model 2450 Reference Manual 2450-901-01, "Trigger model", ":TRIGger:BLOCk"; data sheet
SPEC-2450. Assumed: what recalling a level and starting a conversion take.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

import numpy as np
from pymeasure.adapters import Adapter

from hil.errors import IdentityError, InstrumentError, LimitError
from hil.instruments.accuracy import KEITHLEY_2450, SmuAccuracy
from hil.instruments.keithley2450_pulses import (
    MAX_PULSES,
    MIN_OFF_S,
    MIN_PULSE_WIDTH_S,
    PulsePlan,
    PulseRun,
    check_readings,
)
from hil.instruments.keithley2450_scpi import (
    MAX_COMPLIANCE_A,
    MAX_NPLC,
    MIN_COMPLIANCE_A,
    MIN_NPLC,
    SOURCE_LIMITED,
    Keithley2450Scpi,
)
from hil.instruments.smu import PulseSamples, SmuSample
from hil.links import drain, mapping_errors
from hil.station import SmuTable
from hil.types import Source
from hil.units import text

_MAX_ERRORS = 1000


@dataclass
class _Held:
    """What the driver knows the instrument to hold; nan for what it does not know."""

    nplc: float = math.nan
    compliance_a: float = math.nan
    range_v: float = math.nan
    max_voltage_v: float = 0.0
    output_on: bool = False
    is_pulsing: bool = False
    is_set_for_pulses: bool = False


class Keithley2450Smu:
    """A Keithley 2450 that sources voltage and measures voltage and current; ``Smu``."""

    accuracy: SmuAccuracy = KEITHLEY_2450
    min_pulse_width_s: float = MIN_PULSE_WIDTH_S
    max_pulses: int = MAX_PULSES

    def __init__(self, adapter: Adapter, table: SmuTable) -> None:
        self._table = table
        self._what = f"SMU {table.driver} at {table.address}"
        self._adapter = adapter
        self._held = _Held()
        self._line_frequency_hz = float(table.line_frequency_hz)
        self.n_trains = 0
        with self._mapped():
            self._driver = Keithley2450Scpi(adapter)

    def identify(self) -> str:
        """Return the answer to ``*IDN?``.

        Raises:
            IdentityError: it is not a Keithley 2450, or speaks another command set.
        """
        with self._mapped():
            identity = str(self._driver.id).strip()
        if not re.search(r"KEITHLEY.*MODEL 2450", identity):
            raise IdentityError(f"{self._what}: expected a Keithley 2450, found {identity!r}")
        with self._mapped():
            command_set = str(self._driver.command_set).strip()
        if command_set != "SCPI":
            raise IdentityError(
                f"{self._what}: it speaks {command_set}; set its command set to SCPI (MENU, "
                f"System, Settings) and switch it off and on"
            )
        return identity

    @staticmethod
    def source_of(identity: str) -> Source:
        """Return whether an identity is that of an instrument or of its twin (serial TWIN...)."""
        serial_number = [*identity.split(","), "", ""][2].strip()
        return Source.TWIN if serial_number.startswith("TWIN") else Source.BENCH

    def prepare(self, max_voltage_v: float) -> None:
        """Reset, and set up for sourcing up to ``max_voltage_v``. Output off, level zero.

        Raises:
            InstrumentError: the instrument refused a setting.
        """
        self._held = _Held()
        with self._mapped():
            driver = self._driver
            driver.abort()
            driver.write("*RST")
            driver.clear()
            driver.source_mode = "voltage"
            driver.source_voltage_range = max_voltage_v
            driver.source_voltage_delay = self._table.settle_s
            driver.source_read_back_enabled = True
            driver.write(':SENS:FUNC "CURR"')
            driver.current_range_auto_enabled = True
            self._line_frequency_hz = float(driver.line_frequency)
            held_v = float(driver.source_voltage_range)
        if not max_voltage_v <= held_v * 1.05 * (1 + 1e-9):
            raise InstrumentError(
                f"{self._what}: range set for {text(max_voltage_v, 'V')} but it holds "
                f"{text(held_v, 'V')}; nothing was sourced"
            )
        self._held.max_voltage_v = max_voltage_v
        self._held.range_v = held_v
        self.check_errors()

    def limit_current(self, compliance_a: float) -> None:
        """Set the current limit and make sure that it arrived; costs nothing if it is set already.

        Raises:
            LimitError: the instrument has no such limit; nothing was sent.
            InstrumentError: the instrument holds another value afterwards.
        """
        if compliance_a == self._held.compliance_a:
            return
        if not MIN_COMPLIANCE_A <= compliance_a <= MAX_COMPLIANCE_A:
            raise LimitError(
                f"{self._what}: a current limit of {text(compliance_a, 'A')} is outside of "
                f"{text(MIN_COMPLIANCE_A, 'A')} to {text(MAX_COMPLIANCE_A, 'A')}"
            )
        self._held.compliance_a = math.nan  # not known until the answer has come
        self._set_up_readings()
        with self._mapped():
            self._driver.compliance_current = compliance_a
            held_a = float(self._driver.compliance_current)
        self._compare("current limit", compliance_a, held_a, "A")
        self._held.compliance_a = compliance_a

    def integrate(self, nplc: float) -> None:
        """Set the integration time in power line cycles; costs nothing if it is set already.

        Raises:
            LimitError: the instrument has no such integration time; nothing was sent.
        """
        if nplc == self._held.nplc:
            return
        if not MIN_NPLC <= nplc <= MAX_NPLC:
            raise LimitError(
                f"{self._what}: {nplc:g} power line cycles are outside of {MIN_NPLC:g} to "
                f"{MAX_NPLC:g}"
            )
        self._set_up_readings()
        self._set_nplc(nplc)
        self._held.nplc = nplc

    def output_on(self) -> None:
        """Switch the output on at level zero; costs nothing if it is on already.

        Raises:
            InstrumentError: source function, range or current limit are not what was set.
        """
        if self._held.output_on:
            return
        with self._mapped():
            self._driver.source_voltage = 0.0
            reply = self._driver.ask(":SOUR:FUNC?;:SOUR:VOLT?;:SOUR:VOLT:RANG?;:SOUR:VOLT:ILIM?")
            function, *held = reply.strip().split(";")
            level_v, range_v, compliance_a = (float(value) for value in held)
        if function != "VOLT":
            raise InstrumentError(f"{self._what}: it sources {function}; the output stays off")
        self._compare("level", 0.0, level_v, "V")
        self._compare("range", self._held.range_v, range_v, "V")
        self._compare("current limit", self._held.compliance_a, compliance_a, "A")
        with self._mapped():
            self._driver.enable_source()
        self._held.output_on = True

    def set_level(self, level_v: float) -> None:
        """Source ``level_v`` from now on; pulses that still run end."""
        self._end_pulses()
        with self._mapped():
            self._driver.source_voltage = level_v

    def wait_until_done(self) -> None:
        """Return once the instrument has carried out all that it was told; costs one exchange.

        Raises:
            LinkError: it does not answer.
        """
        with self._mapped():
            self._driver.ask("*OPC?")

    def measure(self) -> SmuSample:
        """Measure voltage, then current; takes the source delay and two integration times.

        Raises:
            ProtocolError: the reply is not three numbers.
            InstrumentError: a reading overflowed.
        """
        self._set_up_readings()
        with self._mapped():
            v_v, i_a, status = self._driver.read_source_measure()
        check_readings(self._what, np.array([v_v, i_a]))
        return SmuSample(v_v, i_a, bool(status & SOURCE_LIMITED))

    @staticmethod
    def period_s(width_s: float) -> float:
        """Return the shortest period of pulses of this width."""
        return width_s + MIN_OFF_S

    @staticmethod
    def train_s(width_s: float, n_pulses: int, period_s: float) -> float:
        """Return how long the instrument is busy with a call of ``pulse``."""
        return n_pulses * period_s

    def pulse(
        self, amplitude_v: float, width_s: float, n_pulses: int, period_s: float
    ) -> PulseSamples:
        """Apply pulses from zero that the instrument times itself; returns when all are over.

        Currents are measured on the range that holds the current limit. Afterwards the level is
        zero and the output on. The instrument is asked for its state until it is done.

        Raises:
            LimitError: width, period, number or amplitude are out of reach; nothing was sent.
            InstrumentError: the instrument refused, failed, or holds other guards.
        """
        plan = PulsePlan(amplitude_v, width_s, n_pulses, period_s)
        problem = plan.problem(self._held.max_voltage_v)
        if not self._held.output_on:
            problem = "the output is off"
        if problem:
            raise LimitError(f"{self._what}: {problem}; nothing was sent")
        self._set_up_pulses(plan)
        self.check_errors()
        self._held.is_pulsing = True
        self.n_trains += 1
        with self._mapped():
            self._driver.initiate()
        run = PulseRun(self._driver, self._what)
        run.wait(plan, self._table.timeout_s)
        samples = run.samples(plan)
        self._held.is_pulsing = False  # until here anything that goes wrong ends the pulses
        self.check_errors()
        return samples

    def check_errors(self) -> None:
        """Empty the instrument's event log of errors.

        Raises:
            InstrumentError: it held at least one.
        """
        errors: list[str] = []
        with self._mapped():
            while len(errors) < _MAX_ERRORS:
                code, _, what = self._driver.ask(":SYST:ERR?").strip().partition(",")
                if int(code) == 0:
                    break
                message = what.strip('"').split(";")[0]
                errors.append(f"{code} {message}")
        if errors:
            raise InstrumentError(f"{self._what}: {'; '.join(errors)}")

    def make_safe(self) -> None:
        """Pulses end, level to zero, then output off. Sends only: works while a reply is pending.

        Raises:
            LinkError: a step could not be sent; the others were tried.
        """
        driver = self._driver
        failures: list[BaseException] = []
        for step in (driver.abort, self._level_to_zero, driver.disable_source):
            try:
                with self._mapped():
                    step()
            except BaseException as error:  # Ctrl-C as well: the other steps come first
                failures.append(error)
        self._held.output_on = self._held.is_pulsing = False
        if failures:
            raise failures[0]

    def resynchronise(self) -> None:
        """Throw away replies that nobody waits for any more."""
        drain(self._adapter)

    def close(self) -> None:
        """Give the link back."""
        with self._mapped():
            self._adapter.close()

    # --- two set-ups: readings and pulses ---------------------------------------------------

    def _set_up_readings(self) -> None:
        """Return from pulses to the automatic current range, the source delay and the NPLC."""
        self._end_pulses()
        if not self._held.is_set_for_pulses:
            return
        with self._mapped():
            self._driver.current_range_auto_enabled = True
            self._driver.source_voltage_delay = self._table.settle_s
        if math.isfinite(self._held.nplc):
            self._set_nplc(self._held.nplc)
        self._held.is_set_for_pulses = False

    def _set_up_pulses(self, plan: PulsePlan) -> None:
        """Fix the current range, load the pulses; make sure that all guards stand."""
        self._end_pulses()
        self._held.is_set_for_pulses = True
        nplc = plan.nplc(self._held.nplc, self._line_frequency_hz)
        delays_s = plan.delays_s(nplc, self._line_frequency_hz)
        with self._mapped():
            driver = self._driver
            driver.current_range = self._held.compliance_a
            driver.source_voltage_delay = 0.0
            driver.current_nplc = nplc
            driver.load_pulses(plan.amplitude_v, *delays_s, plan.n_pulses)
            compliance_a = float(driver.compliance_current)
            range_v = float(driver.source_voltage_range)
            high_v, low_v = driver.pulse_levels
        self._compare("current limit", self._held.compliance_a, compliance_a, "A")
        self._compare("range", self._held.range_v, range_v, "V")
        self._compare("level", plan.amplitude_v, float(high_v), "V")
        self._compare("level", 0.0, float(low_v), "V")

    def _end_pulses(self) -> None:
        """Stop pulses that something has gone wrong with."""
        if self._held.is_pulsing:
            with self._mapped():
                self._driver.abort()
            self._held.is_pulsing = False

    def _set_nplc(self, nplc: float) -> None:
        with self._mapped():
            self._driver.current_nplc = nplc

    def _level_to_zero(self) -> None:
        self._driver.source_voltage = 0.0

    # --- guards -----------------------------------------------------------------------------

    def _compare(self, name: str, wanted: float, held: float, unit: str) -> None:
        if not math.isclose(held, wanted, rel_tol=1e-5):
            raise InstrumentError(
                f"{self._what}: {name} set to {text(wanted, unit)} but it holds "
                f"{text(held, unit)}; nothing was sourced"
            )

    def _mapped(self) -> mapping_errors:
        return mapping_errors(self._what)
