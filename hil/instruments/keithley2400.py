"""Keithley 2400 behind pymeasure's driver, as a source of pulses and reads.

Responsible for: the order of commands, the state they leave the instrument in, its error queue.
Not responsible for: limits of devices (``hil.limits``), what is connected, how long a pulse lasts.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

from pymeasure.adapters import Adapter
from pymeasure.instruments.keithley import Keithley2400

from hil.errors import IdentityError, InstrumentError, ProtocolError
from hil.instruments.accuracy import KEITHLEY_2400, SmuAccuracy
from hil.links import drain, mapping_errors
from hil.station import SmuTable
from hil.types import Source
from hil.units import text

MIN_PULSE_WIDTH_S = 0.020
"""Pulses are timed by the host, which cannot be trusted to do better than some milliseconds."""

_IN_COMPLIANCE = 1 << 3  # status word, bit 3 (Series 2400 manual, FORMat:ELEMents)
_NOT_A_NUMBER = 9.9e37


@dataclass(frozen=True, slots=True)
class SmuSample:
    """One source-measure result: terminal voltage, current, and whether the source was limiting."""

    v_v: float
    i_a: float
    in_compliance: bool


class Keithley2400Smu:
    """A Keithley 2400 that sources voltage and measures voltage and current at once."""

    accuracy: SmuAccuracy = KEITHLEY_2400
    min_pulse_width_s: float = MIN_PULSE_WIDTH_S

    def __init__(self, adapter: Adapter, table: SmuTable) -> None:
        self._table = table
        self._what = f"SMU {table.driver} at {table.address}"
        self._adapter = adapter
        self._nplc = math.nan
        self._compliance_a = math.nan
        self._output_on = False
        with self._mapped():
            self._driver = Keithley2400(adapter)

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
            InstrumentError: the instrument refused a setting.
        """
        with self._mapped():
            driver = self._driver
            driver.reset()
            driver.clear()
            driver.reset_data_format()
            driver.source_mode = "voltage"
            driver.source_voltage = 0.0
            driver.source_voltage_range = max_voltage_v
            driver.auto_output_off_enabled = False
            driver.resistance_mode_auto_enabled = False
            driver.write(":SENSE:FUNCTION:ALL")
            driver.current_range_auto_enabled = True
            driver.source_delay = self._table.settle_s
        self._output_on = False
        self.check_errors()

    def limit_current(self, compliance_a: float) -> None:
        """Set the compliance and make sure that it arrived; costs nothing if it is set already.

        Raises:
            InstrumentError: the instrument holds another value afterwards.
        """
        if compliance_a == self._compliance_a:
            return
        self._compliance_a = math.nan  # not known until the answer has come
        with self._mapped():
            self._driver.compliance_current = compliance_a
            held_a = float(self._driver.compliance_current)
        if not math.isclose(held_a, compliance_a, rel_tol=1e-4):
            raise InstrumentError(
                f"{self._what}: compliance set to {text(compliance_a, 'A')} but it holds "
                f"{text(held_a, 'A')}; nothing was sourced"
            )
        self._compliance_a = compliance_a

    def integrate(self, nplc: float) -> None:
        """Set the integration time in power line cycles; costs nothing if it is set already."""
        if nplc == self._nplc:
            return
        self._nplc = math.nan
        with self._mapped():
            self._driver.current_nplc = nplc
        self._nplc = nplc

    def output_on(self) -> None:
        """Switch the output on at level zero; costs nothing if it is on already."""
        if not self._output_on:
            with self._mapped():
                self._driver.source_voltage = 0.0
                self._driver.source_enabled = True
            self._output_on = True

    def set_level(self, level_v: float) -> None:
        """Source ``level_v`` from now on."""
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
        """Measure voltage and current; takes the source delay and the integration time.

        Raises:
            ProtocolError: the reply is not five numbers.
        """
        with self._mapped():
            reply = self._driver.values(":READ?")
        try:
            v_v, i_a, _, _, status = (float(value) for value in reply)
        except ValueError as error:
            raise ProtocolError(f"{self._what}: {reply!r} is no reading of 5 numbers") from error
        if abs(v_v) >= _NOT_A_NUMBER or abs(i_a) >= _NOT_A_NUMBER:
            raise InstrumentError(f"{self._what}: reading overflowed or was not taken: {reply!r}")
        return SmuSample(v_v, i_a, bool(int(status) & _IN_COMPLIANCE))

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

        Raises:
            LinkError: a step could not be sent; the other was tried.
        """
        failures: list[BaseException] = []
        for level in (True, False):
            try:
                with self._mapped():
                    if level:
                        self._driver.source_voltage = 0.0
                    else:
                        self._driver.source_enabled = False
            except BaseException as error:  # Ctrl-C as well: the other step comes first
                failures.append(error)
        self._output_on = False
        if failures:
            raise failures[0]

    def resynchronise(self) -> None:
        """Throw away replies that nobody waits for any more."""
        drain(self._adapter)

    def close(self) -> None:
        """Give the link back."""
        with self._mapped():
            self._adapter.close()

    def _mapped(self) -> mapping_errors:
        return mapping_errors(self._what)
