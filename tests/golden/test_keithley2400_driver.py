"""pymeasure's own drivers, unmodified, on the twin's firmware: what they send and what they see."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import numpy as np
import pytest
from pymeasure.adapters import Adapter, VISAAdapter
from pymeasure.instruments.keithley import Keithley2400, Keithley2400Legacy
from pymeasure.instruments.keithley import keithley2400 as driver_module
from pymeasure.instruments.keithley import keithley2400_legacy as legacy_module
from pyvisa.errors import VisaIOError

from twin.firmware.keithley2400 import Keithley2400Firmware
from twin.servers.inprocess import InProcessAdapter
from twin.servers.pty import PtyServer
from twin.servers.tcp import TcpServer
from twin.wiring import Sample

LOAD_OHM = 10e3
ELEMENTS = ":FORMAT:ELEMENTS VOLTAGE, CURRENT, RESISTANCE, TIME, STATUS"


class LoadBench:
    """Terminals with a 10 kOhm resistor on them."""

    serial_number = "TWIN2400"

    def __init__(self) -> None:
        self.t_s = 0.0
        self.source: tuple[float, float] | None = None
        self.levels_v: list[float] = []

    def now_s(self) -> float:
        return self.t_s

    def wait_s(self, dt_s: float) -> None:
        self.t_s += dt_s

    def apply(self, level_v: float, compliance_a: float) -> None:
        self.source = (level_v, compliance_a)
        self.levels_v.append(level_v)

    def release(self) -> None:
        self.source = None

    def measure(self, aperture_s: float) -> Sample:
        assert self.source is not None
        self.t_s += aperture_s
        level_v, compliance_a = self.source
        i_a = math.copysign(min(abs(level_v) / LOAD_OHM, compliance_a), level_v)
        return Sample(self.t_s, i_a * LOAD_OHM, i_a, abs(level_v) / LOAD_OHM > compliance_a)


class Station:
    """The firmware, its bench, and an adapter that reaches it."""

    def __init__(self, wire: str, stack: ExitStack) -> None:
        self.bench = LoadBench()
        self.firmware = Keithley2400Firmware(self.bench, line_frequency_hz=50, is_ideal=True)
        self.adapter = self._connect(wire, stack)
        stack.callback(self.adapter.close)

    def _connect(self, wire: str, stack: ExitStack) -> Adapter:
        if wire == "in process":
            return InProcessAdapter(self.firmware)
        server: TcpServer | PtyServer
        lock = threading.Lock()
        server = TcpServer(self.firmware, lock) if wire == "tcp" else PtyServer(self.firmware, lock)
        stack.callback(server.close)
        return VISAAdapter(
            server.visa_resource,
            visa_library="@py",
            read_termination="\n",
            write_termination="\n",
            timeout=5000,
        )

    def sent(self) -> list[str]:
        """What arrived since the last call; a query first, so that writes have arrived, too."""
        self.adapter.write("*OPC?")
        assert self.adapter.read().strip() == "1"
        *commands, _ = self.firmware.commands_seen
        self.firmware.commands_seen.clear()
        return commands


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (driver_module, legacy_module):
        monkeypatch.setattr(module.time, "sleep", lambda dt_s: None)


@pytest.fixture(params=["in process", "tcp", "pty"])
def station(request: pytest.FixtureRequest) -> Iterator[Station]:
    n_threads = threading.active_count()
    with ExitStack() as stack:
        yield Station(request.param, stack)
    assert threading.active_count() == n_threads


def test_identify_reset_source_measure_shutdown(station: Station) -> None:
    smu = Keithley2400(station.adapter)
    identity = smu.id
    smu.reset()
    smu.clear()
    smu.source_mode = "voltage"
    smu.source_voltage_range = 2
    smu.compliance_current = 1e-3
    smu.source_voltage = 0.5
    smu.source_enabled = True
    assert smu.current == 5e-5
    assert smu.voltage == 0.5
    smu.resistance_mode_auto_enabled = False
    assert smu.resistance == 1e4
    assert smu.check_errors() == []
    assert station.sent() == [
        ELEMENTS,
        "*IDN?",
        "*RST",
        "*CLS",
        ":SOURCE:FUNCTION VOLT",
        ":SOURCE:VOLTAGE:RANGE 2",
        ":SENSE:CURRENT:PROTECTION 0.001",
        ":SOURCE:VOLTAGE 0.5",
        "OUTPUT 1",
        ":MEASURE:CURRENT?",
        ":MEASURE:VOLTAGE?",
        ":SENSE:RESISTANCE:MODE MAN",
        ":MEASURE:RESISTANCE?",
        "SYST:ERR?",
    ]
    assert identity.split(",")[:3] == ["KEITHLEY INSTRUMENTS INC.", "MODEL 2400", "TWIN2400"]

    everything = smu.measure_all()
    assert everything["time"] == pytest.approx(station.bench.t_s)
    assert (everything["voltage"], everything["current"]) == (0.5, 5e-5)
    assert (everything["resistance"], everything["status"] & (1 << 3)) == (1e4, 0)
    assert station.sent() == [":SENSE:RESISTANCE:MODE MAN", ":SENSE:FUNCTION:ALL", ":READ?"]

    station.bench.levels_v.clear()
    smu.shutdown()
    assert station.sent() == [
        ":SOURCE:FUNCTION?",
        ":SOURCE:VOLTAGE?",
        *(f":SOURCE:VOLTAGE {level_v:g}" for level_v in np.linspace(0.5, 0.0, 30)),
        ":ABOR",
        "OUTPUT 0",
    ]
    assert len(station.bench.levels_v) == 29  # the first of the 30 was there already
    assert station.bench.levels_v[-1] == 0.0
    assert station.bench.source is None
    assert station.firmware.output_off_count == 2  # *RST and OUTPUT 0
    assert smu.check_errors() == []


def test_compliance(station: Station) -> None:
    smu = Keithley2400(station.adapter)
    smu.reset()
    smu.compliance_current = 1e-5
    smu.source_voltage = 0.5
    smu.source_enabled = True
    everything = smu.measure_all()
    assert everything["current"] == 1e-5
    assert everything["voltage"] == 0.1
    assert everything["status"] & (1 << 3)
    assert smu.compliance_current == 1e-5
    assert smu.check_errors() == []


def test_what_the_twin_refuses_is_in_the_error_queue(station: Station) -> None:
    smu = Keithley2400(station.adapter)
    smu.source_voltage_range = 2
    smu.source_voltage = 20
    smu.write(":SOUR:FUNC MEM")
    smu.write(":SENS:RES:OCOM ON")
    errors = [(int(code), text.strip()) for code, text in smu.check_errors()]
    assert errors == [
        (-222, '"Parameter data out of range"'),
        (-224, '"Illegal parameter value"'),
        (-113, '"Undefined header"'),
    ]
    assert smu.source_voltage == 0.0


def test_a_query_that_fails_times_out() -> None:
    with ExitStack() as stack:
        station = Station("in process", stack)
        smu = Keithley2400(station.adapter)
        with pytest.raises(VisaIOError):
            smu.ask(":READ?")
        assert [int(code) for code, _ in smu.check_errors()] == [803]


SETTINGS: list[tuple[str, object]] = [
    ("source_enabled", True),
    ("source_enabled", False),
    ("source_mode", "voltage"),
    ("source_delay", 0.1),
    ("source_delay_auto_enabled", True),
    ("auto_zero_enabled", False),
    ("auto_output_off_enabled", True),
    ("filter_enabled", True),
    ("repeat_filter_enabled", False),
    ("filter_count", 20),
    ("current_range", 1.05e-5),
    ("current_range_auto_enabled", False),
    ("current_nplc", 0.1),
    ("compliance_current", 0.01),
    ("source_current", 0.002),
    ("source_current_range", 0.0105),
    ("source_current_range_auto_enabled", False),
    ("voltage_range_auto_enabled", False),
    ("voltage_nplc", 2.0),
    ("compliance_voltage", 1.0),
    ("source_voltage", 1.5),
    ("source_voltage_range", 2.1),
    ("source_voltage_range_auto_enabled", False),
    ("resistance_mode_auto_enabled", False),
    ("resistance_range", 2100.0),
    ("resistance_range_auto_enabled", False),
    ("resistance_nplc", 5.0),
    ("display_enabled", False),
    ("wires", 4),
    ("line_frequency", 60),
    ("line_frequency_auto_enabled", False),
    ("front_terminals_enabled", False),
]


@pytest.mark.parametrize(("name", "value"), SETTINGS, ids=lambda part: str(part))
def test_every_setting_of_the_driver_reads_back(name: str, value: object) -> None:
    with ExitStack() as stack:
        station = Station("in process", stack)
        smu = Keithley2400(station.adapter)
        setattr(smu, name, value)
        assert getattr(smu, name) == value
        assert smu.check_errors() == []


@pytest.mark.parametrize(
    ("name", "state"), [("disconnected", "HIMP"), ("normal", "NORM"), ("guard", "GUAR")]
)
def test_output_off_states(name: str, state: str) -> None:
    with ExitStack() as stack:
        station = Station("in process", stack)
        smu = Keithley2400(station.adapter)
        smu.output_off_state = name
        assert smu.ask(":OUTPUT:SMODE?").strip() == state
        smu.auto_zero_once()
        smu.beep(440, 0.1)
        assert smu.check_errors() == []


def test_legacy_driver(station: Station) -> None:
    with pytest.warns(FutureWarning, match="legacy"):
        smu = Keithley2400Legacy(station.adapter)
    smu.reset()
    smu.apply_voltage(voltage_range=2, compliance_current=1e-3)
    smu.source_voltage = 0.5
    smu.enable_source()
    smu.measure_current(nplc=0.1)
    assert smu.current == 5e-5
    smu.measure_voltage()
    assert smu.voltage == 0.5
    smu.measure_resistance()
    assert smu.resistance == 1e4
    assert smu.check_errors() == []
    sent = station.sent()
    assert sent[0] == "status:queue:clear;*RST;:stat:pres;:*CLS;"
    assert ":SENS:CURR:PROT 0.001" in sent
    assert ":SENS:FUNC 'CURR';:SENS:CURR:NPLC 0.100000;:FORM:ELEM CURR;" in sent
    smu.shutdown()
    assert station.sent()[-2:] == [":ABOR", "OUTPUT OFF"]
    assert station.bench.source is None


SEQUENCES: list[tuple[Callable[[Keithley2400], object], list[str]]] = [
    (lambda smu: smu.stop_buffer(), [":ABOR"]),
    (lambda smu: smu.reset_data_format(), [ELEMENTS]),
    (lambda smu: smu.clear(), ["*CLS"]),
    (lambda smu: smu.check_errors(), ["SYST:ERR?"]),
    (lambda smu: smu.complete, ["*OPC?"]),
    (lambda smu: smu.status, ["*STB?"]),
    (lambda smu: smu.options, ["*OPT?"]),
]


@pytest.mark.parametrize(("action", "expected"), SEQUENCES)
def test_small_actions(action: Callable[[Keithley2400], object], expected: list[str]) -> None:
    with ExitStack() as stack:
        station = Station("in process", stack)
        smu = Keithley2400(station.adapter)
        station.sent()
        action(smu)
        assert station.sent() == expected
        assert smu.check_errors() == []
