"""Weights of either sign on branch conductances."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import hil
from hil.errors import ParameterError
from procedures.learning.mapping import DIFFERENTIAL, SCHEMES, ConductanceWindow, WeightMap


@given(
    st.floats(1e-6, 1e-4),
    st.floats(1.1, 20),
    st.floats(0, 50e3),
    st.sampled_from(SCHEMES),
    st.lists(st.floats(-1, 1), min_size=1, max_size=30),
)
def test_weights_come_back_from_conductances(
    lowest: float, span: float, r_path_ohm: float, scheme: str, weights: list[float]
) -> None:
    window = ConductanceWindow(lowest, lowest * span)
    weight_map = WeightMap(window, r_path_ohm, scheme)
    g = weight_map.conductances(np.array(weights))
    assert len(g) == len(weights) * weight_map.n_devices_per_weight
    assert (g >= lowest * (1 - 1e-9)).all()
    assert (g <= lowest * span * (1 + 1e-9)).all()
    # the narrower the window of the branch, the fewer digits of a weight it carries
    tolerance = 1e-14 * (weight_map.reference_siemens / weight_map.half_width_siemens + 1) ** 2
    assert weight_map.weights(g) == pytest.approx(np.array(weights), abs=tolerance)


def test_a_weight_is_the_current_of_its_branch_by_hand() -> None:
    # 10 kOhm in series: 100 uS become 50 uS, 25 uS become 20 uS
    weight_map = WeightMap(ConductanceWindow(25e-6, 100e-6), 10e3)
    assert weight_map.branch_siemens(np.array([25e-6, 100e-6])) == pytest.approx([20e-6, 50e-6])
    assert weight_map.reference_siemens == pytest.approx(35e-6)
    assert weight_map.unit_siemens == pytest.approx(15e-6)
    assert weight_map.conductances(np.array([0.0])) == pytest.approx([35e-6 / 0.65])
    pair = WeightMap(ConductanceWindow(25e-6, 100e-6), 10e3, DIFFERENTIAL)
    assert pair.unit_siemens == pytest.approx(30e-6)
    assert pair.conductances(np.array([1.0])) == pytest.approx([100e-6, 25e-6])
    assert pair.weights(np.array([100e-6, 25e-6])) == pytest.approx([1.0])


@pytest.mark.parametrize("scheme", SCHEMES)
def test_errors_of_conductances_spread_weights_as_derivatives_say(scheme: str) -> None:
    weight_map = WeightMap(ConductanceWindow(20e-6, 220e-6), 10e3, scheme)
    weights = np.zeros((20_000, 1))
    spread = weight_map.disturbed(weights, 0.01, np.random.default_rng(3)).std()
    g = weight_map.conductances(np.zeros(1))[0]
    of_one = 0.01 * g / (1 + g * 10e3) ** 2 / weight_map.unit_siemens
    expected = of_one * np.sqrt(weight_map.n_devices_per_weight)
    assert spread == pytest.approx(expected, rel=0.02)


def test_devices_behind_different_resistors_make_no_network() -> None:
    with hil.open_board("twin") as board:
        cells = board.info.all_cells[25:35]  # W and Cr
        with pytest.raises(ParameterError, match="same series resistor"):
            WeightMap.on(board.info, cells, ConductanceWindow(1e-5, 1e-4))
        w = WeightMap.on(board.info, cells[:3], ConductanceWindow(1e-5, 1e-4))
        assert w.r_path_ohm == pytest.approx(10_075)
