"""What a board owes to a careless caller."""

from __future__ import annotations

import gc
import subprocess
import sys
import threading

import numpy as np
import pytest

from hil.boards.assembly import assemble
from hil.errors import (
    BoardError,
    IdentityError,
    InstrumentError,
    LimitError,
    LinkError,
    StationError,
)
from hil.instruments.keithley2400 import Keithley2400Smu
from tests.support.rigs import in_process_rig, small_station
from twin.firmware.switch_board import SwitchBoardFirmware
from twin.opening import TwinInstruments, build_instruments
from twin.servers.inprocess import InProcessAdapter, InProcessPort

CELL = [(0, 0)]


def opened(instruments: TwinInstruments) -> object:
    return assemble(
        small_station(),
        InProcessAdapter(instruments.smu),
        InProcessPort(instruments.switch_board, timeout=0.1),
        instruments.bench,
        kind="twin-wire",
        source_reason="",
    )


def test_a_board_that_is_forgotten_is_made_safe() -> None:
    rig = in_process_rig(small_station())
    rig.board.measure(CELL, 0.1)
    instruments = rig.instruments
    assert instruments is not None
    assert instruments.smu.output_on
    del rig
    gc.collect()
    assert not instruments.smu.output_on
    assert instruments.bench.switch.position is None


def test_a_script_that_never_closes_its_board_leaves_no_output_on() -> None:
    script = """
import atexit, hil, twin.opening
instruments = []
build = twin.opening.build_instruments
def noting(*args, **kwargs):
    instruments.append(build(*args, **kwargs))
    return instruments[-1]
twin.opening.build_instruments = noting
# Handlers run last in, first out: this one sees what the board's own left behind.
atexit.register(lambda: print("on" if instruments[0].smu.output_on else "off"))
board = hil.open_board("twin-wire")
board.measure([(0, 0)], 0.1)
print("on" if instruments[0].smu.output_on else "off")
"""
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["on", "off"]


def test_one_thread_at_a_time() -> None:
    refused: list[BaseException] = []

    def intrude() -> None:
        try:
            rig.board.measure(CELL, 0.1)
        except BoardError as error:
            refused.append(error)

    def during(_: TwinInstruments, data: bytes) -> None:
        if data.startswith(b":READ?") and not refused:
            thread = threading.Thread(target=intrude)
            thread.start()
            thread.join()

    rig = in_process_rig(small_station(), before_smu=during)
    with rig.board as board:
        pulses = board.pulse(CELL, 0.3, 0.02)
        assert pulses.n_pulses.tolist() == [1]
    assert len(refused) == 1
    assert "another thread" in str(refused[0])


def test_an_overflowed_reading_is_no_reading(monkeypatch: pytest.MonkeyPatch) -> None:
    rig = in_process_rig(small_station())
    with rig.board as board:
        smu: Keithley2400Smu = board._smu  # type: ignore[attr-defined]
        overflow = [0.1, float("+9.900000E+37"), 9.91e37, 0.0, 0.0]
        values = smu._driver.values
        monkeypatch.setattr(
            smu._driver,
            "values",
            lambda command, **kw: overflow if command == ":READ?" else values(command, **kw),
        )
        with pytest.raises(InstrumentError, match="overflowed"):
            board.measure(CELL, 0.1)


def test_a_source_that_limits_its_current_means_a_wrong_resistor() -> None:
    rig = in_process_rig(small_station())
    assert rig.instruments is not None
    plant = rig.instruments.bench.plant
    plant._r_total_ohm[:] = 1.0  # somebody bridged the resistors, and the device is a short
    x = np.ones(plant.devices.n_devices)
    plant.devices.x = x
    with rig.board as board, pytest.raises(BoardError, match="series resistor"):
        board.pulse([(0, 5)], 2.0, 0.02)  # a C device: 50 uA
    rig.assert_is_safe()


def test_no_level_of_a_sweep_is_held_longer_than_a_pulse_may_be() -> None:
    rig = in_process_rig(small_station())
    with rig.board as board:
        n_messages = len(rig.log)
        with pytest.raises(LimitError, match=r"time at one level 5 s .* limit of 1 s"):
            board.sweep(CELL, [0.5] * 50, 0.1)
        with pytest.raises(LimitError, match="time at one level"):
            board.sweep(CELL, [0.1, 0.5], 1.5)
        assert len(rig.log) == n_messages
        board.sweep(CELL, [0.0] * 20 + [0.1], 0.1)


@pytest.mark.parametrize("limit", [{"max_abs_voltage_v": 0.5}, {"max_current_a": 1e-6}])
def test_a_switch_board_that_bears_less_than_the_station_allows_is_refused(
    limit: dict[str, float],
) -> None:
    instruments = build_instruments(small_station())
    frail = SwitchBoardFirmware(instruments.bench.switch, "TWIN1", **limit)  # type: ignore[arg-type]
    with pytest.raises(StationError, match="more than the switch board"):
        opened(TwinInstruments(instruments.bench, instruments.smu, frail))
    assert not instruments.smu.output_on


def test_a_cell_that_was_complete_keeps_its_energy_when_the_next_one_fails() -> None:
    def fail(instruments: TwinInstruments, data: bytes) -> None:
        if instruments.bench.switch.position == 0 and data.startswith(b"*OPC?"):
            n_levels = sum(
                c.startswith(":SOURCE:VOLTAGE 0.3") for c in instruments.smu.commands_seen
            )
            if n_levels:
                raise OSError("unplugged")

    rig = in_process_rig(small_station(), before_smu=fail)
    with pytest.raises(LinkError, match="unplugged") as caught:
        rig.board.pulse([(0, 0), (0, 1)], 0.3, 0.02)
    done = caught.value.done  # type: ignore[attr-defined]
    assert done.n_pulses.tolist() == [1]
    assert done.energy.source_j[0] > 0


def test_the_watchdog_that_was_granted_counts_not_the_one_that_was_asked_for() -> None:
    rig = in_process_rig(small_station(watchdog_s=0.2))
    with rig.board as board:
        pulses = board.pulse(CELL, 0.3, 0.5)
        assert pulses.width_measured_s[0] == pytest.approx(0.5, abs=1e-6)
        assert board._time._period_s == pytest.approx(0.2 / 3)  # type: ignore[attr-defined]


def test_a_foreign_instrument_is_refused_before_anything_is_set() -> None:
    class Foreign:
        def receive(self, data: bytes) -> bytes:
            return b"ACME,PSU,1,1\n" if b"*IDN?" in data else b""

    instruments = build_instruments(small_station())
    with pytest.raises(IdentityError, match="expected a Keithley 2400"):
        assemble(
            small_station(),
            InProcessAdapter(Foreign()),
            InProcessPort(instruments.switch_board, timeout=0.1),
            instruments.bench,
            kind="smu",
            source_reason="",
        )
