"""Sneak paths are taken out of readings of a passive array, and the uncertainty says how well."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest

from calibration.array_model import ArrayModel, LineReadings
from calibration.sneak_paths import Corrected, correct_sneak_paths
from hil.arrays import Coding, Scheme
from hil.errors import UsageError
from hil.opening import open_board
from hil.patterns import bias
from hil.station import Station, load_station, parse_station
from hil.types import FloatArray, Readings
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
    assert found.g_siemens == pytest.approx(truth, rel=1e-5)
    assert found.residual_ratio < 1e-6
    assert found.n_iterations < 10


def test_two_percent_where_raw_readings_are_off_by_factors() -> None:
    found, truth, raw = corrected(
        load_station("twin-crossbar-16x16"), {Scheme.HALF: TWO_VOLTAGES}, n=16
    )
    assert (np.abs(raw / truth - 1) > 0.1).all()
    assert np.abs(found.g_siemens / truth - 1).max() < 0.02


def test_uncertainty_covers() -> None:
    station = array_station(8, 8)
    misses = []
    for seed in range(1, 6):
        found, truth, _ = corrected(station, {Scheme.HALF: TWO_VOLTAGES}, n=4, seed=seed)
        misses.append(np.abs(found.g_siemens - truth) > found.g_expanded_siemens)
        # And it is worth something: the median is far inside of what raw readings are off by.
        assert np.median(found.g_expanded_siemens / truth) < 0.02
    assert np.mean(misses) < 0.06


def test_one_voltage_states_the_error_of_shapes_that_are_not_known() -> None:
    found, truth, _ = corrected(array_station(8, 8), {Scheme.HALF: (READ_V,)}, n=16)
    off = np.abs(found.g_siemens - truth)
    assert (off <= found.g_expanded_siemens).mean() > 0.94


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


def test_derivatives_are_those_of_finite_differences() -> None:
    station = array_station(3, 4, **CALM)
    with open_array(station) as board:
        info = board.info
    model = ArrayModel(station, info, READ_V)
    rng = np.random.default_rng(1)
    g, mix = rng.uniform(2e-5, 2e-4, 12), rng.uniform(-1e-6, 1e-6, 12)
    patterns = [bias(Scheme.HALF, info, (int(r), int(c)), READ_V) for r, c in info.all_cells]
    lines = LineReadings(
        np.array([one.rows_v for one in patterns]),
        np.array([one.columns_v for one in patterns]),
        info.all_cells[:, 1],
        np.arange(12),
    )
    sensed, by_g, by_mix = model.differentiate(g, mix, lines)
    for k in (0, 5, 11):
        step = np.zeros(12)
        step[k] = 1e-9
        more, less = (model.read(g + sign * step, mix, lines).i_a for sign in (1, -1))
        assert by_g[:, k] == pytest.approx((more - less) / 2e-9, rel=1e-3, abs=1e-7)
        more, less = (model.read(g, mix + sign * step, lines).i_a for sign in (1, -1))
        assert by_mix[:, k] == pytest.approx((more - less) / 2e-9, rel=1e-3, abs=1e-7)
    assert sensed.i_a == pytest.approx(model.read(g, mix, lines).i_a)


@pytest.mark.parametrize("coding", Coding)
@pytest.mark.parametrize("transposed", [False, True])
def test_products_are_those_of_the_board(coding: Coding, transposed: bool) -> None:
    station = array_station(4, 6, **CALM)
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


def test_a_cell_that_was_not_read_is_named() -> None:
    station = array_station(3, 3)
    with open_array(station) as board:
        readings = board.measure(board.info.all_cells[:-1], READ_V, scheme=Scheme.HALF)
        with pytest.raises(UsageError, match=r"cell \(2, 2\), R2C2, was not read at 100 mV"):
            correct_sneak_paths(station, board.info, {Scheme.HALF: readings})
        with pytest.raises(UsageError, match="no readings"):
            correct_sneak_paths(station, board.info, {})
