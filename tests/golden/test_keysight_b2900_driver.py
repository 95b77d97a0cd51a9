"""The pymeasure driver of the Keysight B2900: the bytes that it sends, and its twin's answers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from pymeasure.test import expected_protocol

from hil.instruments.keysight_b2900_driver import KeysightB2901A, KeysightB2902A
from tests.support.loads import Load
from twin.firmware.keysight_b2900.firmware import KeysightB2900Firmware
from twin.servers.inprocess import InProcessAdapter

PROPERTIES: list[tuple[str, Any, str, str, str]] = [
    ("source_mode", "current", ":SOUR1:FUNC:MODE CURR", ":SOUR1:FUNC:MODE?", "CURR"),
    ("source_shape", "pulse", ":SOUR1:FUNC:SHAP PULS", ":SOUR1:FUNC:SHAP?", "PULS"),
    ("source_voltage", 1.23456789, ":SOUR1:VOLT 1.23456789", ":SOUR1:VOLT?", "+1.234568E+00"),
    ("source_voltage_triggered", -0.5, ":SOUR1:VOLT:TRIG -0.5", ":SOUR1:VOLT:TRIG?", "-5.0E-01"),
    ("source_voltage_range", 20, ":SOUR1:VOLT:RANG 20", ":SOUR1:VOLT:RANG?", "+2.000000E+01"),
    ("source_voltage_range_auto_enabled", False, ":SOUR1:VOLT:RANG:AUTO 0",
     ":SOUR1:VOLT:RANG:AUTO?", "0"),
    ("source_current", 1e-9, ":SOUR1:CURR 1e-09", ":SOUR1:CURR?", "+1.000000E-09"),
    ("source_current_triggered", 2e-6, ":SOUR1:CURR:TRIG 2e-06", ":SOUR1:CURR:TRIG?", "+2.0E-06"),
    ("compliance_current", 1e-7, ":SENS1:CURR:PROT 1e-07", ":SENS1:CURR:PROT?", "+1.000000E-07"),
    ("compliance_voltage", 2, ":SENS1:VOLT:PROT 2", ":SENS1:VOLT:PROT?", "+2.000000E+00"),
    ("current_range", 1e-6, ":SENS1:CURR:RANG 1e-06", ":SENS1:CURR:RANG?", "+1.000000E-06"),
    ("current_range_auto_enabled", True, ":SENS1:CURR:RANG:AUTO 1", ":SENS1:CURR:RANG:AUTO?", "1"),
    ("lowest_auto_current_range", 1e-7, ":SENS1:CURR:RANG:AUTO:LLIM 1e-07",
     ":SENS1:CURR:RANG:AUTO:LLIM?", "+1.000000E-07"),
    ("voltage_range", 2, ":SENS1:VOLT:RANG 2", ":SENS1:VOLT:RANG?", "+2.000000E+00"),
    ("voltage_range_auto_enabled", True, ":SENS1:VOLT:RANG:AUTO 1", ":SENS1:VOLT:RANG:AUTO?", "1"),
    ("aperture", 2e-5, ":SENS1:CURR:APER 2e-05", ":SENS1:CURR:APER?", "+2.000000E-05"),
    ("source_wait_enabled", False, ":SOUR1:WAIT 0", ":SOUR1:WAIT?", "0"),
    ("measure_wait_enabled", True, ":SENS1:WAIT 1", ":SENS1:WAIT?", "1"),
    ("measure_wait_auto_enabled", False, ":SENS1:WAIT:AUTO 0", ":SENS1:WAIT:AUTO?", "0"),
    ("measure_wait_offset", 1e-3, ":SENS1:WAIT:OFFS 0.001", ":SENS1:WAIT:OFFS?", "+1.000000E-03"),
    ("pulse_delay", 0, ":SOUR1:PULS:DEL 0", ":SOUR1:PULS:DEL?", "+0.000000E+00"),
    ("pulse_width", 1e-4, ":SOUR1:PULS:WIDT 0.0001", ":SOUR1:PULS:WIDT?", "+1.000000E-04"),
    ("transient_delay", 0, ":TRIG1:TRAN:DEL 0", ":TRIG1:TRAN:DEL?", "+0.000000E+00"),
    ("acquire_delay", 7e-5, ":TRIG1:ACQ:DEL 7e-05", ":TRIG1:ACQ:DEL?", "+7.000000E-05"),
    ("output_enabled", True, ":OUTP1 1", ":OUTP1?", "1"),
    ("auto_output_on_enabled", False, ":OUTP1:ON:AUTO 0", ":OUTP1:ON:AUTO?", "0"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "value", "write", "query", "reply"), PROPERTIES, ids=[p[0] for p in PROPERTIES]
)
def test_properties_of_a_channel(name: str, value: Any, write: str, query: str, reply: str) -> None:
    with expected_protocol(KeysightB2901A, [(write, None), (query, reply)]) as inst:
        setattr(inst.ch_1, name, value)
        assert getattr(inst.ch_1, name) == (
            pytest.approx(value, rel=1e-6) if type(value) in (int, float) else value
        )


@pytest.mark.parametrize(
    ("name", "value", "write"),
    [
        ("trigger_source", "timer", ":TRIG1:SOUR TIM"),
        ("trigger_count", 10, ":TRIG1:COUN 10"),
        ("trigger_period", 1e-3, ":TRIG1:TIM 0.001"),
    ],
)
def test_settings_of_both_actions(name: str, value: Any, write: str) -> None:
    with expected_protocol(KeysightB2901A, [(write, None)]) as inst:
        setattr(inst.ch_1, name, value)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("compliance_current", 0),
        ("compliance_current", 1e-10),
        ("source_voltage", 211),
        ("pulse_width", 4e-5),
        ("trigger_count", 0),
        ("trigger_period", 1e-5),
        ("source_shape", "square"),
        ("aperture", 3),
    ],
)
def test_values_that_there_are_not_send_nothing(name: str, value: Any) -> None:
    with expected_protocol(KeysightB2901A, []) as inst, pytest.raises(ValueError, match="is not"):
        setattr(inst.ch_1, name, value)


def test_a_measurement_is_asked_for_twice() -> None:
    reading = "+1.000000E+00,+1.000000E-07,+2.000000E+00"
    exchange = (":MEAS? (@1);:FETC? (@1)", f"{reading};{reading}")
    with expected_protocol(KeysightB2901A, [exchange]) as inst:
        assert inst.ch_1.read_source_measure() == (1.0, 1e-7, 2.0)


def test_a_measurement_that_differs_is_an_error() -> None:
    exchange = (":MEAS? (@1);:FETC? (@1)", "+1.0E+00,+1.0E-07,+2.0E+00;+1.0E+00,+1.0E-06,+2.0E+00")
    with (
        expected_protocol(KeysightB2901A, [exchange]) as inst,
        pytest.raises(ValueError, match="twice differ"),
    ):
        inst.ch_1.read_source_measure()


def test_readings_of_a_run() -> None:
    data = "+1.0E+00,+1.0E-07,+0.0E+00,+2.0E+00,+2.0E-07,+2.0E+00"
    exchange = (":SENS1:DATA? 5,2;:SENS1:DATA? 5,2", f"{data};{data}")
    with expected_protocol(KeysightB2901A, [exchange]) as inst:
        assert np.array_equal(inst.ch_1.readings(5, 2), [[1, 1e-7, 0], [2, 2e-7, 2]])


def test_the_instrument() -> None:
    with expected_protocol(
        KeysightB2902A,
        [
            ("*IDN?", "Keysight Technologies,B2902A,MY1,3.4.2011.5100"),
            (":SYST:LFR 60", None),
            (":SYST:LFR?", "60"),
            (":STAT:OPER:COND?", "1170"),
            (":STAT:OPER:COND?", "18"),
            (":FORM ASC", None),
            (":FORM:ELEM:SENS VOLT,CURR,STAT", None),
            (":STAT:OPER:PTR 32767", None),
            (":STAT:OPER?", "18"),
            (":INIT (@2)", None),
            (":ABOR (@2)", None),
            ("SYST:ERR?", '-222,"Data out of range"'),
            ("SYST:ERR?", '+0,"No error"'),
        ],
    ) as inst:
        assert inst.id.split(",")[1] == "B2902A"
        inst.line_frequency = 60
        assert inst.line_frequency == 60
        assert inst.is_idle(2)
        assert not inst.is_idle(2)
        inst.select_elements()
        inst.report_idle_events()
        assert not inst.take_idle_events(2)
        inst.ch_2.initiate()
        inst.ch_2.abort()
        assert len(inst.check_errors()) == 1


def test_shutdown_switches_everything_off() -> None:
    with expected_protocol(
        KeysightB2902A,
        [
            (":ABOR (@1)", None),
            (":SOUR1:VOLT 0", None),
            (":OUTP1 0", None),
            (":ABOR (@2)", None),
            (":SOUR2:VOLT 0", None),
            (":OUTP2 0", None),
        ],
    ) as inst:
        inst.shutdown()


@pytest.mark.parametrize(
    ("name", "value"), [p[:2] for p in PROPERTIES], ids=[p[0] for p in PROPERTIES]
)
def test_the_twin_holds_what_the_driver_sets(name: str, value: Any) -> None:
    firmware = KeysightB2900Firmware(Load(), model="B2902A", is_ideal=True)
    inst = KeysightB2902A(InProcessAdapter(firmware))
    inst.ch_2.source_voltage_range_auto_enabled = name == "source_voltage_range_auto_enabled"
    setattr(inst.ch_2, name, value)
    assert getattr(inst.ch_2, name) == (
        pytest.approx(value, rel=1e-6) if type(value) in (int, float) else value
    )
    assert inst.check_errors() == []
