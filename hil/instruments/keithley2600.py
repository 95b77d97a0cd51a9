"""Keithley 2602B and 2636B as sources of pulses and reads, on channel A.

Responsible for: the order of commands, the state they leave the instrument in, its error queue.
Not responsible for: limits of devices (``hil.limits``), what is connected.

Pulses run on the trigger model of the instrument, timed by its own timers; a script that is sent
once loads them. Each has one reading at its end, on the range that holds the current limit: it
integrates as long as ``integrate`` has set, or for half a pulse if that is shorter.

The shortest pulse is 0.1 ms: 50 us for the level to settle, and the shortest reading. Currents
below 1 mA settle later than that (100 us on the 1 mA range, 20 ms on the 100 nA range).

Source: Series 2600B reference manual 2600BS-901-01; data sheets SPEC-2602B, SPEC-2636B. Assumed:
what a reading takes beyond its integration.
"""

from __future__ import annotations

import math
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from pymeasure.adapters import Adapter

from hil import interrupts
from hil.errors import IdentityError, InstrumentError, LimitError, ProtocolError
from hil.instruments.accuracy import KEITHLEY_2602B, KEITHLEY_2636B, SmuAccuracy
from hil.instruments.keithley2600_tsp import (
    IN_COMPLIANCE,
    MIN_NPLC,
    OVER_TEMPERATURE,
    SCRIPT,
    SCRIPT_NAME,
    Keithley2600Tsp,
    SourceMeasureChannel,
    script_checksum,
)
from hil.instruments.smu import PulseSamples, SmuSample
from hil.links import drain, mapping_errors
from hil.station import SmuTable
from hil.types import FloatArray, Source
from hil.units import text

MIN_PULSE_WIDTH_S = 100e-6
MIN_OFF_S = 100e-6
"""Shortest time at zero between two pulses."""

MAX_PULSES = 10_000
CONVERSION_OVERHEAD_S = 35e-6
OVER_RANGE_RATIO = 1.01
PRECISION = 10
AUTOMATIC_DELAY = -1.0
_OVERFLOW = 9.9e37
_MAX_ERRORS = 1000
_READINGS_PER_QUERY = 200


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


class Keithley2602BSmu:
    """A Keithley 2601B, 2602B or 2604B that sources voltage and measures both at once; ``Smu``."""

    models: str = "260[124]B"
    accuracy: SmuAccuracy = KEITHLEY_2602B
    min_compliance_a: float = 10e-9
    max_compliance_a: float = 3.0
    min_pulse_width_s: float = MIN_PULSE_WIDTH_S
    max_pulses: int = MAX_PULSES

    def __init__(self, adapter: Adapter, table: SmuTable) -> None:
        self._table = table
        self._what = f"SMU {table.driver} at {table.address}"
        self._adapter = adapter
        self._held = _Held()
        self._line_frequency_hz = float(table.line_frequency_hz)
        self._is_sending_script = False
        self.n_trains = 0
        with self._mapped():
            self._driver = Keithley2600Tsp(adapter)
        self._smu: SourceMeasureChannel = self._driver.smua

    def identify(self) -> str:
        """Return the answer to ``*IDN?``.

        Raises:
            IdentityError: it is another type of instrument.
        """
        with self._mapped():
            identity = str(self._driver.id).strip()
        if not re.search(rf"Keithley.*Model {self.models}\b", identity, re.IGNORECASE):
            raise IdentityError(
                f"{self._what}: expected a Keithley {self.models}, found {identity!r}"
            )
        return identity

    @staticmethod
    def source_of(identity: str) -> Source:
        """Return whether an identity is that of an instrument or of its twin (serial TWIN...)."""
        serial_number = [*identity.split(","), "", ""][2].strip()
        return Source.TWIN if serial_number.startswith("TWIN") else Source.BENCH

    def prepare(self, max_voltage_v: float) -> None:
        """Reset, and set up for sourcing up to ``max_voltage_v``. Output off, level zero.

        Sends the script that loads pulses, and makes sure that it arrived.

        Raises:
            InstrumentError: the instrument refused a setting, or holds another one.
        """
        self._held = _Held()
        with self._mapped():
            driver, smu = self._driver, self._smu
            driver.abort_script()
            driver.reset()
            driver.clear()
            driver.ascii_precision = PRECISION
            smu.source_mode = "voltage"
            smu.source_voltage = 0.0
            smu.source_voltage_range = max_voltage_v
            self._line_frequency_hz = float(driver.line_frequency)
            range_v = float(smu.source_voltage_range)
        if not max_voltage_v <= range_v * OVER_RANGE_RATIO * (1 + 1e-9):
            raise InstrumentError(
                f"{self._what}: range set for {text(max_voltage_v, 'V')} but it holds "
                f"{text(range_v, 'V')}; nothing was sourced"
            )
        self._held.range_v, self._held.max_voltage_v = range_v, max_voltage_v
        self._held.is_set_for_pulses = True
        self._set_up_readings()
        self._send_script()
        self.check_errors()

    def limit_current(self, compliance_a: float) -> None:
        """Set the current limit and make sure that it arrived; costs nothing if it is set already.

        Raises:
            LimitError: the instrument has no such limit; nothing was sent.
            InstrumentError: the instrument holds another value afterwards.
        """
        if compliance_a == self._held.compliance_a:
            return
        least_a, most_a = self.min_compliance_a, self.max_compliance_a
        if not least_a <= compliance_a <= most_a:
            raise LimitError(
                f"{self._what}: a current limit of {text(compliance_a, 'A')} is outside of "
                f"{text(least_a, 'A')} to {text(most_a, 'A')}; nothing was sent"
            )
        self._held.compliance_a = math.nan  # not known until the answer has come
        with self._mapped():
            self._smu.compliance_current = compliance_a
            held_a = float(self._smu.compliance_current)
        self._compare("current limit", compliance_a, held_a, "A")
        self._held.compliance_a = compliance_a

    def integrate(self, nplc: float) -> None:
        """Set the integration time and make sure that it arrived; costs nothing if it is set."""
        if nplc != self._held.nplc:
            self._set_up_readings()
            self._held.nplc = math.nan
            self._set_nplc(nplc)
            self._held.nplc = nplc

    def output_on(self) -> None:
        """Switch the output on at level zero; costs nothing if it is on already.

        Raises:
            InstrumentError: function, level, range or current limit are not what was set.
        """
        if self._held.output_on:
            return
        with self._mapped():
            self._smu.source_voltage = 0.0
        self._check_guards()
        with self._mapped():
            self._smu.source_enabled = True
        self._held.output_on = True

    def set_level(self, level_v: float) -> None:
        """Source ``level_v`` from now on; pulses that still run end. Sends only."""
        with self._mapped():
            if self._held.is_pulsing:
                self._smu.abort()
            self._smu.source_voltage = level_v
        self._held.is_pulsing = False

    def wait_until_done(self) -> None:
        """Return once the instrument has carried out all that it was told; costs one exchange.

        Raises:
            LinkError: it does not answer.
        """
        with self._mapped():
            self._driver.ask("*OPC?")

    def measure(self) -> SmuSample:
        """Measure voltage and current at once; takes the delay of the range and the integration.

        Raises:
            ProtocolError: the reply is not what was asked for.
            InstrumentError: the reading overflowed.
        """
        self._set_up_readings()
        with self._mapped():
            readings = np.array([self._smu.read_source_measure()])
        self._check_readings(readings)
        v_v, i_a, status = readings[0]
        return SmuSample(float(v_v), float(i_a), bool(int(status) & IN_COMPLIANCE))

    @staticmethod
    def period_s(width_s: float) -> float:
        """Return the shortest period of pulses of this width."""
        return width_s + MIN_OFF_S

    @staticmethod
    def train_s(width_s: float, n_pulses: int, period_s: float) -> float:
        """Return how long the instrument is busy with a call of ``pulse``."""
        return (n_pulses - 1) * period_s + width_s

    def pulse(
        self, amplitude_v: float, width_s: float, n_pulses: int, period_s: float
    ) -> PulseSamples:
        """Apply pulses from zero that the instrument times itself; returns when all are over.

        Afterwards the level is zero and the output on. The instrument is asked how far it is until
        it is done.

        Raises:
            LimitError: width, period, number or amplitude are out of reach; nothing was sent.
            InstrumentError: the instrument refused, stopped, or holds other guards.
        """
        self._check_pulses(amplitude_v, width_s, n_pulses, period_s)
        self._load_pulses(amplitude_v, width_s, n_pulses, period_s)
        self._check_guards()
        self._held.is_pulsing = True
        self.n_trains += 1
        with self._mapped():
            self._smu.initiate()
        self._wait_for_pulses(n_pulses, n_pulses * period_s)
        self._held.is_pulsing = False
        return self._pulse_samples(n_pulses)

    def check_errors(self) -> None:
        """Empty the instrument's error queue.

        Raises:
            InstrumentError: it held at least one error.
        """
        errors: list[str] = []
        with self._mapped():
            while len(errors) < _MAX_ERRORS:
                code, message = self._driver.next_error
                if code == 0:
                    break
                errors.append(f"{code} {message}")
        if errors:
            raise InstrumentError(f"{self._what}: {'; '.join(errors)}")

    def make_safe(self) -> None:
        """Scripts and pulses end, level to zero, output off. Sends only.

        Raises:
            LinkError: a step could not be sent; the others were tried.
        """
        driver, smu = self._driver, self._smu
        failures: list[BaseException] = []
        steps = [driver.abort_script, smu.abort, self._level_to_zero, self._output_off]
        if self._is_sending_script:  # or the instrument takes the rest for lines of it
            steps.insert(0, self._end_script)
        for step in steps:
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

    def _send_script(self) -> None:
        self._is_sending_script = True
        with self._mapped():
            self._driver.load_script(SCRIPT_NAME, SCRIPT)
        self._is_sending_script = False
        self.check_errors()
        with self._mapped():
            checksum = self._driver.checksum(SCRIPT_NAME)
        if checksum != script_checksum(SCRIPT):
            raise InstrumentError(f"{self._what}: the script for pulses did not arrive as sent")

    def _set_up_readings(self) -> None:
        """Return from pulses to the automatic range, automatic zero, delays and the NPLC."""
        if not self._held.is_set_for_pulses:
            return
        with self._mapped():
            smu = self._smu
            smu.current_range_auto_enabled = True
            smu.auto_zero = "auto"
            smu.source_delay = self._table.settle_s
            smu.measure_delay = AUTOMATIC_DELAY
            held = (float(smu.source_delay), float(smu.measure_delay))
        self._compare("source delay", self._table.settle_s, held[0], "s")
        self._compare("measurement delay", AUTOMATIC_DELAY, held[1], "s")
        if math.isfinite(self._held.nplc):
            self._set_nplc(self._held.nplc)
        self._held.is_set_for_pulses = False

    def _set_nplc(self, nplc: float) -> None:
        with self._mapped():
            self._smu.nplc = nplc
            held = float(self._smu.nplc)
        self._compare("integration time", nplc, held, "PLC")

    def _level_to_zero(self) -> None:
        self._smu.source_voltage = 0.0

    def _output_off(self) -> None:
        self._smu.source_enabled = False

    def _end_script(self) -> None:
        self._driver.write("endscript")
        self._is_sending_script = False

    # --- pulses -----------------------------------------------------------------------------

    def _check_pulses(
        self, amplitude_v: float, width_s: float, n_pulses: int, period_s: float
    ) -> None:
        problem = ""
        if not width_s >= MIN_PULSE_WIDTH_S * (1 - 1e-9):
            least = text(MIN_PULSE_WIDTH_S, "s")
            problem = f"a pulse of {text(width_s, 's')} is shorter than {least}"
        elif not period_s - width_s >= MIN_OFF_S * (1 - 1e-9):
            problem = f"pulses of {text(width_s, 's')} every {text(period_s, 's')} leave no pause"
        elif not 1 <= n_pulses <= MAX_PULSES:
            problem = f"{n_pulses} pulses are not 1 to {MAX_PULSES}"
        elif not abs(amplitude_v) <= self._held.max_voltage_v:
            most = text(self._held.max_voltage_v, "V")
            problem = f"an amplitude of {text(amplitude_v, 'V')} is above {most}"
        elif not self._held.output_on:
            problem = "the output is off"
        if problem:
            raise LimitError(f"{self._what}: {problem}; nothing was sent")

    def _load_pulses(
        self, amplitude_v: float, width_s: float, n_pulses: int, period_s: float
    ) -> None:
        """Load the train, and make sure that what was loaded is what was meant."""
        nplc = self._pulse_nplc(width_s)
        reading_s = nplc / self._line_frequency_hz + CONVERSION_OVERHEAD_S
        self._held.is_set_for_pulses = True
        with self._mapped():
            self._smu.load_pulses(
                amplitude_v,
                width_s,
                period_s,
                n_pulses,
                reading_s,
                nplc,
                self._held.compliance_a,
            )
        self.check_errors()
        wanted = (n_pulses, period_s, width_s - reading_s, width_s, nplc)
        with self._mapped():
            held = self._smu.loaded_pulses()
        if len(held) != len(wanted) or not np.allclose(held, wanted, rtol=1e-6, atol=1e-12):
            raise InstrumentError(
                f"{self._what}: pulses were loaded as {held!r}, not as {wanted!r}; "
                f"nothing was sourced"
            )

    def _pulse_nplc(self, width_s: float) -> float:
        """Return the integration time that was set, or what half a pulse has room for."""
        room = (width_s / 2 - CONVERSION_OVERHEAD_S) * self._line_frequency_hz
        set_nplc = self._held.nplc if math.isfinite(self._held.nplc) else 1.0
        return max(MIN_NPLC, min(set_nplc, room))

    def _wait_for_pulses(self, n_pulses: int, duration_s: float) -> None:
        """Ask how far it is until all pulses are over; gives up when they should be, long ago."""
        deadline_s = time.monotonic() + 1.5 * duration_s + self._table.timeout_s
        n_done = 0
        while n_done < n_pulses:
            interrupts.check()
            with self._mapped():
                n_done = int(self._smu.n_readings)
            if n_done < n_pulses and time.monotonic() > deadline_s:
                raise InstrumentError(
                    f"{self._what}: {n_done} of {n_pulses} pulses after {text(duration_s, 's')}"
                )
        with self._mapped():
            self._driver.wait_complete()

    def _pulse_samples(self, n_pulses: int) -> PulseSamples:
        parts = []
        for start in range(1, n_pulses + 1, _READINGS_PER_QUERY):
            end = min(start + _READINGS_PER_QUERY - 1, n_pulses)
            with self._mapped():
                parts.append(self._smu.buffer_readings(start, end))
            interrupts.check()
        readings = np.concatenate(parts)
        if len(readings) != n_pulses:
            raise ProtocolError(
                f"{self._what}: {len(readings)} readings of {n_pulses} pulses; "
                f"check what answers there"
            )
        self.check_errors()
        self._check_readings(readings)
        limited = readings[:, 2].astype(int) & IN_COMPLIANCE
        return PulseSamples(readings[:, 0], readings[:, 1], bool(limited.any()))

    # --- guards -----------------------------------------------------------------------------

    def _check_readings(self, readings: FloatArray) -> None:
        if not np.all(np.abs(readings[:, :2]) < _OVERFLOW):
            raise InstrumentError(f"{self._what}: a reading overflowed: {readings.tolist()!r}")
        if np.any(readings[:, 2].astype(int) & OVER_TEMPERATURE):
            raise InstrumentError(f"{self._what}: it is too hot; let it cool and run again")

    def _check_guards(self) -> None:
        """Make sure that function, level, range and current limit are what was set."""
        source = "smua.source."
        names = ", ".join(source + name for name in ("func", "levelv", "rangev", "limiti"))
        with self._mapped():
            reply = self._driver.ask(f"print({names})").strip()
            function, level_v, range_v, compliance_a = _four(reply)
        if function != 1:
            raise InstrumentError(f"{self._what}: it does not source voltage; nothing was sourced")
        self._compare("level", 0.0, level_v, "V")
        self._compare("range", self._held.range_v, range_v, "V")
        self._compare("current limit", self._held.compliance_a, compliance_a, "A")

    def _compare(self, name: str, wanted: float, held: float, unit: str) -> None:
        if not math.isclose(held, wanted, rel_tol=1e-6, abs_tol=1e-15):
            raise InstrumentError(
                f"{self._what}: {name} set to {text(wanted, unit)} but it holds "
                f"{text(held, unit)}; nothing was sourced"
            )

    def _mapped(self) -> mapping_errors:
        return mapping_errors(self._what)


class Keithley2636BSmu(Keithley2602BSmu):
    """A Keithley 2634B, 2635B or 2636B; ``Smu``."""

    models: str = "263[456]B"
    accuracy: SmuAccuracy = KEITHLEY_2636B
    min_compliance_a: float = 100e-12
    max_compliance_a: float = 1.5


def _four(reply: str) -> Sequence[float]:
    values = [float(item) for item in reply.split("\t")]
    if len(values) != 4:
        raise ValueError(f"{reply!r} is not 4 numbers")
    return values
