"""What pymeasure's Keithley 2450 lacks: source-measure readings, guards as they are, pulses.

pymeasure 0.16's ``Keithley2450`` speaks the buffer commands of the 2400, which a 2450 refuses in
its own command set, and moves a compliance that is out of range to the nearest one without a word.

Source: Model 2450 Reference Manual 2450-901-01, "SCPI command reference"; data sheet SPEC-2450.
"""

from __future__ import annotations

import numpy as np
from pymeasure.instruments import Instrument
from pymeasure.instruments.keithley import Keithley2450
from pymeasure.instruments.validators import strict_range

from hil.types import FloatArray

MIN_COMPLIANCE_A, MAX_COMPLIANCE_A = 1e-9, 1.05
MIN_NPLC, MAX_NPLC = 0.01, 10.0
MIN_DELAY_S = 167e-9
SOURCE_LIMITED = 1 << 5
"""Bit of the source status of a reading: the source was limiting."""

READING_ELEMENTS = ("READ", "SOUR", "SOURSTAT", "REL")
"""Asked for twice in the same query, so that a damaged digit does not pass for a reading."""

PULSE_LIST = "VoltCustomSweepList"
"""Source configuration list that ``:SOURce:LIST:VOLTage`` makes, without sourcing anything."""


class Keithley2450Scpi(Keithley2450):
    """Keithley 2450 in its own command set (``*LANG?`` is ``SCPI``)."""

    command_set = Instrument.measurement(
        "*LANG?", """Get the command set that it speaks: SCPI, SCPI2400 or TSP.""", cast=str
    )

    line_frequency = Instrument.measurement(
        ":SYST:LFR?", """Get the frequency of the mains in Hz, as measured at power-on."""
    )

    source_voltage = Instrument.control(
        ":SOUR:VOLT?", ":SOUR:VOLT %.9g", """Control the source voltage in V."""
    )

    compliance_current = Instrument.control(
        ":SOUR:VOLT:ILIM?",
        ":SOUR:VOLT:ILIM %.9g",
        """Control the current limit in A, 1 nA to 1.05 A; refused outside.""",
        validator=strict_range,
        values=[MIN_COMPLIANCE_A, MAX_COMPLIANCE_A],
    )

    current_nplc = Instrument.control(
        ":SENS:CURR:NPLC?",
        ":SENS:CURR:NPLC %.9g",
        """Control the integration time of the current in power line cycles, 0.01 to 10.""",
        validator=strict_range,
        values=[MIN_NPLC, MAX_NPLC],
    )

    current_range = Instrument.control(
        ":SENS:CURR:RANG?",
        ":SENS:CURR:RANG %.9g",
        """Control the current range in A; setting it ends automatic ranging.

        The parent class switches automatic ranging off first: the instrument then stays on the
        range that it happens to be on, and raises the current limit to 0.1 % of that.
        """,
        validator=strict_range,
        values=[0, MAX_COMPLIANCE_A],
    )

    source_read_back_enabled = Instrument.control(
        ":SOUR:VOLT:READ:BACK?",
        ":SOUR:VOLT:READ:BACK %d",
        """Control whether the source voltage is measured as well.""",
        values={True: 1, False: 0},
        map_values=True,
    )

    current_range_auto_enabled = Instrument.control(
        ":SENS:CURR:RANG:AUTO?",
        ":SENS:CURR:RANG:AUTO %d",
        """Control whether the current range follows the signal.""",
        values={True: 1, False: 0},
        map_values=True,
    )

    trigger_state = Instrument.measurement(
        ":TRIG:STAT?",
        """Get the state of the trigger model: IDLE, RUNNING, WAITING, ABORTED, FAILED ...""",
        cast=str,
        get_process=lambda reply: reply.split(";")[0],
    )

    pulse_levels = Instrument.measurement(
        ":SOUR:LIST:VOLT?", """Get the levels that pulses go to and come back to, in V."""
    )

    n_readings = Instrument.measurement(
        ':TRAC:ACT? "defbuffer1"', """Get how many readings are in ``defbuffer1``.""", cast=int
    )

    def read_source_measure(self) -> tuple[float, float, int]:
        """Measure the source voltage, then the current; return both and the source status.

        Raises:
            ValueError: the reply is not what was asked for, or was damaged on its way.
        """
        reply = self.ask(f':READ? "defbuffer1",{",".join(READING_ELEMENTS * 2)}')
        ((current_a, voltage_v, status, _),) = _readings(reply)
        return float(voltage_v), float(current_a), int(status)

    def load_pulses(
        self, amplitude_v: float, delay_s: float, off_delay_s: float, count: int
    ) -> None:
        """Load a trigger model of pulses from zero, with one measurement at the end of each.

        Nothing is sourced before ``:INIT``. Recalling the levels takes time beyond the delays.

        Args:
            amplitude_v: of all pulses.
            delay_s: from the level to its measurement.
            off_delay_s: at zero after each pulse.
            count: pulses.
        """
        blocks = [
            f'CONF:REC 2,"{PULSE_LIST}",1',
            f"DEL:CONS 3,{delay_s:.9g}",
            'MEAS 4,"defbuffer1"',
            f'CONF:REC 5,"{PULSE_LIST}",2',
            f"DEL:CONS 6,{off_delay_s:.9g}",
            f"BRAN:COUN 7,{count},2",
        ]
        self.write(f":SOUR:LIST:VOLT {amplitude_v:.9g},0")
        self.write(':TRIG:LOAD "Empty"')
        self.write(':TRIG:BLOC:BUFF:CLE 1,"defbuffer1"')
        for block in blocks:
            self.write(f":TRIG:BLOC:{block}")

    def buffer_readings(self, start: int, end: int) -> FloatArray:
        """Return current, source voltage, source status and time out of ``defbuffer1``.

        Args:
            start: position of the first reading, from 1.
            end: position of the last one.

        Returns:
            Shape (readings, 4); times from the first reading in the buffer.

        Raises:
            ValueError: the reply is not what was asked for, or was damaged on its way.
        """
        elements = ",".join(READING_ELEMENTS * 2)
        return _readings(self.ask(f':TRAC:DATA? {start},{end},"defbuffer1",{elements}'))

    def initiate(self) -> None:
        """Start the trigger model; returns at once."""
        self.write(":INIT")

    def abort(self) -> None:
        """Stop the trigger model; the output stays as it is."""
        self.write(":ABOR")


def _readings(reply: str) -> FloatArray:
    fields = np.array(reply.strip().split(",")).reshape(-1, 2, len(READING_ELEMENTS))
    if not np.array_equal(fields[:, 0], fields[:, 1]):
        raise ValueError(f"readings that were asked for twice differ: {reply.strip()!r:.200}")
    return fields[:, 0].astype(float)
