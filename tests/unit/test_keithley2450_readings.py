from __future__ import annotations

import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hil.instruments.accuracy import KEITHLEY_2450
from tests.support.keithley2450 import LOAD_OHM, Rig
from twin.firmware.keithley2450.buffers import Buffer, Reading
from twin.firmware.keithley2450.event_log import Clock
from twin.firmware.keithley2450.formats import Format, number


@pytest.fixture
def rig() -> Rig:
    rig = Rig()
    rig.send(":SOUR:VOLT:ILIM 1e-2;:SOUR:VOLT 1;:SOUR:VOLT:DEL 0;:OUTP ON")
    rig.bench.wait_s(0.1)
    return rig


def test_elements_in_the_order_that_was_asked_for(rig: Rig) -> None:
    elements = ':READ? "defbuffer1", DATE, SOUR, READing, UNIT, SOURUNIT, STATus, SOURSTAT, REL'
    values = rig.ask(elements).split(",")
    assert values[0] == "01/01/2026"
    assert [float(v) for v in values[1:3]] == pytest.approx([1.0, 1e-4], rel=1e-6)
    assert values[3:5] == ["Amp DC", "Volt DC"]
    assert int(values[5]) == 8 | 256  # front terminals, first reading of a group
    assert int(values[6]) == 128 | 8  # output on, source value read back
    assert float(values[7]) == 0.0


def test_times_agree_with_each_other(rig: Rig) -> None:
    seconds, fraction, stamp, time = rig.ask(':READ? "defbuffer1",SEC,FRAC,TST,TIME').split(",")
    t_s = rig.bench.now_s()
    assert int(seconds) + float(fraction) == pytest.approx(1767225600 + t_s, abs=1e-6)
    assert stamp == f"01/01/2026 {time}"
    assert time.startswith("00:00:00.")


def test_formatted_values_have_prefixes(rig: Rig) -> None:
    assert rig.ask(':READ? "defbuffer1",FORM,SOURFORM') == "+100.00000 uA,+1.00000 V"


def test_a_reading_is_stored_in_the_buffer_that_was_named(rig: Rig) -> None:
    rig.send(':TRAC:MAKE "mine", 20', ":SENS:COUN 3")
    last = rig.ask(":READ? 'mine'")
    assert rig.ask(':TRAC:ACT? "mine"') == "3"
    assert rig.ask(':TRAC:ACT:STAR? "mine";END? "mine"') == "1;3"
    assert rig.ask(":TRAC:ACT?") == "0"
    assert rig.ask(':TRAC:DATA? 3,3,"mine"') == last == rig.ask(':FETC? "mine"')
    assert len(rig.ask(':TRAC:DATA? 1,3,"mine",READ,SOUR').split(",")) == 6


def test_measure_selects_its_function(rig: Rig) -> None:
    assert float(rig.ask(":MEAS:VOLT?")) == pytest.approx(1.0, rel=1e-6)
    assert rig.ask(":SENS:FUNC?") == '"VOLT:DC"'
    assert float(rig.ask(":MEAS:CURR:DC? 'defbuffer2'")) == pytest.approx(1e-4, rel=1e-6)
    assert float(rig.ask(":MEAS?")) == pytest.approx(1e-4, rel=1e-6)
    assert rig.ask(":TRAC:ACT? 'defbuffer2'") == "1"


@pytest.mark.parametrize(
    ("line", "code"),
    [
        (':READ? "nowhere"', 1115),
        (":READ? defbuffer1", -104),
        (':READ? "defbuffer1",NONSENSE', 1133),
        (":TRAC:DATA?", -109),
        (':TRAC:DATA? 1,1,"defbuffer1"', -222),
        (":TRAC:DATA? 0,1", -222),
        (":FETC?", -230),
        (':TRAC:MAKE "small",9', -222),
        (':TRAC:MAKE "large",7000000', -222),
        (':TRAC:MAKE "defbuffer1",100', 1115),
        (':TRAC:MAKE "w",100,WRIT', -108),
        (':TRAC:DEL "defbuffer1"', -221),
        (":TRAC:POIN 5", -222),
    ],
)
def test_what_buffers_refuse(rig: Rig, line: str, code: int) -> None:
    assert rig.refused(line) == code


def test_a_full_buffer_stops_or_goes_round(rig: Rig) -> None:
    rig.send(':TRAC:MAKE "once",10', ':TRAC:MAKE "round",10', ':TRAC:FILL:MODE CONT,"round"')
    rig.send(":SENS:COUN 12")
    rig.ask(':READ? "once"', ':READ? "round"')
    stamps = {name: rig.numbers(f':TRAC:DATA? 1,10,"{name}",REL') for name in ("once", "round")}
    assert rig.ask(':TRAC:ACT? "once";ACT? "round"') == "10;10"
    assert stamps["once"][0] == 0.0
    assert stamps["round"][0] > 0.0
    assert rig.ask(':TRAC:FILL:MODE? "round";MODE?') == "CONT;CONT"


def test_statistics_are_those_of_the_readings() -> None:
    rig = Rig(is_ideal=False)
    rig.send(":SENS:CURR:RANG 1e-4;:SOUR:VOLT 0.5;:OUTP ON;:SENS:COUN 30")
    rig.ask(":READ?")
    readings = np.array(rig.numbers(":TRAC:DATA? 1,30"))
    found = {w: float(rig.ask(f":TRAC:STAT:{w}?")) for w in ("AVER", "MAX", "MIN", "STDD", "PK2P")}
    assert found["AVER"] == pytest.approx(readings.mean(), rel=1e-5)
    assert (found["MAX"], found["MIN"]) == (readings.max(), readings.min())
    assert found["STDD"] == pytest.approx(readings.std(ddof=1), rel=0.05)
    rig.send(":TRAC:CLE")
    assert rig.ask(":TRAC:STAT:AVER?") == "9.910000E+37"


@pytest.mark.parametrize(
    ("data_format", "order", "kind"),
    [("REAL", "SWAP", "<d"), ("REAL", "NORM", ">d"), ("SRE", "SWAP", "<f"), ("SRE", "NORM", ">f")],
)
def test_binary_readings(rig: Rig, data_format: str, order: str, kind: str) -> None:
    rig.send(":SENS:COUN 4")
    rig.ask(":READ?")
    expected = rig.numbers(':TRAC:DATA? 1,4,"defbuffer1",READ,SOUR,REL')
    rig.send(f":FORM:DATA {data_format};BORD {order}")
    block = rig.raw(':TRAC:DATA? 1,4,"defbuffer1",READ,SOUR,REL')
    assert block[:2] == b"#0"
    assert block[-1:] == b"\n"
    values = [v for (v,) in struct.iter_unpack(kind, block[2:-1])]
    assert values == pytest.approx(expected, rel=1e-6)
    assert rig.refused(':TRAC:DATA? 1,4,"defbuffer1",UNIT') == 1133


def test_precision_is_the_number_of_digits(rig: Rig) -> None:
    rig.send(":FORM:ASC:PREC 10")
    assert len(rig.ask(":READ?").split("E")[0].replace(".", "").lstrip("-")) == 10


finite = st.floats(allow_nan=False, allow_infinity=False, min_value=-1e30, max_value=1e30)


@given(finite, st.integers(0, 16))
def test_numbers_keep_their_digits(value: float, precision: int) -> None:
    written = number(value, precision)
    digits = precision or 7
    assert float(written) == pytest.approx(value, rel=10.0 ** (1 - digits), abs=1e-300)
    assert not written.startswith("+")


@given(st.lists(st.tuples(finite, finite), min_size=1, max_size=20), st.sampled_from(["<d", ">d"]))
def test_binary_readings_are_exact(values: list[tuple[float, float]], kind: str) -> None:
    buffer = Buffer(100)
    for value, source in values:
        buffer.store(Reading(value, "AMP", 0, 1.0, source, "VOLT", 0))
    order = "SWAP" if kind[0] == "<" else "NORM"
    text = Format("REAL", order, 0, Clock(lambda: 0.0)).write(
        buffer, buffer.readings, ("READ", "SOUR")
    )
    found = [v for (v,) in struct.iter_unpack(kind, text[2:].encode("latin-1"))]
    assert found == [v for pair in values for v in pair]


@pytest.mark.parametrize("load_ohm", [33.0, 4.7e3, 1e5, 2.2e6])
def test_resistance_is_measured_with_its_own_current(load_ohm: float) -> None:
    rig = Rig(load_ohm)
    rig.send(":SENS:FUNC 'RES';:OUTP ON")
    assert rig.numbers(":READ?") == pytest.approx([load_ohm], rel=1e-3)
    assert float(rig.ask(":SENS:RES:RANG?")) >= load_ohm
    rig.send(":SENS:RES:OCOM ON")
    assert rig.numbers(":READ?") == pytest.approx([load_ohm], rel=1e-3)
    rig.send(":SENS:RES:RANG 20")
    small = rig.numbers(":READ?")[0]
    assert small == 9.9e37 if load_ohm > 21 else small == pytest.approx(load_ohm)


def test_nothing_connected_overflows() -> None:
    rig = Rig(1e15)
    rig.send(":SENS:FUNC 'RES';:OUTP ON")
    assert rig.numbers(":READ?") == [9.9e37]


@pytest.mark.parametrize(("unit", "value"), [("OHM", LOAD_OHM), ("WATT", 1e-4), ("AMP", 1e-4)])
def test_units_are_computed(rig: Rig, unit: str, value: float) -> None:
    rig.send(f":SENS:CURR:UNIT {unit}")
    assert rig.numbers(":READ?") == pytest.approx([value], rel=1e-6)


def test_relative_offset_and_math(rig: Rig) -> None:
    rig.send(":SENS:CURR:REL:ACQ", ":SENS:CURR:REL:STAT ON", ":SOUR:VOLT 2")
    rig.bench.wait_s(0.1)
    assert rig.numbers(":READ?") == pytest.approx([1e-4], rel=1e-6)
    rig.send(":CALC:CURR:MATH:FORM MXB;MMF 2;MBF 1;STAT ON")
    assert rig.numbers(":READ?") == pytest.approx([1.0002], rel=1e-6)
    rig.send(":CALC:CURR:MATH:FORM REC")
    assert rig.numbers(":READ?") == pytest.approx([1e4], rel=1e-6)
    rig.send(":CALC:CURR:MATH:FORM PERC;PERC 2e-4")
    assert rig.numbers(":READ?") == pytest.approx([-50.0], rel=1e-6)


@pytest.mark.parametrize(
    ("low", "high", "result", "bits"),
    [(0, 1, "NONE", 0), (1e-3, 1, "LOW", 0x40), (0, 1e-5, "HIGH", 0x80), (1, 0, "BOTH", 0xC0)],
)
def test_limit_tests(rig: Rig, low: float, high: float, result: str, bits: int) -> None:
    rig.send(f":CALC2:CURR:LIM1:LOW {low};UPP {high};CLE:AUTO OFF", ":CALC2:LIM1:STAT ON")
    status = int(rig.ask(':READ? "defbuffer1",STAT'))
    assert status & 0xF0 == bits
    assert rig.ask(":CALC2:CURR:LIM1:FAIL?;:CALC2:VOLT:LIM2:FAIL?") == f"{result};NONE"
    rig.send(":CALC2:CURR:LIM1:STAT OFF")
    rig.ask(":READ?")
    assert rig.ask(":CALC2:CURR:LIM1:FAIL?") == result
    rig.send(":CALC2:CURR:LIM1:CLE")
    assert rig.ask(":CALC2:CURR:LIM1:FAIL?") == "NONE"


@pytest.mark.parametrize("kind", ["REP", "MOV"])
def test_filters_average(kind: str) -> None:
    spread = []
    for state in ("OFF", "ON"):
        rig = Rig(is_ideal=False)
        rig.send(":SENS:CURR:RANG 1e-4;NPLC 0.01;:SOUR:VOLT 0.5;:SOUR:VOLT:DEL 0.1;:OUTP ON")
        rig.send(f":SENS:CURR:AVER:TCON {kind};COUN 16", f":SENS:CURR:AVER {state};:SENS:COUN 60")
        rig.ask(":READ?")
        spread.append(np.std(rig.numbers(":TRAC:DATA? 1,60")[20:]))
    assert spread[1] < 0.5 * spread[0]


def test_source_values_are_programmed_ones_without_read_back(rig: Rig) -> None:
    rig.send(":SOUR:VOLT:ILIM 1e-5;:SOUR:VOLT:READ:BACK OFF")
    source_v, status = rig.numbers(':READ? "defbuffer1",SOUR,SOURSTAT')
    assert (source_v, int(status) & 8) == (1.0, 0)


def test_readings_lie_within_the_data_sheet() -> None:
    """Sourced and measured voltage, and current, of a hundred instruments on every range."""
    errors: list[float] = []
    for k in range(25):
        for level_v in (0.019, 0.19, 1.9, 19.0):
            rig = Rig(LOAD_OHM, is_ideal=False, serial_number=f"TWIN{k:04d}")
            rig.send(f":SOUR:VOLT:ILIM 1e-2;:SOUR:VOLT {level_v};:SOUR:VOLT:DEL 1;:OUTP ON")
            rig.send(":SENS:CURR:NPLC 10")
            reading_a, reading_v = rig.numbers(':READ? "defbuffer1",READ,SOUR')
            assert rig.bench.source is not None
            true_v = rig.bench.source[0]
            bounds = KEITHLEY_2450.measure_v.bound(true_v), KEITHLEY_2450.source_v.bound(level_v)
            errors += [
                abs(reading_v - true_v) / float(bounds[0]),
                abs(true_v - level_v) / float(bounds[1]),
                abs(reading_a - true_v / LOAD_OHM)
                / float(KEITHLEY_2450.measure_a.bound(true_v / LOAD_OHM)),
            ]
    assert np.mean(np.array(errors) <= 1.0) > 0.99
    assert 0.3 < np.mean(errors) < 0.7
