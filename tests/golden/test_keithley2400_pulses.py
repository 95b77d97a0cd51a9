"""Our 2400 driver: the bytes of a pulse train, what a 2400 makes of them, and what it refuses."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pymeasure.test import expected_protocol

from hil.errors import InstrumentError, LimitError, LinkTimeout, ProtocolError
from hil.instruments.keithley2400 import Keithley2400Smu
from hil.instruments.keithley2400_pulses import MAX_READINGS, MIN_PULSE_WIDTH_S, PulsePlan
from hil.instruments.keithley2400_scpi import Keithley2400ListSweeps
from hil.instruments.smu import Smu
from hil.station import SmuTable
from tests.unit.test_keithley2400_firmware import ResistorBench
from twin.firmware.keithley2400 import Keithley2400Firmware
from twin.servers.inprocess import InProcessAdapter

ELEMENTS = (b":FORMAT:ELEMENTS VOLTAGE, CURRENT, RESISTANCE, TIME, STATUS", None)
TABLE = SmuTable(driver="keithley2400", address="GPIB0::24::INSTR", timeout_s=0.1)


class TimedBench(ResistorBench):
    """Notes when the voltage changes; ``steps`` are bench time and volts."""

    def __init__(self, load_ohm: float = 10e3) -> None:
        super().__init__(load_ohm)
        self.steps: list[tuple[float, float]] = []

    def apply(self, level_v: float, compliance_a: float) -> None:
        if self.source is None or self.source[0] != level_v:
            self.steps.append((self.t_s, level_v))
        super().apply(level_v, compliance_a)


class Deaf(Keithley2400Firmware):
    """Hears or says something else.

    Attributes:
        ignores: begins a message that does not arrive.
        replies: comes in place of every reply, if it is not empty.
    """

    ignores = b"\0"
    replies = b""

    def receive(self, data: bytes) -> bytes:
        if data.startswith(self.ignores):
            return b""
        reply = super().receive(data)
        return self.replies or reply if reply else b""


class Rig:
    def __init__(self, *, is_ideal: bool = True, load_ohm: float = 10e3) -> None:
        self.bench = TimedBench(load_ohm)
        self.firmware = Deaf(self.bench, 50, is_ideal=is_ideal)
        self.smu = Keithley2400Smu(InProcessAdapter(self.firmware), TABLE)

    def ready(self, compliance_a: float = 1e-3) -> Rig:
        self.smu.prepare(2.0)
        self.smu.limit_current(compliance_a)
        self.smu.integrate(1.0)
        self.smu.output_on()
        self.bench.steps.clear()
        return self

    def sent(self) -> list[str]:
        seen = list(self.firmware.commands_seen)
        self.firmware.commands_seen.clear()
        return seen


def as_smu(smu: Smu) -> Smu:
    return smu  # the type checker compares


def test_it_is_a_source_measure_unit() -> None:
    rig = Rig()
    assert as_smu(rig.smu) is rig.smu


# --- bytes --------------------------------------------------------------------------------------


def test_list_sweep_on_the_wire() -> None:
    with expected_protocol(
        Keithley2400ListSweeps,
        [
            ELEMENTS,
            (b":SOURCE:VOLTAGE:MODE LIST", None),
            (b":SOURCE:SWEEP:RANGING FIX", None),
            (b":SOURCE:LIST:VOLTAGE 0.5,0", None),
            (b":ARM:COUNT 1;:TRIGGER:COUNT 2;:ARM:COUNT 10", None),
            (b":ARM:SOURCE TIM", None),
            (b":ARM:TIMER 0.05000", None),
            (b":TRIGGER:DELAY 0", None),
            (b":TRACE:POINTS 20", None),
            (b":TRACE:FEED SENSE;:TRACE:FEED:CONTROL NEXT", None),
            (b":SOURCE:LIST:VOLTAGE?", b"+5.000000E-01,+0.000000E+00"),
            (b":INITIATE", None),
            (b":FORMAT:ELEMENTS VOLTAGE, CURRENT, STATUS", None),
            (b":TRACE:DATA?", b"+5.0E-01,+5.0E-05,+2.2532E+04,+0.0E+00,+0.0E+00,+2.2532E+04"),
            ELEMENTS,
            (b":SOURCE:VOLTAGE:MODE FIX", None),
            (b":ARM:COUNT 1;:TRIGGER:COUNT 1;:ARM:SOURCE IMM", None),
            (b":TRAC:FEED:CONT NEV", None),
        ],
    ) as driver:
        driver.load_list([0.5, 0.0], 10, 0.05)
        assert driver.source_voltage_list == [0.5, 0.0]
        driver.initiate()
        assert driver.buffered_readings().tolist() == [[0.5, 5e-5, 22532], [0, 0, 22532]]
        driver.unload_list()


@pytest.mark.parametrize(
    ("name", "value", "message", "query", "reply"),
    [
        ("source_voltage_mode", "list", b":SOURCE:VOLTAGE:MODE LIST", b":SOURCE:VOLTAGE:MODE?",
         b"LIST"),
        ("sweep_ranging", "best", b":SOURCE:SWEEP:RANGING BEST", b":SOURCE:SWEEP:RANGING?",
         b"BEST"),
        ("cycle_delay", 0.01478, b":SOURCE:DELAY 0.014780", b":SOURCE:DELAY?", b"1.478000E-02"),
        ("arm_period", 0.05, b":ARM:TIMER 0.05000", b":ARM:TIMER?", b"5.000000E-02"),
        ("buffer_size", 20, b":TRACE:POINTS 20", b":TRACE:POINTS?", b"20"),
    ],
)  # fmt: skip
def test_settings_on_the_wire(
    name: str, value: object, message: bytes, query: bytes, reply: bytes
) -> None:
    with expected_protocol(
        Keithley2400ListSweeps, [ELEMENTS, (message, None), (query, reply)]
    ) as driver:
        setattr(driver, name, value)
        assert getattr(driver, name) == value


def test_a_pulse_train_message_by_message() -> None:
    rig = Rig().ready()
    rig.sent()
    rig.smu.pulse(0.5, 0.02, 3, 0.05)
    assert rig.sent() == [
        ":SYSTEM:AZERO:STATE 0",
        ":SENSE:FUNCTION:OFF 'RES'",
        ":SENSE:CURRENT:RANGE 0.001",
        ":SENSE:CURRENT:NPLCYCLES 0.46",
        ":SOURCE:DELAY 0.000380",
        ":SOURCE:VOLTAGE:MODE LIST",
        ":SOURCE:SWEEP:RANGING FIX",
        ":SOURCE:LIST:VOLTAGE 0.5,0",
        ":ARM:COUNT 1;:TRIGGER:COUNT 2;:ARM:COUNT 3",
        ":ARM:SOURCE TIM",
        ":ARM:TIMER 0.05000",
        ":TRIGGER:DELAY 0",
        ":TRACE:POINTS 6",
        ":TRACE:FEED SENSE;:TRACE:FEED:CONTROL NEXT",
        ":SENSE:CURRENT:PROTECTION?",
        ":SOURCE:VOLTAGE:RANGE?",
        ":SOURCE:LIST:VOLTAGE?",
        ":ARM:COUNT?;:TRIGGER:COUNT?",
        "SYST:ERR?",
        ":INITIATE",
        "*OPC?",
        ":FORMAT:ELEMENTS VOLTAGE, CURRENT, STATUS",
        ":TRACE:DATA?",
        ":FORMAT:ELEMENTS VOLTAGE, CURRENT, RESISTANCE, TIME, STATUS",
        ":SOURCE:VOLTAGE:MODE FIX",
        ":ARM:COUNT 1;:TRIGGER:COUNT 1;:ARM:SOURCE IMM",
        ":TRAC:FEED:CONT NEV",
        ":SOURCE:DELAY 0.001",
        ":SENSE:CURRENT:RANGE:AUTO 1",
        ":SENSE:FUNCTION:ALL",
        ":SYSTEM:AZERO:STATE 1",
        ":SENSE:CURRENT:NPLCYCLES 1",
    ]


# --- what the instrument makes of it ------------------------------------------------------------


@pytest.mark.parametrize(
    ("width_s", "n_pulses", "period_s"),
    [
        (0.02, 3, 0.05),
        (0.002, 5, 0.004),
        (0.1, 4, 0.105),
        (1.0, 1, 1.5),
        (0.0213, 2, 0.1),
        (0.01, 250, 0.02),
    ],
)
def test_pulses_last_as_long_as_they_were_asked_for(
    width_s: float, n_pulses: int, period_s: float
) -> None:
    rig = Rig().ready()
    samples = rig.smu.pulse(-0.5, width_s, n_pulses, period_s)
    starts_s = [t_s for t_s, level_v in rig.bench.steps if level_v]
    ends_s = [t_s for t_s, level_v in rig.bench.steps if not level_v]
    assert len(starts_s) == len(ends_s) == n_pulses
    assert np.subtract(ends_s, starts_s) == pytest.approx(np.full(n_pulses, width_s), abs=2e-6)
    assert np.diff(starts_s) == pytest.approx(np.full(n_pulses - 1, period_s), abs=1e-6)
    assert samples.v_v.tolist() == [-0.5] * n_pulses
    assert samples.i_a.tolist() == [-5e-5] * n_pulses
    assert not samples.in_compliance
    assert rig.bench.source == (0.0, 1e-3)
    rig.smu.check_errors()


def test_readings_go_on_as_before() -> None:
    rig = Rig().ready()
    rig.smu.pulse(0.5, 0.02, 2, 0.05)
    rig.smu.set_level(0.1)
    before_s = rig.bench.t_s
    sample = rig.smu.measure()
    assert (sample.v_v, sample.i_a) == (0.1, 1e-5)
    assert rig.bench.t_s - before_s == pytest.approx(0.021)


def test_real_converters_measure_within_the_accuracy_of_a_short_integration() -> None:
    rig = Rig(is_ideal=False).ready()
    samples = rig.smu.pulse(0.5, MIN_PULSE_WIDTH_S, 20, 0.01)
    assert samples.i_a == pytest.approx(5e-5, rel=0.05)
    assert samples.v_v == pytest.approx(0.5, abs=20e-3)
    assert np.std(samples.i_a) > 0


def test_compliance_inside_the_pulses_is_told() -> None:
    rig = Rig().ready(1e-5)
    samples = rig.smu.pulse(0.5, 0.02, 2, 0.05)
    assert samples.in_compliance
    assert samples.i_a.tolist() == [1e-5, 1e-5]


@pytest.mark.parametrize("compliance_a", [1e-9, 1e-7, 3.3e-6, 0.1])
def test_small_compliances_arrive(compliance_a: float) -> None:
    rig = Rig().ready(compliance_a)
    assert rig.bench.source == (0.0, compliance_a)
    assert rig.smu.pulse(0.5, 0.02, 1, 0.05).i_a[0] == pytest.approx(min(compliance_a, 5e-5))
    assert rig.bench.source == (0.0, compliance_a)


# --- refusals -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("amplitude_v", "width_s", "n_pulses", "period_s", "found"),
    [
        (0.5, 0.00199, 1, 0.1, "shorter than 2 ms"),
        (0.5, math.nan, 1, 0.1, "shorter than"),
        (0.5, 0.02, 0, 0.1, "not 1 to 250"),
        (0.5, 0.02, 251, 0.1, "not 1 to 250"),
        (2.1, 0.02, 1, 0.1, "above 2 V"),
        (math.nan, 0.02, 1, 0.1, "above 2 V"),
        (0.5, 0.02, 2, 0.0215, "leave no 2 ms"),
        (0.5, 0.5, 250, 0.55, "2750 readings of 2500"),
    ],
)
def test_what_it_cannot_do_is_refused_before_a_byte_is_sent(
    amplitude_v: float, width_s: float, n_pulses: int, period_s: float, found: str
) -> None:
    rig = Rig().ready()
    rig.sent()
    with pytest.raises(LimitError, match=found):
        rig.smu.pulse(amplitude_v, width_s, n_pulses, period_s)
    assert rig.sent() == []


def test_no_pulses_without_output_or_compliance() -> None:
    rig = Rig()
    rig.smu.prepare(2.0)
    with pytest.raises(LimitError, match="output is off"):
        rig.smu.pulse(0.5, 0.02, 1, 0.1)
    rig.smu.output_on()
    with pytest.raises(LimitError, match="no compliance"):
        rig.smu.pulse(0.5, 0.02, 1, 0.1)


@pytest.mark.parametrize(
    ("ignored", "found"),
    [
        (b":SOURCE:LIST:VOLTAGE 0", "points set but it holds"),
        (b":ARM:COUNT 1;:TRIG", "points set but it holds"),
    ],
)
def test_a_guard_that_did_not_arrive_stops_before_anything_is_sourced(
    ignored: bytes, found: str
) -> None:
    rig = Rig().ready()
    rig.firmware.ignores = ignored
    with pytest.raises(InstrumentError, match=found):
        rig.smu.pulse(0.5, 0.02, 2, 0.05)
    assert rig.bench.steps == []


def test_another_range_or_compliance_is_found() -> None:
    rig = Rig()
    rig.firmware.ignores = b":SENSE:CURRENT:PROTECTION 0"
    with pytest.raises(InstrumentError, match="compliance set to 1 mA but it holds 105"):
        rig.ready()
    rig.firmware.ignores = b":SOURCE:VOLTAGE:RANGE 30"
    with pytest.raises(InstrumentError, match="range set for 30 V but it holds"):
        rig.smu.prepare(30.0)
    rig.firmware.ignores = b"\0"
    rig.ready()
    rig.firmware.receive(b":SENS:CURR:PROT 0.1\n")
    with pytest.raises(InstrumentError, match="compliance set to 1 mA but it holds 100 mA"):
        rig.smu.pulse(0.5, 0.02, 2, 0.05)


def test_pulses_that_never_end_are_aborted_by_make_safe() -> None:
    rig = Rig().ready()
    rig.firmware.ignores = b":ARM:SOURCE TIM"
    rig.firmware.receive(b":ARM:SOUR TLIN\n")
    with pytest.raises(LinkTimeout):
        rig.smu.pulse(0.5, 0.02, 2, 0.05)
    rig.sent()
    rig.smu.make_safe()
    assert rig.sent() == [":ABORT", ":SOURCE:VOLTAGE 0", "OUTPUT 0"]
    assert rig.bench.source is None
    rig.smu.resynchronise()
    rig.firmware.ignores = b"\0"
    rig.smu.output_on()
    assert rig.smu.measure().v_v == 0.0
    assert rig.firmware.receive(b":SOUR:VOLT:MODE?;:ARM:COUN?\n") == b"FIX;1\n"


def test_another_answer_than_done_is_no_answer() -> None:
    rig = Rig().ready()
    rig.firmware.replies = b"0\n"
    with pytest.raises(ProtocolError, match="no answer to"):
        rig.smu.wait_until_done()


def test_a_buffer_that_is_too_short_is_no_result() -> None:
    rig = Rig().ready()
    rig.firmware.ignores = b":TRACE:POINTS"
    rig.firmware.receive(b":TRAC:POIN 3\n")
    with pytest.raises(ProtocolError, match="3 readings of 4"):
        rig.smu.pulse(0.5, 0.02, 2, 0.05)


# --- plans --------------------------------------------------------------------------------------


@given(
    st.floats(MIN_PULSE_WIDTH_S, 1.0),
    st.integers(1, 250),
    st.floats(MIN_PULSE_WIDTH_S, 1.0),
    st.sampled_from([50, 60]),
    st.floats(0.01, 10),
)
def test_a_plan_that_is_accepted_fits(
    width_s: float, n_pulses: int, gap_s: float, line_frequency_hz: int, wanted: float
) -> None:
    plan = PulsePlan(0.5, width_s, n_pulses, width_s + gap_s + 1e-5, line_frequency_hz)
    if plan.problem(2.0):
        assert plan.n_readings > MAX_READINGS or plan.n_points > 100
        return
    nplc = plan.nplc(wanted)
    assert 0.01 <= nplc <= max(wanted, 0.01)
    assert plan.delay_s(nplc) > 0
    assert plan.levels_v[-1] == 0
    if n_pulses > 1:
        assert plan.n_points * plan.point_s <= plan.timer_s + 1e-9
    assert plan.n_points_high * plan.point_s == pytest.approx(width_s)
