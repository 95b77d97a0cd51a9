"""Keysight B2901A and B2902A for pymeasure, which has no driver of the B2900 series.

Source: SCPI command reference B2910-90030; data sheet 5990-7009EN.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from pymeasure.adapters import Adapter
from pymeasure.instruments import Channel, Instrument, SCPIMixin
from pymeasure.instruments.validators import strict_discrete_set, strict_range

from hil.types import FloatArray

MIN_PULSE_WIDTH_S, MAX_PULSE_WIDTH_S = 50e-6, 1e5
MIN_TRIGGER_PERIOD_S = 20e-6
MAX_TRIGGERS = 100_000
MIN_APERTURE_S, MAX_APERTURE_S = 8e-6, 2.0
MAX_CURRENT_A, MAX_VOLTAGE_V = 3.03, 210.0
MIN_COMPLIANCE_A = 1e-9

ELEMENTS = ("VOLT", "CURR", "STAT")
"""What a reading is made of; the instrument sends them in this order."""

_ON_OFF: dict[str, Any] = {"values": {True: 1, False: 0}, "map_values": True}
_POSITIVE_TIME: dict[str, Any] = {"validator": strict_range, "values": [0, 1e5]}


def is_limited(status: float) -> bool:
    """Return whether the status of a reading says that the source was limiting (bits 1 and 2)."""
    return bool(int(status) & 0b110)


class B2900Channel(Channel):
    """One source-measure channel."""

    source_mode = Channel.control(
        ":SOUR{ch}:FUNC:MODE?",
        ":SOUR{ch}:FUNC:MODE %s",
        """Control what is sourced: voltage or current; a change switches the output off.""",
        validator=strict_discrete_set,
        values={"voltage": "VOLT", "current": "CURR"},
        map_values=True,
    )

    source_shape = Channel.control(
        ":SOUR{ch}:FUNC:SHAP?",
        ":SOUR{ch}:FUNC:SHAP %s",
        """Control the shape of the output: dc or pulse.""",
        validator=strict_discrete_set,
        values={"dc": "DC", "pulse": "PULS"},
        map_values=True,
    )

    source_voltage = Channel.control(
        ":SOUR{ch}:VOLT?",
        ":SOUR{ch}:VOLT %.9g",
        """Control the voltage level in V; the base of voltage pulses.""",
        validator=strict_range,
        values=[-MAX_VOLTAGE_V, MAX_VOLTAGE_V],
    )

    source_voltage_triggered = Channel.control(
        ":SOUR{ch}:VOLT:TRIG?",
        ":SOUR{ch}:VOLT:TRIG %.9g",
        """Control the voltage after a trigger in V; the peak of voltage pulses.

        Setting the voltage level sets this as well.
        """,
        validator=strict_range,
        values=[-MAX_VOLTAGE_V, MAX_VOLTAGE_V],
    )

    source_voltage_range = Channel.control(
        ":SOUR{ch}:VOLT:RANG?",
        ":SOUR{ch}:VOLT:RANG %.9g",
        """Control the range of the voltage source in V; takes effect while it is not automatic.""",
        validator=strict_range,
        values=[0, MAX_VOLTAGE_V],
    )

    source_voltage_range_auto_enabled = Channel.control(
        ":SOUR{ch}:VOLT:RANG:AUTO?",
        ":SOUR{ch}:VOLT:RANG:AUTO %d",
        """Control whether the range of the voltage source follows the level.""",
        **_ON_OFF,
    )

    source_current = Channel.control(
        ":SOUR{ch}:CURR?",
        ":SOUR{ch}:CURR %.9g",
        """Control the current level in A; the base of current pulses.""",
        validator=strict_range,
        values=[-MAX_CURRENT_A, MAX_CURRENT_A],
    )

    source_current_triggered = Channel.control(
        ":SOUR{ch}:CURR:TRIG?",
        ":SOUR{ch}:CURR:TRIG %.9g",
        """Control the current after a trigger in A; the peak of current pulses.""",
        validator=strict_range,
        values=[-MAX_CURRENT_A, MAX_CURRENT_A],
    )

    compliance_current = Channel.control(
        ":SENS{ch}:CURR:PROT?",
        ":SENS{ch}:CURR:PROT %.9g",
        """Control the current limit of the voltage source in A, 1 nA to 3.03 A.""",
        validator=strict_range,
        values=[MIN_COMPLIANCE_A, MAX_CURRENT_A],
    )

    compliance_voltage = Channel.control(
        ":SENS{ch}:VOLT:PROT?",
        ":SENS{ch}:VOLT:PROT %.9g",
        """Control the voltage limit of the current source in V.""",
        validator=strict_range,
        values=[0, MAX_VOLTAGE_V],
    )

    current_range = Channel.control(
        ":SENS{ch}:CURR:RANG?",
        ":SENS{ch}:CURR:RANG %.9g",
        """Control the current range of the measurement in A; setting it ends automatic ranging.""",
        validator=strict_range,
        values=[0, MAX_CURRENT_A],
    )

    current_range_auto_enabled = Channel.control(
        ":SENS{ch}:CURR:RANG:AUTO?",
        ":SENS{ch}:CURR:RANG:AUTO %d",
        """Control whether the current range of the measurement follows the signal.""",
        **_ON_OFF,
    )

    lowest_auto_current_range = Channel.control(
        ":SENS{ch}:CURR:RANG:AUTO:LLIM?",
        ":SENS{ch}:CURR:RANG:AUTO:LLIM %.9g",
        """Control the lowest current range in A that automatic ranging takes; 1 uA after reset.""",
        validator=strict_range,
        values=[0, MAX_CURRENT_A],
    )

    voltage_range = Channel.control(
        ":SENS{ch}:VOLT:RANG?",
        ":SENS{ch}:VOLT:RANG %.9g",
        """Control the voltage range of the measurement in V; setting it ends automatic ranging.""",
        validator=strict_range,
        values=[0, MAX_VOLTAGE_V],
    )

    voltage_range_auto_enabled = Channel.control(
        ":SENS{ch}:VOLT:RANG:AUTO?",
        ":SENS{ch}:VOLT:RANG:AUTO %d",
        """Control whether the voltage range of the measurement follows the signal.""",
        **_ON_OFF,
    )

    aperture = Channel.control(
        ":SENS{ch}:CURR:APER?",
        ":SENS{ch}:CURR:APER %.9g",
        """Control the integration time of all measurements in s, 8 us to 2 s.""",
        validator=strict_range,
        values=[MIN_APERTURE_S, MAX_APERTURE_S],
    )

    source_wait_enabled = Channel.control(
        ":SOUR{ch}:WAIT?",
        ":SOUR{ch}:WAIT %d",
        """Control whether the source waits after a change.""",
        **_ON_OFF,
    )

    measure_wait_enabled = Channel.control(
        ":SENS{ch}:WAIT?",
        ":SENS{ch}:WAIT %d",
        """Control whether measurements wait after a change of the source.""",
        **_ON_OFF,
    )

    measure_wait_auto_enabled = Channel.control(
        ":SENS{ch}:WAIT:AUTO?",
        ":SENS{ch}:WAIT:AUTO %d",
        """Control whether the instrument chooses how long measurements wait.""",
        **_ON_OFF,
    )

    measure_wait_offset = Channel.control(
        ":SENS{ch}:WAIT:OFFS?",
        ":SENS{ch}:WAIT:OFFS %.9g",
        """Control how long measurements wait after a change of the source in s, 0 to 1.""",
        validator=strict_range,
        values=[0, 1],
    )

    pulse_delay = Channel.control(
        ":SOUR{ch}:PULS:DEL?",
        ":SOUR{ch}:PULS:DEL %.9g",
        """Control the time from the start of the output to a pulse in s.""",
        **_POSITIVE_TIME,
    )

    pulse_width = Channel.control(
        ":SOUR{ch}:PULS:WIDT?",
        ":SOUR{ch}:PULS:WIDT %.9g",
        """Control the pulse width in s, from 50 us in steps of 1 us.""",
        validator=strict_range,
        values=[MIN_PULSE_WIDTH_S, MAX_PULSE_WIDTH_S],
    )

    trigger_source = Channel.setting(
        ":TRIG{ch}:SOUR %s",
        """Set what triggers both device actions: automatic, timer or bus.""",
        validator=strict_discrete_set,
        values={"automatic": "AINT", "timer": "TIM", "bus": "BUS"},
        map_values=True,
    )

    trigger_count = Channel.setting(
        ":TRIG{ch}:COUN %d",
        """Set how many triggers both device actions take, 1 to 100000.""",
        validator=strict_range,
        values=[1, MAX_TRIGGERS],
    )

    trigger_period = Channel.setting(
        ":TRIG{ch}:TIM %.9g",
        """Set the period of the timer of both device actions in s, from 20 us.""",
        validator=strict_range,
        values=[MIN_TRIGGER_PERIOD_S, 1e5],
    )

    transient_delay = Channel.control(
        ":TRIG{ch}:TRAN:DEL?",
        ":TRIG{ch}:TRAN:DEL %.9g",
        """Control the time from a trigger to the change of the source in s.""",
        **_POSITIVE_TIME,
    )

    acquire_delay = Channel.control(
        ":TRIG{ch}:ACQ:DEL?",
        ":TRIG{ch}:ACQ:DEL %.9g",
        """Control the time from a trigger to the start of a measurement in s.""",
        **_POSITIVE_TIME,
    )

    output_enabled = Channel.control(
        ":OUTP{ch}?", ":OUTP{ch} %d", """Control whether the output is on.""", **_ON_OFF
    )

    auto_output_on_enabled = Channel.control(
        ":OUTP{ch}:ON:AUTO?",
        ":OUTP{ch}:ON:AUTO %d",
        """Control whether runs and measurements switch the output on by themselves.""",
        **_ON_OFF,
    )

    def read_source_measure(self) -> tuple[float, float, float]:
        """Measure once; return voltage, current and status.

        Asks twice for the same reading, so that a damaged digit does not pass for one.

        Raises:
            ValueError: the reply is not what was asked for, or was damaged on its way.
        """
        reply = self.ask(":MEAS? (@{ch});:FETC? (@{ch})")
        ((voltage_v, current_a, status),) = _readings(reply)
        return float(voltage_v), float(current_a), float(status)

    def readings(self, offset: int, count: int) -> FloatArray:
        """Return voltages, currents and status out of the data of the last run.

        Waits for the end of the run.

        Args:
            offset: how many readings to leave out.
            count: at most so many.

        Returns:
            Shape (readings, 3).

        Raises:
            ValueError: the reply is not what was asked for, or was damaged on its way.
        """
        query = f":SENS{{ch}}:DATA? {offset},{count}"
        return _readings(self.ask(f"{query};{query}"))

    def initiate(self) -> None:
        """Begin both device actions; returns at once."""
        self.write(":INIT (@{ch})")

    def abort(self) -> None:
        """End both device actions; the output returns to its level."""
        self.write(":ABOR (@{ch})")

    def shutdown(self) -> None:
        """End what runs, and switch the output off."""
        self.abort()
        self.source_voltage = 0
        self.output_enabled = False


class KeysightB2901A(SCPIMixin, Instrument):
    """Keysight B2901A, one channel."""

    ch_1 = Instrument.ChannelCreator(B2900Channel, 1)

    def __init__(
        self, adapter: Adapter, name: str = "Keysight B2901A source-measure unit", **kwargs: Any
    ) -> None:
        super().__init__(adapter, name, **kwargs)

    line_frequency = Instrument.control(
        ":SYST:LFR?",
        ":SYST:LFR %d",
        """Control the frequency of the mains in Hz that integration times refer to: 50 or 60.""",
        validator=strict_discrete_set,
        values=[50, 60],
        cast=int,
    )

    def is_idle(self, channel: int = 1) -> bool:
        """Return whether no device action of a channel runs.

        Raises:
            ValueError: the reply is no integer.
        """
        return _has_idle_bits(self.ask(":STAT:OPER:COND?"), channel)

    def take_idle_events(self, channel: int = 1) -> bool:
        """Return whether both device actions of a channel have ended since this was last asked.

        Needs :meth:`report_idle_events` once after power-on.

        Raises:
            ValueError: the reply is no integer.
        """
        return _has_idle_bits(self.ask(":STAT:OPER?"), channel)

    def report_idle_events(self) -> None:
        """Let the end of device actions be an event."""
        self.write(":STAT:OPER:PTR 32767")

    def select_elements(self) -> None:
        """Let readings be made of voltage, current and status, in text."""
        self.write(":FORM ASC")
        self.write(f":FORM:ELEM:SENS {','.join(ELEMENTS)}")

    def shutdown(self) -> None:
        """End what runs, and switch all outputs off."""
        for channel in self.channels.values():
            channel.shutdown()
        super().shutdown()


class KeysightB2902A(KeysightB2901A):
    """Keysight B2902A, two channels."""

    ch_2 = Instrument.ChannelCreator(B2900Channel, 2)

    def __init__(
        self, adapter: Adapter, name: str = "Keysight B2902A source-measure unit", **kwargs: Any
    ) -> None:
        super().__init__(adapter, name, **kwargs)


def _readings(reply: str) -> FloatArray:
    """Return the readings of a reply that holds them twice."""
    first, second = reply.strip().split(";")
    if first != second:
        raise ValueError(f"readings that were asked for twice differ: {reply.strip()!r:.200}")
    return np.array(first.split(",")).reshape(-1, len(ELEMENTS)).astype(float)


def _has_idle_bits(reply: str, channel: int) -> bool:
    both = 0b10010 << 6 * (channel - 1)
    return int(reply) & both == both
