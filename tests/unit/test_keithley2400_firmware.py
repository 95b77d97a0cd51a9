from __future__ import annotations

import math
import re
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twin.firmware.keithley2400 import Keithley2400Firmware
from twin.wiring import Sample

LOAD_OHM = 10e3


class ResistorBench:
    """Terminals with a resistor on them; ``events`` is what was done to them."""

    serial_number = "TWIN0001"

    def __init__(self, load_ohm: float = LOAD_OHM) -> None:
        self.load_ohm = load_ohm
        self.t_s = 0.0
        self.source: tuple[float, float] | None = None
        self.events: list[tuple[object, ...]] = []

    def now_s(self) -> float:
        return self.t_s

    def wait_s(self, dt_s: float) -> None:
        self.t_s += dt_s

    def apply(self, level_v: float, compliance_a: float) -> None:
        self.source = (level_v, compliance_a)
        self.events.append(("apply", level_v, compliance_a))

    def release(self) -> None:
        self.source = None
        self.events.append(("release",))

    def measure(self, aperture_s: float) -> Sample:
        assert self.source is not None
        self.t_s += aperture_s
        level_v, compliance_a = self.source
        wanted_a = level_v / self.load_ohm
        i_a = math.copysign(min(abs(wanted_a), compliance_a), wanted_a)
        v_v = level_v if math.isinf(self.load_ohm) else i_a * self.load_ohm
        return Sample(self.t_s, v_v, i_a, abs(wanted_a) > compliance_a)


class Rig:
    def __init__(self, load_ohm: float = LOAD_OHM) -> None:
        self.bench = ResistorBench(load_ohm)
        self.firmware = Keithley2400Firmware(self.bench, line_frequency_hz=50, is_ideal=True)

    def ask(self, *lines: str) -> str:
        data = "".join(line + "\n" for line in lines).encode()
        return self.firmware.receive(data).decode("latin-1").strip()

    def read(self, command: str = ":READ?") -> list[float]:
        return [float(value) for value in self.ask(command).split(",")]

    def errors(self) -> list[int]:
        codes = []
        while (code := int(self.ask("SYST:ERR?").split(",")[0])) != 0:
            codes.append(code)
        return codes


def ready(load_ohm: float = LOAD_OHM) -> Rig:
    """All functions on, 1 mA limit, output on at 0.5 V."""
    rig = Rig(load_ohm)
    rig.ask(":SENS:FUNC:ALL;:SENS:RES:MODE MAN;:SENS:CURR:PROT 1e-3", ":SOUR:VOLT 0.5", "OUTP ON")
    return rig


RESET_STATE = {
    "OUTPUT?": "0",
    ":OUTPUT:SMODE?": "NORM",
    ":ROUTE:TERMINALS?": "FRON",
    ":SENSE:CURRENT:RANGE?": "1.050000E-04",
    ":SENSE:CURRENT:RANGE:AUTO?": "1",
    ":SENSE:CURRENT:NPLCYCLES?": "1.000000E+00",
    ":SENSE:CURRENT:PROTECTION?": "1.050000E-04",
    ":SENSE:VOLTAGE:RANGE?": "2.100000E+01",
    ":SENSE:VOLTAGE:RANGE:AUTO?": "1",
    ":SENSE:VOLTAGE:PROTECTION?": "2.100000E+01",
    ":SENSE:RESISTANCE:MODE?": "AUTO",
    ":SENSE:RESISTANCE:RANGE?": "2.100000E+05",
    ":SENSE:RESISTANCE:RANGE:AUTO?": "1",
    ":SENSE:AVERAGE:TCONTROL?": "REP",
    ":SENSE:AVERAGE:COUNT?": "10",
    ":SENSE:AVERAGE?": "0",
    ":SENSE:FUNCTION?": '"CURR:DC"',
    ":SOURCE:CLEAR:AUTO?": "0",
    ":SOURCE:FUNCTION?": "VOLT",
    ":SOURCE:DELAY?": "1.000000E-03",
    ":SOURCE:DELAY:AUTO?": "1",
    ":SOURCE:CURRENT:RANGE?": "1.050000E-04",
    ":SOURCE:CURRENT:RANGE:AUTO?": "1",
    ":SOURCE:CURRENT?": "0.000000E+00",
    ":SOURCE:VOLTAGE:RANGE?": "2.100000E+01",
    ":SOURCE:VOLTAGE:RANGE:AUTO?": "1",
    ":SOURCE:VOLTAGE?": "0.000000E+00",
    ":SYSTEM:AZERO:STATE?": "1",
    ":SYSTEM:RSENSE?": "0",
    ":FORMAT:ELEMENTS?": "VOLT,CURR,RES,TIME,STAT",
}


def test_reset_state() -> None:
    rig = Rig()
    at_power_on = {query: rig.ask(query) for query in RESET_STATE}
    rig.ask(
        ":OUTP:SMOD ZERO;:ROUT:TERM REAR;:SENS:CURR:PROT 1e-2;NPLC 0.1;RANG 1e-3",
        ":SENS:VOLT:PROT 5;:SENS:RES:RANG 20;MODE MAN;:SENS:AVER ON;AVER:COUN 3;TCON MOV",
        ":SENS:FUNC:ALL;:SOUR:CLE:AUTO 1;:SOUR:DEL 0.2;:SOUR:VOLT:RANG 2;:SOUR:VOLT 1.5",
        ":SOUR:CURR 1e-3;:SYST:AZER OFF;:SYST:RSEN ON;:FORM:ELEM CURR;:OUTP ON",
    )
    assert rig.errors() == []
    assert rig.ask(":SENS:CURR:RANG?") == "1.050000E-03"
    rig.ask("*RST")
    assert {query: rig.ask(query) for query in RESET_STATE} == at_power_on == RESET_STATE
    assert rig.bench.source is None


def test_identity_and_error_queue() -> None:
    rig = Rig()
    identity = rig.ask("*IDN?")
    assert identity == "KEITHLEY INSTRUMENTS INC.,MODEL 2400,TWIN0001,C30   Mar 17 2006/A02  /K/J"
    assert rig.ask("SYST:ERR?") == '0,"No error"'
    assert rig.ask("*RST;*CLS;:STAT:PRES;:STATUS:QUEUE:CLEAR;*OPC?") == "1"


@pytest.mark.parametrize(
    "command",
    [
        ":CAL:PROT:CODE 'KI002400'",
        ":SOUR:MEM:SAVE 1",
        ":SENS:RES:OCOM ON",
        ":SYST:KEY 24",
        ":CALC2:LIM4:STAT ON",
        "smua.source.levelv=1",
    ],
)
def test_what_is_not_modelled_is_an_undefined_header(command: str) -> None:
    rig = ready()
    assert rig.ask(command) == ""
    assert rig.errors() == [-113]


def test_a_level_reaches_the_terminals_at_once() -> None:
    rig = Rig()
    rig.ask(":SOUR:VOLT 0.5;:SENS:CURR:PROT 1e-3")
    assert rig.bench.events == []
    rig.ask("OUTP ON", ":SOUR:VOLT -0.25", ":SENS:CURR:PROT 1e-6", "OUTP OFF")
    assert rig.bench.events == [
        ("apply", 0.5, 1e-3),
        ("apply", -0.25, 1e-3),
        ("apply", -0.25, 1e-6),
        ("release",),
    ]
    assert rig.firmware.output_off_count == 1
    assert rig.bench.t_s == 0.0


def test_reading_is_ohms_law_in_fixed_order() -> None:
    rig = ready()
    assert re.fullmatch(r"[+-]\d\.\d{6}E[+-]\d\d(,[+-]\d\.\d{6}E[+-]\d\d){4}", rig.ask(":READ?"))
    v_v, i_a, r_ohm, t_s, status = rig.read()
    assert (v_v, i_a, r_ohm) == (0.5, 5e-5, 1e4)
    assert t_s == pytest.approx(2 * (1e-3 + 0.02))
    assert int(status) == 1 << 14 | 1 << 13 | 1 << 12 | 1 << 11 | 1 << 2
    rig.ask(":FORM:ELEM STAT, RES, VOLT")
    assert rig.read() == [0.5, 1e4, status]


@pytest.mark.parametrize(
    ("setting", "duration_s"),
    [
        ("*OPC", 0.021),
        (":SENS:VOLT:NPLC 0.1", 0.003),
        (":SOUR:DEL 0.5", 0.52),
        (":SOUR:DEL 0.5;DEL:AUTO ON", 0.021),
        (":SYST:LFR 60", 1e-3 + 1 / 60),
        (":SYST:LFR 60;:SYST:LFR:AUTO ON", 0.021),
        (":SENS:AVER:COUN 3;:SENS:AVER ON", 0.061),
        (":SENS:FUNC:OFF 'VOLT','RES'", 0.021),
    ],
)
def test_a_reading_takes_delay_and_one_integration_time(setting: str, duration_s: float) -> None:
    rig = ready()
    rig.ask(setting)
    before_s = rig.bench.t_s
    rig.ask(":READ?")
    assert rig.bench.t_s - before_s == pytest.approx(duration_s)


def test_timestamp_can_be_reset() -> None:
    rig = ready()
    rig.ask(":READ?", ":SYST:TIME:RES")
    assert rig.read()[3] == pytest.approx(0.021)


def test_what_is_not_measured_is_not_a_number_but_the_source_is_known() -> None:
    rig = Rig()
    rig.ask(":SOUR:VOLT 0.1;:OUTP ON")
    v_v, i_a, r_ohm, _, _ = rig.read()
    assert (v_v, i_a, r_ohm) == (0.1, 1e-5, 9.91e37)
    rig.ask(":SENS:FUNC:CONC OFF", ":SENS:FUNC 'VOLT'")
    assert rig.read()[1] == 9.91e37
    assert rig.ask(":SENS:FUNC?;:SENS:FUNC:OFF?") == '"VOLT:DC";"CURR:DC","RES"'
    rig.ask(":SENS:FUNC 'VOLT','CURR'", ":SENS:FUNC:ALL")
    assert rig.errors() == [-221, -221]


def test_resistance_of_an_open_circuit_overflows() -> None:
    _, i_a, r_ohm, _, status = ready(load_ohm=math.inf).read()
    assert (i_a, r_ohm, int(status) & 1) == (0.0, 9.9e37, 1)


def test_compliance_shows_in_the_status_word() -> None:
    rig = ready()
    assert not int(rig.read()[4]) & (1 << 3)
    rig.ask(":SENS:CURR:PROT 1e-5")
    v_v, i_a, _, _, status = rig.read()
    assert (v_v, i_a) == (0.1, 1e-5)
    assert int(status) & (1 << 3 | 1 << 16) == 1 << 3


def test_a_fixed_range_limits_the_current_below_compliance() -> None:
    rig = ready()
    rig.ask(":SENS:CURR:RANG 1e-5")
    _, i_a, _, _, status = rig.read()
    assert i_a == 1.05e-5
    assert int(status) & (1 << 3 | 1 << 16) == 1 << 16
    rig.ask(":SENS:CURR:RANG:AUTO ON")
    assert rig.read()[1] == 5e-5
    assert rig.ask(":SENS:CURR:RANG?") == "1.050000E-04"


@pytest.mark.parametrize(
    ("line", "code"),
    [
        (":SOUR:VOLT 211", -222),
        (":SOUR:VOLT:RANG 2;:SOUR:VOLT 2.2", -222),
        (":SOUR:VOLT:RANG 211", -222),
        (":SOUR:VOLT:RANG 0.2", -221),
        (":SOUR:FUNC MEM", -224),
        (":SOUR:FUNC RES", -224),
        (":SOUR:DEL -1", -222),
        (":SENS:CURR:PROT 1.06", -222),
        (":SENS:CURR:PROT 0", -222),
        (":SENS:VOLT:PROT 211", -222),
        (":SENS:CURR:NPLC 11", -222),
        (":SENS:CURR:RANG 1e-2", 824),
        (":SENS:VOLT:RANG 20", 823),
        (":SENS:CURR:RANG 1e-3;PROT 1e-7", 822),
        (":SENS:CURR:PROT 1;:SOUR:VOLT 30", 826),
        (":SYST:LFR 55", -222),
        (":SENS:RES:RANG 2000", -221),
        (":SENS:CURR:RANG 0.1", 824),
        (":ARM:SOUR BUS;:READ?", -215),
        (":ARM:COUN INF;:READ?", 830),
        (":TRIG:COUN 50;:ARM:COUN 51", -221),
        ("*TRG", -211),
        (":SYST:POS SAV5", -224),
        (":SOUR:LIST:VOLT 0,211", -222),
        (":SOUR:VOLT:STAR 0;STOP 1;STEP 2", -221),
        (":FORM:DATA REAL,64", -222),
        (":FORM:DATA ASC,32", -224),
        (":FETC?", -230),
        (":TRAC:DATA?", -230),
        (":CALC3:DATA?", -230),
        (":CALC:DATA?", -230),
        (":TRAC:FEED:CONT NEXT;:TRAC:POIN 3", 800),
        (":CALC:MATH:NAME 'VARALPHA'", 806),
        (":OUTP:ENAB ON;:OUTP ON", 802),
        (":DISP:TEXT 'more than twenty letters'", -222),
        ("*SAV 5", -222),
        ("*IDN?;*OPC?", -440),
    ],
)
def test_what_the_instrument_refuses_changes_nothing_at_the_terminals(line: str, code: int) -> None:
    rig = ready()
    rig.ask(line)
    assert rig.errors() == [code]
    assert rig.ask(":SOUR:VOLT?;:SOUR:FUNC?") == "5.000000E-01;VOLT"
    assert rig.bench.source is not None
    assert rig.bench.source[0] == 0.5


def test_200_volt_range_limits_the_current() -> None:
    rig = Rig()
    rig.ask(":SOUR:VOLT 30;:SENS:CURR:PROT 0.2")
    assert rig.errors() == [826]
    assert rig.ask(":SOUR:VOLT:RANG?;:SENS:CURR:PROT?") == "2.100000E+02;1.050000E-04"


def test_read_with_the_output_off_is_refused() -> None:
    rig = Rig()
    assert rig.ask(":READ?") == ""
    assert rig.ask("SYST:ERR?") == '+803,"Not permitted with OUTPUT off"'
    assert rig.bench.t_s == 0.0


def test_measure_switches_on_and_defaults_the_function() -> None:
    rig = Rig()
    rig.ask(":SOUR:VOLT 0.1;:SENS:CURR:NPLC 10;:SENS:CURR:RANG 1e-5;:SENS:FUNC 'VOLT'")
    assert rig.read(":MEAS:CURR?")[:3] == [0.1, 1e-5, 9.91e37]
    assert rig.ask("OUTP?;:SENS:CURR:NPLC?;RANG:AUTO?;:CONF?") == '1;1.000000E+00;1;"CURR:DC"'
    assert rig.read(":MEAS?")[1] == 1e-5
    rig.ask(":SENS:RES:MODE MAN")
    assert rig.read(":MEAS:RES?")[2] == 1e4
    assert rig.read(":MEASURE:VOLTAGE:DC?")[0] == 0.1
    assert rig.errors() == []


def test_auto_output_off_switches_per_reading() -> None:
    rig = Rig()
    rig.ask(":SOUR:VOLT 0.1;:SOUR:CLE:AUTO ON")
    assert rig.read()[1] == 1e-5
    assert rig.bench.events == [("apply", 0.1, 1.05e-4), ("release",)]
    assert rig.ask("OUTP?") == "0"


OFF_COMMANDS = ["OUTPUT 0", "*RST", ":SOUR:CLE", ":ROUT:TERM REAR", ":SYST:RSEN 1"]


@pytest.mark.parametrize("command", OFF_COMMANDS)
def test_commands_that_switch_the_output_off(command: str) -> None:
    rig = ready()
    rig.ask(command)
    assert rig.bench.source is None
    assert rig.ask("OUTP?") == "0"
    assert rig.firmware.output_off_count == 1
    assert rig.firmware.output_on is False


@pytest.mark.parametrize(
    ("command", "query", "reply"),
    [
        (":SYST:AZER:STAT ONCE", ":SYST:AZER:STAT?", "1"),
        (":SYST:AZER 0", ":SYST:AZER?", "0"),
        (":DISP:ENAB 0", ":DISP:ENAB?", "0"),
        (":OUTP:SMOD HIMPEDANCE", ":OUTP:SMOD?", "HIMP"),
        (":SENS:CURR:PROT -1e-3", ":SENS:CURR:PROT?", "1.000000E-03"),
        (":SENS:CURR:PROT MAX", ":SENS:CURR:PROT?", "1.050000E+00"),
        (":SOUR:VOLT:RANG 20", ":SOUR:VOLT:RANG?", "2.100000E+01"),
        (":SOUR:VOLT:RANG 20", ":SOUR:VOLT:RANG:AUTO?", "0"),
        (":SOUR:VOLT 1.5", ":SOUR:VOLT:RANG?", "2.100000E+00"),
        (":SOUR:VOLT:RANG 200;RANG:AUTO 1", ":SOUR:VOLT:RANG:AUTO?", "1"),
        (":SOUR:CURR 1e-3", ":SOUR:CURR?", "1.000000E-03"),
        (":SENS:RES:RANG 2000", ":SENS:RES:RANG?", "2.100000E+03"),
        (":SYST:BEEP 440, 0.1", "*OPC?", "1"),
        (":FORM:DATA ASCII", ":FORM?", "ASC"),
    ],
)
def test_settings_are_kept(command: str, query: str, reply: str) -> None:
    rig = Rig()
    rig.ask(command)
    assert rig.ask(query) == reply


def test_commands_seen_is_bounded() -> None:
    rig = Rig()
    rig.ask(*["*OPC"] * 10_001, "*IDN?")
    assert len(rig.firmware.commands_seen) == 10_000
    assert rig.firmware.commands_seen[-1] == "*IDN?"


LINES = st.one_of(
    st.sampled_from(
        [":SOUR:VOLT 0.3", "OUTP ON", ":READ?", "OUTP OFF", "*RST", ":MEAS:CURR?", ":NOPE",
         "SYST:ERR?", ":SENS:FUNC:ALL;:SENS:RES:MODE MAN", ":SENS:CURR:PROT 1e-6", "*IDN?;*STB?"]
    ),
    st.from_regex(r"[A-Z:*;?'\", 0-9.]{1,30}", fullmatch=True),
)  # fmt: skip


@given(st.lists(LINES, max_size=12), st.lists(st.integers(0, 400), max_size=20))
def test_chopping_changes_neither_replies_nor_the_bench(lines: list[str], cuts: list[int]) -> None:
    stream = "".join(line + "\n" for line in lines).encode()
    edges = [0, *sorted(cut for cut in cuts if cut < len(stream)), len(stream)]
    whole, chopped = Rig(), Rig()
    pieces = [stream[a:b] for a, b in pairwise(edges)]
    assert whole.firmware.receive(stream) == b"".join(map(chopped.firmware.receive, pieces))
    assert whole.bench.events == chopped.bench.events
    assert whole.bench.t_s == chopped.bench.t_s


@given(st.binary(max_size=80))
def test_noise_on_the_line_never_raises_and_never_sources(data: bytes) -> None:
    rig = Rig()
    rig.firmware.receive(data + b"\n")
    assert rig.bench.source is None
