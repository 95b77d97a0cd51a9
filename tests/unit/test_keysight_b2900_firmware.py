"""The firmware of the Keysight B2900: commands, settings, limits, status and data."""

from __future__ import annotations

import math
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.loads import Load
from twin.firmware.keysight_b2900.firmware import KeysightB2900Firmware
from twin.firmware.keysight_b2900.readings import DataFormat


def about(value: object, rel: float = 2e-3, abs: float = 1e-9) -> object:  # noqa: A002
    """Compare with what a source that settles to 0.1 % gives."""
    return pytest.approx(value, rel=rel, abs=abs)


class Bench:
    """A firmware with a resistor, asked line by line."""

    def __init__(self, ohm: float = 10e3, model: str = "B2901A", *, ideal: bool = True) -> None:
        self.load = Load(ohm)
        self.firmware = KeysightB2900Firmware(self.load, model=model, is_ideal=ideal)

    def tell(self, *lines: str) -> None:
        for line in lines:
            assert self.firmware.receive(line.encode() + b"\n") == b"", line

    def ask(self, line: str) -> str:
        reply = self.firmware.receive(line.encode() + b"\n").decode("latin-1")
        assert reply.endswith("\n"), f"{line}: {self.error()}"
        return reply[:-1]

    def numbers(self, line: str) -> list[float]:
        return [float(field) for field in self.ask(line).split(",")]

    def error(self) -> str:
        return self.ask(":SYST:ERR?")

    def refused(self, *lines: str) -> int:
        """Return the number of the one error that the last of these lines makes."""
        self.tell(*lines)
        code, first = self.error().split(",", 1)[0], self.error()
        assert first == '+0,"No error"'
        return int(code)


@pytest.fixture
def bench() -> Bench:
    return Bench()


NO_ERROR = '+0,"No error"'


def test_identity_names_model_and_serial_number(bench: Bench) -> None:
    assert bench.ask("*IDN?").startswith("Keysight Technologies,B2901A,TWINB2900,")
    assert Bench(model="B2902A").ask("*IDN?").split(",")[1] == "B2902A"


@pytest.mark.parametrize(
    ("query", "reply"),
    [
        (":SOUR:FUNC:MODE?", "VOLT"),
        (":SOUR:FUNC:SHAP?", "DC"),
        (":FUNC?", "DC"),
        (":SOUR:VOLT?", "+0.000000E+00"),
        (":SOUR:VOLT:RANG:AUTO?", "1"),
        (":SOUR:VOLT:MODE?", "FIX"),
        (":SOUR:PULS:WIDT?", "+5.000000E-05"),
        (":SOUR:WAIT?", "1"),
        (":SOUR:FUNC:TRIG:CONT?", "0"),
        (":SENS:CURR:PROT?", "+1.000000E-04"),
        (":SENS:VOLT:PROT?", "+2.000000E+00"),
        (":SENS:CURR:NPLC?", "+1.000000E-01"),
        (":SENS:CURR:APER?", "+2.000000E-03"),
        (":SENS:CURR:RANG:AUTO:LLIM?", "+1.000000E-06"),
        (":SENS:VOLT:RANG:AUTO:LLIM?", "+2.000000E-01"),
        (":SENS:CURR:RANG:AUTO:MODE?", "NORM"),
        (":SENS:CURR:RANG:AUTO:THR?", "+9.000000E+01"),
        (":SENS:REM?", "0"),
        (":SENS:FUNC:ON:COUN?", "3"),
        (":OUTP?", "0"),
        (":OUTP:ON:AUTO?", "1"),
        (":OUTP:OFF:AUTO?", "0"),
        (":OUTP:OFF:MODE?", "NORM"),
        (":OUTP:PROT?", "0"),
        (":TRIG:ACQ:SOUR?", "AINT"),
        (":TRIG:TRAN:COUN?", "1"),
        (":ARM:ACQ:DEL?", "+0.000000E+00"),
        (":TRIG:ACQ:TIM?", "+2.000000E-05"),
        (":FORM?", "ASC"),
        (":FORM:BORD?", "NORM"),
        (":FORM:ELEM:SENS?", "VOLT,CURR,RES,TIME,STAT,SOUR"),
        (":TRAC:POIN?", "100000"),
        (":TRAC:FEED:CONT?", "NEV"),
        (":SYST:LFR?", "50"),
        (":SYST:TIME:TIM:COUN:RES:AUTO?", "1"),
        (":STAT:OPER:COND?", "18"),
    ],
)
def test_state_after_a_reset(bench: Bench, query: str, reply: str) -> None:
    bench.tell(":SOUR:VOLT 3;:SENS:CURR:PROT 1e-3;:FORM:ELEM:SENS CURR;:TRIG:COUN 7", "*RST")
    assert bench.ask(query) == reply


@pytest.mark.parametrize(
    ("header", "sent", "held"),
    [
        (":SOUR1:VOLT", "1.5", "+1.500000E+00"),
        (":SOUR:VOLT:LEV:IMM:AMPL", "250 mV", "+2.500000E-01"),
        (":VOLT:TRIG", "-1e-3", "-1.000000E-03"),
        (":SOUR:CURR", "1e-7", "+1.000000E-07"),
        (":SENS1:CURR:DC:PROT:LEV", "1e-07", "+1.000000E-07"),
        (":SENS:CURR:PROT:POS", "2e-7", "+2.000000E-07"),
        (":SENS:CURR:PROT:NEG", "-3e-7", "+3.000000E-07"),
        (":SENS:VOLT:PROT:BOTH", "MIN", "+2.000000E-03"),
        (":SENS:CURR:APER", "1e-9", "+8.000000E-06"),
        (":SENS:VOLT:NPLC", "1000", "+1.000000E+02"),
        (":SENS:CURR:RANG", "150e-6", "+1.000000E-03"),
        (":SENS:CURR:RANG:UPP", "100e-9", "+1.000000E-07"),
        (":SENS:FUNC", '"CURR"', '"CURR"'),
        (":SENS:FUNC:ON", "'VOLT:DC','RES'", '"VOLT","RES"'),
        (":SENS:FUNC", "CURR", '"CURR"'),
        (":SOUR:VOLT:MODE", "SWEEP", "SWE"),
        (":SOUR:FUNC:SHAP", "pulse", "PULS"),
        (":PULS:DEL", "1.2345678e-3", "+1.235000E-03"),
        (":SOUR:PULSE:WIDTH", "0.1", "+1.000000E-01"),
        (":SOUR:LIST:VOLT", "0.1,0.2,-0.3", "+1.000000E-01,+2.000000E-01,-3.000000E-01"),
        (":SWE:STA", "DOUB", "DOUB"),
        (":TRIG:TRAN:COUN", "INF", "2147483647"),
        (":TRIG1:ACQ:COUN", "2147483647", "2147483647"),
        (":TRIG:ACQ:SOUR:SIGN", "TIMER", "TIM"),
        (":ARM:TRAN:BYP", "ONCE", "ONCE"),
        (":FORM", "REAL,64", "REAL,64"),
        (":FORM", "REAL32", "REAL,32"),
        (":FORM:BORD", "SWAPPED", "SWAP"),
        (":FORM:ELEM:SENS", "STAT,CURR,VOLT", "VOLT,CURR,STAT"),
        (":OUTP", "1.0", "1"),
        (":OUTP1:STAT", "ON", "1"),
        (":OUTP:OFF:MODE", "HIZ", "HIZ"),
        (":OUTP:LOW", "FLO", "FLO"),
        (":DISP:VIEW", "GRAPH", "GRAP"),
        (":DISP:TEXT:DATA", '"hello"', '"hello"'),
        (":SYST:BEEP:STAT", "OFF", "0"),
        (":STAT:OPER:ENAB", "#H12", "18"),
    ],
)
def test_settings_are_kept_and_answered(bench: Bench, header: str, sent: str, held: str) -> None:
    bench.tell(f"{header} {sent}")
    assert bench.ask(f"{header}?") == held
    assert bench.error() == NO_ERROR


@pytest.mark.parametrize(
    ("line", "code"),
    [
        (":SOUR:VOLT 211", -222),
        (":SOUR:CURR 3.1", -222),
        (":SENS:CURR:PROT 0", -222),
        (":SENS:CURR:PROT 1e-10", -222),
        (":SOUR:PULS:WIDT 49e-6", -222),
        (":TRIG:TIM 1e-6", -222),
        (":TRIG:COUN 100001", -222),
        (":SOUR:FUNC VOLT", -224),
        (":SOUR:FUNC:MODE OHM", -224),
        (":SYST:LFR 55", -224),
        (":FORM REAL", -109),
        (":FORM REAL,48", -224),
        (":SOUR:VOLT", -109),
        (":SOUR:VOLT one", -104),
        (":SOUR:VOLT 1,2", -108),
        (":SOUR:VOLT 1 A", -131),
        (":SOUR:VOLT:LEVELS 1", -113),
        (":TRIG:COUN?", -113),
        (":OUTP2 ON", -114),
        (":SOUR2:VOLT 1", -114),
        (":INIT (@2)", -220),
        (":INIT (1)", -171),
        (":TRIG:SOUR EXT1", -221),
        (":SENS:RES:MODE AUTO", -221),
        (":OUTP:FILT ON", -221),
        (":OUTP:HCAP 1", -221),
        (":TRAC:FEED MATH", -221),
        (":CALC:LIM:STAT 1", -113),
        ("*RCL 3", 290),
    ],
)
def test_what_the_instrument_refuses(bench: Bench, line: str, code: int) -> None:
    assert bench.refused(line) == code


def test_an_error_has_the_text_of_this_instrument(bench: Bench) -> None:
    bench.tell(":SOUR:VOLT 999")
    assert bench.error() == '-222,"Data out of range"'


def test_the_error_queue(bench: Bench) -> None:
    bench.tell(":NONSENSE", ":SOUR:VOLT 999")
    assert bench.ask(":SYST:ERR:COUN?") == "2"
    assert bench.ask(":SYST:ERR:CODE:ALL?") == "-113,-222"
    assert bench.ask(":SYST:ERR:ALL?") == NO_ERROR
    assert bench.ask(":SYST:ERR:CODE?") == "+0"
    bench.tell(*[":NONSENSE"] * 31)
    assert bench.ask(":SYST:ERR:ALL?").endswith('-350,"Queue overflow"')


def test_errors_set_their_bits(bench: Bench) -> None:
    bench.tell("*CLS", ":NONSENSE")
    assert bench.ask("*ESR?") == "32"
    bench.tell(":SOUR:VOLT 999")
    assert bench.ask("*ESR?") == "16"
    bench.tell("*RCL 4")
    assert bench.ask("*ESR?") == "8"
    assert int(bench.ask("*STB?")) & 4


# --- power, ranges, limits ----------------------------------------------------------------------


def test_level_and_limit_stay_in_the_power_of_the_instrument(bench: Bench) -> None:
    bench.tell(":SENS:CURR:PROT 1.5", ":SOUR:VOLT 20")
    assert bench.refused(":SOUR:VOLT 30") == -221
    assert bench.ask(":SOUR:VOLT?") == "+2.000000E+01"
    assert bench.refused(":SENS:CURR:PROT 2") == -221
    bench.tell(":SENS:CURR:PROT 0.1", ":SOUR:VOLT 200")
    assert bench.error() == NO_ERROR


def test_a_fixed_source_range_holds_the_level_or_refuses_it(bench: Bench) -> None:
    bench.tell(":SOUR:VOLT:RANG:AUTO 0", ":SOUR:VOLT:RANG 2")
    bench.tell(":SOUR:VOLT 2.1")
    assert bench.refused(":SOUR:VOLT 2.11") == -222
    assert bench.refused(":SOUR:VOLT:TRIG 3") == -222
    assert bench.refused(":SOUR:VOLT:RANG 0.2") == -221
    assert bench.ask(":SOUR:VOLT:RANG?") == "+2.000000E+00"


def test_a_source_range_waits_while_the_range_is_automatic(bench: Bench) -> None:
    bench.tell(":SOUR:VOLT:RANG 20", ":SOUR:VOLT 0.1")
    assert bench.ask(":SOUR:VOLT:RANG?") == "+2.000000E-01"
    bench.tell(":SOUR:VOLT:RANG:AUTO OFF")
    assert bench.ask(":SOUR:VOLT:RANG?") == "+2.000000E+01"


@pytest.mark.parametrize("limit_a", [100e-9, 1e-6, 3e-5])
def test_the_limit_holds_the_current(bench: Bench, limit_a: float) -> None:
    bench.tell(f":SENS:CURR:PROT {limit_a:g}", ":SOUR:VOLT 1", ":OUTP ON")
    bench.tell(":FORM:ELEM:SENS VOLT,CURR,STAT")
    v_v, i_a, status = bench.numbers(":MEAS?")
    assert i_a == about(limit_a, rel=1e-4)
    assert v_v == about(limit_a * 10e3, rel=1e-4)
    assert int(status) & 0b110
    assert bench.ask(":SENS:CURR:PROT:TRIP?") == "1"
    assert bench.ask(":SENS:VOLT:PROT:TRIP?") == "0"


def test_limits_differ_by_the_sign_of_the_level(bench: Bench) -> None:
    bench.tell(":SENS:CURR:PROT:POS 1e-5", ":SENS:CURR:PROT:NEG 2e-5", ":SOUR:VOLT 1")
    assert bench.numbers(":MEAS:CURR?") == [about(1e-5)]
    bench.tell(":SOUR:VOLT -1")
    assert bench.numbers(":MEAS:CURR?") == [about(-2e-5)]


def test_the_current_source_is_limited_in_voltage(bench: Bench) -> None:
    bench.tell(":SOUR:FUNC:MODE CURR", ":SENS:VOLT:PROT 0.5", ":SOUR:CURR 1e-5")
    assert bench.numbers(":MEAS:VOLT?") == [about(0.1)]
    bench.tell(":SOUR:CURR 1e-3")
    assert bench.numbers(":MEAS:VOLT?") == [about(0.5)]
    assert int(bench.numbers(":FETC:STAT?")[0]) == 0b11
    assert bench.ask(":SENS:VOLT:PROT:TRIP?") == "1"


def test_the_protection_switches_the_output_off(bench: Bench) -> None:
    bench.tell(":OUTP:PROT ON", ":SENS:CURR:PROT 1e-5", ":SOUR:VOLT 0.05", ":OUTP ON")
    assert bench.ask(":OUTP?") == "1"
    bench.tell(":SOUR:VOLT 1")
    bench.ask(":MEAS?")
    assert bench.ask(":OUTP?") == "0"
    assert int(bench.ask(":STAT:QUES:COND?")) == 4
    assert bench.load.source is None


def test_another_function_switches_the_output_off(bench: Bench) -> None:
    bench.tell(":SOUR:VOLT 1", ":OUTP ON", ":SOUR:FUNC:MODE VOLT")
    assert bench.ask(":OUTP?") == "1"
    bench.tell(":SOUR:FUNC:MODE CURR")
    assert bench.ask(":OUTP?") == "0"


def test_the_low_terminal_is_switched_with_the_output_off_only(bench: Bench) -> None:
    bench.tell(":OUTP ON")
    assert bench.refused(":OUTP:LOW FLO") == 211


def test_a_fixed_range_overflows(bench: Bench) -> None:
    bench.tell(":SENS:VOLT:RANG 0.2", ":SOUR:VOLT 1")
    assert bench.numbers(":MEAS:VOLT?") == [9.9e37]
    assert int(bench.numbers(":FETC:STAT?")[0]) & 1 << 13
    assert int(bench.ask(":STAT:MEAS:COND?")) & 4


@pytest.mark.parametrize("ohm", [1e3, 1e5, 1e7])
def test_real_readings_are_within_the_accuracy(ohm: float) -> None:
    from hil.instruments.accuracy import KEYSIGHT_B2901A

    bench = Bench(ohm, ideal=False)
    bench.tell(":SENS:CURR:RANG:AUTO:LLIM 1e-7", ":SENS:CURR:NPLC 1")
    bench.tell(":SENS:CURR:PROT 1e-2", ":SOUR:VOLT 1", ":FORM:ELEM:SENS VOLT,CURR")
    v_v, i_a = bench.numbers(":MEAS?")
    bound_a = float(KEYSIGHT_B2901A.measure_a.bound(i_a))
    source_v = float(KEYSIGHT_B2901A.source_v.bound(1.0))
    assert 0 < abs(i_a - 1 / ohm) < bound_a + source_v / ohm
    assert 0 < abs(v_v - 1) < source_v + float(KEYSIGHT_B2901A.measure_v.bound(1.0))


def test_leads_take_their_share_unless_four_wires_sense() -> None:
    load = Load(100.0)
    bench = Bench()
    bench.firmware = KeysightB2900Firmware(load, is_ideal=True, lead_ohm=25.0)
    bench.tell(":SENS:CURR:PROT 0.1", ":SOUR:VOLT 1", ":OUTP ON")
    bench.ask(":MEAS?")
    two_wires_a = bench.numbers(":MEAS:CURR?")
    bench.tell(":SENS:REM ON")
    bench.ask(":MEAS?")
    assert two_wires_a == about([1 / 125])
    assert bench.numbers(":MEAS:CURR?") == about([1 / 100])


def test_power_that_is_lost_leaves_nothing(bench: Bench) -> None:
    bench.tell("*CLS", "*ESE 255", ":SOUR:VOLT 1", ":OUTP ON", ":NONSENSE", ":INIT")
    bench.firmware.receive(b":SOUR:VO")
    bench.firmware.power_cycle()
    assert bench.load.source is None
    assert bench.error() == NO_ERROR
    assert bench.ask("*ESR?;*ESE?;:SOUR:VOLT?") == "128;0;+0.000000E+00"
    assert bench.ask(":STAT:OPER:COND?") == "18"


# --- data ---------------------------------------------------------------------------------------


def test_measurements_have_the_chosen_elements_in_their_order(bench: Bench) -> None:
    bench.tell(":SOUR:VOLT 1", ":SENS:FUNC:ALL")
    v_v, i_a, ohm, t_s, status, source_v = bench.numbers(":MEAS? (@1)")
    assert (v_v, source_v, status) == (about(1.0), 1.0, 0.0)
    assert i_a == about(1e-4)
    assert ohm == about(1e4)
    assert t_s > 0


def test_what_is_not_measured_is_not_a_number(bench: Bench) -> None:
    assert bench.numbers(":FETC:CURR?") == [9.91e37]
    bench.tell(':SENS:FUNC:OFF:ALL;:SENS:FUNC "CURR"', ":SOUR:VOLT 1")
    v_v, i_a, ohm, *_ = bench.numbers(":MEAS?")
    assert (v_v, ohm) == (9.91e37, 9.91e37)
    assert i_a == about(1e-4)


@pytest.mark.parametrize(
    ("kind", "order", "code"),
    [("REAL,32", "NORM", ">2f"), ("REAL,64", "NORM", ">2d"), ("REAL,64", "SWAP", "<2d")],
)
def test_binary_data(bench: Bench, kind: str, order: str, code: str) -> None:
    bench.tell(f":FORM {kind}", f":FORM:BORD {order}", ":FORM:ELEM:SENS VOLT,CURR", ":SOUR:VOLT 1")
    reply = bench.firmware.receive(b":MEAS?\n")
    size = struct.calcsize(code)
    header = f"#{len(str(size))}{size}".encode()
    assert reply.startswith(header)
    assert reply.endswith(b"\n")
    values = struct.unpack(code, reply[len(header) : -1])
    assert values == about((1.0, 1e-4))


@given(st.lists(st.floats(width=32, allow_nan=False), min_size=1, max_size=20), st.booleans())
def test_binary_data_survive(values: list[float], swapped: bool) -> None:
    for kind, letter, width in (("REAL,32", "f", 4), ("REAL,64", "d", 8)):
        reply = DataFormat(kind, swapped).encode(values).encode("latin-1")
        n_digits = int(reply[1:2])
        assert int(reply[2 : 2 + n_digits]) == width * len(values)
        data = struct.unpack(
            f"{'<' if swapped else '>'}{len(values)}{letter}", reply[2 + n_digits :]
        )
        assert list(data) == values


@given(st.floats(allow_nan=False, allow_infinity=False, min_value=-1e30, max_value=1e30))
def test_text_has_seven_digits(value: float) -> None:
    assert float(DataFormat().encode([value])) == about(value, rel=1e-6, abs=1e-300)
    assert DataFormat().encode([math.nan, math.inf, -math.inf]) == (
        "+9.910000E+37,+9.900000E+37,-9.900000E+37"
    )


def test_the_trace_buffer(bench: Bench) -> None:
    bench.tell(":FORM:ELEM:SENS CURR,SOUR", ":TRAC:POIN 3", ":TRAC:FEED SENS")
    assert bench.refused(":TRAC:CLE;:TRAC:STAT:FORM MEAN", ":TRAC:NONE") == -113
    bench.tell(":TRAC:FEED:CONT NEXT")
    assert bench.refused(":TRAC:POIN 4") == 861
    for volts in (1, 2, 3, 4):
        bench.tell(f":SENS:CURR:PROT 1e-3;:SOUR:VOLT {volts}")
        bench.ask(":MEAS?")
    assert bench.ask(":TRAC:FEED:CONT?") == "NEV"
    assert bench.ask(":TRAC:POIN:ACT?") == "3"
    assert bench.ask(":TRAC:FREE?") == "0,3"
    assert bench.numbers(":TRAC:DATA?") == about([1e-4, 1, 2e-4, 2, 3e-4, 3])
    assert bench.numbers(":TRAC:DATA? 1,1") == about([2e-4, 2])
    assert bench.numbers(":TRAC:DATA? CURR") == about([3e-4, 3])
    assert bench.numbers(":TRAC:STAT:DATA?") == about([2e-4])
    for word, value in (("SDEV", 1e-4), ("PKPK", 2e-4), ("MIN", 1e-4), ("MAX", 3e-4)):
        bench.tell(f":TRAC:STAT:FORM {word}")
        assert bench.numbers(":TRAC:STAT:DATA?") == about([value])
    bench.tell(":TRAC:CLE", ":TRAC:DATA?")
    assert int(bench.error().split(",")[0]) == 862


def test_setups_are_saved_and_recalled(bench: Bench) -> None:
    bench.tell(":SOUR:VOLT 1.5", ":OUTP ON", "*SAV 2", "*RST", "*RCL 2")
    assert bench.ask(":SOUR:VOLT?;:OUTP?") == "+1.500000E+00;0"


def test_two_channels_are_independent() -> None:
    bench = Bench(model="B2902A")
    bench.tell(":SOUR1:VOLT 1", ":SOUR2:VOLT 2", ":OUTP2 ON", ":FORM:ELEM:SENS VOLT,CURR")
    assert bench.ask(":OUTP1?;:OUTP2?") == "0;1"
    assert bench.numbers(":MEAS? (@1,2)") == about([1, 1e-4, 2, 0])
    assert bench.numbers(":MEAS:VOLT? (@2,1)") == about([1, 2])
    assert bench.error() == NO_ERROR
