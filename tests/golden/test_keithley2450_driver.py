"""The Keithley 2450: what our driver sends, what it does on the twin, and pymeasure's own."""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pymeasure.adapters import Adapter
from pymeasure.instruments.keithley import Keithley2450
from pymeasure.instruments.keithley import buffer as buffer_module
from pymeasure.instruments.keithley import keithley2450 as driver_module
from pymeasure.test import expected_protocol
from pyvisa.errors import VisaIOError

from hil.errors import IdentityError, InstrumentError, LimitError, LinkTimeout, ProtocolError
from hil.instruments.keithley2450 import Keithley2450Smu
from hil.instruments.keithley2450_pulses import MIN_PULSE_WIDTH_S
from hil.instruments.keithley2450_scpi import Keithley2450Scpi
from hil.instruments.smu import Smu
from hil.station import SmuTable
from hil.types import Source
from tests.support.keithley2450 import LOAD_OHM, Rig
from twin.servers.inprocess import InProcessAdapter

TABLE = SmuTable.model_construct(
    driver="keithley2450", address="twin:", settle_s=1e-3, line_frequency_hz=50, timeout_s=5.0
)


# --- exact bytes --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "value", "written"),
    [
        ("compliance_current", 1e-7, ":SOUR:VOLT:ILIM 1e-07"),
        ("compliance_current", 1.234567e-6, ":SOUR:VOLT:ILIM 1.234567e-06"),
        ("source_voltage", 0.1234567, ":SOUR:VOLT 0.1234567"),
        ("current_nplc", 0.01, ":SENS:CURR:NPLC 0.01"),
        ("current_range", 1e-7, ":SENS:CURR:RANG 1e-07"),
        ("current_range_auto_enabled", True, ":SENS:CURR:RANG:AUTO 1"),
        ("source_read_back_enabled", False, ":SOUR:VOLT:READ:BACK 0"),
    ],
)
def test_what_settings_send(name: str, value: object, written: str) -> None:
    with expected_protocol(Keithley2450Scpi, [(written, None)]) as driver:
        setattr(driver, name, value)


@pytest.mark.parametrize("value", [0.0, 0.9e-9, 2.0, -1e-3])
def test_a_compliance_out_of_range_is_never_sent(value: float) -> None:
    with (
        expected_protocol(Keithley2450Scpi, []) as driver,
        pytest.raises(ValueError, match="not in"),
    ):
        driver.compliance_current = value


def test_what_a_reading_sends() -> None:
    reading = "1.000000E-04,9.999000E-01,168,0.000000E+00"
    query = ':READ? "defbuffer1",READ,SOUR,SOURSTAT,REL,READ,SOUR,SOURSTAT,REL'
    exchange = [(query, f"{reading},{reading}")]
    with expected_protocol(Keithley2450Scpi, exchange) as driver:
        assert driver.read_source_measure() == (0.9999, 1e-4, 168)


def test_what_pulses_send() -> None:
    lines = [
        ":SOUR:LIST:VOLT 1.5,0",
        ':TRIG:LOAD "Empty"',
        ':TRIG:BLOC:BUFF:CLE 1,"defbuffer1"',
        ':TRIG:BLOC:CONF:REC 2,"VoltCustomSweepList",1',
        ":TRIG:BLOC:DEL:CONS 3,0.003",
        ':TRIG:BLOC:MEAS 4,"defbuffer1"',
        ':TRIG:BLOC:CONF:REC 5,"VoltCustomSweepList",2',
        ":TRIG:BLOC:DEL:CONS 6,0.01",
        ":TRIG:BLOC:BRAN:COUN 7,20,2",
        ":INIT",
    ]
    exchange: list[tuple[str, str | None]] = [(line, None) for line in lines]
    exchange += [(":TRIG:STAT?", "RUNNING;RUNNING;3"), (":ABOR", None)]
    with expected_protocol(Keithley2450Scpi, exchange) as driver:
        driver.load_pulses(1.5, 3e-3, 1e-2, 20)
        driver.initiate()
        assert driver.trigger_state == "RUNNING"
        driver.abort()


# --- the driver on the twin ---------------------------------------------------------------------


class Bench:
    """A driver on a twin, ready to source."""

    def __init__(self, *, is_ideal: bool = True, compliance_a: float = 1e-3) -> None:
        self.rig = Rig(is_ideal=is_ideal)
        self.smu = Keithley2450Smu(InProcessAdapter(self.rig.firmware), TABLE)
        self.smu.prepare(2.0)
        self.smu.limit_current(compliance_a)
        self.smu.integrate(1.0)
        self.smu.output_on()


def test_it_is_an_smu_with_an_identity() -> None:
    bench = Bench()
    smu: Smu = bench.smu
    identity = smu.identify()
    assert "MODEL 2450" in identity
    assert smu.source_of(identity) is Source.TWIN


@pytest.mark.parametrize(
    ("identity", "command_set"),
    [
        ("KEITHLEY INSTRUMENTS INC.,MODEL 2400,1234567,C30", "SCPI"),
        ("KEITHLEY INSTRUMENTS,MODEL 2450,01234567,1.7.12b", "TSP"),
    ],
)
def test_another_instrument_or_command_set_is_refused(identity: str, command_set: str) -> None:
    class Answers(Adapter):
        def _write(self, command: str, **kwargs: Any) -> None:
            self.reply = identity if command == "*IDN?" else command_set

        def _read(self, **kwargs: Any) -> str:
            return self.reply

    with pytest.raises(IdentityError, match=r"2450|SCPI"):
        Keithley2450Smu(Answers(), TABLE).identify()


def test_prepare_leaves_the_output_off_at_zero() -> None:
    bench = Bench()
    bench.smu.set_level(1.0)
    bench.smu.prepare(10.0)
    assert bench.rig.ask(":OUTP?;:SOUR:VOLT?;:SOUR:VOLT:RANG?") == "0;0.000000E+00;2.000000E+01"


def test_a_reading_has_voltage_current_and_limit() -> None:
    bench = Bench()
    bench.smu.set_level(1.0)
    sample = bench.smu.measure()
    assert (sample.v_v, sample.i_a) == pytest.approx((1.0, 1 / LOAD_OHM), rel=1e-3)
    assert not sample.in_compliance
    bench.smu.limit_current(1e-5)
    limited = bench.smu.measure()
    assert limited.in_compliance
    assert limited.i_a == pytest.approx(1e-5, rel=1e-3)


@pytest.mark.parametrize("compliance_a", [1e-9, 1e-7, 5e-6, 1e-4, 1.05])
def test_every_compliance_arrives(compliance_a: float) -> None:
    bench = Bench()
    bench.smu.limit_current(compliance_a)
    assert float(bench.rig.ask(":SOUR:VOLT:ILIM?")) == pytest.approx(compliance_a)
    bench.smu.pulse(0.1, 0.1, 1, 0.2)
    assert float(bench.rig.ask(":SOUR:VOLT:ILIM?")) == pytest.approx(compliance_a)


@pytest.mark.parametrize("compliance_a", [0.0, 9e-10, 2.0])
def test_a_compliance_that_does_not_exist_is_refused_unsent(compliance_a: float) -> None:
    bench = Bench()
    n_sent = len(bench.rig.firmware.commands_seen)
    with pytest.raises(LimitError, match="outside"):
        bench.smu.limit_current(compliance_a)
    assert len(bench.rig.firmware.commands_seen) == n_sent


@pytest.mark.parametrize(("width_s", "period_s"), [(2e-3, 4e-3), (1e-2, 1.5e-2), (0.1, 0.25)])
def test_pulses_are_timed_by_the_instrument(width_s: float, period_s: float) -> None:
    bench = Bench()
    bench.rig.bench.log.clear()
    samples = bench.smu.pulse(1.0, width_s, 4, period_s)
    pulses = bench.rig.pulses(threshold_v=0.5)
    assert [width for _, width in pulses] == pytest.approx([width_s] * 4, abs=1e-4)
    assert np.diff([start for start, _ in pulses]) == pytest.approx([period_s] * 3, abs=1e-5)
    assert samples.v_v == pytest.approx([1.0] * 4, rel=1e-3)
    assert samples.i_a == pytest.approx([1 / LOAD_OHM] * 4, rel=1e-2)
    assert not samples.in_compliance
    assert bench.rig.ask(":OUTP?;:SOUR:VOLT?") == "1;0.000000E+00"


def test_pulses_can_be_negative_and_limited() -> None:
    bench = Bench(compliance_a=5e-5)
    samples = bench.smu.pulse(-1.0, 5e-3, 2, 1e-2)
    assert samples.in_compliance
    assert samples.i_a == pytest.approx([-5e-5] * 2, rel=1e-2)


def test_many_pulses_come_back_in_pieces() -> None:
    samples = Bench().smu.pulse(0.5, MIN_PULSE_WIDTH_S, 1203, 4e-3)
    assert len(samples.v_v) == len(samples.i_a) == 1203


def test_readings_after_pulses_are_as_before() -> None:
    bench = Bench()
    settings = ":SENS:CURR:RANG:AUTO?;:SENS:CURR:NPLC?;:SOUR:VOLT:DEL?"
    before = bench.rig.ask(settings)
    bench.smu.pulse(1.0, 5e-3, 2, 1e-2)
    bench.smu.set_level(0.5)
    assert bench.smu.measure().i_a == pytest.approx(0.5 / LOAD_OHM, rel=1e-3)
    assert bench.rig.ask(settings) == before
    bench.smu.check_errors()


@pytest.mark.parametrize(
    ("amplitude_v", "width_s", "n_pulses", "period_s"),
    [
        (1.0, 1.9e-3, 1, 1.0),
        (1.0, 1e-2, 1, 1.05e-2),
        (1.0, 1e-2, 0, 1.0),
        (1.0, 1e-2, 10_001, 1.0),
        (2.1, 1e-2, 1, 1.0),
        (float("nan"), 1e-2, 1, 1.0),
    ],
)
def test_pulses_out_of_reach_are_refused_unsent(
    amplitude_v: float, width_s: float, n_pulses: int, period_s: float
) -> None:
    bench = Bench()
    n_sent = len(bench.rig.firmware.commands_seen)
    with pytest.raises(LimitError, match="nothing was sent"):
        bench.smu.pulse(amplitude_v, width_s, n_pulses, period_s)
    assert len(bench.rig.firmware.commands_seen) == n_sent


@pytest.mark.parametrize("nplc", [0.001, 11.0, float("nan")])
def test_an_integration_time_that_does_not_exist_is_refused_unsent(nplc: float) -> None:
    bench = Bench()
    n_sent = len(bench.rig.firmware.commands_seen)
    with pytest.raises(LimitError, match="power line cycles"):
        bench.smu.integrate(nplc)
    assert len(bench.rig.firmware.commands_seen) == n_sent


class Meddling(InProcessAdapter):
    """Loses or changes what is written."""

    def __init__(self, rig: Rig) -> None:
        super().__init__(rig.firmware)
        self.instead: dict[str, str | None] = {}

    def _write(self, command: str, **kwargs: Any) -> None:
        changed = next((v for k, v in self.instead.items() if k in command), command)
        if changed is not None:
            super()._write(changed, **kwargs)


@pytest.fixture
def meddled() -> tuple[Keithley2450Smu, Meddling, Rig]:
    rig = Rig()
    adapter = Meddling(rig)
    smu = Keithley2450Smu(adapter, TABLE)
    return smu, adapter, rig


def test_a_lost_compliance_is_noticed(meddled: tuple[Keithley2450Smu, Meddling, Rig]) -> None:
    smu, adapter, _ = meddled
    smu.prepare(2.0)
    adapter.instead["ILIM 1e-07"] = None
    with pytest.raises(InstrumentError, match="set to 100 nA but it holds 105 µA"):
        smu.limit_current(1e-7)


@pytest.mark.parametrize("meddling", [":SOUR:VOLT:RANG 20", ":SOUR:VOLT:ILIM 1e-2", ":SOUR:VOLT 1"])
def test_the_output_stays_off_over_other_guards(
    meddled: tuple[Keithley2450Smu, Meddling, Rig], meddling: str
) -> None:
    smu, adapter, rig = meddled
    smu.prepare(2.0)
    smu.limit_current(1e-4)
    adapter.instead[":SOUR:VOLT 0"] = meddling
    with pytest.raises(InstrumentError, match="but it holds"):
        smu.output_on()
    assert not rig.firmware.output_on


def test_a_changed_amplitude_is_noticed_before_the_pulses(
    meddled: tuple[Keithley2450Smu, Meddling, Rig],
) -> None:
    smu, adapter, rig = meddled
    smu.prepare(2.0)
    smu.limit_current(1e-4)
    smu.output_on()
    adapter.instead["LIST:VOLT 0.5"] = ":SOUR:LIST:VOLT 1.5,0"
    with pytest.raises(InstrumentError, match=r"level set to 500 mV but it holds 1.5 V"):
        smu.pulse(0.5, 1e-2, 1, 2e-2)
    assert ":INIT" not in rig.firmware.commands_seen


@pytest.mark.parametrize(
    ("part", "instead"),
    [
        ("DEL:CONS 6", ":TRIG:BLOC:DEL:CONS 6,0.09"),
        ("BRAN:COUN 7", ":TRIG:BLOC:BRAN:COUN 7,4,2"),
        ("MEAS 4", ":TRIG:BLOC:NOP 4"),
        ("DEL:CONS 3", None),
    ],
)
def test_other_pulses_than_those_that_were_meant_are_noticed(
    meddled: tuple[Keithley2450Smu, Meddling, Rig], part: str, instead: str | None
) -> None:
    smu, adapter, _ = meddled
    smu.prepare(2.0)
    smu.limit_current(1e-4)
    smu.output_on()
    adapter.instead[part] = instead
    with pytest.raises((InstrumentError, ProtocolError)):
        smu.pulse(0.5, 1e-2, 3, 2e-2)


def test_a_range_that_did_not_arrive_is_noticed(
    meddled: tuple[Keithley2450Smu, Meddling, Rig],
) -> None:
    smu, adapter, _ = meddled
    adapter.instead[":SOUR:VOLT:RANG"] = None
    with pytest.raises((InstrumentError, LinkTimeout)):
        smu.prepare(2.0)


def test_make_safe_works_while_pulses_run_and_a_reply_is_pending() -> None:
    bench = Bench()
    driver = bench.smu._driver
    bench.smu.pulse(1.0, 1e-2, 2, 2e-2)
    driver.load_pulses(1.0, 1.0, 1.0, 100)
    driver.initiate()
    driver.write(":TRIG:STAT?")  # nobody reads the reply
    assert bench.rig.levels_v[-1] == pytest.approx(1.0, rel=1e-3)
    bench.smu.make_safe()
    assert not bench.rig.firmware.output_on
    bench.smu.resynchronise()
    bench.smu.wait_until_done()
    bench.smu.check_errors()


def test_a_level_after_interrupted_pulses_ends_them(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Bench()

    def interrupt() -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("hil.instruments.keithley2450_pulses.interrupts.check", interrupt)
    with pytest.raises(KeyboardInterrupt):
        bench.smu.pulse(1.0, 1.0, 5, 2.0)
    bench.smu.set_level(0.0)
    bench.rig.bench.wait_s(10)
    assert bench.rig.ask(":SOUR:VOLT?;:TRIG:STAT?").startswith("0.000000E+00;ABORTED")
    assert bench.rig.levels_v[-1] == pytest.approx(0.0, abs=1e-6)


def test_errors_of_the_instrument_are_told() -> None:
    bench = Bench()
    bench.rig.ask(":FOO")
    with pytest.raises(InstrumentError, match=r"-113 Undefined header$"):
        bench.smu.check_errors()
    bench.smu.check_errors()


@pytest.mark.parametrize(
    "reply",
    ["", "nonsense", "1.0,2.0", "1,2,8,0", "1,2,x,0,1,2,x,0", "1,2,8,0,1,2.1,8,0"],
)
def test_a_reply_that_is_none_is_a_protocol_error(reply: str) -> None:
    class Answers(Adapter):
        def _write(self, command: str, **kwargs: Any) -> None:
            pass

        def _read(self, **kwargs: Any) -> str:
            return reply

    with pytest.raises(ProtocolError):
        Keithley2450Smu(Answers(), TABLE).measure()


@given(st.integers(0, 200), st.integers(1, 255), st.sampled_from(["lost", "doubled", "flipped"]))
def test_no_damaged_byte_becomes_a_reading(position: int, bits: int, fault: str) -> None:
    bench = Bench()
    bench.smu.set_level(1.0)

    class Damages(InProcessAdapter):
        def _read(self, **kwargs: Any) -> str:
            reply = super()._read(**kwargs).encode("latin-1")
            k = position % len(reply)
            middle = {"lost": b"", "doubled": reply[k : k + 1] * 2}.get(fault)
            flipped = bytes([reply[k] ^ bits])
            damaged = reply[:k] + (flipped if middle is None else middle) + reply[k + 1 :]
            return damaged.decode("latin-1")

    smu = Keithley2450Smu(Damages(bench.rig.firmware), TABLE)
    try:
        sample = smu.measure()
    except (ProtocolError, InstrumentError):
        return
    assert (sample.v_v, sample.i_a) == pytest.approx((1.0, 1 / LOAD_OHM), rel=1e-2)


def test_an_overflow_is_no_reading() -> None:
    class Answers(Adapter):
        def _write(self, command: str, **kwargs: Any) -> None:
            pass

        def _read(self, **kwargs: Any) -> str:
            return "9.900000E+37,1.0,128,0,9.900000E+37,1.0,128,0"

    with pytest.raises(InstrumentError, match="overflowed"):
        Keithley2450Smu(Answers(), TABLE).measure()


# --- pymeasure's own driver ---------------------------------------------------------------------

TIMES_OUT = {
    "buffer_data": "asks :TRAC:DATA? without the indices that the 2450 needs",
    "options": "asks *OPT?, which the 2450 does not have",
}
TAKES_A_NUMBER_FOR_A_LIST = {
    f"{statistic}_{quantity}"
    for statistic in ("mean", "max", "min", "std")
    for quantity in ("voltage", "current", "resistance")
}
LEAVES_AN_ERROR = {
    "disable_buffer": -113,  # :TRAC:FEED of the 2400
    "reset_buffer": -113,
    "start_buffer": -221,  # no trigger model is defined
}
NEVER_FULL = {"wait_for_buffer"}  # waits for bit 0 of the status byte, which nothing sets
SETTINGS: dict[str, object] = {
    "source_mode": "current",
    "wires": 4,
    "buffer_points": 100,
    "current_range": 1e-3,
    "voltage_range": 2.0,
    "resistance_range": 2e5,
    "source_current_range": 1e-3,
    "source_voltage_range": 2.0,
    "current_filter_type": "MOV",
    "voltage_filter_type": "MOV",
    "current_filter_count": 5,
    "voltage_filter_count": 5,
    "current_filter_state": "ON",
    "current_output_off_state": "HIMP",
    "voltage_output_off_state": "GUAR",
    "compliance_current": 1e-7,
    "compliance_voltage": 5.0,
    "current_nplc": 0.1,
    "voltage_nplc": 0.1,
    "resistance_nplc": 0.1,
    "source_current": 1e-5,
    "source_voltage": 0.5,
    "source_current_delay": 0.1,
    "source_voltage_delay": 0.1,
    "source_current_delay_auto": False,
    "source_voltage_delay_auto": False,
}
READ_AS_NUMBERS = {"current_filter_state"}  # documented as ON and OFF, read back as 1.0 and 0.0
ARGUMENTS: dict[str, tuple[object, ...]] = {
    "beep": (440, 0.1),
    "triad": (440, 0.1),
    "ramp_to_current": (1e-5,),
    "ramp_to_voltage": (0.5,),
    "write": ("*CLS",),
    "ask": ("*IDN?",),
    "values": ("*ESR?",),
}
PYMEASURE_ITSELF = set(dir(driver_module.Instrument)) - {"id", "options", "status"}


def public(kind: type) -> list[str]:
    return [
        name
        for name in dir(Keithley2450)
        if not name.startswith("_")
        and name not in PYMEASURE_ITSELF - set(ARGUMENTS)
        and isinstance(inspect.getattr_static(Keithley2450, name), property) == (kind is property)
    ]


@pytest.fixture
def rig() -> Rig:
    rig = Rig()
    rig.send(":SENS:COUN 3")
    rig.ask(":READ?")
    return rig


@pytest.fixture
def theirs(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> Keithley2450:
    monkeypatch.setattr(driver_module.time, "sleep", lambda seconds: None)
    monkeypatch.setattr(buffer_module, "sleep", lambda seconds: None)
    ticks = iter(range(0, 10_000, 30))
    monkeypatch.setattr(buffer_module, "time", lambda: next(ticks))
    return Keithley2450(InProcessAdapter(rig.firmware))


@pytest.mark.filterwarnings("ignore::FutureWarning")
@pytest.mark.parametrize("name", public(property))
def test_every_property_of_pymeasure(name: str, rig: Rig, theirs: Keithley2450) -> None:
    if name in TIMES_OUT:
        with pytest.raises(VisaIOError):
            getattr(theirs, name)
        return
    if name in TAKES_A_NUMBER_FOR_A_LIST:
        with pytest.raises(TypeError, match="not subscriptable"):
            getattr(theirs, name)
        return
    getattr(theirs, name)
    if name in SETTINGS:
        setattr(theirs, name, SETTINGS[name])
        wanted = 1.0 if name in READ_AS_NUMBERS else SETTINGS[name]
        assert getattr(theirs, name) == wanted
    assert rig.error() == 0


@pytest.mark.parametrize("name", public(object))
def test_every_method_of_pymeasure(name: str, rig: Rig, theirs: Keithley2450) -> None:
    method = getattr(theirs, name)
    if name in NEVER_FULL:
        with pytest.raises(Exception, match="Timed out"):
            method()
        return
    method(*ARGUMENTS.get(name, ()))
    assert rig.error() == LEAVES_AN_ERROR.get(name, 0)


def test_the_walk_has_met_everything() -> None:
    names = {*public(property), *public(object)}
    known = {*TIMES_OUT, *TAKES_A_NUMBER_FOR_A_LIST, *LEAVES_AN_ERROR, *NEVER_FULL, *SETTINGS}
    assert known <= names
    assert len(names) > 70


def test_a_session_with_pymeasure(rig: Rig, theirs: Keithley2450) -> None:
    theirs.reset()
    theirs.use_front_terminals()
    theirs.apply_voltage(2.0, 1e-3)
    theirs.measure_current(0.1, 1e-3, False)
    theirs.enable_source()
    theirs.ramp_to_voltage(1.0)
    assert theirs.current == pytest.approx(1 / LOAD_OHM, rel=1e-2)
    theirs.shutdown()
    assert rig.ask(":OUTP?;:SOUR:VOLT?") == "0;0.000000E+00"
    theirs.apply_current(1e-3, 10.0)
    theirs.measure_voltage(1, 20, False)
    theirs.enable_source()
    theirs.source_current = 1e-4
    assert theirs.voltage == pytest.approx(1e-4 * LOAD_OHM, rel=1e-3)
    theirs.measure_resistance()
    theirs.enable_source()
    assert theirs.resistance == pytest.approx(LOAD_OHM, rel=1e-3)
    assert theirs.check_errors() == []


def test_what_their_guards_do(rig: Rig, theirs: Keithley2450) -> None:
    """Defects that our driver avoids: a limit is cut off, and moved by choosing a range."""
    theirs.compliance_current = 2.0
    assert float(rig.ask(":SOUR:VOLT:ILIM?")) == 1.05
    theirs.reset()
    rig.send(":SOUR:VOLT:ILIM 1e-2;:SOUR:VOLT 2;:OUTP ON")
    theirs.current  # noqa: B018 (the automatic range is 1 mA now)
    rig.send(":SOUR:VOLT 0;:SOUR:VOLT:ILIM 1e-7")
    theirs.current_range = 1e-7
    assert float(rig.ask(":SOUR:VOLT:ILIM?")) == pytest.approx(1e-6)
