"""What the shipped drivers put on the two wires, operation by operation, worked out by hand."""

from __future__ import annotations

import pytest

from hil.protocol.frames import Frame, FrameReader
from hil.protocol.switch_board import FrameType
from tests.support.rigs import Rig, in_process_rig, small_station

ON = [":SENSE:CURRENT:PROTECTION 0.001", ":SENSE:CURRENT:PROTECTION?"]
OUTPUT_ON = [":SOURCE:VOLTAGE 0", "OUTPUT 1"]
READ = [":SOURCE:VOLTAGE 0.1", ":READ?", ":SOURCE:VOLTAGE 0"]
PULSE = [":SOURCE:VOLTAGE 0.5", ":READ?", ":READ?", ":SOURCE:VOLTAGE 0"]


@pytest.fixture
def rig() -> Rig:
    return in_process_rig(small_station(noise=False))


class Wires:
    """What has gone over both wires since the last look, in one list."""

    def __init__(self, rig: Rig, *, from_the_start: bool = False) -> None:
        self._log = rig.log
        self._reader = FrameReader()
        self._n_seen = 0 if from_the_start else len(rig.log)

    def new(self) -> list[str]:
        found: list[str] = []
        for name, data in self._log[self._n_seen :]:
            if name == "smu":
                found += data.decode().splitlines()
                continue
            for frame in self._reader.feed(data):
                assert isinstance(frame, Frame)
                kind = FrameType(frame.type).name
                found.append(f"<{kind} {frame.body.hex()}>".replace(" >", ">"))
        self._n_seen = len(self._log)
        return found


def test_opening(rig: Rig) -> None:
    """Identify both, reset, sourcing at zero, all functions measured, output still off."""
    elements = ":FORMAT:ELEMENTS VOLTAGE, CURRENT, RESISTANCE, TIME, STATUS"
    assert Wires(rig, from_the_start=True).new() == [
        elements,
        "*IDN?",
        "<HELLO e803>",  # 1000 ms, little-endian
        "*RST",
        "*CLS",
        elements,
        ":SOURCE:FUNCTION VOLT",
        ":SOURCE:VOLTAGE 0",
        ":SOURCE:VOLTAGE:RANGE 2",
        ":SOURCE:VOLTAGE:RANGE?",
        ":SOURCE:CLEAR:AUTO 0",
        ":SENSE:RESISTANCE:MODE MAN",
        ":SENSE:FUNCTION:ALL",
        ":SENSE:CURRENT:RANGE:AUTO 1",
        ":SOURCE:DELAY 0.001",
        "SYST:ERR?",
    ]


def test_reading_two_devices(rig: Rig) -> None:
    """The level is known to be zero before each switch moves: *OPC? on the other wire."""
    wires = Wires(rig)
    rig.board.measure([[0, 0], [0, 2]], 0.1)
    assert wires.new() == [
        *ON,
        ":SENSE:CURRENT:NPLCYCLES 1",
        *OUTPUT_ON,
        "*OPC?",
        "<SELECT 0000>",
        *READ,
        "*OPC?",
        "<SELECT 0200>",
        *READ,
        "SYST:ERR?",
    ]


def test_reading_again_costs_only_the_reading(rig: Rig) -> None:
    rig.board.measure([[0, 1]], 0.1)
    wires = Wires(rig)
    rig.board.measure([[0, 1]], 0.1)
    assert wires.new() == ["<SELECT 0100>", *READ, "SYST:ERR?"]


def test_pulses(rig: Rig) -> None:
    rig.board.measure([[0, 1]], 0.1)
    wires = Wires(rig)
    rig.board.pulse([[0, 1]], 0.5, 0.02, 2)
    assert wires.new() == [
        ":SENSE:CURRENT:NPLCYCLES 0.1",
        "<SELECT 0100>",
        *PULSE,
        *PULSE,
        "SYST:ERR?",
    ]


def test_another_dopant_gets_its_own_current_limit_first(rig: Rig) -> None:
    rig.board.measure([[0, 0]], 0.1)
    wires = Wires(rig)
    rig.board.measure([[0, 5]], 0.1)
    seen = wires.new()
    assert seen[:2] == [":SENSE:CURRENT:PROTECTION 5e-05", ":SENSE:CURRENT:PROTECTION?"]
    assert seen.index("<SELECT 0500>") > 1


def test_levels_have_six_digits(rig: Rig) -> None:
    rig.board.pulse([[0, 0]], 0.123456789, 0.02)
    rig.board.pulse([[0, 0]], -1 / 3, 0.02)
    levels = [data for name, data in rig.log if name == "smu" and b":SOURCE:VOLTAGE " in data]
    assert b":SOURCE:VOLTAGE 0.123457\n" in levels
    assert b":SOURCE:VOLTAGE -0.333333\n" in levels


def test_a_sweep_goes_from_level_to_level(rig: Rig) -> None:
    rig.board.pulse([[0, 0]], 0.5, 0.02)
    wires = Wires(rig)
    rig.board.sweep([0, 0], [0.2, -0.1, 0.05], 0.01)
    assert wires.new() == [
        "<SELECT 0000>",
        *(":SOURCE:VOLTAGE 0.2", ":READ?"),
        *(":SOURCE:VOLTAGE -0.1", ":READ?"),
        *(":SOURCE:VOLTAGE 0.05", ":READ?"),
        ":SOURCE:VOLTAGE 0",
        "SYST:ERR?",
    ]


def test_a_long_pulse_keeps_the_watchdog_quiet(rig: Rig) -> None:
    rig.board.measure([[0, 0]], 0.1)
    wires = Wires(rig)
    rig.board.pulse([[0, 0]], 0.5, 1.0)
    seen = wires.new()
    assert seen[:3] == [":SENSE:CURRENT:NPLCYCLES 0.1", "<SELECT 0000>", ":SOURCE:VOLTAGE 0.5"]
    assert 2 <= seen.count("<HEARTBEAT>") <= 4
    assert seen[-2:] == [":SOURCE:VOLTAGE 0", "SYST:ERR?"]


def test_making_safe_goes_to_zero_first(rig: Rig) -> None:
    rig.board.measure([[0, 0]], 0.1)
    wires = Wires(rig)
    rig.board.make_safe()
    assert wires.new() == [":SOURCE:VOLTAGE 0", "OUTPUT 0", "*OPC?", "<OPEN_ALL>"]
    rig.board.close()
    assert wires.new()[:4] == [":SOURCE:VOLTAGE 0", "OUTPUT 0", "*OPC?", "<OPEN_ALL>"]


def test_after_make_safe_the_output_is_switched_on_again(rig: Rig) -> None:
    rig.board.measure([[0, 0]], 0.1)
    rig.board.make_safe()
    wires = Wires(rig)
    rig.board.measure([[0, 0]], 0.1)
    assert wires.new() == [*OUTPUT_ON, "*OPC?", "<SELECT 0000>", *READ, "SYST:ERR?"]


def test_a_refused_request_sends_nothing(rig: Rig) -> None:
    wires = Wires(rig)
    with pytest.raises(ValueError, match="limit"):
        rig.board.pulse([[0, 0]], 5.0, 0.02)
    assert wires.new() == []
