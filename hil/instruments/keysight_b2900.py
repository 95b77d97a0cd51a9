"""Keysight B2901A or B2902A as a source of pulses and reads; channel 1 is used.

Responsible for: the order of commands, the state they leave the instrument in, its error queue.
Not responsible for: limits of devices (``hil.limits``), what is connected.

Pulses run on the instrument, with one measurement at the end of each, timed to 1 us. The instrument
makes pulses from 50 us on; the shortest one here is 0.1 ms, so that half of it is left to settle.

Source: SCPI command reference B2910-90030.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

import numpy as np
from pymeasure.adapters import Adapter

from hil.errors import IdentityError, InstrumentError, LimitError
from hil.instruments import keysight_b2900_pulses as pulses
from hil.instruments.accuracy import KEYSIGHT_B2901A, SmuAccuracy
from hil.instruments.keysight_b2900_driver import (
    MAX_APERTURE_S,
    MAX_CURRENT_A,
    MAX_VOLTAGE_V,
    MIN_APERTURE_S,
    MIN_COMPLIANCE_A,
    KeysightB2901A,
    is_limited,
)
from hil.instruments.keysight_b2900_pulses import MAX_PULSES, MIN_PULSE_WIDTH_S, PulsePlan
from hil.instruments.smu import PulseSamples, SmuSample
from hil.links import drain, mapping_errors
from hil.station import SmuTable
from hil.types import Source
from hil.units import text

MAX_SETTLE_S = 1.0
_LOWEST_RANGE_A = 100e-9
_MAX_ERRORS = 1000


@dataclass
class _Held:
    """What the driver knows the instrument to hold; nan for what it does not know."""

    nplc: float = math.nan
    compliance_a: float = math.nan
    range_v: float = math.nan
    max_voltage_v: float = 0.0
    output_on: bool = False
    is_set_for_pulses: bool = False


class KeysightB2900Smu:
    """A Keysight B2901A or B2902A that sources voltage and measures both; ``Smu``."""

    accuracy: SmuAccuracy = KEYSIGHT_B2901A
    min_pulse_width_s: float = MIN_PULSE_WIDTH_S
    max_pulses: int = MAX_PULSES

    def __init__(self, adapter: Adapter, table: SmuTable) -> None:
        self._table = table
        self._what = f"SMU {table.driver} at {table.address}"
        self._adapter = adapter
        self._held = _Held()
        self.n_trains = 0
        with self._mapped():
            self._driver = KeysightB2901A(adapter)
        self._channel = self._driver.ch_1

    def identify(self) -> str:
        """Return the answer to ``*IDN?``.

        Raises:
            IdentityError: it is not a Keysight B2901A, B2902A, B2911A or B2912A.
        """
        with self._mapped():
            identity = str(self._driver.id).strip()
        if not re.search(r"(Keysight|Agilent) Technologies,B29[01][12]A,", identity):
            raise IdentityError(f"{self._what}: expected a Keysight B2901A, found {identity!r}")
        return identity

    @staticmethod
    def source_of(identity: str) -> Source:
        """Return whether an identity is that of an instrument or of its twin (serial TWIN...)."""
        serial_number = [*identity.split(","), "", ""][2].strip()
        return Source.TWIN if serial_number.startswith("TWIN") else Source.BENCH

    def prepare(self, max_voltage_v: float) -> None:
        """Reset, and set up for sourcing up to ``max_voltage_v``. Output off, level zero.

        The output does not go on by itself.

        Raises:
            LimitError: voltage or settling time of the station are out of reach; nothing was sent.
            InstrumentError: the instrument refused a setting, or holds another range.
        """
        if self._table.settle_s > MAX_SETTLE_S:
            raise LimitError(
                f"{self._what}: settle_s {text(self._table.settle_s, 's')} is more than "
                f"{text(MAX_SETTLE_S, 's')}, the longest wait of this instrument"
            )
        if not 0 < max_voltage_v <= MAX_VOLTAGE_V:
            raise LimitError(
                f"{self._what}: {text(max_voltage_v, 'V')} is not within "
                f"{text(MAX_VOLTAGE_V, 'V')}; nothing was sent"
            )
        self._held = _Held()
        with self._mapped():
            driver, channel = self._driver, self._channel
            channel.abort()
            driver.reset()
            driver.clear()
            channel.auto_output_on_enabled = False
            driver.line_frequency = self._table.line_frequency_hz
            driver.select_elements()
            driver.report_idle_events()
            channel.source_mode = "voltage"
            channel.source_shape = "dc"
            channel.source_voltage = 0
            channel.source_voltage_range_auto_enabled = False
            channel.source_voltage_range = max_voltage_v
            channel.lowest_auto_current_range = _LOWEST_RANGE_A
            channel.measure_wait_auto_enabled = False
            channel.measure_wait_offset = self._table.settle_s
            channel.source_wait_enabled = False
            held_v = float(driver.ask(":SOUR1:VOLT:RANG?"))
        if not max_voltage_v <= held_v * 1.05 * (1 + 1e-9):
            raise InstrumentError(
                f"{self._what}: range set for {text(max_voltage_v, 'V')} but it holds "
                f"{text(held_v, 'V')}; nothing was sourced"
            )
        self._held.max_voltage_v, self._held.range_v = max_voltage_v, held_v
        self.check_errors()

    def limit_current(self, compliance_a: float) -> None:
        """Set the current limit and make sure that it arrived; costs nothing if it is set already.

        Raises:
            LimitError: the instrument has no such limit; nothing was sent.
            InstrumentError: the instrument holds another value afterwards.
        """
        if compliance_a == self._held.compliance_a:
            return
        if not MIN_COMPLIANCE_A <= compliance_a <= MAX_CURRENT_A:
            raise LimitError(
                f"{self._what}: a current limit of {text(compliance_a, 'A')} is outside of "
                f"{text(MIN_COMPLIANCE_A, 'A')} to {text(MAX_CURRENT_A, 'A')}"
            )
        self._held.compliance_a = math.nan  # not known until the answer has come
        self._set_up_readings()
        with self._mapped():
            self._channel.compliance_current = compliance_a
            held_a = float(self._driver.ask(":SENS1:CURR:PROT?"))
        self._compare("current limit", compliance_a, held_a, "A")
        self._held.compliance_a = compliance_a

    def integrate(self, nplc: float) -> None:
        """Set the integration time in power line cycles; costs nothing if it is set already.

        Raises:
            LimitError: the instrument has no such integration time; nothing was sent.
        """
        aperture_s = nplc / self._table.line_frequency_hz
        if not MIN_APERTURE_S <= aperture_s <= MAX_APERTURE_S:
            raise LimitError(
                f"{self._what}: an integration time of {text(aperture_s, 's')} is outside of "
                f"{text(MIN_APERTURE_S, 's')} to {text(MAX_APERTURE_S, 's')}"
            )
        if nplc != self._held.nplc:
            self._held.nplc = math.nan
            self._set_up_readings()
            self._set_aperture(nplc)
            self._held.nplc = nplc

    def output_on(self) -> None:
        """Switch the output on at level zero; costs nothing if it is on already.

        Raises:
            InstrumentError: function, shape, level, range or limit are not what was set.
        """
        if self._held.output_on:
            return
        self._set_up_readings()
        with self._mapped():
            self._channel.source_voltage = 0
        self._check_guards("DC", 0.0)
        with self._mapped():
            self._channel.output_enabled = True
        self._held.output_on = True

    def set_level(self, level_v: float) -> None:
        """Source ``level_v`` from now on. Sends only; pulses that still run end."""
        self._set_up_readings()
        with self._mapped():
            self._channel.source_voltage = level_v

    def wait_until_done(self) -> None:
        """Return once the instrument has carried out all that it was told; costs one exchange.

        Raises:
            LinkError: it does not answer.
        """
        with self._mapped():
            self._driver.ask("*OPC?")

    def measure(self) -> SmuSample:
        """Measure voltage and current at once; takes the settling and the integration time.

        Raises:
            ProtocolError: the reply is not three numbers, twice.
            InstrumentError: a reading overflowed.
        """
        self._set_up_readings()
        with self._mapped():
            v_v, i_a, status = self._channel.read_source_measure()
        pulses.check_readings(np.array([v_v, i_a]), self._what)
        return SmuSample(v_v, i_a, is_limited(status))

    @staticmethod
    def period_s(width_s: float) -> float:
        """Return the shortest period of pulses of this width."""
        return width_s + pulses.MIN_OFF_S

    @staticmethod
    def train_s(width_s: float, n_pulses: int, period_s: float) -> float:
        """Return how long the instrument is busy with a call of ``pulse``."""
        return (n_pulses - 1) * period_s + width_s

    def pulse(
        self, amplitude_v: float, width_s: float, n_pulses: int, period_s: float
    ) -> PulseSamples:
        """Apply pulses from zero that the instrument times itself; returns when all are over.

        Currents are measured on the range that holds the current limit. Afterwards the level is
        zero and the output on. The instrument is asked for its state until it is done.

        Raises:
            LimitError: width, period, number or amplitude are out of reach; nothing was sent.
            InstrumentError: the instrument refused, or holds other guards; nothing was sourced.
        """
        plan = PulsePlan(amplitude_v, width_s, n_pulses, period_s)
        self._check_plan(plan)
        self._set_up_pulses(plan)
        self._check_guards("PULS", amplitude_v)
        self._check_train(plan)
        self.check_errors()
        self.n_trains += 1
        with self._mapped():
            pulses.run(self._driver, self._what)
            samples = pulses.samples(self._channel, plan, self._what)
        self.check_errors()
        return samples

    def check_errors(self) -> None:
        """Empty the instrument's error queue.

        Raises:
            InstrumentError: it held at least one.
        """
        errors: list[str] = []
        with self._mapped():
            while len(errors) < _MAX_ERRORS:
                code, _, what = self._driver.ask(":SYST:ERR?").strip().partition(",")
                if int(code) == 0:
                    break
                message = what.strip('"')
                errors.append(f"{code} {message}")
        if errors:
            raise InstrumentError(f"{self._what}: {'; '.join(errors)}")

    def make_safe(self) -> None:
        """Pulses end, level to zero, then output off. Sends only: works while a reply is pending.

        Raises:
            LinkError: a step could not be sent; the others were tried.
        """
        failures: list[BaseException] = []
        for step in (self._channel.abort, self._level_to_zero, self._output_off):
            try:
                with self._mapped():
                    step()
            except BaseException as error:  # Ctrl-C as well: the other steps come first
                failures.append(error)
        self._held.output_on = False
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
        """Return from pulses to direct current, automatic ranges, settling and the NPLC.

        Sends only, and nothing where there were no pulses.
        """
        if not self._held.is_set_for_pulses:
            return
        with self._mapped():
            channel = self._channel
            channel.abort()
            channel.source_shape = "dc"
            channel.source_voltage = 0
            channel.current_range_auto_enabled = True
            channel.voltage_range_auto_enabled = True
            channel.measure_wait_enabled = True
        if math.isfinite(self._held.nplc):
            self._set_aperture(self._held.nplc)
        self._held.is_set_for_pulses = False

    def _set_up_pulses(self, plan: PulsePlan) -> None:
        """Fix the ranges, program the pulses; nothing is sourced yet."""
        self._set_up_readings()
        self._held.is_set_for_pulses = True
        wanted_s = self._held.nplc / self._table.line_frequency_hz
        with self._mapped():
            self._channel.current_range = self._held.compliance_a
            self._channel.voltage_range = self._held.range_v
            pulses.set_up(self._channel, plan, plan.aperture_s(wanted_s))

    def _check_plan(self, plan: PulsePlan) -> None:
        problem = plan.problem(self._held.max_voltage_v)
        if not problem and not self._held.output_on:
            problem = "the output is off"
        if not problem and not math.isfinite(self._held.compliance_a):
            problem = "no current limit is set"
        if problem:
            raise LimitError(f"{self._what}: {problem}; nothing was sent")

    def _set_aperture(self, nplc: float) -> None:
        with self._mapped():
            self._channel.aperture = nplc / self._table.line_frequency_hz

    def _level_to_zero(self) -> None:
        self._channel.source_voltage = 0

    def _output_off(self) -> None:
        self._channel.output_enabled = False

    # --- guards -----------------------------------------------------------------------------

    def _check_guards(self, shape: str, peak_v: float) -> None:
        """Compare what guards a device with what was set.

        Raises:
            InstrumentError: the instrument holds something else.
        """
        with self._mapped():
            function, held_shape, *held = self._ask_several(
                ":SOUR1:FUNC:MODE?",
                ":SOUR1:FUNC:SHAP?",
                ":SENS1:CURR:PROT?",
                ":SOUR1:VOLT:RANG?",
                ":SOUR1:VOLT?",
                ":SOUR1:VOLT:TRIG?",
            )
            compliance_a, range_v, base_v, triggered_v = map(float, held)
        if (function, held_shape) != ("VOLT", shape):
            raise InstrumentError(
                f"{self._what}: it sources {function} {held_shape} instead of VOLT {shape}; "
                f"nothing was sourced"
            )
        self._compare("current limit", self._held.compliance_a, compliance_a, "A")
        self._compare("range", self._held.range_v, range_v, "V")
        self._compare("level", 0.0, base_v, "V")
        self._compare("amplitude", peak_v, triggered_v, "V")

    def _check_train(self, plan: PulsePlan) -> None:
        with self._mapped():
            held = self._ask_several(
                ":SOUR1:PULS:WIDT?", ":TRIG1:TRAN:COUN?", ":TRIG1:ACQ:COUN?", ":TRIG1:TRAN:TIM?"
            )
            held_width_s, n_transient, n_acquire, held_period_s = map(float, held)
        self._compare("pulse width", plan.width_s, held_width_s, "s", pulses.TIME_STEP_S)
        self._compare("number of pulses", plan.n_pulses, n_transient, "")
        self._compare("number of readings", plan.n_pulses, n_acquire, "")
        self._compare("period", plan.period_s, held_period_s, "s", pulses.TIME_STEP_S)

    def _ask_several(self, *queries: str) -> list[str]:
        return str(self._driver.ask(";".join(queries))).strip().split(";")

    def _compare(
        self, name: str, wanted: float, held: float, unit: str, resolution: float = 1e-12
    ) -> None:
        if not math.isclose(held, wanted, rel_tol=1e-5, abs_tol=resolution):
            raise InstrumentError(
                f"{self._what}: {name} set to {text(wanted, unit)} but it holds "
                f"{text(held, unit)}; nothing was sourced"
            )

    def _mapped(self) -> mapping_errors:
        return mapping_errors(self._what)
