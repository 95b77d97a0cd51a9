"""Devices between resistive lines: against banks, finer steps and the conservation of energy."""

from __future__ import annotations

import numpy as np
import pytest

from hil.arrays import CellKind, Scheme
from hil.patterns import bias
from hil.types import BoardInfo, FloatArray
from tests.support.arrays import CALM, array_station, conductances, open_array, set_states
from twin.crossbar_cells import connected_cells
from twin.crossbar_plant import CrossbarInputs, CrossbarPlant
from twin.memristors import build_memristors
from twin.network import Wires
from twin.parameters import DeviceRecord, load_record
from twin.plant import Plant, PlantInputs

RECORDS = ["w-m1-2", "w-m2-2"]


def records_of(names: list[str], n: int) -> list[DeviceRecord]:
    return [load_record(names[k % len(names)]) for k in range(n)]


def plant(
    shape: tuple[int, int], wires: Wires, selector_ohm: float = 0.0, x: FloatArray | None = None
) -> CrossbarPlant:
    n = shape[0] * shape[1]
    devices = build_memristors(records_of(RECORDS, n), cycle_spread=False)
    devices.x = np.linspace(0.05, 0.3, n) if x is None else x
    return CrossbarPlant(devices, shape, wires, selector_ohm)


def everything(rows_v: list[float], columns_v: list[float]) -> CrossbarInputs:
    shape = len(rows_v), len(columns_v)
    return CrossbarInputs(np.array(rows_v), np.array(columns_v), np.ones(shape, dtype=bool))


@pytest.mark.parametrize("amplitude_v", [0.6, -0.5, 0.05])
def test_a_single_cell_is_a_device_behind_the_resistance_of_its_lines(amplitude_v: float) -> None:
    wires = Wires(100.0, 200.0, 2000.0, 700.0)
    array = plant((1, 1), wires, 1000.0)
    bank = Plant(
        build_memristors(records_of(RECORDS, 1), cycle_spread=False), np.array([4000.0]), 0.0
    )
    bank.devices.x = np.array([0.05])
    out = array.advance(everything([amplitude_v], [0.0]), 1e-3)
    there = bank.advance(
        PlantInputs(np.array([0]), np.array([amplitude_v]), np.array([np.inf])), 1e-3
    )
    assert array.devices.x == pytest.approx(bank.devices.x, rel=1e-6)
    assert out.device_j.sum() == pytest.approx(there.device_j.sum(), rel=1e-5)
    assert out.lines_j + out.selector_j.sum() == pytest.approx(there.series_j.sum(), rel=1e-5)
    assert out.delivered_j == pytest.approx(there.source_j.sum(), rel=1e-5)
    assert out.charge_rows_c[0] == pytest.approx(there.charge_c[0], rel=1e-5)


def test_without_resistance_cells_know_nothing_of_each_other() -> None:
    array = plant((2, 3), Wires(0.0, 0.0))
    before = array.devices.x
    array.advance(everything([0.35, 0.0], [0.0, 0.0, 0.3]), 1e-4)
    bank = Plant(build_memristors(records_of(RECORDS, 6), cycle_spread=False), np.zeros(6), 0.0)
    bank.devices.x = before
    across_v = np.array([0.35, 0.35, 0.05, 0.0, 0.0, -0.3])
    bank.advance(PlantInputs(np.arange(6), across_v, np.full(6, np.inf)), 1e-4)
    assert array.devices.x == pytest.approx(bank.devices.x, rel=1e-6)


@pytest.mark.parametrize("rows_v", [[0.45, 0.2, 0.2], [-0.3, -0.1, -0.12], [0.5, 0.5, 0.1]])
def test_a_drive_in_two_halves_is_the_same_drive(rows_v: list[float]) -> None:
    wires = Wires(2.0, 2.0, 200.0, 100.0)
    inputs = everything(rows_v, [0.0, 0.15, 0.15, 0.15])
    whole, halves = plant((3, 4), wires), plant((3, 4), wires)
    out = whole.advance(inputs, 2e-4)
    twice = halves.advance(inputs, 1e-4) + halves.advance(inputs, 1e-4)
    assert halves.devices.x == pytest.approx(whole.devices.x, rel=0.01)
    assert twice.delivered_j == pytest.approx(out.delivered_j, rel=0.01)
    assert twice.device_j.sum() == pytest.approx(out.device_j.sum(), rel=0.01)


@pytest.mark.parametrize("rows_v", [[0.45, 0.2, 0.2], [-0.3, -0.1, np.nan], [0.5, 0.5, np.nan]])
@pytest.mark.parametrize("dt_s", [1e-6, 1e-4, 1e-2])
def test_energy_is_where_the_sources_put_it(rows_v: list[float], dt_s: float) -> None:
    array = plant((3, 4), Wires(2.0, 2.0, 200.0, 100.0), 50.0)
    out = array.advance(everything(rows_v, [0.0, 0.15, np.nan, 0.15]), dt_s)
    parts_j = out.device_j.sum() + out.selector_j.sum() + out.lines_j
    assert out.delivered_j == pytest.approx(parts_j, rel=1e-3)
    assert (out.device_j >= 0).all()
    assert out.lines_j > 0


def test_what_holds_takes_one_step_and_keeps_its_state() -> None:
    array = plant((3, 3), Wires(2.0, 2.0, 10.0, 10.0))
    before = array.devices.x
    out = array.advance(everything([0.1, 0.0, 0.0], [0.0, 0.0, 0.0]), 0.02)
    assert np.array_equal(array.devices.x, before)
    assert out.charge_columns_c.sum() == pytest.approx(out.charge_rows_c.sum(), rel=1e-9)


@pytest.mark.parametrize(
    ("kind", "n_connected"),
    [(CellKind.PASSIVE, 12), (CellKind.TRANSISTOR, 8), (CellKind.SWITCHED, 2)],
)
def test_selectors_connect_what_is_meant(kind: CellKind, n_connected: int) -> None:
    assert connected_cells(kind, np.array([[0, 1], [2, 3]]), (3, 4)).sum() == n_connected


@pytest.mark.parametrize("kind", ['"1T1R"', '"switched"'])
@pytest.mark.parametrize("cell", [(0, 0), (2, 1), (3, 4)])
def test_behind_selectors_nothing_but_the_selected_cell_is_driven(
    kind: str, cell: tuple[int, int]
) -> None:
    with open_array(array_station(4, 5, cell=kind, **CALM)) as board:
        set_states(board)
        before = conductances(board)
        pulses = board.pulse([cell], 0.5, 1e-3)
        changed = np.argwhere(conductances(board) != before)
        assert changed.tolist() == [list(cell)]
        assert pulses.energy.half_select_j[0] == pytest.approx(0.0, abs=1e-15)
        assert pulses.energy.source_j == pytest.approx(pulses.energy.delivered_j, rel=1e-4)


def test_a_compliance_limits_the_one_cell_that_a_source_drives() -> None:
    with open_array(array_station(3, 3, cell='"1T1R"', **CALM)) as board:
        pulses = board.pulse([[1, 1]], 0.5, 1e-3, compliance_a=5e-6)
        assert pulses.i_end_a[0] == pytest.approx(5e-6, rel=1e-6)
        assert pulses.energy.source_j == pytest.approx(pulses.energy.delivered_j, rel=0.05)
        assert board.pulse([[1, 1]], 0.5, 1e-3).i_end_a[0] > 1e-5


@pytest.fixture(scope="module")
def info() -> BoardInfo:
    with open_array(array_station(4, 5)) as board:
        return board.info


def test_half_selects_see_what_the_scheme_says_less_what_lines_lose(info: BoardInfo) -> None:
    array = plant((4, 5), Wires(2.0, 2.0, 10.0, 10.0))
    pattern = bias(Scheme.HALF, info, (1, 2), 0.2)
    state = array.operating_point(everything(pattern.rows_v.tolist(), pattern.columns_v.tolist()))
    across_v = state.v_cell_v[0]
    assert 0.19 < across_v[1, 2] < 0.2
    others = np.delete(across_v[1], 2)
    assert ((others > 0.09) & (others < 0.1)).all()
    assert np.abs(np.delete(np.delete(across_v, 1, 0), 2, 1)).max() < 2e-3
