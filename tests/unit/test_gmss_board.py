"""Generalised devices behind instruments: what is read of them, and time on the board's clock."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from hil.station import parse_station
from tests.support.gmss import M2, write_gmss_record
from tests.support.rigs import Rig, direct_rig, in_process_rig, station_text

CELLS = [[0, 0], [0, 1]]


@pytest.fixture(params=["twin", "twin-wire"])
def rig(request: pytest.FixtureRequest, tmp_path: Path) -> Rig:
    write_gmss_record("w-a", tmp_path / "records")
    write_gmss_record("w-b", tmp_path / "records", **M2)
    text = station_text(
        request.param, n_devices={"W": 3}, model="record", extra='records = { W = ["w-a", "w-b"] }'
    )
    station = parse_station(text, str(tmp_path / "station.toml"))
    return direct_rig(station) if request.param == "twin" else in_process_rig(station)


@pytest.mark.parametrize("amplitude_v", [-1.0, 0.4, 0.8])
def test_a_reading_is_the_conductance_at_its_voltage(rig: Rig, amplitude_v: float) -> None:
    rig.board.pulse(CELLS, amplitude_v, 0.02)
    rig.board.clock.sleep_s(1.0)  # 50 relaxation times
    for read_v in (0.1, -0.07):
        readings = rig.board.measure(CELLS, read_v, allow_reverse=True)
        truth = rig.truth_siemens(CELLS, readings.v_device_v)
        off = np.abs(readings.g_siemens - truth)
        assert (off <= readings.g_expanded_siemens + 1e-3 * truth).all()  # the floor rises


def test_reads_in_the_two_directions_differ_in_a_low_state(rig: Rig) -> None:
    rig.board.pulse(CELLS, -1.0, 0.02)
    rig.board.clock.sleep_s(1.0)
    forward = rig.board.measure(CELLS, 0.07)
    reverse = rig.board.measure(CELLS, -0.07, allow_reverse=True)
    assert (forward.g_siemens > 1.2 * reverse.g_siemens).all()


def test_what_a_pulse_added_is_lost_in_part_and_a_low_state_rises(rig: Rig) -> None:
    rig.board.pulse(CELLS[:1], 0.6, 0.02)
    at_once = rig.truth_siemens(CELLS)
    rig.board.clock.sleep_s(1.0)
    later = rig.truth_siemens(CELLS)
    assert later[0] == pytest.approx(0.7 * at_once[0], rel=0.05)  # fresh_ratio = 0.3
    rig.board.clock.sleep_s(3600.0)
    after_an_hour = rig.truth_siemens(CELLS)
    assert after_an_hour[0] == pytest.approx(later[0], rel=1e-9)
    assert after_an_hour[1] > 1.05 * later[1]


def test_wear_is_that_of_the_pulses(rig: Rig) -> None:
    for level_v in (0.6, 0.6, -0.5):
        rig.board.pulse(CELLS[:1], level_v, 0.02, 2)
    rig.board.measure(CELLS, 0.1)
    assert rig.plant is not None
    wear = rig.plant.devices.wear(np.arange(3))
    assert wear.n_set_half_cycles.tolist() == [1, 0, 0]
    assert wear.n_reset_half_cycles.tolist() == [1, 0, 0]
    assert wear.charge_c[0] > 100 * wear.charge_c[1] > 0
    assert wear.charge_c[2] == 0
