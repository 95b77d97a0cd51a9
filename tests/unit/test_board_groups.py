"""Cells that are driven at once against the same cells one by one, with devices that forget."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from hil.station import Station, parse_station
from hil.types import PerCell
from tests.support.gmss import M2, write_gmss_record
from tests.support.rigs import station_text
from twin.board import TwinBoard
from twin.opening import open_direct

CELLS = [[0, 3], [0, 0], [0, 2], [0, 1]]


@pytest.fixture
def station(tmp_path: Path) -> Station:
    write_gmss_record("w-a", tmp_path / "records")
    write_gmss_record("w-b", tmp_path / "records", **M2)
    records = 'records = { W = ["w-a", "w-m1", "w-b", "w-m2"] }'
    text = station_text("twin", noise=False, n_devices={"W": 5}, model="record", extra=records)
    return parse_station(text, str(tmp_path / "station.toml"))


def board_of(station: Station) -> TwinBoard:
    return open_direct(station, seed=1, source_reason="")


def check(at_once: PerCell, parts: list[PerCell], names: list[str]) -> None:
    together = type(at_once).join(parts)
    for name in names:
        np.testing.assert_allclose(
            getattr(at_once, name), getattr(together, name), rtol=1e-7, err_msg=name
        )
    np.testing.assert_allclose(
        at_once.energy.device_j,  # type: ignore[attr-defined]  # Readings and Pulses have it
        together.energy.device_j,  # type: ignore[attr-defined]
        rtol=1e-7,
    )


def test_a_group_is_what_its_cells_are_one_by_one(station: Station) -> None:
    group, single = board_of(station), board_of(station)
    for _ in range(2):
        for level_v, width_s in ((0.6, 20e-3), (-0.3, 20e-3)):
            pulses = group.pulse(CELLS, level_v, width_s, 3)
            check(
                pulses,
                [single.pulse([cell], level_v, width_s, 3) for cell in CELLS],
                ["t_s", "i_end_a"],
            )
            readings = group.measure(CELLS, 0.1)
            check(
                readings,
                [single.measure([cell], 0.1) for cell in CELLS],
                ["t_s", "i_a", "v_source_v", "g_siemens"],
            )
        group.clock.sleep_s(0.5)
        single.clock.sleep_s(0.5)
    assert group.clock.now_s() == pytest.approx(single.clock.now_s(), abs=2e-8)
    np.testing.assert_allclose(group.plant.devices.x, single.plant.devices.x, rtol=1e-7)
    assert group.plant.devices.x[0] != group.plant.devices.x[4]  # never driven, but rested


def test_the_others_rest_meanwhile(station: Station) -> None:
    board = board_of(station)
    others = np.array([0, 2, 4])
    board.plant.devices.x = np.full(5, 1e-4)  # below the floor of generalised devices, 0.004
    board.pulse([[0, 1], [0, 3]], 0.4, 0.02, 500)
    rested_s = board.clock.now_s()
    assert rested_s > 20
    x = board.plant.devices.x[others]
    np.testing.assert_allclose(x, 0.004 - 0.0039 * np.exp(-rested_s / 3600), rtol=1e-6)


def test_a_cell_that_comes_twice_is_driven_twice_in_order(station: Station) -> None:
    group, single = board_of(station), board_of(station)
    cells = [[0, 0], [0, 2], [0, 0], [0, 0]]
    level_v = [0.6, 0.6, -0.5, 0.5]
    pulses = group.pulse(cells, level_v, 20e-3)
    parts = [single.pulse([cell], v, 20e-3) for cell, v in zip(cells, level_v, strict=True)]
    check(pulses, list(parts), ["t_s", "i_end_a"])
    np.testing.assert_allclose(group.plant.devices.x, single.plant.devices.x, rtol=1e-7)
