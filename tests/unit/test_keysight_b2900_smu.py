"""The driver of the Keysight B2900 on its twin: guards, readings, pulses, making safe."""

from __future__ import annotations

from itertools import pairwise

import pytest

from hil.errors import IdentityError, InstrumentError, LimitError, LinkError
from hil.instruments.keysight_b2900 import KeysightB2900Smu
from hil.instruments.keysight_b2900_pulses import MIN_PULSE_WIDTH_S
from hil.instruments.smu import Smu
from hil.station import SmuTable
from hil.types import Source
from tests.support.loads import Load
from twin.firmware.keysight_b2900.firmware import KeysightB2900Firmware
from twin.servers.inprocess import InProcessAdapter


class Wire:
    """The firmware behind a wire that may change what passes.

    Attributes:
        changes: text in a message or a reply, and what arrives in its place.
    """

    def __init__(self, ohm: float = 10e3, model: str = "B2901A") -> None:
        self.load = Load(ohm)
        self.firmware = KeysightB2900Firmware(self.load, model=model, is_ideal=True)
        self.sent: list[str] = []
        self.changes: dict[bytes, bytes] = {}

    def receive(self, data: bytes) -> bytes:
        self.sent += data.decode().splitlines()
        return self._changed(self.firmware.receive(self._changed(data)))

    def _changed(self, data: bytes) -> bytes:
        for old, new in self.changes.items():
            data = data.replace(old, new)
        return data


def table() -> SmuTable:
    return SmuTable.model_construct(driver="keysight-b2901a", address="twin:")


def smu_on(wire: Wire) -> KeysightB2900Smu:
    return KeysightB2900Smu(InProcessAdapter(wire), table())


@pytest.fixture
def wire() -> Wire:
    return Wire()


@pytest.fixture
def smu(wire: Wire) -> KeysightB2900Smu:
    smu = smu_on(wire)
    smu.prepare(2.0)
    smu.limit_current(1e-3)
    smu.integrate(0.1)
    return smu


def test_it_is_an_smu(wire: Wire) -> None:
    smu: Smu = smu_on(wire)
    identity = smu.identify()
    assert smu.source_of(identity) is Source.TWIN
    assert smu.source_of("Keysight Technologies,B2901A,MY51140123,3.4") is Source.BENCH
    smu.close()
    with pytest.raises(LinkError):
        smu.identify()


@pytest.mark.parametrize("model", [b"B2961A", b"B2901B", b"MODEL 2450"])
def test_another_instrument_is_refused(wire: Wire, model: bytes) -> None:
    wire.changes[b"B2901A"] = model
    with pytest.raises(IdentityError, match="expected a Keysight B2901A"):
        smu_on(wire).identify()


def test_the_output_stays_off_until_it_is_asked_for(smu: KeysightB2900Smu, wire: Wire) -> None:
    smu.measure()
    assert wire.load.source is None
    smu.output_on()
    assert wire.load.source == (0.0, 1e-3)


@pytest.mark.parametrize("level_v", [-1.0, 0.1, 2.0])
def test_readings(smu: KeysightB2900Smu, level_v: float) -> None:
    smu.output_on()
    smu.set_level(level_v)
    sample = smu.measure()
    assert sample.v_v == pytest.approx(level_v, rel=2e-3)
    assert sample.i_a == pytest.approx(level_v / 10e3, rel=2e-3)
    assert not sample.in_compliance
    smu.wait_until_done()
    smu.check_errors()


@pytest.mark.parametrize("limit_a", [1e-9, 100e-9, 1e-5])
def test_the_limit_arrives_as_it_is(smu: KeysightB2900Smu, wire: Wire, limit_a: float) -> None:
    smu.limit_current(limit_a)
    smu.output_on()
    assert wire.load.source is not None
    assert wire.load.source[1] == pytest.approx(limit_a)
    smu.set_level(1.0)
    sample = smu.measure()
    assert sample.in_compliance
    assert sample.i_a == pytest.approx(limit_a, rel=5e-3)


@pytest.mark.parametrize("limit_a", [0.0, 1e-10, -1e-3, 4.0, float("nan")])
def test_a_limit_that_there_is_not_is_refused(
    smu: KeysightB2900Smu, wire: Wire, limit_a: float
) -> None:
    n_sent = len(wire.sent)
    with pytest.raises(LimitError, match="current limit"):
        smu.limit_current(limit_a)
    assert len(wire.sent) == n_sent


@pytest.mark.parametrize(
    ("old", "new", "what"),
    [
        (b":SENS1:CURR:PROT 1e-05", b":SENS1:CURR:PROT 1e-04", "current limit"),
        (b"PROT 1e-05", b"PORT 1e-05", "current limit"),
    ],
)
def test_a_limit_that_did_not_arrive(
    smu: KeysightB2900Smu, wire: Wire, old: bytes, new: bytes, what: str
) -> None:
    wire.changes[old] = new
    with pytest.raises(InstrumentError, match=what):
        smu.limit_current(1e-5)


@pytest.mark.parametrize(
    ("old", "new", "what"),
    [
        (b":SOUR1:VOLT 0\n", b":SOUR1:VOLT 1\n", "level"),
        (b":SOUR1:VOLT 0\n", b":SOUR1:VOLT 0;:SENS1:CURR:PROT 0.1\n", "current limit"),
        (b":SOUR1:VOLT 0\n", b":SOUR1:VOLT 0;:SOUR1:VOLT:RANG 20\n", "range"),
        (b":SOUR1:VOLT 0\n", b":SOUR1:VOLT 0;:SOUR1:FUNC:SHAP PULS\n", "VOLT PULS"),
        (b":SOUR1:VOLT 0\n", b":SOUR1:VOLT 0;:SOUR1:FUNC:MODE CURR\n", "CURR DC"),
    ],
)
def test_the_output_does_not_go_on_with_other_guards(
    smu: KeysightB2900Smu, wire: Wire, old: bytes, new: bytes, what: str
) -> None:
    wire.changes[old] = new
    with pytest.raises(InstrumentError, match=what):
        smu.output_on()
    assert wire.load.source is None


def test_settings_cost_nothing_twice(smu: KeysightB2900Smu, wire: Wire) -> None:
    smu.output_on()
    n_sent = len(wire.sent)
    smu.limit_current(1e-3)
    smu.integrate(0.1)
    smu.output_on()
    assert len(wire.sent) == n_sent


def test_a_range_that_does_not_hold_is_an_error(wire: Wire) -> None:
    wire.changes[b"VOLT:RANG 20"] = b"VOLT:RANG 2"
    with pytest.raises(InstrumentError, match="range set for"):
        smu_on(wire).prepare(20.0)


@pytest.mark.parametrize("what", ["0 V", "-1 V", "211 V", "nan V", "0 cycles", "200 cycles"])
def test_set_ups_out_of_reach_are_refused(smu: KeysightB2900Smu, wire: Wire, what: str) -> None:
    value, unit = what.split()
    n_sent = len(wire.sent)
    with pytest.raises(LimitError):
        smu.prepare(float(value)) if unit == "V" else smu.integrate(float(value))
    assert len(wire.sent) == n_sent


def test_a_settling_time_beyond_the_instrument_is_refused(wire: Wire) -> None:
    slow = SmuTable.model_construct(driver="keysight-b2901a", address="twin:", settle_s=2.0)
    with pytest.raises(LimitError, match="settle_s"):
        KeysightB2900Smu(InProcessAdapter(wire), slow).prepare(2.0)
    assert wire.sent == []


@pytest.mark.parametrize("reply", [b"+1.0E-0x", b"", b"1;2"])
def test_an_answer_that_cannot_be_read(smu: KeysightB2900Smu, wire: Wire, reply: bytes) -> None:
    wire.changes[b"+1.000000E-05"] = reply
    with pytest.raises(LinkError):
        smu.limit_current(1e-5)


def test_a_refused_setting_is_an_error(wire: Wire) -> None:
    wire.changes[b":SYST:LFR 50"] = b":SYST:LFR 55"
    with pytest.raises(InstrumentError, match="-224"):
        smu_on(wire).prepare(2.0)


def test_a_damaged_reading_is_no_reading(smu: KeysightB2900Smu, wire: Wire) -> None:
    smu.output_on()
    smu.set_level(1.0)
    wire.changes[b"E-05,"] = b"E-04,"
    wire.changes[b"E-04,+0.000000E+00;"] = b"E-06,+0.000000E+00;"
    with pytest.raises(LinkError, match="asked for twice"):
        smu.measure()


# --- pulses -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("width_s", "n_pulses", "period_s"),
    [(1e-4, 5, 1e-3), (1e-3, 3, 2e-3), (0.02, 2, 0.05), (1.0, 1, 1.5)],
)
def test_pulses_run_on_the_instrument(
    smu: KeysightB2900Smu, wire: Wire, width_s: float, n_pulses: int, period_s: float
) -> None:
    smu.output_on()
    wire.load.log.clear()
    samples = smu.pulse(1.0, width_s, n_pulses, period_s)
    assert samples.v_v == pytest.approx([1.0] * n_pulses, rel=5e-3)
    assert samples.i_a == pytest.approx([1e-4] * n_pulses, rel=5e-3)
    assert not samples.in_compliance
    rises = wire.load.rises(0.5)
    assert [b - a for a, b in pairwise(rises)] == pytest.approx(
        [period_s] * (n_pulses - 1), abs=2e-6
    )
    assert wire.load.time_above_s(0.5) == pytest.approx(n_pulses * width_s, rel=0.01, abs=5e-6)
    assert wire.load.source == (0.0, 1e-3)


def test_pulses_in_compliance_say_so(smu: KeysightB2900Smu) -> None:
    smu.limit_current(1e-6)
    smu.output_on()
    samples = smu.pulse(-1.0, 0.02, 2, 0.05)
    assert samples.in_compliance
    assert samples.i_a == pytest.approx([-1e-6] * 2, rel=1e-2)


def test_readings_after_pulses_are_as_before(smu: KeysightB2900Smu, wire: Wire) -> None:
    smu.output_on()
    smu.set_level(0.5)
    before = smu.measure()
    smu.pulse(1.0, 1e-3, 2, 5e-3)
    smu.set_level(0.5)
    after = smu.measure()
    assert after.i_a == pytest.approx(before.i_a, rel=1e-3)
    assert wire.load.source == (0.5, 1e-3)


@pytest.mark.parametrize(
    ("amplitude_v", "width_s", "n_pulses", "period_s", "what"),
    [
        (1.0, 0.9e-4, 1, 1.0, "shorter than"),
        (1.0, float("nan"), 1, 1.0, "shorter than"),
        (1.0, 2e3, 1, 1e4, "longer than"),
        (1.0, 1e-3, 1, 1e-3, "between them"),
        (1.0, 1e-3, 0, 1.0, "pulses are not"),
        (1.0, 1e-3, 10_001, 1.0, "pulses are not"),
        (2.1, 1e-3, 1, 1.0, "amplitude"),
        (float("nan"), 1e-3, 1, 1.0, "amplitude"),
    ],
)
def test_pulses_out_of_reach_are_refused(
    smu: KeysightB2900Smu,
    wire: Wire,
    amplitude_v: float,
    width_s: float,
    n_pulses: int,
    period_s: float,
    what: str,
) -> None:
    smu.output_on()
    n_sent = len(wire.sent)
    with pytest.raises(LimitError, match=what):
        smu.pulse(amplitude_v, width_s, n_pulses, period_s)
    assert len(wire.sent) == n_sent
    assert smu.min_pulse_width_s == MIN_PULSE_WIDTH_S


def test_pulses_need_the_output(smu: KeysightB2900Smu) -> None:
    with pytest.raises(LimitError, match="output is off"):
        smu.pulse(1.0, 1e-3, 1, 1.0)


@pytest.mark.parametrize(
    ("old", "new", "what"),
    [
        (b"VOLT:TRIG 1\n", b"VOLT:TRIG 1.9\n", "amplitude"),
        (b"PULS:WIDT 0.001", b"PULS:WIDT 0.01", "pulse width"),
        (b":TRIG1:COUN 3", b":TRIG1:COUN 30", "number of pulses"),
        (b":TRIG1:TIM 0.02", b":TRIG1:TIM 0.05", "period"),
        (b"SHAP PULS\n", b"SHAP PULS;:SENS1:CURR:PROT 0.1\n", "current limit"),
        (b"SHAP PULS\n", b"SHAP DC\n", "VOLT DC"),
        (b":SOUR1:PULS:DEL 0\n", b":SOUR1:PULS:DAL 0\n", "-113"),
    ],
)
def test_nothing_is_sourced_with_other_guards(
    smu: KeysightB2900Smu, wire: Wire, old: bytes, new: bytes, what: str
) -> None:
    smu.output_on()
    wire.load.log.clear()
    wire.changes[old] = new
    with pytest.raises(InstrumentError, match=what):
        smu.pulse(1.0, 1e-3, 3, 0.02)
    assert wire.load.rises(0.01) == []


def test_readings_of_earlier_pulses_are_not_taken_for_new_ones(
    smu: KeysightB2900Smu, wire: Wire
) -> None:
    smu.output_on()
    smu.pulse(1.0, 1e-3, 3, 0.02)
    wire.changes[b":INIT (@1)\n"] = b""
    with pytest.raises(InstrumentError, match="did not begin"):
        smu.pulse(1.0, 1e-3, 3, 0.02)


def test_pulses_that_went_wrong_end_before_new_ones_are_set_up(
    smu: KeysightB2900Smu, wire: Wire
) -> None:
    smu.output_on()
    wire.changes[b":STAT:OPER:COND?"] = b":STAT:OPER:CAND?"
    with pytest.raises(LinkError):
        smu.pulse(1.0, 1e-3, 100, 0.02)
    wire.changes.clear()
    smu.resynchronise()
    with pytest.raises(InstrumentError, match="-113"):
        smu.pulse(1.0, 1e-3, 3, 0.02)
    wire.load.log.clear()
    smu.pulse(1.0, 1e-3, 3, 0.02)
    assert len(wire.load.rises(0.5)) == 3


# --- safety -------------------------------------------------------------------------------------


class Hush(InProcessAdapter):
    """An adapter whose far end answers nothing any more."""

    def _read(self, **kwargs: object) -> str:
        raise AssertionError("read while making safe")


def test_making_safe_only_sends(wire: Wire) -> None:
    smu = KeysightB2900Smu(Hush(wire), table())
    smu.make_safe()
    assert wire.sent == [":ABOR (@1)", ":SOUR1:VOLT 0", ":OUTP1 0"]


def test_making_safe_ends_pulses_and_works_while_a_reply_is_pending(wire: Wire) -> None:
    adapter = InProcessAdapter(wire)
    smu = KeysightB2900Smu(adapter, table())
    smu.prepare(2.0)
    smu.limit_current(1e-3)
    smu.output_on()
    smu.pulse(1.0, 1e-3, 1, 5e-3)
    for line in (":TRIG1:COUN 100", ":INIT (@1)", ":STAT:OPER:COND?"):
        adapter.write(line)
    smu.make_safe()
    assert wire.load.source is None
    n_rises = len(wire.load.rises(0.5))
    assert n_rises < 5
    smu.resynchronise()
    assert smu.identify().startswith("Keysight")
    assert len(wire.load.rises(0.5)) == n_rises
    smu.check_errors()


def test_the_other_steps_are_tried_when_one_cannot_be_sent(wire: Wire) -> None:
    class Broken(InProcessAdapter):
        def _write(self, command: str, **kwargs: object) -> None:
            if "VOLT" in command:
                raise OSError("cable")
            super()._write(command, **kwargs)

    smu = KeysightB2900Smu(Broken(wire), table())
    with pytest.raises(LinkError, match="cable"):
        smu.make_safe()
    assert wire.sent == [":ABOR (@1)", ":OUTP1 0"]


def test_the_second_model_works_as_well() -> None:
    wire = Wire(model="B2902A")
    smu = smu_on(wire)
    smu.identify()
    smu.prepare(20.0)
    smu.limit_current(1e-3)
    smu.output_on()
    assert smu.pulse(5.0, 1e-3, 2, 4e-3).i_a == pytest.approx([5e-4] * 2, rel=5e-3)
