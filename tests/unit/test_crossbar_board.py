"""The twin of an array: reads under schemes, products, patterns, what it cost."""

from __future__ import annotations

import numpy as np
import pytest

from hil.arrays import Coding, Scheme
from hil.patterns import LinePattern, outer_pattern
from hil.protocol.switch_board import BREAK_S
from hil.station import parse_station
from hil.types import Source
from tests.support.arrays import (
    CALM,
    PASSIVE_SCHEMES,
    array_station,
    conductances,
    open_array,
    set_states,
)
from twin.crossbar_board import TwinCrossbar


@pytest.fixture
def board() -> TwinCrossbar:
    board = open_array(array_station(6, 5, **CALM))
    set_states(board)
    return board


def test_grounded_reads_are_right_but_for_the_lines(board: TwinCrossbar) -> None:
    readings = board.measure(board.info.all_cells, 0.1, scheme=Scheme.GROUNDED)
    truth = conductances(board).ravel()
    assert readings.g_siemens == pytest.approx(truth, rel=0.02)
    assert readings.source is Source.TWIN
    energy = readings.energy
    assert energy.source_j == pytest.approx(energy.delivered_j, rel=1e-9)
    assert (energy.half_select_j > 0).all()


@pytest.mark.parametrize("scheme", [Scheme.HALF, Scheme.THIRD, Scheme.SDC, Scheme.FLOATING])
def test_other_schemes_add_the_currents_of_other_cells(board: TwinCrossbar, scheme: Scheme) -> None:
    readings = board.measure(board.info.all_cells, 0.1, scheme=scheme)
    raw_ratio = readings.g_siemens / conductances(board).ravel()
    assert np.median(raw_ratio) > 1.5


@pytest.mark.parametrize("scheme", PASSIVE_SCHEMES)
def test_reads_disturb_nothing(board: TwinCrossbar, scheme: Scheme) -> None:
    before = conductances(board)
    board.measure(board.info.all_cells, 0.1, scheme=scheme)
    assert np.array_equal(conductances(board), before)


def test_the_clock_counts_every_reading(board: TwinCrossbar) -> None:
    readings = board.measure([[0, 0], [0, 0], [1, 2]], 0.1)
    breaks_s = np.diff(np.concatenate([[0.0], readings.t_s])) - readings.width_s
    assert breaks_s[[0, 2]] == pytest.approx(BREAK_S)
    assert breaks_s[1] == pytest.approx(0.0, abs=1e-12)
    assert board.clock.now_s() == readings.t_s[-1]


def test_products_are_those_of_the_matrix_but_for_the_lines(board: TwinCrossbar) -> None:
    g = conductances(board)
    v = np.linspace(0.02, 0.1, 6)
    by_time = board.matvec(v, coding=Coding.TIME)
    assert by_time.currents_a == pytest.approx(v @ g, rel=0.02)
    assert by_time.full_scale_v == pytest.approx(0.1)
    # Amplitudes see the conductance at a lower voltage, which is smaller in these devices.
    by_amplitude = board.matvec(v)
    assert (by_amplitude.currents_a < 0.98 * v @ g).any()
    assert by_amplitude.readings is None
    for product in (by_time, by_amplitude):
        assert product.energy.source_j == pytest.approx(product.energy.delivered_j, rel=1e-9)


def test_a_transposed_product_drives_columns(board: TwinCrossbar) -> None:
    g, v = conductances(board), np.full(5, 0.1)
    before = g.copy()
    product = board.matvec(v, transposed=True)
    assert product.transposed
    assert product.currents_a == pytest.approx(g @ v, rel=0.02)
    assert np.array_equal(conductances(board), before)


def test_an_outer_update_moves_the_cells_that_are_meant(board: TwinCrossbar) -> None:
    before = conductances(board)
    rows, columns = np.arange(6) % 2 == 0, np.arange(5) < 2
    drive = board.drive_lines(outer_pattern(rows, columns, 0.45), 1e-5, 3)
    moved = conductances(board) / before - 1
    is_meant = np.logical_and.outer(rows, columns)
    assert moved[is_meant].min() > 0.01
    assert np.abs(moved[~is_meant]).max() < 0.01
    assert drive.n_pulses == 3
    assert drive.i_columns_a[:2].min() > 0
    assert drive.energy.source_j == pytest.approx(drive.energy.delivered_j, rel=1e-3)
    assert drive.energy.half_select_j[0] > 0


def test_a_half_select_disturbs_where_the_sdc_scheme_does_not(board: TwinCrossbar) -> None:
    before = conductances(board)
    board.pulse([[2, 2]], 0.3, 1e-4)
    change = np.abs(conductances(board) / before - 1)
    change[2, 2] = 0.0
    assert change.max() == 0
    board.pulse([[2, 2]], -0.26, 1e-6, scheme=Scheme.HALF)
    change = np.abs(conductances(board) / before - 1)
    assert sorted(map(tuple, np.argwhere(change > 1e-3).tolist())) == sorted(
        [(2, j) for j in range(5)] + [(i, 2) for i in range(6) if i != 2]
    )


def test_a_sweep_follows_the_selected_cell(board: TwinCrossbar) -> None:
    waveform_v = np.concatenate([np.linspace(0, 0.3, 7), np.linspace(0.25, -0.25, 9)])
    before = conductances(board)
    trace = board.sweep([1, 1], waveform_v, 0.02)
    after = conductances(board)
    assert np.flatnonzero(after != before).tolist() == [6]
    assert trace.v_source_v == pytest.approx(waveform_v)
    # The current of the column is that of the cell and of those that are half-selected.
    assert trace.i_a[6] > 0.3 * before[1, 1]
    assert trace.energy.source_j == pytest.approx(trace.energy.delivered_j, rel=1e-3)


def test_a_seed_gives_the_same_array_and_the_same_noise() -> None:
    def readings(seed: int) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
        with open_array(array_station(3, 3), seed=seed) as board:
            return board.measure(board.info.all_cells, 0.1).g_siemens

    assert np.array_equal(readings(4), readings(4))
    assert not np.array_equal(readings(4), readings(5))


def test_readings_scatter_as_the_station_says() -> None:
    station = array_station(2, 2, **(CALM | {"read_noise_ratio": "0.02"}))
    with open_array(station) as board:
        set_states(board)
        readings = board.measure([[1, 1]] * 400, 0.1)
    assert readings.g_siemens.std() / readings.g_siemens.mean() == pytest.approx(0.02, rel=0.15)
    inside = np.abs(readings.g_siemens - readings.g_siemens.mean()) < readings.g_expanded_siemens
    assert inside.mean() > 0.93


def test_planted_defects_are_there() -> None:
    station = array_station(3, 3, **CALM)
    defects = 'R0C1 = "open"\nR1C1 = "stuck-high"\nR2C2 = "stuck-low"\n'
    text = f"{station.text}\n[twin.defects]\n{defects}"
    with open_array(parse_station(text)) as board:
        g = conductances(board)
        assert g[0, 1] == 0
        assert g[1, 1] == pytest.approx(1e-3)
        assert g[2, 2] == pytest.approx(2e-7)
        board.pulse([[0, 1], [1, 1], [2, 2]], 0.3, 1e-3)
        after = conductances(board)
        assert [after[0, 1], after[1, 1], after[2, 2]] == [g[0, 1], g[1, 1], g[2, 2]]


def test_a_pattern_may_leave_lines_floating(board: TwinCrossbar) -> None:
    rows_v, columns_v = np.full(6, np.nan), np.full(5, np.nan)
    rows_v[0], columns_v[0] = 0.1, 0.0
    drive = board.drive_lines(LinePattern(rows_v, columns_v, np.array([[0, 0]])), 1e-3)
    assert np.count_nonzero(drive.i_rows_a) == 1
    assert drive.i_rows_a[0] == pytest.approx(drive.i_columns_a[0], rel=1e-6)
    assert drive.i_rows_a[0] > 0.1 * conductances(board)[0, 0]
