from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.keithley2450 import LOAD_OHM, Rig


@pytest.fixture
def rig() -> Rig:
    return Rig()


RESET_STATE = {
    ":SOUR:FUNC?": "VOLT",
    ":SOUR:VOLT?": "0.000000E+00",
    ":SOUR:CURR?": "0.000000E+00",
    ":SOUR:VOLT:RANG?": "2.000000E-02",
    ":SOUR:VOLT:RANG:AUTO?": "1",
    ":SOUR:VOLT:ILIM?": "1.050000E-04",
    ":SOUR:CURR:VLIM?": "2.100000E+01",
    ":SOUR:VOLT:READ:BACK?": "1",
    ":SOUR:VOLT:DEL:AUTO?": "1",
    ":SOUR:VOLT:HIGH:CAP?": "0",
    ":SOUR:VOLT:PROT?": "NONE",
    ":SENS:FUNC?": '"CURR:DC"',
    ":SENS:CURR:RANG:AUTO?": "1",
    ":SENS:CURR:NPLC?": "1.000000E+00",
    ":SENS:CURR:RSEN?": "0",
    ":SENS:CURR:AZER?": "1",
    ":SENS:CURR:UNIT?": "AMP",
    ":SENS:COUN?": "1",
    ":OUTP?": "0",
    ":OUTP:VOLT:SMOD?": "NORM",
    ":ROUT:TERM?": "FRON",
    ":FORM?": "ASC",
    ":FORM:BORD?": "SWAP",
    ":FORM:ASC:PREC?": "0",
    ":TRAC:POIN?": "100000",
    ":TRAC:ACT?": "0",
    ":TRIG:STAT?": "EMPTY;EMPTY;0",
}


def test_reset_state(rig: Rig) -> None:
    power_on = {query: rig.ask(query) for query in RESET_STATE}
    rig.send(
        ":SOUR:FUNC CURR;:SOUR:CURR 1e-3;:SENS:FUNC 'VOLT';:OUTP ON;:ROUT:TERM REAR;:FORM REAL",
        ':SOUR:VOLT:ILIM 1e-6;:TRAC:MAKE "mine",100;:TRIG:LOAD "SimpleLoop",3;:SENS:COUN 7',
    )
    rig.send("*RST")
    assert power_on == RESET_STATE
    assert {query: rig.ask(query) for query in RESET_STATE} == RESET_STATE
    assert rig.refused(':TRAC:CLE "mine"') == 1115


@pytest.mark.parametrize(
    ("written", "query", "held"),
    [
        (":SOUR:VOLT:ILIM 1e-7", ":SOUR:VOLT:ILIM?", 1e-7),
        (":SOUR:VOLT:ILIM:LEV -2e-3", ":SOUR:VOLT:ILIM:LEV?", 2e-3),
        (":SOUR:VOLT:ILIM MIN", ":SOUR:VOLT:ILIM?", 1e-9),
        (":SOUR:VOLT:ILIM MAX", ":SOUR:VOLT:ILIM?", 1.05),
        (":SOUR:CURR:VLIM 0.02", ":SOUR:CURR:VLIM?", 0.02),
        (":source1:voltage:level:immediate:amplitude 1.5", ":SOUR:VOLT?", 1.5),
        (":SOUR:VOLT:RANG 3", ":SOUR:VOLT:RANG?", 20.0),
        (":SOUR:VOLT:RANG 2.1", ":SOUR:VOLT:RANG?", 2.0),
        (":SOUR:CURR:RANG 5e-9", ":SOUR:CURR:RANG?", 1e-8),
        (":SENS:CURR:RANG 100e-6", ":SENS:CURR:RANG?", 1e-4),
        (":CURR:RANG 1", ":SENS:CURR:DC:RANG:UPP?", 1.0),
        (":SENS:RES:RANG 5e4", ":SENS:RES:RANG?", 2e5),
        (":SENS:CURR:RANG:AUTO:LLIM 15e-9", ":SENS:CURR:RANG:AUTO:LLIM?", 1e-7),
        (":SOUR:VOLT:DEL 0.25", ":SOUR:VOLT:DEL?", 0.25),
        (":SOUR:VOLT:DEL:USER3 2", ":SOUR:VOLT:DEL:USER3?", 2.0),
        (":SENS:CURR:DEL:USER5 0.5", ":SENS:CURR:DEL:USER5?", 0.5),
        (":SENS:VOLT:NPLC 0.01", ":SENS:VOLT:NPLC?", 0.01),
        (":SENS:CURR:AVER:COUN 7", ":SENS:CURR:AVER:COUN?", 7),
        (":SENS:CURR:REL 1e-6", ":SENS:CURR:REL?", 1e-6),
        ("COUNT 12", ":SENS:COUN?", 12),
    ],
)
def test_settings_are_held(rig: Rig, written: str, query: str, held: float) -> None:
    rig.send(written)
    assert float(rig.ask(query)) == held


@pytest.mark.parametrize(
    ("query", "answer"),
    [
        (":SOUR:VOLT:ILIM? MIN", 1e-9),
        (":SOUR:VOLT:ILIM? MAX", 1.05),
        (":SOUR:VOLT:ILIM? DEF", 1.05e-4),
        (":SENS:CURR:RANG? MIN", 1e-8),
        (":SENS:CURR:RANG? MAX", 1.0),
        (":SENS:CURR:NPLC? MAX", 10.0),
    ],
)
def test_bounds_can_be_asked_for(rig: Rig, query: str, answer: float) -> None:
    assert float(rig.ask(query)) == answer


@pytest.mark.parametrize(
    ("lines", "code"),
    [
        ((":SOUR:VOLT 211",), -222),
        ((":SOUR:VOLT:ILIM 0.9e-9",), -222),
        ((":SOUR:VOLT:ILIM 2",), -222),
        ((":SOUR:CURR:VLIM 0.01",), -222),
        ((":SENS:CURR:NPLC 20",), -222),
        ((":SOUR:VOLT:RANG 2;LEV 3",), -222),
        ((":SOUR:VOLT 3;:SOUR:VOLT:RANG 2",), -221),
        ((":SOUR:VOLT 100;:SOUR:VOLT:ILIM 0.2",), -221),
        ((":SENS:CURR:RANG 1;:SOUR:VOLT:ILIM 5e-4",), -221),
        ((":SENS:FUNC 'RES';:SOUR:FUNC VOLT",), -221),
        ((":SOUR:VOLT:PROT PROT3",), -224),
        ((":SOUR:FUNC RES",), -224),
        ((":SENS:VOLT:RANG:AUTO:ULIM 2",), -113),
        ((":SOUR:VOLT:DEL:USER6 1",), -113),
        ((":SOUR:VOLT",), -109),
        ((":OUTP 1,2",), -108),
        ((":SENS:FUNC CURR",), -104),
        ((":TRAC:FEED SENSE",), -113),
    ],
)
def test_what_the_instrument_refuses(rig: Rig, lines: tuple[str, ...], code: int) -> None:
    assert rig.refused(*lines) == code


def test_a_command_without_function_goes_for_all_functions(rig: Rig) -> None:
    rig.send(":SENS:NPLC 0.1;:SOUR:DEL 0.5;:OUTP:SMOD HIMP;:SENS:AVER ON")
    assert [float(rig.ask(f":SENS:{f}:NPLC?")) for f in ("CURR", "VOLT", "RES")] == [0.1] * 3
    assert [float(rig.ask(f":SOUR:{f}:DEL?")) for f in ("CURR", "VOLT")] == [0.5] * 2
    assert rig.ask(":OUTP:CURR:SMOD?;:OUTP:VOLT:SMOD?") == "HIMP;HIMP"
    assert rig.ask(":SOUR:VOLT:DEL:AUTO?") == "0"


def test_voltage_is_sourced_at_once_and_settles(rig: Rig) -> None:
    rig.send(":SOUR:VOLT 1", ":OUTP ON")
    first_v, last_v = rig.levels_v[0], rig.levels_v[-1]
    reading_a, source_v = rig.numbers(':READ? "defbuffer1", READ, SOUR')
    assert (first_v, last_v) == pytest.approx((0.0, 1.0), abs=1e-9)
    assert source_v == pytest.approx(1.0, rel=1e-6)
    assert reading_a == pytest.approx(1 / LOAD_OHM, rel=1e-3)


def test_the_limit_holds_the_current_and_trips(rig: Rig) -> None:
    rig.send(":SOUR:VOLT:ILIM 20e-6", ":SOUR:VOLT 1", ":OUTP ON")
    reading_a, source_v, status = rig.numbers(':READ? "defbuffer1",READ,SOUR,SOURSTAT')
    assert reading_a == pytest.approx(20e-6, rel=1e-6)
    assert source_v == pytest.approx(20e-6 * LOAD_OHM, rel=1e-6)
    assert int(status) & 0x20
    assert rig.ask(":SOUR:VOLT:ILIM:TRIP?") == "1"
    rig.send(":SOUR:VOLT 0.1")
    assert not int(rig.numbers(':READ? "defbuffer1",SOURSTAT')[0]) & 0x20
    assert rig.ask(":SOUR:VOLT:ILIM:TRIP?") == "0"


def test_current_is_sourced_up_to_the_voltage_limit(rig: Rig) -> None:
    rig.send(":SOUR:FUNC CURR;:SOUR:CURR 1e-4;:SOUR:CURR:VLIM 5;:SENS:FUNC 'VOLT';:OUTP ON")
    reading_v, source_a = rig.numbers(':READ? "defbuffer1",READ,SOUR')
    assert (reading_v, source_a) == pytest.approx((1.0, 1e-4), rel=1e-3)
    rig.send(":SOUR:CURR 1e-3")
    assert rig.numbers(":READ?") == pytest.approx([5.0], rel=1e-3)
    assert rig.ask(":SOUR:CURR:VLIM:TRIP?;:SOUR:VOLT:ILIM:TRIP?") == "1;0"


def test_overvoltage_protection_clamps_the_source(rig: Rig) -> None:
    rig.send(":SOUR:VOLT:PROT PROT2;:SOUR:VOLT 5;:SOUR:VOLT:ILIM 1e-2;:OUTP ON")
    assert rig.numbers(':READ? "defbuffer1",SOUR') == pytest.approx([2.0], rel=1e-6)
    assert rig.ask(":SOUR:VOLT:PROT:TRIP?;:SOUR:VOLT:PROT?") == "1;PROT2"


def test_the_limit_follows_the_operating_boundaries_with_a_warning(rig: Rig) -> None:
    rig.send(":SOUR:VOLT:ILIM 1;:SOUR:VOLT 50")
    assert float(rig.ask(":SOUR:VOLT:ILIM?")) == 0.105
    assert rig.ask(":SYST:EVEN:NEXT? WARN").split(";")[1] == "2"


def test_a_fixed_range_raises_the_limit_with_a_warning(rig: Rig) -> None:
    rig.send(":SOUR:VOLT:ILIM 1e-7", ":SENS:CURR:RANG 1e-3")
    assert float(rig.ask(":SOUR:VOLT:ILIM?")) == 1e-6
    assert "limit" in rig.ask(":SYST:EVEN:NEXT? WARN")


def test_a_fixed_range_carries_no_more_than_itself(rig: Rig) -> None:
    rig.send(":SOUR:VOLT:ILIM 1e-2;:SENS:CURR:RANG 1e-5;:SOUR:VOLT 1;:OUTP ON")
    assert rig.numbers(":READ?")[0] == pytest.approx(1.05e-5, rel=1e-6)


@pytest.mark.parametrize("line", [":SOUR:FUNC CURR", ":ROUT:TERM REAR", "*RST", ":SENS:FUNC 'RES'"])
def test_what_switches_the_output_off(rig: Rig, line: str) -> None:
    rig.send(":OUTP ON", line)
    assert rig.ask(":OUTP?") == "0"
    assert rig.firmware.output_off_count == 1
    assert rig.bench.source is None


def test_the_source_delay_goes_before_the_measurement_after_a_change_only(rig: Rig) -> None:
    rig.send(":SOUR:VOLT:DEL 0.5;:SENS:CURR:RANG 1e-4;:SENS:CURR:NPLC 1;:OUTP ON;:SOUR:VOLT 1")
    took_s = []
    for _ in range(2):
        start_s = rig.bench.now_s()
        rig.ask(":READ?")
        took_s.append(rig.bench.now_s() - start_s)
    conversions_s = 2 * (0.02 + 155e-6)
    assert took_s == pytest.approx([0.5 + conversions_s, conversions_s], rel=1e-3)


def test_the_automatic_delay_follows_the_current_range(rig: Rig) -> None:
    rig.send(":SENS:CURR:RANG 1e-8")
    low_s = float(rig.ask(":SOUR:VOLT:DEL?"))
    rig.send(":SENS:CURR:RANG 1e-3")
    high_s = float(rig.ask(":SOUR:VOLT:DEL?"))
    rig.send(":SOUR:VOLT:HIGH:CAP ON")
    assert (low_s, high_s, float(rig.ask(":SOUR:VOLT:DEL?"))) == (50e-3, 1e-3, 10e-3)


@given(
    limit_a=st.floats(1e-9, 1.05),
    level_v=st.floats(-20, 20).filter(lambda v: v == 0 or abs(v) > 1e-4),
)
def test_never_more_than_the_limit(limit_a: float, level_v: float) -> None:
    rig = Rig()
    rig.send(f":SOUR:VOLT:ILIM {limit_a};:SOUR:VOLT {level_v};:SOUR:VOLT:DEL 0;:OUTP ON")
    rig.bench.wait_s(1.0)
    reading_a, status = rig.numbers(':READ? "defbuffer1",READ,SOURSTAT')
    wanted_a = level_v / LOAD_OHM
    assert abs(reading_a) <= limit_a * (1 + 1e-6)
    if abs(wanted_a) < limit_a * 0.999:
        assert reading_a == pytest.approx(wanted_a, rel=1e-3, abs=1e-12)
    assert bool(int(status) & 0x20) == (abs(wanted_a) > limit_a) or math.isclose(
        abs(wanted_a), limit_a, rel_tol=1e-3
    )
