from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.keithley2450 import LOAD_OHM, Rig


@pytest.fixture
def rig() -> Rig:
    return Rig()


def test_identity(rig: Rig) -> None:
    maker, model, serial_number, revision = rig.ask("*IDN?").split(",")
    assert (maker, model) == ("KEITHLEY INSTRUMENTS", "MODEL 2450")
    assert serial_number == "TWIN2450"
    assert revision
    assert rig.ask("*TST?;:SYST:LFR?") == "0;50"


def test_the_command_set_is_kept_for_the_next_power_on(rig: Rig) -> None:
    assert rig.ask("*LANG?") == "SCPI"
    rig.send("*LANG TSP")
    assert rig.ask("*LANG?") == "TSP"
    assert rig.ask(":SOUR:FUNC?") == "VOLT"
    assert rig.refused("*LANG BASIC") == -224


def test_errors_have_number_text_kind_and_time(rig: Rig) -> None:
    rig.bench.wait_s(3661.5)
    rig.ask(":NO:SUCH:THING", ":SOUR:VOLT")
    assert rig.ask(":SYST:ERR:COUN?") == "2"
    assert rig.ask(":SYST:ERR?") == '-113,"Undefined header;1;2026/01/01 01:01:01.500"'
    assert rig.ask(":SYST:ERR:CODE?") == "-109"
    assert rig.ask(":SYST:ERR:NEXT?;:SYST:ERR:COUN?") == '0,"No error;0;0 0";0'


def test_the_log_holds_warnings_and_information_as_well(rig: Rig) -> None:
    rig.send(':SYST:EVEN:POST "hello", WARN', ":SYST:EVEN:POST 'there'")
    assert rig.ask(":SYST:EVEN:COUN?;COUN? WARN;COUN? ERR") == "2;1;0"
    assert rig.ask(":SYST:EVEN:NEXT?").startswith('1003,"User: hello;2;')
    assert rig.ask(":SYST:EVEN:NEXT? INF,WARN").startswith('1003,"User: there;4;')
    rig.ask(":FOO")
    rig.send(":SYST:CLE")
    assert rig.ask(":SYST:EVEN:COUN?") == "0"


def test_the_log_is_not_without_end(rig: Rig) -> None:
    rig.ask(*[":FOO"] * 1100)
    assert rig.ask(":SYST:ERR:COUN?") == "1000"
    codes = [rig.error() for _ in range(1001)]
    assert codes == [-113] * 999 + [-350, 0]


def test_status_byte_and_standard_events(rig: Rig) -> None:
    assert rig.ask("*ESR?;*ESR?") == "128;0"
    assert rig.ask("*STB?") == "0"
    rig.ask(":FOO", ":SOUR:VOLT 1000")
    assert rig.ask("*STB?;*ESR?") == "4;48"
    rig.send("*CLS", "*ESE 32;*SRE 32")
    rig.ask(":FOO")
    assert rig.ask("*STB?;*ESE?;*SRE?") == "100;32;32"


def test_events_are_mapped_to_register_bits(rig: Rig) -> None:
    rig.send(":STAT:OPER:MAP 0,2731,2732;:STAT:OPER:ENAB 1;*SRE 128")
    assert rig.ask(":STAT:OPER:MAP? 0;MAP? 5") == "2731,2732;0,0"
    rig.send(':TRIG:LOAD "SimpleLoop",10,0.1', ":INIT")
    assert rig.ask(":STAT:OPER:COND?") == "1"
    assert rig.ask("*STB?") == "192"
    rig.send("*WAI")
    assert rig.ask(":STAT:OPER:COND?;:STAT:OPER?;:STAT:OPER?") == "0;1;0"
    rig.send(":STAT:PRES")
    assert rig.ask(":STAT:OPER:ENAB?") == "0"


def test_questionable_events_show_in_two_bits(rig: Rig) -> None:
    rig.send(":STAT:QUES:MAP 3,4917,4916;ENAB 8", ":TRAC:MAKE 'm',10", ":TRAC:LOG:STAT ON,'m'")
    rig.send(":SENS:COUN 10")
    rig.ask(":READ? 'm'")
    assert int(rig.ask("*STB?")) & 0x09 == 0x09
    rig.send(":TRAC:CLE 'm'")
    assert rig.ask(":STAT:QUES:COND?;EVEN?") == "0;8"


def test_setups_are_saved_and_recalled(rig: Rig) -> None:
    rig.send(":SOUR:VOLT 1.5;:SENS:CURR:NPLC 0.1;:OUTP ON", "*SAV 2", "*RST")
    assert float(rig.ask(":SOUR:VOLT?")) == 0
    rig.send(":OUTP ON", "*RCL 2")
    assert rig.ask(":SOUR:VOLT?;:SENS:CURR:NPLC?") == "1.500000E+00;1.000000E-01"
    assert rig.ask(":OUTP?") == "0"
    assert rig.refused("*RCL 4") == -221
    assert rig.refused("*SAV 5") == -222


def test_the_clock_can_be_read_and_set(rig: Rig) -> None:
    rig.bench.wait_s(10)
    assert rig.ask(":SYST:TIME?") == str(1767225600 + 10)
    rig.send(":SYST:TIME 2030,5,6,7,8,9")
    assert rig.ask(":SYST:TIME? 1") == "Mon May 06 07:08:09 2030"
    assert rig.refused(":SYST:TIME 2030,13,6,7,8,9") == -222


@pytest.mark.parametrize(
    "line",
    [
        ":SYST:BEEP 440,0.5",
        ":DISP:CLE",
        ':DISP:USER1:TEXT "Batch A122"',
        ":DISP:SCR SWIPE_USER",
        ":DISP:LIGH:STAT ON25",
        ":DISP:CURR:DIG 6",
        ":DISP:READ:FORM EXP",
        ":SYST:POS SAV1",
        ":SYST:ACC FULL",
        ":SENS:AZER:ONCE",
        ":OUTP:CURR:SMOD GUAR",
        ":STAT:CLE",
        "*OPC",
        "*WAI",
    ],
)
def test_what_does_nothing_to_the_bench_is_accepted(rig: Rig, line: str) -> None:
    rig.send(line)
    assert rig.levels_v == []


@pytest.mark.parametrize(
    "line",
    [
        ":SYST:CCH:STAT ON",
        ":SCR:RUN 'x'",
        ":TRAC:SAVE '/usb1/x.csv'",
        ":TRIG:BLEN1:MODE OR",
        ":TRIG:LAN1:OUT:PROT TCP",
        "*OPT?",
    ],
)
def test_what_is_not_modelled_is_refused(rig: Rig, line: str) -> None:
    assert rig.refused(line) == -113


def test_four_wires_do_without_the_leads() -> None:
    readings = []
    for wires in ("OFF", "ON"):
        rig = Rig(100.0, lead_ohm=10.0)
        rig.send(f":SENS:CURR:RSEN {wires};:SOUR:VOLT:ILIM 0.1;:SOUR:VOLT 1;:OUTP ON")
        rig.ask(":READ?")
        readings.append(rig.numbers(":READ?")[0])
    assert readings == pytest.approx([1 / 110, 1 / 100], rel=1e-3)


def test_digital_lines_hold_what_is_written_and_float_high(rig: Rig) -> None:
    assert rig.ask(":DIG:LINE3:MODE?;:DIG:LINE3:STAT?;:DIG:READ?") == "DIG,IN;1;63"
    rig.send(":DIG:LINE1:MODE DIG,OUT;:DIG:LINE2:MODE DIG, OPENdrain;:DIG:WRIT 1")
    assert rig.ask(":DIG:READ?;:DIG:LINE1:STAT?;:DIG:LINE2:STAT?") == "61;1;0"
    rig.send(":TRIG:BLOC:DIG:IO 1,2,3;:INIT;*WAI")
    assert rig.ask(":DIG:READ?") == "62"
    assert rig.refused(":DIG:LINE3:STAT 0") == -221
    assert rig.refused(":DIG:LINE3:MODE SYNC,OUT") == -221
    rig.send(":TRIG:DIG2:OUT:STIM NOTIFY1;PULS 1e-3;LOG POS", ":TRIG:DIG4:IN:EDGE RIS;CLE")
    assert rig.ask(":TRIG:DIG2:OUT:STIM?;PULS?;LOG?;:TRIG:DIG4:IN:EDGE?;OVER?") == (
        "NOT1;1.000000E-03;POS;RIS;0"
    )
    rig.send("*RST")
    assert rig.ask(":DIG:READ?") == "63"


def test_a_qcodes_session() -> None:
    """The lines that QCoDeS 0.58's Keithley_2450 sends, in the order of its example."""
    rig = Rig()
    assert rig.ask("*LANG?") == "SCPI"
    rig.send("*RST", ':SENS:FUNC "CURR:DC"', ":SOUR:FUNC VOLT")
    assert rig.ask(":SENS:FUNC?") == '"CURR:DC"'
    rig.send("ROUTe:TERMinals rear", ":SENSe:current:RSENse 1", ":SENSe:current:RANGe 0.001")
    rig.send(":SENSe:current:RANGe:AUTO 1", ":SENSe:current:NPLCycles 0.1", ":SENSe:COUNt 1")
    rig.send("SOUR:voltage:ILIM 0.001", ":SOUR:voltage:RANGe 2", ":SOURce:voltage:RANGe:AUTO 1")
    rig.send("SOUR:voltage 0.5", ":SOURce:voltage:READ:BACK 1", ":SOURce:voltage:DELay:USER1 0.1")
    rig.send(":OUTP 1")
    assert float(rig.ask(":MEASure? 'defbuffer1'")) == pytest.approx(0.5 / LOAD_OHM, rel=0.05)
    assert float(rig.ask(":SOUR:voltage:ILIM:TRIPped?")) == 0
    rig.send(":TRACe:MAKE 'test', 100, STANdard")
    sweep = ":SOURce:SWEep:voltage:LINear 0,1,11,0.01,1,AUTO,ON,OFF,'test'"
    rig.send(sweep, ":INITiate", "*WAI")
    elements = "DATE,FORMatted,FRACtional,READing,RELative,SEConds,SOURce,SOURFORMatted,SOURSTATus"
    data = rig.ask(f":TRACe:DATA? 1, 11, 'test', {elements},SOURUNIT,STATus,TIME,TSTamp,UNIT")
    assert len(data.split(",")) == 11 * 14
    assert rig.ask(":TRACe:ACTual? 'test'") == "11"
    rig.send(":TRACe:DELete 'test'", ":ABORt", ":STATus:CLEar", ":SYSTem:CLEar")


@given(st.binary(max_size=200))
def test_any_bytes_leave_the_instrument_alive(data: bytes) -> None:
    rig = Rig()
    rig.firmware.receive(data + b"\n")
    rig.ask("*CLS")
    assert re.match("KEITHLEY", rig.ask("*IDN?"))
