from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.keithley2450 import LOAD_OHM, Rig

FAST = ":SENS:CURR:RANG 1e-3;NPLC 0.01;:SOUR:VOLT:ILIM 1e-3;:SOUR:VOLT:RANG 2;DEL 0"


@pytest.fixture
def rig() -> Rig:
    rig = Rig()
    rig.send(FAST)
    return rig


def state(rig: Rig) -> str:
    return rig.ask(":TRIG:STAT?").split(";")[0]


# --- sweeps -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sweep", "levels_v"),
    [
        ("LIN 0,1,5", [0, 0.25, 0.5, 0.75, 1]),
        ("LIN 0,1,3,-1,1,BEST,ON,ON", [0, 0.5, 1, 0.5, 0]),
        ("LIN 0,1,2,1e-3,2", [0, 1]),
        ("LIN:STEP -1,1,0.5,50e-6", [-1, -0.5, 0, 0.5, 1]),
        ("LOG 0.01,1,3", [0.01, 0.1, 1]),
        ("LOG 0.1,1,2,0,1,FIXED,OFF,OFF,'defbuffer1',-1", [0.1, 1]),
    ],
)
def test_sweeps(rig: Rig, sweep: str, levels_v: list[float]) -> None:
    rig.send(f":SOUR:SWE:VOLT:{sweep}", ":INIT", "*WAI")
    n = int(rig.ask(":TRAC:ACT?"))
    pairs = np.array(rig.numbers(f':TRAC:DATA? 1,{n},"defbuffer1",SOUR,READ')).reshape(-1, 2)
    n_sweeps = n // len(levels_v)
    assert pairs[:, 0] == pytest.approx(np.tile(levels_v, n_sweeps), rel=1e-3, abs=1e-9)
    assert pairs[:, 1] == pytest.approx(pairs[:, 0] / LOAD_OHM, rel=5e-2, abs=1e-6)
    assert rig.ask(":OUTP?") == "0"
    assert state(rig) == "IDLE"
    assert rig.error() == 0


def test_a_list_sweep(rig: Rig) -> None:
    rig.send(":SOUR:LIST:VOLT 1,0.5", ":SOUR:LIST:VOLT:APP 0.25", ":SOUR:SWE:VOLT:LIST 1,0.2")
    assert rig.ask(":SOUR:LIST:VOLT:POIN?;:SOUR:LIST:VOLT?") == (
        "3;1.000000E+00,5.000000E-01,2.500000E-01"
    )
    rig.send(":INIT", "*WAI")
    assert rig.numbers(':TRAC:DATA? 1,3,"defbuffer1",SOUR') == pytest.approx([1, 0.5, 0.25])
    times_s = rig.numbers(':TRAC:DATA? 1,3,"defbuffer1",REL')
    assert np.diff(times_s) == pytest.approx([0.2] * 2, abs=2e-3)


def test_a_list_sweep_of_an_own_list_starts_where_it_is_told(rig: Rig) -> None:
    rig.send(':SOUR:CONF:LIST:CRE "bias"')
    for level_v in (0.1, 0.2, 0.3):
        rig.send(f":SOUR:VOLT {level_v}", ':SOUR:CONF:LIST:STOR "bias"')
    assert rig.ask(':SOUR:CONF:LIST:SIZE? "bias"') == "3"
    assert [rig.ask(":SOUR:CONF:LIST:CAT?") for _ in range(2)] == ["bias", ""]
    rig.send(':SOUR:SWE:VOLT:LIST 2,0.001,1,ON,"defbuffer2","bias"', ":INIT;*WAI")
    assert rig.numbers(':TRAC:DATA? 1,2,"defbuffer2",SOUR') == pytest.approx([0.2, 0.3])


def test_a_sweep_that_limits_is_aborted(rig: Rig) -> None:
    rig.send(":SENS:CURR:RANG:AUTO ON", ":SOUR:VOLT:ILIM 5e-5", ":SOUR:SWE:VOLT:LIN 0,1,11")
    rig.send(":INIT", "*WAI")
    assert int(rig.ask(":TRAC:ACT?")) == 7
    assert rig.ask(":OUTP?") == "0"
    rig.send(":SOUR:SWE:VOLT:LIN 0,1,11,0,1,BEST,OFF", ":INIT", "*WAI")
    assert int(rig.ask(":TRAC:ACT?")) == 11


def test_a_current_sweep(rig: Rig) -> None:
    rig.send(":SOUR:FUNC CURR;:SENS:FUNC 'VOLT';:SOUR:CURR:VLIM 20;:SENS:VOLT:RANG:AUTO ON")
    rig.send(":SOUR:SWE:CURR:LIN 0,1e-4,3", ":INIT;*WAI")
    assert rig.numbers(":TRAC:DATA? 1,3") == pytest.approx([0, 0.5, 1], rel=1e-2, abs=1e-6)


@pytest.mark.parametrize(
    ("lines", "code"),
    [
        ((":SOUR:SWE:VOLT:LIN 0,1,1",), -222),
        ((":SOUR:SWE:VOLT:LIN 0,1,5,1e-6",), -222),
        ((":SOUR:SWE:VOLT:LOG -1,1,5",), -222),
        ((":SOUR:SWE:VOLT:LIN:STEP 0,1,2",), -221),
        ((":SOUR:SWE:CURR:LIN 0,1e-3,5",), -221),
        ((":SOUR:SWE:VOLT:LIST 1",), 2790),
        ((":SOUR:SWE:VOLT:LIN 0,1,5,0,1,BEST,ON,OFF,'nowhere'",), 1115),
        ((":SOUR:LIST:VOLT 0,300",), -222),
        ((":SOUR:LIST:VOLT 0,3",), -222),
        ((":TRIG:LOAD 'GradeBinning',1",), -224),
        ((":TRIG:LOAD 'SimpleLoop'",), -109),
        ((":TRIG:LOAD 'SimpleLoop',1,0,'defbuffer1',DIG",), -224),
        ((":TRIG:BLOC:CONF:REC 1,'nowhere'",), 2790),
        ((":TRIG:BLOC:MEAS 1,'nowhere'",), 1115),
        ((":TRIG:BLOC:DIG:IO 1,64",), -222),
        ((":TRIG:BLOC:DEL:CONS 1,1e-7",), -222),
        ((":TRIG:BLOC:WAIT 1,NOT9",), -224),
        ((":INIT",), -221),
        ((":TRIG:BLOC:NOP 2;:INIT",), -221),
    ],
)
def test_what_the_instrument_refuses(rig: Rig, lines: tuple[str, ...], code: int) -> None:
    assert rig.refused(*lines) == code


# --- templates and blocks -----------------------------------------------------------------------


def test_simple_loop(rig: Rig) -> None:
    rig.send(
        ":SOUR:VOLT 0.5;:OUTP ON", ':TRAC:MAKE "mine",100', ':TRIG:LOAD "SimpleLoop",10,0.05,"mine"'
    )
    rig.send(":INIT", "*WAI")
    values = rig.numbers(':TRAC:DATA? 1, 10, "mine", READ, SOUR')
    assert len(values) == 20
    assert values[1::2] == pytest.approx([0.5] * 10, rel=1e-4)
    assert np.diff(rig.numbers(':TRAC:DATA? 1,10,"mine",REL')) == pytest.approx([0.05071] * 9)
    assert rig.ask(":OUTP?") == "1"


def test_old_names_of_templates(rig: Rig) -> None:
    rig.send(":OUTP ON", ":TRIG:LOAD:LOOP:SIMP 4,0,'defbuffer2'", ":INIT;*WAI")
    assert rig.ask(":TRAC:ACT? 'defbuffer2'") == "4"
    rig.send(":TRIG:LOAD:EMPT")
    assert state(rig) == "EMPTY"


def test_duration_loop(rig: Rig) -> None:
    rig.send(":OUTP ON", ':TRIG:LOAD "DurationLoop",0.2', ":INIT;*WAI")
    times_s = rig.numbers(f":TRAC:DATA? 1,{rig.ask(':TRAC:ACT?')},'defbuffer1',REL")
    assert times_s[-1] == pytest.approx(0.2, abs=2e-3)


def test_loop_until_a_command(rig: Rig) -> None:
    rig.send(":TRAC:MAKE 'mine',20", ":TRIG:LOAD 'LoopUntilEvent',COMM,50,ENT,0.01,'mine'")
    rig.send(":TRAC:FILL:MODE CONT,'mine'", ":OUTP ON", ":INIT")
    assert state(rig) == "RUNNING"
    rig.send("*TRG", "*WAI")
    assert state(rig) == "IDLE"
    assert rig.ask(":TRAC:ACT? 'mine'") == "20"


def test_a_logic_trigger_waits_for_a_line_that_nothing_drives(rig: Rig) -> None:
    rig.send(':TRIG:LOAD "LogicTrigger",1,2,10,ENTer,0.001,"defbuffer1"', ":OUTP ON", ":INIT")
    assert [state(rig) for _ in range(3)][-1] == "WAITING"
    assert rig.ask("*OPC?") == ""
    rig.send(":ABOR")
    assert state(rig) == "ABORTED"


def test_blocks_nest_as_in_the_manual(rig: Rig) -> None:
    rig.send(
        ':TRIG:LOAD "EMPTY"',
        ":TRIG:BLOC:BUFF:CLEAR 1",
        ":TRIG:BLOC:MEAS 2",
        ":TRIG:BLOC:BRAN:COUN 3, 5, 2",
        ":TRIG:BLOC:DEL:CONS 4, 1",
        ":TRIG:BLOC:BRAN:COUN 5, 3, 2",
        ":OUTP ON;:INIT;*WAI",
    )
    assert rig.ask(":TRAC:ACT?") == "15"
    assert rig.ask(":TRIG:BLOC:BRAN:COUN:COUN? 5") == "3"
    assert rig.ask(":TRIG:BLOC:LIST?").splitlines()[2:] == [
        " 3) BRANCH_COUNTER VALUE: 5 BRANCH_BLOCK: 2",
        " 4) DELAY_CONSTANT DELAY: 1.000000000",
        " 5) BRANCH_COUNTER VALUE: 3 BRANCH_BLOCK: 2",
    ]


def test_pulses_from_a_source_list(rig: Rig) -> None:
    rig.send(
        ":SOUR:LIST:VOLT 1,0",
        ':TRIG:LOAD "Empty"',
        ":TRIG:BLOC:BUFF:CLE 1",
        ':TRIG:BLOC:CONF:REC 2,"VoltCustomSweepList",1',
        ":TRIG:BLOC:DEL:CONS 3,0.004",
        ":TRIG:BLOC:MEAS 4",
        ':TRIG:BLOC:CONF:NEXT 5,"VoltCustomSweepList"',
        ":TRIG:BLOC:DEL:CONS 6,0.01",
        ":TRIG:BLOC:BRAN:COUN 7,5,2",
        ":OUTP ON",
    )
    rig.bench.log.clear()
    rig.send(":INIT", "*WAI")
    pulses = rig.pulses()
    assert [width_s for _, width_s in pulses] == pytest.approx([4.81e-3] * 5, abs=0.25e-3)
    assert np.diff([start_s for start_s, _ in pulses]) == pytest.approx([14.91e-3] * 4, abs=1e-4)
    assert rig.numbers(':TRAC:DATA? 1,5,"defbuffer1",SOUR') == pytest.approx([1.0] * 5, rel=1e-4)


def test_timers_pace_the_model(rig: Rig) -> None:
    rig.send(
        ":TRIG:TIM4:DEL 0.5;STAR:STIM NOT8",
        ":TRIG:TIM4:STAR:GEN OFF",
        ":TRIG:TIM4:COUN 4",
        ":TRIG:TIM4:STAT ON",
        ':TRIG:LOAD "Empty"',
        ":TRIG:BLOC:BUFF:CLE 1",
        ":TRIG:BLOC:NOT 2,8",
        ":TRIG:BLOC:WAIT 3,TIM4",
        ":TRIG:BLOC:MEAS 4",
        ":TRIG:BLOC:BRAN:COUN 5,4,3",
        ":OUTP ON;:INIT;*WAI",
    )
    assert np.diff(rig.numbers(":TRAC:DATA? 1,4,'defbuffer1',REL")) == pytest.approx([0.5] * 3)


def test_branches_on_readings_and_events(rig: Rig) -> None:
    rig.send(
        ":SOUR:VOLT 1;:SENS:CURR:RANG 1e-3;:OUTP ON",
        ':TRIG:LOAD "Empty"',
        ":TRIG:BLOC:BUFF:CLE 1",
        ":TRIG:BLOC:MEAS 2",
        ":TRIG:BLOC:BRAN:LIM:CONS 3,BEL,0.5e-4,0,2",
        ":TRIG:BLOC:BRAN:ONCE 4,6",
        ":TRIG:BLOC:BRAN:ALW 5,7",
        ":TRIG:BLOC:BRAN:ALW 6,2",
        ':TRIG:BLOC:LOG:EVEN 7,INFO2,"done"',
        ":INIT;*WAI",
    )
    assert rig.numbers(f":TRAC:DATA? {rig.ask(':TRAC:ACT?')},{rig.ask(':TRAC:ACT?')}")[0] > 0.5e-4
    assert "2735," in "".join(rig.ask(":SYST:EVEN:NEXT? INF") for _ in range(10))


def test_a_branch_on_the_limits_of_a_test(rig: Rig) -> None:
    rig.send(
        ":CALC2:CURR:LIM2:LOW 0;UPP 5e-5;:SOUR:VOLT 0.1;:OUTP ON",
        ':SOUR:CONF:LIST:CRE "up"',
        ':SOUR:VOLT 0.1;:SOUR:CONF:LIST:STOR "up"',
        ':SOUR:VOLT 1;:SOUR:CONF:LIST:STOR "up"',
        ':SOUR:VOLT 2;:SOUR:CONF:LIST:STOR "up"',
        ":TRIG:BLOC:BUFF:CLE 1",
        ':TRIG:BLOC:CONF:NEXT 2,"up"',
        ":TRIG:BLOC:DEL:CONS 3,0.01",
        ":TRIG:BLOC:MEAS 4",
        ":TRIG:BLOC:BRAN:LIM:DYN 5,IN,2,2",
        ":INIT;*WAI",
    )
    assert rig.numbers(":TRAC:DATA? 1,2") == pytest.approx([1e-5, 1e-4], rel=1e-2)
    assert rig.ask(":TRAC:ACT?") == "2"


def test_stored_settings_stay_as_they_were(rig: Rig) -> None:
    rig.send(
        ':SOUR:CONF:LIST:CRE "kept"',
        ":SOUR:VOLT 0.5;DEL:USER1 0.1",
        ':SOUR:CONF:LIST:STOR "kept"',
        ":SOUR:VOLT 1;DEL:USER1 0.9",
        ':SENS:CONF:LIST:CRE "sense"',
        ":CALC2:CURR:LIM1:LOW 0.25",
        ':SENS:CONF:LIST:STOR "sense"',
        ":CALC2:CURR:LIM1:LOW 0.75;:SENS:CURR:NPLC 5",
        ':SOUR:CONF:LIST:REC "kept",1,"sense",1',
    )
    assert rig.ask(":SOUR:VOLT?;:SOUR:VOLT:DEL:USER1?") == "5.000000E-01;1.000000E-01"
    assert rig.ask(":CALC2:CURR:LIM1:LOW?;:SENS:CURR:NPLC?") == "2.500000E-01;1.000000E-02"


def test_measurements_in_the_background(rig: Rig) -> None:
    rig.send(
        ":OUTP ON",
        ':TRIG:LOAD "Empty"',
        ":TRIG:BLOC:BUFF:CLE 1",
        ':TRIG:BLOC:MEAS 2,"defbuffer1",INF',
        ":TRIG:BLOC:DEL:CONS 3,0.1",
        ':TRIG:BLOC:MEAS 4,"defbuffer1",0',
        ":TRIG:BLOC:DEL:CONS 5,0.1",
        ":INIT;*WAI",
    )
    n = int(rig.ask(":TRAC:ACT?"))
    assert n == pytest.approx(0.1 / 0.71e-3, rel=0.05)


def test_user_delays_are_read_when_they_are_reached(rig: Rig) -> None:
    rig.send(":SOUR:VOLT:DEL:USER2 0.3", ":TRIG:BLOC:DEL:DYN 1,SOUR2", ":SOUR:VOLT:DEL:USER2 0.7")
    start_s = rig.bench.now_s()
    rig.send(":INIT;*WAI")
    assert rig.bench.now_s() - start_s == pytest.approx(0.7)


# --- overlapped ---------------------------------------------------------------------------------


def test_a_model_runs_while_the_program_goes_on(rig: Rig) -> None:
    rig.send(":OUTP ON", ':TRIG:LOAD "SimpleLoop",10,0.09', ":INIT")
    assert rig.ask(":TRAC:ACT?") == "1"
    states = [state(rig) for _ in range(20)]
    n_running = states.index("IDLE")
    assert states == ["RUNNING"] * n_running + ["IDLE"] * (20 - n_running)
    assert n_running == 8
    assert rig.ask(":TRAC:ACT?") == "10"


def test_a_model_catches_up_with_time_that_others_let_pass(rig: Rig) -> None:
    rig.send(":OUTP ON", ':TRIG:LOAD "SimpleLoop",10,0.1', ":INIT")
    rig.bench.wait_s(0.55)
    assert rig.ask(":TRAC:ACT?") == "5"
    assert state(rig) == "RUNNING"


@pytest.mark.parametrize(
    "line", [":SOUR:VOLT 1", ":SENS:CURR:NPLC 1", ":READ?", ":SOUR:FUNC CURR", "*RCL 0", ":INIT"]
)
def test_settings_wait_until_the_model_is_done(rig: Rig, line: str) -> None:
    rig.send(':TRIG:LOAD "SimpleLoop",10,0.1', ":INIT")
    assert rig.refused(line) == -221
    rig.send("*WAI")


def test_abort_leaves_the_output_and_stops_the_model(rig: Rig) -> None:
    rig.send(":SOUR:SWE:VOLT:LIN 0.1,1,100,0.1", ":INIT")
    state(rig)
    assert rig.ask(":OUTP?") == "1"
    rig.send(":ABOR", ":SOUR:VOLT 0", ":OUTP OFF")
    n = rig.ask(":TRAC:ACT?")
    rig.bench.wait_s(100)
    assert (state(rig), rig.ask(":TRAC:ACT?")) == ("ABORTED", n)
    assert rig.bench.source is None


def test_operation_complete_comes_with_the_end(rig: Rig) -> None:
    rig.send("*CLS", ':TRIG:LOAD "SimpleLoop",10,0.1', ":INIT", "*OPC")
    assert rig.ask("*ESR?") == "0"
    assert rig.ask("*OPC?") == "1"
    assert rig.ask("*ESR?") == "1"


def test_an_endless_model_ends_no_session(rig: Rig) -> None:
    rig.send(":TRIG:BLOC:NOP 1", ":TRIG:BLOC:BRAN:ALW 2,1", ":INIT")
    assert rig.ask("*OPC?") == ""
    assert state(rig) == "RUNNING"
    rig.send(":ABOR")
    assert rig.ask("*OPC?") == "1"


def test_a_model_that_fails_says_why(rig: Rig) -> None:
    rig.send(":TRAC:MAKE 'mine',10", ":TRIG:BLOC:MEAS 1,'mine'", ":TRAC:DEL 'mine'", ":OUTP ON")
    assert rig.ask(":INIT;*WAI;:TRIG:STAT?").startswith("FAILED")
    assert [rig.error(), rig.error()] == [1115, 2730]


@settings(max_examples=30, deadline=None)
@given(
    levels_v=st.lists(st.floats(-2, 2).map(lambda v: round(v, 6)), min_size=2, max_size=20),
    delay_s=st.sampled_from([0.0, 1e-3, 0.1]),
)
def test_list_sweeps_source_what_was_listed(levels_v: list[float], delay_s: float) -> None:
    rig = Rig()
    rig.send(FAST, f":SOUR:LIST:VOLT {','.join(map(str, levels_v))}")
    rig.send(f":SOUR:SWE:VOLT:LIST 1,{delay_s}", ":INIT", "*WAI")
    sourced_v = rig.numbers(f':TRAC:DATA? 1,{len(levels_v)},"defbuffer1",SOUR')
    assert sourced_v == pytest.approx(levels_v, rel=0.05, abs=0.2 if not delay_s else 1e-2)
