"""Runs of the Keysight B2900: sweeps, lists, pulses, triggers, and what may happen meanwhile."""

from __future__ import annotations

from itertools import pairwise

import pytest

from tests.unit.test_keysight_b2900_firmware import NO_ERROR, Bench, about

PULSES = (
    ":SOUR:FUNC:SHAP PULS",
    ":SOUR:VOLT 0",
    ":SOUR:VOLT:TRIG 1",
    ":SOUR:PULS:WIDT 1e-3",
    ":SOUR:WAIT OFF",
    ":SENS:WAIT OFF",
    ":SENS:CURR:PROT 1e-3",
    ":SENS:CURR:RANG 1e-3",
    ":SENS:VOLT:RANG 2",
    ":SENS:CURR:APER 4e-4",
    ":TRIG:SOUR TIM",
    ":TRIG:TIM 5e-3",
    ":TRIG:COUN 4",
    ":TRIG:ACQ:DEL 5e-4",
    ":FORM:ELEM:SENS VOLT,CURR,STAT",
)


@pytest.fixture
def bench() -> Bench:
    return Bench()


def pulsing(bench: Bench, *more: str) -> Bench:
    bench.tell(*PULSES, *more, ":OUTP ON")
    return bench


# --- levels -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("lines", "levels"),
    [
        ((":SOUR:VOLT:STAR 0", ":SOUR:VOLT:STOP 1", ":SOUR:VOLT:POIN 5"), [0, 0.25, 0.5, 0.75, 1]),
        ((":SOUR:VOLT:STAR 1;STOP -1;STEP 0.5",), [1, 0.5, 0, -0.5, -1]),
        ((":SOUR:VOLT:CENT 1;SPAN 2", ":SOUR:SWE:POIN 3"), [0, 1, 2]),
        ((":SOUR:VOLT:STAR 0;STOP 1;POIN 3", ":SWE:STA DOUB"), [0, 0.5, 1, 1, 0.5, 0]),
        ((":SOUR:VOLT:STAR 0;STOP 1;POIN 3", ":SWE:DIR DOWN"), [1, 0.5, 0]),
        ((":SOUR:VOLT:STAR 0.01;STOP 1;POIN 3", ":SWE:SPAC LOG"), [0.01, 0.1, 1]),
        ((":SOUR:LIST:VOLT 0.1,0.3", ":SOUR:LIST:VOLT:APP -0.2", "MODE LIST"), [0.1, 0.3, -0.2]),
        ((":SOUR:LIST:VOLT 1,2,3", ":SOUR:LIST:VOLT:STAR 2", "MODE LIST"), [2, 3, 1]),
    ],
)
def test_levels_of_sweeps_and_lists(
    bench: Bench, lines: tuple[str, ...], levels: list[float]
) -> None:
    mode = "LIST" if lines[-1] == "MODE LIST" else "SWE"
    bench.tell(*(line for line in lines if line != "MODE LIST"), f":SOUR:VOLT:MODE {mode}")
    bench.tell(":SENS:CURR:PROT 1e-3", f":TRIG:COUN {len(levels)}", ":OUTP ON", ":INIT (@1)")
    assert bench.numbers(":FETC:ARR:VOLT? (@1)") == about(levels)
    assert bench.numbers(":FETC:ARR:CURR? (@1)") == about([v / 1e4 for v in levels])
    assert bench.numbers(":FETC:ARR:SOUR?") == about(levels)
    assert bench.numbers(":SENS:DATA:LAT?")[0] == about(levels[-1])
    assert bench.error() == NO_ERROR


def test_points_step_and_span_are_coupled(bench: Bench) -> None:
    bench.tell(":SOUR:VOLT:STAR 0", ":SOUR:VOLT:STOP 2", ":SOUR:VOLT:STEP 0.3")
    assert bench.ask(":SOUR:VOLT:POIN?") == "7"
    bench.tell(":SWE:POIN 3")
    assert bench.ask(":SOUR:VOLT:STEP?") == "+1.000000E+00"
    bench.tell(":SOUR:VOLT:STOP 4")
    assert bench.ask(":SOUR:VOLT:STEP?;SPAN?;CENT?") == "+2.000000E+00;+4.000000E+00;+2.000000E+00"
    assert bench.refused(":SOUR:VOLT:STEP 1e-4") == -222


def test_more_triggers_than_levels_begin_again(bench: Bench) -> None:
    bench.tell(":SOUR:LIST:VOLT 1,2", ":SOUR:VOLT:MODE LIST", ":SENS:CURR:PROT 1e-3")
    bench.tell(":TRIG:COUN 5")
    assert bench.numbers(":READ:ARR:VOLT?") == about([1, 2, 1, 2, 1])


@pytest.mark.parametrize(("keeps", "level"), [(0, 0.5), (1, 2)])
def test_what_is_left_after_a_run(bench: Bench, keeps: int, level: float) -> None:
    bench.tell(":SOUR:VOLT 0.5", ":SOUR:VOLT:TRIG 2", f":SOUR:FUNC:TRIG:CONT {keeps}")
    bench.tell(":SENS:CURR:PROT 1e-3", ":OUTP ON")
    assert bench.numbers(":READ:VOLT?") == about([2])
    assert bench.numbers(":MEAS:VOLT?") == about([level])


def test_levels_that_do_not_fit_begin_no_run(bench: Bench) -> None:
    bench.tell(":SOUR:VOLT:RANG:AUTO 0;:SOUR:VOLT:RANG 2", ":SOUR:LIST:VOLT 1,5")
    bench.tell(":SOUR:VOLT:MODE LIST", ":OUTP ON")
    assert bench.refused(":INIT") == -221
    assert bench.ask(":STAT:OPER:COND?") == "18"


# --- pulses -------------------------------------------------------------------------------------


def test_pulses_have_their_width_and_period(bench: Bench) -> None:
    pulsing(bench).tell(":INIT (@1)")
    readings = bench.numbers(":FETC:ARR? (@1)")
    assert readings == about([1, 1e-4, 0] * 4, rel=1e-4)
    rises = bench.load.rises(0.5)
    assert [b - a for a, b in pairwise(rises)] == about([5e-3] * 3)
    assert bench.load.time_above_s(0.5) == about(4e-3, rel=0.01)
    assert bench.load.source is not None
    assert bench.load.source[0] == 0


def test_pulses_on_a_base(bench: Bench) -> None:
    pulsing(bench, ":SOUR:VOLT 0.2", ":SOUR:VOLT:TRIG -1", ":SOUR:PULS:DEL 2e-4")
    bench.tell(":TRIG:ACQ:DEL 7e-4")
    assert bench.numbers(":READ:ARR:VOLT?") == about([-1] * 4)
    assert bench.numbers(":MEAS:VOLT?") == about([0.2])


def test_a_measurement_that_outlasts_its_pulse_sees_both_levels(bench: Bench) -> None:
    pulsing(bench, ":SENS:CURR:APER 1e-3", ":TRIG:ACQ:DEL 5e-4")
    assert bench.numbers(":READ:ARR:CURR?") == about([0.5e-4] * 4, rel=0.05)
    assert bench.load.time_above_s(0.5) == about(4e-3, rel=0.01)


def test_a_timer_that_is_too_fast_loses_events(bench: Bench) -> None:
    pulsing(bench, ":TRIG:TIM 6e-4")
    bench.tell(":INIT")
    assert len(bench.numbers(":FETC:ARR:VOLT?")) == 4
    assert int(bench.ask(":STAT:QUES?")) & (1 << 11)
    rises = bench.load.rises(0.5)
    assert rises[1] - rises[0] == about(1.2e-3)


def test_automatic_triggers_wait_for_both_actions(bench: Bench) -> None:
    pulsing(bench, ":TRIG:SOUR AINT", ":SOUR:PULS:DEL 5e-4", ":TRIG:ACQ:DEL 1e-3")
    assert bench.numbers(":READ:ARR:VOLT?") == about([1] * 4)
    rises = bench.load.rises(0.5)
    assert min(b - a for a, b in pairwise(rises)) >= 1.4e-3


def test_the_source_may_run_alone(bench: Bench) -> None:
    pulsing(bench).tell(":INIT:TRAN (@1)")
    assert bench.ask(":IDLE? (@1)") == "1"
    assert len(bench.load.rises(0.5)) == 4
    assert bench.numbers(":FETC:ARR:CURR?") == [9.91e37]


def test_the_measurement_may_run_alone(bench: Bench) -> None:
    bench.tell(":SOUR:VOLT 1", ":OUTP ON", ":TRIG:ACQ:SOUR TIM;TIM 0.01;COUN 3")
    bench.tell(":INIT:IMM:ACQ (@1)")
    times_s = bench.numbers(":FETC:ARR:TIME?")
    assert [b - a for a, b in pairwise(times_s)] == about([0.01] * 2, abs=1e-3)


# --- while it runs ------------------------------------------------------------------------------


def test_a_run_goes_on_when_somebody_looks(bench: Bench) -> None:
    pulsing(bench).tell(":INIT")
    assert bench.ask(":STAT:OPER:COND?") == "0"
    polls = 0
    while bench.ask(":STAT:OPER:COND?") != "18":
        polls += 1
        assert polls < 100
    assert polls > 1
    assert bench.load.time_above_s(0.5) == about(4e-3, rel=0.01)


def test_a_late_host_makes_no_pulse_longer(bench: Bench) -> None:
    pulsing(bench).tell(":INIT")
    for _ in range(8):
        bench.load.wait_s(2.3e-3)
        bench.ask("*ESR?")
    bench.ask("*OPC?")
    assert len(bench.load.rises(0.5)) == 4
    assert bench.load.time_above_s(0.5) == about(4e-3, rel=0.01)


@pytest.mark.parametrize("line", [":ABOR (@1)", ":ABOR:ALL (@1)", ":OUTP OFF", "*RST"])
def test_a_run_ends_early(bench: Bench, line: str) -> None:
    pulsing(bench).tell(":INIT")
    bench.ask(":STAT:OPER:COND?")
    bench.tell(line)
    n_rises = len(bench.load.rises(0.5))
    assert 1 <= n_rises < 4
    assert bench.ask(":STAT:OPER:COND?") == "18"
    assert bench.ask("*OPC?") == "1"
    assert len(bench.load.rises(0.5)) == n_rises
    assert bench.error() == NO_ERROR


@pytest.mark.parametrize(
    "line", [":INIT", ":SOUR:FUNC:SHAP DC", ":TRIG:COUN 3", ":SOUR:VOLT:TRIG 2", ":SYST:LFR 60"]
)
def test_what_a_run_does_not_allow(bench: Bench, line: str) -> None:
    pulsing(bench, ":TRIG:TIM 1").tell(":INIT")
    assert bench.refused(line) == 203
    bench.tell(":MEAS?")
    assert int(bench.error().split(",")[0]) == 203


def test_operation_complete_comes_at_the_end(bench: Bench) -> None:
    pulsing(bench, ":TRIG:TIM 0.1").tell("*CLS", ":INIT", "*OPC")
    assert bench.ask("*ESR?") == "0"
    bench.load.wait_s(1)
    assert bench.ask("*ESR?") == "1"


def test_wait_lets_the_run_end(bench: Bench) -> None:
    pulsing(bench).tell(":INIT", "*WAI")
    assert bench.ask(":STAT:OPER:COND?") == "18"
    assert bench.ask(":STAT:OPER?") == "18"


def test_bus_triggers(bench: Bench) -> None:
    bench.tell(":SOUR:LIST:VOLT 1,2", ":SOUR:VOLT:MODE LIST", ":SENS:CURR:PROT 1e-3")
    bench.tell(":TRIG:SOUR BUS", ":TRIG:COUN 2", ":OUTP ON", ":INIT")
    bench.ask(":SYST:ERR?")
    assert bench.ask(":STAT:OPER:COND?") == str(0b100100)
    bench.tell("*OPC?")
    assert int(bench.error().split(",")[0]) == 210
    bench.tell("*TRG")
    assert bench.numbers(":FETC:ARR:VOLT?") == about([1])
    bench.tell(":TRIG (@1)")
    assert bench.numbers(":FETC:ARR:VOLT?") == about([1, 2])
    assert bench.ask("*OPC?") == "1"


def test_arm_layers_repeat_trigger_layers(bench: Bench) -> None:
    bench.tell(":SOUR:VOLT 1", ":ARM:COUN 2", ":ARM:SOUR TIM", ":ARM:TIM 0.5", ":TRIG:COUN 3")
    times_s = bench.numbers(":READ:ARR:TIME?")
    assert len(times_s) == 6
    assert times_s[3] - times_s[0] == about(0.5)


def test_a_run_without_end_gives_what_there_is(bench: Bench) -> None:
    bench.tell(":SOUR:VOLT 1", ":TRIG:ACQ:COUN INF", ":OUTP ON", ":INIT:ACQ")
    bench.load.wait_s(0.1)
    n = len(bench.numbers(":FETC:ARR:CURR?"))
    assert n > 10
    bench.load.wait_s(0.1)
    assert len(bench.numbers(":FETC:ARR:CURR?")) > n
    bench.tell(":SOUR:VOLT 2", ":ABOR:ACQ")
    assert bench.ask("*OPC?") == "1"


def test_a_run_without_end_does_not_make_up_for_a_long_absence(bench: Bench) -> None:
    bench.tell(":SENS:CURR:APER 1e-3", ":TRIG:ACQ:COUN INF", ":OUTP ON", ":INIT:ACQ")
    bench.load.wait_s(1e6)
    assert 500 < len(bench.numbers(":FETC:ARR:CURR?")) < 1100


def test_the_output_goes_on_and_off_by_itself(bench: Bench) -> None:
    bench.tell(":OUTP:OFF:AUTO ON", ":SOUR:VOLT 1")
    assert bench.numbers(":READ:VOLT?") == about([1])
    assert bench.ask(":OUTP?") == "0"
    bench.tell(":OUTP:ON:AUTO OFF")
    assert bench.numbers(":READ:VOLT?") == about([0])
    assert bench.ask(":OUTP?") == "0"


def test_arrays_of_two_channels_are_filled_up() -> None:
    bench = Bench(model="B2902A")
    bench.tell(":SOUR1:VOLT 1", ":SOUR2:VOLT 2", ":TRIG1:COUN 2", ":TRIG2:COUN 1")
    assert bench.numbers(":READ:ARR:VOLT? (@1,2)") == about([1, 2, 1, 9.91e37])


def test_times_count_from_the_start_of_the_run(bench: Bench) -> None:
    bench.load.wait_s(7.0)
    bench.tell(":TRIG:ACQ:DEL 0.25")
    assert bench.numbers(":READ:TIME?") == about([0.25], abs=0.01)
    bench.load.wait_s(1.0)
    assert float(bench.ask(":SYST:TIME:TIM:COUN?")) == about(1.25, abs=0.02)
