"""What clients of other frameworks send to a Keysight B2900, in the order that they send it."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.test_keysight_b2900_firmware import NO_ERROR, Bench, about


@pytest.fixture
def bench() -> Bench:
    return Bench(model="B2902A")


def test_an_ivi_driver_that_asks_for_events_after_every_write(bench: Bench) -> None:
    assert bench.ask("*IDN?").split(",")[1] == "B2902A"
    assert bench.ask("*RST;*OPC?") == "1"
    bench.tell("*CLS")
    for line in (
        "SOUR1:VOLT:RANG:AUTO 0",
        "SOUR1:VOLT:RANG 20",
        "SOUR1:VOLT 0.04",
        "SOUR1:VOLT:TRIG 0.04",
        "SENS1:CURR:RANG:AUTO 1",
        "SENS1:CURR:NPLC 0.1",
        "OUTP1 1",
        "INIT (@1)",
        "FORM REAL,64",
    ):
        bench.tell(line)
        assert bench.ask("*ESR?") == "0"
    for quantity, value in (("CURR", 4e-6), ("VOLT", 0.04)):
        reply = bench.firmware.receive(f"FETC:ARR:{quantity}? (@1)\n".encode())
        assert reply[:3] == b"#18"
        assert struct.unpack(">d", reply[3:11])[0] == about(value)
    bench.tell("OUTP1 0")
    assert bench.ask("SYST:ERR?") == NO_ERROR


def test_a_staircase_sweep_of_the_programming_guide(bench: Bench) -> None:
    bench.tell(
        "*RST",
        ":sour:func:mode volt",
        ":sour:volt:mode swe",
        ":sour:volt:star 0",
        ":sour:volt:stop 0.1",
        ":sour:volt:poin 5",
        ':sens:func "curr"',
        ":sens:curr:rang:auto on",
        ":sens:curr:aper 1e-4",
        ":sens:curr:prot 0.1",
        ":trig:sour aint",
        ":trig:coun 5",
        ":outp on",
        ":init (@1)",
    )
    expected = [0, 2.5e-6, 5e-6, 7.5e-6, 1e-5]
    assert bench.numbers(":fetc:arr:curr? (@1)") == about(expected)
    assert bench.error() == NO_ERROR


def test_a_pulsed_sweep_of_the_programming_guide(bench: Bench) -> None:
    bench.tell(
        ":sour:func:shap puls",
        ":sour:puls:del 0.5e-3",
        ":sour:puls:widt 1e-3",
        ":sour:volt:mode swe",
        ":sour:volt:star 0;stop 0.4;poin 3",
        ':sens:func "curr"',
        ":sens:curr:rang:auto off",
        ":sens:curr:rang 1e-4",
        ":sens:curr:aper 1e-4",
        ":sens:curr:prot 1e-4",
        ":trig:tran:del 1e-3",
        ":trig:acq:del 2e-3",
        ":trig:sour tim",
        ":trig:tim 4e-3",
        ":trig:coun 3",
        ":outp on",
        ":init (@1)",
    )
    assert bench.numbers(":fetc:arr:curr? (@1)") == about([0, 2e-5, 4e-5], abs=1e-8)
    assert bench.error() == NO_ERROR


def test_multiple_pulses_by_a_sweep_of_equal_ends(bench: Bench) -> None:
    bench.tell(
        "*RST",
        "SYST:BEEP:STAT OFF",
        ":SYST:LFR 50",
        ":SOUR1:FUNC:MODE VOLT",
        ":SOUR1:VOLT:MODE SWE",
        ':SENS1:FUNC "CURR"',
        ":SENS1:CURR:NPLC 0.01",
        ":SENS1:CURR:PROT 0.001",
        ":SENS1:CURR:RANG:AUTO ON",
        ":SOUR1:CURR:RANG:AUTO ON",
        ":SENS1:CURR:RANG:AUTO:MODE RES",
        "SENS:REM OFF",
        ":FUNC PULS",
        ":PULS:WIDT 0.001",
        ":PULS:DEL 0.0",
        ":SOUR1:SWE:POIN 3",
        ":SOUR1:FUNC:TRIG:CONT OFF",
        ":SOUR1:WAIT ON",
        ":SENS1:WAIT ON",
        ":TRIG1:TRAN:DEL MIN",
        ":TRIG1:ACQ:DEL 5.0000E-04",
        ":TRIG1:ALL:COUN 1",
        ":TRIG1:LXI:LAN:DIS:ALL",
        ":TRIG1:ALL:SOUR AINT",
        ":TRIG1:ALL:COUN 3",
        ":TRIG1:ALL:TIM MIN",
        ":FORM:ELEM:SENS VOLT,CURR,TIME,STAT,SOUR",
        ":SYST:TIME:TIM:COUN:RES:AUTO ON",
        ":OUTP1:LOW GRO",
        ":OUTP1 ON",
        ":SOUR1:VOLT:STAR 1",
        ":SOUR1:VOLT:STOP 1",
        ":INIT (@1)",
    )
    readings = bench.numbers(":FETC:ARR? (@1)")
    assert readings[1::5] == about([1e-4] * 3)
    assert readings[4::5] == [1.0] * 3
    assert bench.error() == NO_ERROR


def test_a_driver_that_checks_codes_after_every_step(bench: Bench) -> None:
    bench.tell(":SENS1:CURR:PROT 0.001", ":SENS1:REM OFF", ':SENS1:FUNC:ON "VOLT","CURR"')
    bench.tell(":SOUR1:VOLT:LEV:IMM 0.5")
    assert bench.ask(":SYST:ERR:CODE:ALL?") == "+0"
    bench.tell(":SOUR1:FUNC:MODE  VOLT", ":SOUR1:FUNC:SHAP DC", ":SOUR1:VOLT:MODE FIX")
    bench.tell(":SENS1:CURR:DC:NPLC 5", ":OUTP1:STAT ON", ":INIT:IMM:ACQ (@1)")
    v_v, i_a, *_ = bench.numbers(":SENS1:DATA?")
    assert (v_v, i_a) == (about(0.5), about(5e-5))
    bench.tell(":INIT:IMM:TRAN (@1)")
    assert bench.ask(":SYST:ERR:CODE:ALL?") == "+0"
    assert bench.numbers(":MEAS:VOLT? (@1)") == about([0.5])


def test_lists_on_two_channels(bench: Bench) -> None:
    bench.tell(
        ":sour1:func:mode volt",
        ":sour2:func:mode curr",
        "FORM:ELEM:SENS VOLT,CURR",
        ":sour1:list:volt 0.1, 0.2, 0.3",
        ":sour1:volt:mode list",
        ":sour2:list:curr 0.0,0.0,0.0",
        ":sour2:curr:mode list",
        ":SENS2:VOLT:PROT 10.0",
        ":TRIG1:COUN 3",
        ":TRIG2:COUN 3",
        ":OUTP1 ON",
        ":OUTP2 ON",
        ":INIT (@1,2)",
    )
    rows = bench.numbers(":FETC:ARR? (@1,2)")
    assert rows[0::4] == about([0.1, 0.2, 0.3])
    assert rows[1::4] == about([1e-5, 2e-5, 3e-5])
    assert rows[3::4] == about([0, 0, 0], abs=1e-6)
    assert bench.error() == NO_ERROR


def test_idle_states_by_the_operation_register(bench: Bench) -> None:
    assert int(bench.ask("STAT:OPER:COND?")) == 0b10010010010
    bench.tell(":trig2:acq:coun 2147483647", ":outp2 1.0", ":INIT:ACQ (@2)")
    assert int(bench.ask("STAT:OPER:COND?")) == 0b00010010010
    bench.tell(":ABOR:ALL (@2)")
    assert int(bench.ask("STAT:OPER:COND?")) == 0b10010010010


@pytest.mark.parametrize(
    "header",
    [
        "OUTP2:ON:AUTO",
        "OUTP2:OFF:AUTO",
        "OUTP2:PROT",
        "SOUR2:CURR:RANG:AUTO",
        "SOUR2:VOLT:RANG:AUTO",
        "SENS2:VOLT:APER:AUTO",
        "SENS2:RES:RANG:AUTO",
        "SENS2:REM",
        "SYST:BEEP:STAT",
    ],
)
def test_switches_of_a_parameter_driver(bench: Bench, header: str) -> None:
    for state in ("1", "0"):
        bench.tell(f"{header} {state}")
        assert bench.ask(f"{header}?") == state


POOL = [
    *(f":SOUR:VOLT{node} {level}" for node in ("", ":TRIG") for level in (0, 0.5, -2, 30)),
    *(f":SOUR:FUNC:{setting}" for setting in ("SHAP PULS", "SHAP DC", "MODE VOLT", "MODE CURR")),
    *(f":SOUR:VOLT:MODE {mode}" for mode in ("FIX", "SWE", "LIST")),
    *(f":TRIG:SOUR {source}" for source in ("AINT", "TIM", "BUS")),
    *(f":TRIG:{kind}:COUN {n}" for kind in ("ACQ", "TRAN") for n in (1, 3, "INF")),
    *(f":SENS:CURR:PROT {limit}" for limit in (1e-9, 1e-4, 1.5)),
    *(f":{verb} (@1)" for verb in ("INIT", "INIT:ACQ", "INIT:TRAN", "ABOR", "TRIG", "ARM")),
    *(":OUTP ON", ":OUTP OFF", ":OUTP:PROT ON", ":OUTP:OFF:AUTO ON", ":OUTP:OFF:MODE ZERO"),
    *(":MEAS?", ":READ?", ":FETC:ARR?", ":SENS:DATA?", "*OPC?", "*TRG", "*WAI", ":IDLE?"),
    *(":STAT:OPER:COND?", "*STB?", ":SENS:CURR:RANG 1e-6", ":SENS:CURR:RANG:AUTO ON"),
    *(":SOUR:SWE:POIN 3", ":SOUR:LIST:VOLT 1,0,-1", ":ARM:COUN 2", ":TRIG:TIM 1e-3", "*SAV 1"),
    *(
        "*RCL 1",
        ":SOUR:VOLT:RANG 2;:SOUR:VOLT:RANG:AUTO OFF",
        ":SOUR:PULS:WIDT 2e-3",
        ":TRAC:DATA?",
    ),
]


@given(st.lists(st.sampled_from(POOL), max_size=25))
@settings(max_examples=60, deadline=None)
def test_no_order_of_commands_breaks_it(lines: list[str]) -> None:
    bench = Bench()
    for line in lines:
        reply = bench.firmware.receive(line.encode() + b"\n")
        assert reply.count(b"\n") == (1 if reply else 0)
        shown = bench.ask(":OUTP?")
        assert shown == str(int(bench.firmware.output_on))
    bench.tell(":ABOR (@1)", ":OUTP:OFF:MODE NORM", ":OUTP OFF")
    assert bench.load.source is None
    assert bench.ask(":STAT:OPER:COND?") == "18"
    assert bench.ask("*RST;*CLS;*OPC?") == "1"
    assert bench.error() == NO_ERROR
