"""Trigger model, sweeps, buffer, computations and status of the 2400 twin."""

from __future__ import annotations

import math
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hil.instruments.accuracy import KEITHLEY_2400
from tests.unit.test_keithley2400_firmware import Rig, ready
from twin.firmware.keithley2400 import Keithley2400Firmware

SHORT = ":SYST:AZER OFF;:SENS:CURR:NPLC 0.01;:SOUR:DEL 0.001"
POINT_S = 50e-6 + 1e-3 + 2 * (0.01 / 50 + 185e-6) + 0.8e-3
"""One cycle of a sweep with both functions, after ``SHORT`` (manual, appendix A)."""


def sweeper() -> Rig:
    """Both functions on, 1 mA limit, voltage and current in replies, output on, short cycles."""
    rig = Rig()
    rig.ask(
        ":SENS:FUNC 'VOLT','CURR';:SENS:CURR:PROT 1e-3;:FORM:ELEM VOLT,CURR",
        SHORT,
        "OUTP ON",
    )
    return rig


def levels(rig: Rig) -> list[float]:
    """The voltages of a sweep as measured."""
    return rig.read()[::2]


# --- sweeps -------------------------------------------------------------------------------------

LINEAR = ":SOUR:VOLT:MODE SWE;:SOUR:VOLT:STAR 0;STOP 1;STEP 0.25;:TRIG:COUN 5"


def test_linear_sweep() -> None:
    rig = sweeper()
    rig.ask(LINEAR)
    assert rig.read() == [0, 0, 0.25, 2.5e-5, 0.5, 5e-5, 0.75, 7.5e-5, 1, 1e-4]
    assert rig.bench.t_s == pytest.approx(5 * POINT_S, rel=1e-9)
    rig.ask(":SOUR:SWE:DIR DOWN")
    assert levels(rig) == [1, 0.75, 0.5, 0.25, 0]
    assert rig.ask(":SOUR:SWE:POIN?;:SOUR:VOLT:STEP?;CENT?;SPAN?") == (
        "5;2.500000E-01;5.000000E-01;1.000000E+00"
    )
    assert rig.errors() == []


def test_centre_and_span_are_start_and_stop() -> None:
    rig = sweeper()
    rig.ask(":SOUR:VOLT:SPAN 2;CENT 5")
    assert rig.ask(":SOUR:VOLT:STAR?;STOP?") == "4.000000E+00;6.000000E+00"
    rig.ask(":SOUR:VOLT:SPAN 420")
    assert rig.errors() == [-222]


def test_logarithmic_sweep_and_its_refusal_at_zero() -> None:
    rig = sweeper()
    rig.ask(":SOUR:VOLT:MODE SWE;:SOUR:SWE:SPAC LOG;POIN 4;:SOUR:VOLT:STAR 0.001;STOP 1")
    rig.ask(":TRIG:COUN 4")
    assert levels(rig) == [0.001, 0.01, 0.1, 1]
    rig.ask(":SOUR:VOLT:STAR 0", ":READ?")
    assert rig.errors() == [-221]


def test_list_sweep_starts_where_it_is_told_and_wraps_around() -> None:
    rig = sweeper()
    rig.ask(":SOUR:VOLT:MODE LIST;:SOUR:LIST:VOLT 0.1,0.2;VOLT:APP 0.3;:TRIG:COUN 4")
    assert levels(rig) == [0.1, 0.2, 0.3, 0.1]
    rig.ask(":SOUR:LIST:VOLT:STAR 2")
    assert levels(rig) == [0.2, 0.3, 0.2, 0.3]
    assert rig.ask(":SOUR:LIST:VOLT?;VOLT:POIN?") == ("+1.000000E-01,+2.000000E-01,+3.000000E-01;3")
    assert rig.bench.source == (0.3, 1e-3)  # the source stays at the last level
    rig.ask(":SOUR:LIST:VOLT " + ",".join(["0"] * 101))
    assert rig.errors() == [-222]


@pytest.mark.parametrize(
    ("ranging", "sourced", "range_v"),
    [("BEST", 5.0, "2.100000E+01"), ("AUTO", 5.0, "2.100000E+01"), ("FIX", 2.1, "2.100000E+00")],
)
def test_source_ranging_of_a_sweep(ranging: str, sourced: float, range_v: str) -> None:
    rig = sweeper()
    rig.ask(f":SOUR:VOLT:RANG 2;:SOUR:SWE:RANG {ranging};:SOUR:VOLT:MODE LIST;:TRIG:COUN 2")
    rig.ask(":SOUR:LIST:VOLT 0.1,5")
    assert levels(rig) == [0.1, sourced]
    assert rig.ask(":SOUR:VOLT:RANG?") == range_v


@pytest.mark.parametrize(("abort", "n_points"), [("NEV", 5), ("EARL", 3), ("LATE", 3)])
def test_a_sweep_can_end_in_compliance(abort: str, n_points: int) -> None:
    rig = sweeper()
    rig.ask(LINEAR, f":SOUR:SWE:CAB {abort};:SENS:CURR:PROT 4e-5")
    assert len(levels(rig)) == n_points


def test_current_sweep() -> None:
    rig = Rig()
    rig.ask(":SOUR:FUNC CURR;:SENS:FUNC 'VOLT';:FORM:ELEM VOLT,CURR;:OUTP ON")
    rig.ask(":SOUR:CURR:MODE SWE;:SOUR:CURR:STAR 0;STOP 1e-4;STEP 5e-5;:TRIG:COUN 3")
    assert rig.read() == [0, 0, 0.5, 5e-5, 1, 1e-4]


def test_a_triggered_level_waits_for_its_trigger() -> None:
    rig = ready()
    rig.ask(":SOUR:VOLT:TRIG 0.25")
    assert rig.bench.source == (0.5, 1e-3)
    assert rig.read()[0] == 0.25
    assert rig.ask(":SOUR:VOLT?") == "2.500000E-01"


# --- trigger model ------------------------------------------------------------------------------


def test_counts_multiply_and_the_delay_comes_before_each_cycle() -> None:
    rig = ready()
    rig.ask(":ARM:COUN 2;:TRIG:COUN 3;:TRIG:DEL 0.1;:FORM:ELEM TIME")
    times_s = rig.read()
    assert len(times_s) == 6
    assert times_s[1] - times_s[0] == pytest.approx(0.121)


def test_timer_starts_each_pass() -> None:
    rig = ready()
    rig.ask(":ARM:COUN 3;:ARM:SOUR TIM;:ARM:TIM 0.5;:FORM:ELEM TIME")
    assert rig.read() == pytest.approx([0.021, 0.521, 1.021])


def test_bus_trigger_and_what_waits_for_it() -> None:
    rig = ready()
    rig.ask(":ARM:SOUR BUS;COUN 2;:FORM:ELEM VOLT")
    assert rig.ask(":INIT;:FETC?") == ""
    assert rig.ask(":SOUR:VOLT 0.1", "OUTP?") == ""  # wait, too
    assert rig.ask("*TRG") == ""
    assert rig.ask("*TRG") == "+5.000000E-01,+5.000000E-01\n1"
    assert rig.ask(":SOUR:VOLT?") == "1.000000E-01"
    assert rig.errors() == []


@pytest.mark.parametrize("end", [":ABOR", ":SYST:PRES", "*RCL 0", "*RST"])
def test_what_ends_a_wait(end: str) -> None:
    rig = ready()
    rig.ask(":ARM:SOUR TLIN;:INIT", "OUTP?")
    reply = rig.ask(end)
    assert reply in ("1", "0", "")
    assert rig.ask(":ARM:SOUR?;*OPC?") == ("TLIN;1" if end == ":ABOR" else "IMM;1")


def test_the_first_event_can_be_bypassed() -> None:
    rig = ready()
    rig.ask(":ARM:SOUR TLIN;:ARM:DIR SOUR;:TRIG:SOUR TLIN;:TRIG:DIR SOUR;:FORM:ELEM VOLT")
    assert rig.read() == [0.5]
    rig.ask(":TRIG:COUN 2")
    assert rig.ask(":READ?") == ""
    rig.ask(":ABOR")
    assert rig.read(":FETC?") == [0.5]


def test_endless_arming_fills_the_buffer_and_stays_busy() -> None:
    rig = ready()
    rig.ask(":ARM:COUN INF;:TRAC:POIN 3;:TRAC:FEED:CONT NEXT;:INIT")
    assert rig.ask("*OPC?") == ""
    assert rig.ask(":ABOR") == "1"
    assert rig.ask(":TRAC:POIN:ACT?;:ARM:COUN?") == "3;+9.900000E+37"


def test_time_stamps_can_start_with_each_run() -> None:
    rig = ready()
    rig.ask(":SYST:TIME:RES:AUTO ON;:TRIG:COUN 2;:FORM:ELEM TIME;:INIT")
    assert rig.read() == pytest.approx([0.021, 0.042])


def test_init_needs_the_output_and_leaves_it_alone() -> None:
    rig = Rig()
    rig.ask(":INIT")
    assert rig.errors() == [803]
    rig.ask(":SOUR:CLE:AUTO ON;:TRIG:COUN 2;:SOUR:VOLT 0.1;:INIT")
    assert [event[0] for event in rig.bench.events] == ["apply", "release"] * 2
    rig.ask("*RST;:SOUR:CLE:AUTO ON;AUTO:MODE TCO;:TRIG:COUN 2;:INIT")
    assert [event[0] for event in rig.bench.events[4:]] == ["release", "apply", "release"]


# --- buffer -------------------------------------------------------------------------------------


def buffered(n_points: int = 4) -> Rig:
    rig = sweeper()
    rig.ask(LINEAR, f":TRAC:POIN {n_points};:TRAC:FEED:CONT NEXT")
    return rig


def test_buffer_takes_what_is_measured_until_it_is_full() -> None:
    rig = buffered(3)
    rig.ask(":STAT:MEAS:ENAB 512;*SRE 1")
    assert rig.ask("*STB?;:TRAC:FEED:CONT?") == "0;NEXT"
    rig.ask(":INIT")
    assert rig.ask("*STB?;:TRAC:FEED:CONT?;:TRAC:POIN:ACT?") == "65;NEV;3"
    assert rig.read(":TRAC:DATA?")[::2] == [0, 0.25, 0.5]
    rig.ask(":TRAC:CLE")
    assert rig.ask(":TRAC:POIN:ACT?;:STAT:MEAS:COND?") == "0;0"


def test_statistics_of_what_was_measured() -> None:
    rig = buffered(4)
    rig.ask(":INIT")
    found = {}
    for name in ("MEAN", "SDEV", "MAX", "MIN", "PKPK"):
        found[name] = rig.read(f":CALC3:FORM {name};:CALC3:DATA?")
    assert found["MEAN"] == [0.375, 3.75e-5]
    assert found["SDEV"] == pytest.approx([0.3227486, 3.227486e-5])
    assert found["MAX"] == [0.75, 7.5e-5]
    assert found["MIN"] == [0, 0]
    assert found["PKPK"] == [0.75, 7.5e-5]


def test_time_stamps_of_the_buffer() -> None:
    rig = buffered(3)
    rig.ask(":INIT;:FORM:ELEM TIME")
    assert rig.read(":TRAC:DATA?") == pytest.approx([0, POINT_S, 2 * POINT_S], rel=1e-5)
    rig.ask(":TRAC:TST:FORM DELT")
    assert rig.read(":TRAC:DATA?") == pytest.approx([0, POINT_S, POINT_S], rel=1e-5)


@pytest.mark.parametrize(("order", "sign"), [("NORM", ">"), ("SWAP", "<")])
@pytest.mark.parametrize("name", ["REAL,32", "SRE", "REAL"])
def test_binary_formats(name: str, order: str, sign: str) -> None:
    rig = sweeper()
    rig.ask(LINEAR, f":FORM:DATA {name};:FORM:BORD {order}")
    reply = rig.firmware.receive(b":READ?\n")
    assert reply[:2] == b"#0"
    assert reply[-1:] == b"\n"
    numbers = struct.unpack(f"{sign}10f", reply[2:-1])
    assert numbers == pytest.approx([0, 0, 0.25, 2.5e-5, 0.5, 5e-5, 0.75, 7.5e-5, 1, 1e-4])
    assert rig.ask(":FORM?") == name.replace("REAL,32", "REAL").replace("REAL", "REAL,32")


# --- computations -------------------------------------------------------------------------------


def test_power() -> None:
    rig = sweeper()
    rig.ask(LINEAR, ":CALC:MATH:NAME 'POWER';:CALC:STAT ON;:TRAC:FEED CALC1;FEED:CONT NEXT")
    rig.ask(":TRAC:POIN 5;:TRAC:FEED:CONT NEXT", ":INIT")
    powers_w = [0, 6.25e-6, 2.5e-5, 5.625e-5, 1e-4]
    assert rig.read(":CALC:DATA?") == powers_w
    assert rig.read(":CALC:DATA:LAT?") == powers_w[-1:]
    assert rig.read(":TRAC:DATA?") == powers_w
    assert rig.read(":CALC3:DATA?") == pytest.approx([3.75e-5])
    assert rig.ask(":TRAC:FEED?;:CALC:MATH:NAME?") == 'CALC1;"POWER"'


def test_relative_offset_and_limits() -> None:
    rig = ready()
    rig.ask(":CALC2:FEED VOLT;NULL:ACQ;STAT ON", "*OPC")
    rig.ask(":INIT", ":SOUR:VOLT 0.75;:INIT")
    assert rig.read(":CALC2:DATA?") == [0.25]
    rig.ask(":CALC2:LIM2:UPP 0.2;STAT ON;:CALC2:LIM3:LOW 0.3;STAT ON;:CALC2:LIM5:STAT ON;*CLS")
    rig.ask(":INIT")
    assert rig.ask(":CALC2:LIM2:FAIL?;:CALC2:LIM3:FAIL?;:CALC2:LIM5:FAIL?") == "1;1;0"
    assert int(rig.ask(":STAT:MEAS?")) & 0b111111 == 0b001100
    rig.ask(":CALC2:LIM2:STAT OFF;:CALC2:LIM3:STAT OFF;:INIT")
    assert int(rig.ask(":STAT:MEAS?")) & 0b111111 == 0b100000


@pytest.mark.parametrize(("fails", "limit_a", "result"), [("IN", 1e-5, "1"), ("OUT", 1e-5, "0")])
def test_compliance_limit(fails: str, limit_a: float, result: str) -> None:
    rig = ready()
    rig.ask(f":SENS:CURR:PROT {limit_a};:CALC2:LIM:STAT ON;COMP:FAIL {fails};:INIT")
    assert rig.ask(":CALC2:LIM:FAIL?") == result


# --- measurement --------------------------------------------------------------------------------


def test_current_source_and_its_voltage_limit() -> None:
    rig = Rig()
    rig.ask(":SOUR:FUNC CURR;:SOUR:CURR 1e-4;:SENS:FUNC 'VOLT','CURR';:OUTP ON")
    v_v, i_a, _, _, status = rig.read()
    assert (v_v, i_a, int(status) & (1 << 15 | 1 << 14 | 1 << 3)) == (1, 1e-4, 1 << 15)
    assert rig.ask(":SENS:VOLT:PROT:TRIP?") == "0"
    rig.ask(":SENS:VOLT:PROT 0.5")
    v_v, i_a, _, _, status = rig.read()
    assert (v_v, i_a, int(status) & 1 << 3) == (0.5, 5e-5, 1 << 3)
    assert rig.ask(":SENS:VOLT:PROT:TRIP?;:SENS:CURR:PROT:TRIP?") == "1;0"
    rig.ask(":SOUR:FUNC VOLT")
    assert rig.ask("OUTP?") == "0"


@pytest.mark.parametrize("load_ohm", [15.0, 1e4, 3e5, 1.5e8])
def test_automatic_ohms_find_range_and_test_current(load_ohm: float) -> None:
    rig = Rig(load_ohm)
    rig.ask(":SENS:VOLT:PROT 210")
    r_ohm, status = (rig.read(":MEAS:RES?")[k] for k in (2, 4))
    assert r_ohm == pytest.approx(load_ohm, rel=1e-6)
    assert int(status) & 1 << 10
    rig.ask(":SOUR:FUNC CURR")
    assert rig.errors() == [825]


def test_moving_filter_fills_once_and_then_slides() -> None:
    rig = ready()
    rig.ask(":SENS:AVER:COUN 4;TCON MOV;STAT ON;:TRIG:COUN 3;:FORM:ELEM TIME")
    assert rig.read() == pytest.approx([0.081, 0.102, 0.123])


def test_source_protection_limits_the_voltage() -> None:
    rig = ready()
    rig.ask(":SOUR:VOLT:PROT 35;:SENS:CURR:PROT 0.01;:SOUR:VOLT 50")
    assert rig.bench.source == (40.0, 0.01)
    assert rig.ask(":SOUR:VOLT:PROT?;PROT:TRIP?") == "4.000000E+01;1"
    assert int(rig.read()[4]) & 1 << 4
    rig.ask(":SOUR:VOLT:PROT NONE")
    assert rig.bench.source == (50.0, 0.01)


def test_ranges_move_up_and_down() -> None:
    rig = Rig()
    rig.ask(":SENS:CURR:PROT 0.1;:SENS:CURR:RANG UP")
    assert rig.ask(":SENS:CURR:RANG?;:SENS:CURR:RANG DOWN;RANG?") == "1.050000E-03;1.050000E-04"
    assert rig.ask(":SENS:CURR:RANG:AUTO:ULIM?;LLIM?") == "1.050000E-01;1.050000E-06"


def test_range_synchronisation_follows_the_compliance() -> None:
    rig = Rig()
    rig.ask(":SENS:CURR:RANG:AUTO 0;:SENS:CURR:PROT:RSYN ON;LEV 1e-7")
    assert rig.ask(":SENS:CURR:RANG?;PROT?") == "1.050000E-06;1.000000E-07"
    assert rig.errors() == []


# --- real converters ----------------------------------------------------------------------------


def real(load_ohm: float, serial_number: str = "TWIN0001") -> Rig:
    rig = Rig(load_ohm)
    rig.bench.serial_number = serial_number
    rig.firmware = Keithley2400Firmware(rig.bench, 50)
    rig.ask(":SENS:FUNC 'VOLT','CURR';:SENS:CURR:PROT 1e-2;:FORM:ELEM VOLT,CURR;:OUTP ON")
    return rig


@pytest.mark.parametrize(
    ("load_ohm", "range_a"),
    [(1e2, "1.050000E-02"), (1e4, "1.050000E-04"), (1e6, "1.050000E-06")],
)
def test_automatic_range_of_real_converters(load_ohm: float, range_a: str) -> None:
    rig = real(load_ohm)
    rig.ask(":SOUR:VOLT 0.5")
    v_v, i_a = rig.read()
    assert rig.ask(":SENS:CURR:RANG?") == range_a
    assert v_v == pytest.approx(0.5, abs=0.5 * 3.2e-4 + 900e-6)
    assert i_a == pytest.approx(0.5 / load_ohm, rel=3e-3)
    assert (v_v, i_a) != (0.5, 0.5 / load_ohm)


@pytest.mark.parametrize("load_ohm", [15.0, 1e4, 3e5, 1.5e7])
def test_automatic_ohms_of_real_converters(load_ohm: float) -> None:
    rig = real(load_ohm)
    rig.ask(":SENS:FUNC:ALL;:FORM:ELEM RES")
    (r_ohm,) = rig.read(":MEAS:RES?")
    assert r_ohm == pytest.approx(load_ohm, rel=5e-3)
    assert r_ohm != load_ohm


def test_readings_beyond_a_range_are_overflows() -> None:
    rig = real(1e9)
    rig.ask(":SENS:VOLT:PROT 21;:SOUR:FUNC CURR;:SOUR:CURR 1e-6;:SENS:VOLT:RANG 2;:OUTP ON")
    rig.ask(":FORM:ELEM VOLT,STAT")
    v_v, status = rig.read()
    assert v_v == pytest.approx(2.1, rel=1e-2)  # the range limits before it overflows
    assert int(status) & 1 << 16


def test_automatic_delay_follows_the_current_range() -> None:
    rig = Rig()
    rig.ask(":SENS:CURR:RANG 1e-6")
    assert rig.ask(":SOUR:DEL?;DEL:AUTO?") == "3.000000E-03;1"
    rig.ask(":SOUR:DEL:AUTO OFF;:SENS:CURR:RANG 1e-4")
    assert rig.ask(":SOUR:DEL?;DEL:AUTO?") == "3.000000E-03;0"


@pytest.mark.parametrize(
    ("load_ohm", "level_v"),
    [(1e7, 9), (1e6, 9), (1e5, 9), (1e4, 9), (1e3, 9), (100, 9), (12, 9), (1e5, 0.15), (1e5, 1.5),
     (1e5, 150)],
)  # fmt: skip
def test_all_instruments_lie_within_their_accuracy(load_ohm: float, level_v: float) -> None:
    """Source against what was asked for, readings against what is at the terminals."""
    ratios = []
    for number in range(20):
        rig = real(load_ohm, f"TWIN{number:06d}")
        rig.ask(f":SENS:CURR:PROT {0.1 if level_v > 20 else 1};:SOUR:VOLT {level_v}")
        v_v, i_a = rig.read()
        assert rig.bench.source is not None
        true_v = rig.bench.source[0]
        ratios += [
            abs(true_v - level_v) / float(KEITHLEY_2400.source_v.bound(level_v)),
            abs(v_v - true_v) / float(KEITHLEY_2400.measure_v.bound(v_v)),
            abs(i_a - true_v / load_ohm) / float(KEITHLEY_2400.measure_a.bound(i_a)),
        ]
    assert max(ratios) <= 1
    assert max(ratios) > 0.5  # the errors are there


def test_errors_belong_to_the_serial_number() -> None:
    readings = []
    for serial_number in ("TWIN0001", "TWIN0001", "TWIN0002"):
        rig = real(1e4, serial_number)
        rig.ask(":SOUR:VOLT 0.5")
        readings.append(rig.read())
    assert readings[0] == readings[1] != readings[2]


def test_a_reading_above_a_fixed_range_overflows() -> None:
    rig = real(1e4)
    rig.ask(":SENS:FUNC:OFF 'VOLT';:SENS:CURR:RANG 1e-6;:SOUR:VOLT 0.5;:FORM:ELEM CURR,STAT")
    i_a, status = rig.read()
    assert i_a == pytest.approx(1.05e-6, rel=1e-2)  # the range limits
    assert int(status) & 1 << 16


# --- status, system -----------------------------------------------------------------------------


def test_status_of_operation() -> None:
    rig = ready()
    assert rig.ask(":STAT:OPER:COND?") == "1024"
    rig.ask(":STAT:OPER?", ":INIT")
    assert rig.ask(":STAT:OPER?;:STAT:OPER:COND?") == "1024;1024"
    rig.ask(":STAT:OPER:ENAB 1024;*SRE 128;:INIT")
    assert rig.ask("*STB?") == "192"
    rig.ask(":STAT:PRES")
    assert rig.ask("*STB?;:STAT:OPER:ENAB?") == "0;0"


def test_compliance_shows_in_the_measurement_register() -> None:
    rig = ready()
    rig.ask(":SENS:CURR:PROT 1e-5;:INIT")
    assert int(rig.ask(":STAT:MEAS:COND?")) & 1 << 14
    rig.ask(":SENS:CURR:PROT 1e-3;:INIT")
    assert not int(rig.ask(":STAT:MEAS:COND?")) & 1 << 14
    assert int(rig.ask(":STAT:MEAS?")) & (1 << 14 | 1 << 6) == 1 << 14 | 1 << 6


@pytest.mark.parametrize(
    ("name", "reply"), [("ASC", "255"), ("HEX", "#HFF"), ("OCT", "#Q377"), ("BIN", "#B11111111")]
)
def test_registers_in_other_bases(name: str, reply: str) -> None:
    rig = Rig()
    rig.ask(f":STAT:QUES:ENAB #HFF;:FORM:SREG {name}")
    assert rig.ask(":STAT:QUES:ENAB?") == reply


def test_errors_by_number_and_all_at_once() -> None:
    rig = Rig()
    rig.ask(":NOPE", ":READ?", ":NOPE")
    assert rig.ask(":SYST:ERR:COUN?;:SYST:ERR:CODE?;:SYST:ERR:CODE:ALL?") == "3;-113;+803,-113"
    rig.ask(":NOPE", ":NOPE")
    assert rig.ask(":SYST:ERR:ALL?") == '-113,"Undefined header",-113,"Undefined header"'
    rig.ask(":NOPE", ":SYST:CLE")
    assert rig.errors() == []


def test_setups_are_saved_and_recalled() -> None:
    rig = ready()
    rig.ask(":SOUR:LIST:VOLT 1,2;*SAV 3;:SOUR:LIST:VOLT 3;:SENS:CURR:PROT 2e-3;*RST;*RCL 3")
    assert rig.ask(":SENS:CURR:PROT?;:SOUR:LIST:VOLT?;:SOUR:VOLT?;:OUTP?") == (
        "1.000000E-03;+1.000000E+00,+2.000000E+00;5.000000E-01;0"
    )


def test_power_failure() -> None:
    rig = ready()
    rig.ask("*SAV 2;*CLS;:SYST:POS SAV2;:SENS:CURR:PROT 2e-3;:STAT:MEAS:ENAB 1;:ARM:SOUR BUS;:INIT")
    rig.firmware.receive(b":SOUR:VO")
    rig.firmware.power_cycle()
    assert rig.bench.source is None
    assert rig.ask("OUTP?;*ESR?;:STAT:MEAS:ENAB?;:SENS:CURR:PROT?") == "0;128;0;1.000000E-03"
    rig.ask(":SYST:POS RST")
    rig.firmware.power_cycle()
    assert rig.ask(":SENS:CURR:PROT?") == "1.050000E-04"


@pytest.mark.parametrize(
    ("command", "query", "reply"),
    [
        (":DISP:TEXT 'it''s on';TEXT:STAT ON", ":DISP:TEXT?;:DISP:TEXT:STAT?", '"it\'s on";1'),
        (":DISP:WIND2:TEXT:DATA 'two'", ":DISP:WIND2:DATA?", '"two"'),
        (":DISP:DIG 7", ":DISP:DIG?", "7"),
        (":SYST:RCM MULT", ":SYST:RCM?", "MULT"),
        (":SYST:GUAR OHMS", ":SYST:GUAR?", "OHMS"),
        (":ARM:OUTP TENT,TEX", ":ARM:OUTP?", "TENT,TEX"),
        (":ARM:OUTP NONE,TEX", ":ARM:OUTP?", "TEX"),
        (":SYST:TIME:RES:AUTO ON", ":SYST:TIME:RES:AUTO?;:SYST:MEP?", "1;1"),
        (":OUTP:ENAB OFF", ":OUTP:ENAB:TRIP?;:SYST:POS?", "1;PRES"),
        (":SYST:PRES", ":FORM:BORD?;*RST;:FORM:BORD?", "SWAP;NORM"),
        (":TRIG:INP SOUR,DEL,SENS", ":TRIG:INP?", "SOUR,DEL,SENS"),
        (":TRIG:TCON:ASYN:OLIN 4", ":TRIG:OLIN?", "4"),
        (":ARM:SEQ1:LAY1:COUN 3", ":ARM:COUN?", "3"),
        (":SOUR2:TTL 5", ":SOUR2:TTL?", "5"),
        (":SYST:BEEP:STAT OFF", ":SYST:BEEP:STAT?", "0"),
        (":SENS:FUNC 'VOLT:DC'", ":SENS:FUNC:STAT? 'VOLT'", "1"),
        (":SENS:FUNC 'VOLT'", ":SENS:FUNC:COUN?;OFF:COUN?", "2;1"),
        ("*WAI", ":SYST:VERS?;*TST?", "1996.0;0"),
        (":DATA:POIN 7", ":TRAC:POIN?;:TRAC:FREE?", "7;60000,0"),
    ],
)
def test_further_settings(command: str, query: str, reply: str) -> None:
    rig = Rig()
    rig.ask(command)
    assert rig.ask(query) == reply
    assert rig.errors() == []


# --- whatever is sent ---------------------------------------------------------------------------

COMMANDS = st.sampled_from(
    ["*RST", "OUTP ON", "OUTP OFF", ":INIT", ":READ?", ":FETC?", "*TRG", ":ABOR", LINEAR,
     ":ARM:SOUR BUS", ":ARM:COUN INF", ":ARM:SOUR TIM", ":TRAC:FEED:CONT NEXT", ":TRAC:DATA?",
     ":CALC3:DATA?", ":SOUR:FUNC CURR", ":SENS:FUNC:ALL", ":SENS:RES:MODE MAN", ":SOUR:CLE:AUTO ON",
     ":SOUR:CURR 1e-3", ":SENS:AVER ON;AVER:TCON MOV", "*RCL 1", "*SAV 1", ":MEAS:VOLT?",
     ":CALC2:NULL:STAT ON", ":CALC:STAT ON", ":FORM SRE", ":SOUR:VOLT:MODE LIST", "*OPC?"]
)  # fmt: skip


@given(st.lists(COMMANDS, max_size=15))
def test_any_order_ends_in_a_state_that_can_be_left(commands: list[str]) -> None:
    rig = Rig()
    rig.ask(*commands)
    rig.ask(":ABOR", "OUTP OFF", "*CLS")
    assert rig.bench.source is None
    assert rig.ask("OUTP?;:STAT:OPER:COND?;:SYST:ERR?") == '0;1024;0,"No error"'
    assert math.isfinite(rig.bench.t_s)


FINITE = st.integers(-2_000_000, 2_000_000).map(lambda steps: steps * 1e-4)


@given(st.lists(FINITE, min_size=2, max_size=20))
def test_lists_are_put_out_as_they_were_sent(levels_v: list[float]) -> None:
    rig = Rig(1e9)
    sent = [f"{level_v:.5E}" for level_v in levels_v]
    rig.ask(":SENS:FUNC 'VOLT';:FORM:ELEM VOLT;:SOUR:VOLT:MODE LIST;:SOUR:DEL 0;:OUTP ON")
    rig.ask(f":SOUR:LIST:VOLT {','.join(sent)};:TRIG:COUN {len(sent)}")
    assert rig.read() == [float(level) for level in sent]
