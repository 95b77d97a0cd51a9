"""Sneak paths are taken out of readings of a passive array, and the uncertainty says how well."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial

import numpy as np
import pytest

from calibration.array_model import ArrayModel, LineReadings
from calibration.sneak_paths import Corrected, correct_sneak_paths
from hil.arrays import Coding, Scheme
from hil.errors import UsageError
from hil.opening import open_board
from hil.patterns import bias
from hil.station import Station, load_station, parse_station
from hil.types import BoardInfo, FloatArray, Readings
from tests.support.arrays import (
    CALM,
    PASSIVE_SCHEMES,
    array_station,
    conductances,
    open_array,
    set_states,
)

READ_V = 0.1
TWO_VOLTAGES = (READ_V, READ_V / 2)


def corrected(
    station: Station, reads: Mapping[Scheme, tuple[float, ...]], n: int = 1, seed: int = 1
) -> tuple[Corrected, FloatArray, FloatArray]:
    """Return what was found, the truth, and the mean raw readings of the first scheme."""
    with open_array(station, seed=seed) as board:
        set_states(board, seed)
        truth = conductances(board)
        cells = board.info.all_cells
        taken = {
            scheme: Readings.join(
                [board.measure(cells, v, scheme=scheme) for v in volts for _ in range(n)]
            )
            for scheme, volts in reads.items()
        }
        found = correct_sneak_paths(station, board.info, taken)
    first = next(iter(taken.values())).g_siemens[: n * truth.size]
    return found, truth, first.reshape(n, *truth.shape).mean(axis=0)


@pytest.mark.parametrize("scheme", PASSIVE_SCHEMES)
def test_nominal_devices_are_found_exactly(scheme: Scheme) -> None:
    found, truth, _ = corrected(array_station(6, 5, **CALM), {scheme: (READ_V,)})
    assert found.g_siemens == pytest.approx(truth, rel=1e-6)
    assert found.residual_ratio < 1e-6
    assert found.n_iterations < 10


def test_two_percent_where_raw_readings_are_off_by_factors() -> None:
    station = load_station("twin-crossbar-16x16")
    with open_array(station, seed=1) as board:
        devices = board.plant.devices
        planted = np.random.default_rng(1).uniform(40e-6, 120e-6, devices.n_devices)
        devices.adopt_conductance(np.arange(devices.n_devices), planted, READ_V)
        passes = [
            board.measure(board.info.all_cells, v_v, scheme=Scheme.HALF)
            for v_v in TWO_VOLTAGES
            for _ in range(24)
        ]
        taken = {Scheme.HALF: Readings.join(passes)}
        found = correct_sneak_paths(station, board.info, taken).g_siemens.ravel()
    assert (np.abs(passes[0].g_siemens / planted - 1) > 0.1).all()
    assert np.abs(found / planted - 1).max() < 0.02


@pytest.mark.parametrize(
    ("scheme", "volts", "least", "most"),
    [
        # The twin lets the selected device alone fluctuate, the uncertainty all of them.
        (Scheme.HALF, TWO_VOLTAGES, 0.95, 1.0),
        (Scheme.HALF, (READ_V,), 0.95, 1.0),
        (Scheme.GROUNDED, (READ_V,), 0.93, 0.98),
    ],
)
def test_uncertainty_covers(
    scheme: Scheme, volts: tuple[float, ...], least: float, most: float
) -> None:
    station = array_station(8, 8)
    inside = []
    for seed in range(1, 6):
        found, truth, _ = corrected(station, {scheme: volts}, n=2, seed=seed)
        inside.append(np.abs(found.g_siemens - truth) <= found.g_expanded_siemens)
        # And it is worth something: the median is far inside of what raw readings are off by.
        assert np.median(found.g_expanded_siemens / truth) < 0.04
    assert least <= np.mean(inside) <= most


def test_defects_are_seen() -> None:
    text = array_station(4, 4, **CALM).text
    text += '\n[twin.defects]\nR0C1 = "open"\nR1C2 = "stuck-low"\nR3C3 = "stuck-high"\n'
    station = parse_station(text)
    with open_array(station, seed=1) as board:
        readings = board.measure(board.info.all_cells, READ_V, scheme=Scheme.GROUNDED)
        found = correct_sneak_paths(station, board.info, {Scheme.GROUNDED: readings})
    assert found.g_siemens[0, 1] == pytest.approx(0.0, abs=1e-8)
    assert found.g_siemens[1, 2] == pytest.approx(2e-7, rel=0.05)
    assert found.g_siemens[3, 3] == pytest.approx(1e-3, rel=1e-2)


def driven(info: BoardInfo) -> LineReadings:
    """Return V/2 readings of all cells, as they are asked for."""
    patterns = [bias(Scheme.HALF, info, (int(r), int(c)), READ_V) for r, c in info.all_cells]
    rows_v, columns_v = (
        np.array([getattr(one, side) for one in patterns]) for side in ("rows_v", "columns_v")
    )
    return LineReadings(rows_v, columns_v, info.all_cells[:, 1])


def with_wires(info: BoardInfo, ratio: float) -> BoardInfo:
    """Return the board with lines of so many times the resistance."""
    wires = info.array
    assert wires is not None
    names = ("r_word_ohm", "r_bit_ohm", "r_driver_ohm", "r_sense_ohm")
    array = replace(wires, **{name: ratio * getattr(wires, name) for name in names})
    return replace(info, array=array)


def slope(currents_a: Callable[[float], FloatArray], step: float) -> object:
    """Return the derivative at 0 as a difference, for comparison."""
    by = (currents_a(step) - currents_a(-step)) / (2 * step)
    return pytest.approx(by, rel=1e-4, abs=1e-4 * np.abs(by).max())


# Below the window of the records, inside, and above.
@pytest.mark.parametrize(("low", "high"), [(1e-7, 1e-6), (2e-5, 2e-4), (1e-3, 2e-3)])
def test_derivatives_are_those_of_finite_differences(low: float, high: float) -> None:
    station = array_station(3, 4, **CALM)
    with open_array(station) as board:
        info = board.info
    array, lines = ArrayModel(station, info, READ_V), driven(info)
    g = np.random.default_rng(1).uniform(low, high, 12)
    sensed = array.sense(g, lines)

    def moved(h: float, name: str, direction: FloatArray) -> FloatArray:
        if name == "g":
            return array.sense(g + h * direction, lines).i_a
        lines_v = getattr(lines, name) + h * direction
        return array.sense(g, lines._replace(**{name: lines_v})).i_a

    for k in (0, 5, 11):
        cell, row, column = np.eye(12)[k], np.eye(3)[k % 3], np.eye(4)[k % 4]
        for by, name, direction, step in (
            (sensed.by_g[:, k], "g", cell, 1e-4 * low),
            (sensed.by_rows[:, k % 3], "rows_v", row, 1e-6),
            (sensed.by_columns[:, k % 4], "columns_v", column, 1e-6),
        ):
            assert by == slope(partial(moved, name=name, direction=direction), step)


def test_more_resistance_and_more_off_current_do_what_their_derivatives_say() -> None:
    exact = {"instrument_noise": "false", "read_noise_ratio": "0.0"}
    with open_array(array_station(6, 5, **exact), seed=1) as board:
        set_states(board)
        info, devices = board.info, board.plant.devices
        x, g = devices.x, conductances(board).ravel()
        i_a = board.measure(info.all_cells, READ_V, scheme=Scheme.HALF).i_a
        devices.x = np.zeros_like(x)
        off = (1 - x) * conductances(board).ravel()
    model = ArrayModel(array_station(6, 5), info, READ_V)
    sensed = model.sense(g, driven(info))
    missing_a = i_a - sensed.i_a
    assert np.abs(missing_a).max() > 1e-3 * i_a.max()
    assert sensed.by_off @ (off - model.off_part(g)) == pytest.approx(
        missing_a, rel=2e-3, abs=1e-11
    )

    def longer(ratio: float) -> FloatArray:
        other = ArrayModel(array_station(6, 5), with_wires(info, 1 + ratio), READ_V)
        return other.sense(g, driven(info)).i_a

    assert sensed.by_wires_a == slope(longer, 1e-3)


def test_the_residual_tells_that_lines_are_not_what_the_station_says() -> None:
    station = array_station(8, 8)
    with open_array(station, seed=1) as board:
        set_states(board)
        info, truth = board.info, conductances(board)
        cells = info.all_cells
        passes = [board.measure(cells, v_v, scheme=Scheme.HALF) for v_v in TWO_VOLTAGES]
    taken = {Scheme.HALF: Readings.join(passes)}
    right, wrong = (
        correct_sneak_paths(station, with_wires(info, ratio), taken) for ratio in (1.0, 20.0)
    )
    assert wrong.residual_ratio > 3 * right.residual_ratio
    assert np.abs(wrong.g_siemens / truth - 1).max() > 0.1
    assert np.median(wrong.g_expanded_siemens) > 2 * np.median(right.g_expanded_siemens)


@pytest.mark.parametrize("coding", Coding)
@pytest.mark.parametrize("transposed", [False, True])
@pytest.mark.parametrize("cell", ["1R", "1T1R"])
def test_products_are_those_of_the_board(cell: str, coding: Coding, transposed: bool) -> None:
    station = array_station(4, 6, cell=f'"{cell}"', **CALM)
    with open_array(station, seed=1) as board:
        set_states(board)
        inputs_v = np.random.default_rng(2).uniform(0, READ_V, 6 if transposed else 4)
        got = board.matvec(inputs_v, coding=coding, transposed=transposed)
        expected = ArrayModel(station, board.info, READ_V).multiply(
            conductances(board).ravel(),
            inputs_v,
            coding=coding,
            transposed=transposed,
            full_scale_v=got.full_scale_v,
        )
    assert got.currents_a == pytest.approx(expected, rel=1e-4)


def test_what_has_no_sneak_paths_is_refused() -> None:
    with open_board(load_station("twin")) as bank:
        readings = bank.measure(bank.info.all_cells[:2], READ_V)
        with pytest.raises(UsageError, match="isolates the cells that it reads"):
            correct_sneak_paths(load_station("twin"), bank.info, {Scheme.HALF: readings})
    station = array_station(3, 3, cell='"1T1R"')
    with open_array(station) as board:
        readings = board.measure(board.info.all_cells, READ_V)
        with pytest.raises(UsageError, match="isolates the cells that it reads"):
            correct_sneak_paths(station, board.info, {Scheme.ISOLATED: readings})


def test_an_array_that_is_too_large_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("calibration.sneak_paths.MAX_CELLS", 8)
    station = array_station(3, 3)
    with open_array(station) as board:
        readings = board.measure(board.info.all_cells, READ_V, scheme=Scheme.HALF)
        with pytest.raises(UsageError, match=r"9 cells give 9 currents .* out of 8 at most; read"):
            correct_sneak_paths(station, board.info, {Scheme.HALF: readings})


def test_a_cell_that_was_not_read_is_named() -> None:
    station = array_station(3, 3)
    with open_array(station) as board:
        readings = board.measure(board.info.all_cells[:-1], READ_V, scheme=Scheme.HALF)
        with pytest.raises(UsageError, match=r"cell \(2, 2\), R2C2, was not read at 100 mV"):
            correct_sneak_paths(station, board.info, {Scheme.HALF: readings})
        with pytest.raises(UsageError, match="no readings"):
            correct_sneak_paths(station, board.info, {})
