from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hil.errors import StationError, UnmodelledError
from hil.station import parse_station
from hil.types import Dopant
from tests.support.references import SHORTS, reference_station
from twin.devices.composite import CompositeDevices
from twin.devices.mss import MssDevices
from twin.devices.mss_parameters import MssParameters
from twin.opening import build_instruments, open_direct
from twin.plant import Plant, PlantInputs
from twin.references import References
from twin.waveforms import Sine

R_SERIES_OHM, R_SWITCH_OHM = 10_000.0, 75.0


def one(r_ohm: float, load_siemens: float = 0.0) -> Plant:
    return Plant(
        References(np.array([r_ohm])), np.array([R_SERIES_OHM]), R_SWITCH_OHM, load_siemens
    )


def drive(plant: Plant, v_v: float, index: int = 0, limit_a: float = math.inf) -> object:
    inputs = PlantInputs(np.array([index]), np.array([v_v]), np.array([limit_a]))
    return plant.advance(inputs, 0.02)


@given(
    st.sampled_from([0.0, 50.0, 1e4, 1e6, math.inf]),
    st.sampled_from([0.0, 1e-9, 1e-6, 1e-4]),
    st.floats(-2, 2),
)
def test_a_reference_beside_a_load_obeys_ohm_and_loses_no_energy(
    r_ohm: float, load_siemens: float, v_v: float
) -> None:
    inputs = PlantInputs(np.array([0]), np.array([v_v]), np.array([math.inf]))
    out = one(r_ohm, load_siemens).advance(inputs, 0.02)
    g_node = load_siemens + (1 / r_ohm if r_ohm else math.inf)
    r_node = 1 / g_node if g_node else math.inf
    i_a = v_v / (R_SERIES_OHM + R_SWITCH_OHM + r_node)
    assert out.i_end_a[0] == pytest.approx(i_a, rel=1e-9, abs=1e-30)
    assert out.charge_c[0] == pytest.approx(i_a * 0.02, rel=1e-9, abs=1e-30)
    assert out.v_end_v[0] == pytest.approx(v_v, rel=1e-9, abs=1e-30)
    parts = out.device_j + out.series_j + out.switch_j
    assert parts[0] == pytest.approx(v_v * i_a * 0.02, rel=1e-9, abs=1e-30)
    assert out.source_j[0] == pytest.approx(parts[0], rel=1e-9, abs=1e-30)


def test_the_load_takes_its_share_of_a_memristor_too() -> None:
    parameters = MssParameters.broadcast(
        1,
        r_on_ohm=2e3,
        r_off_ohm=8e4,
        v_on_v=0.35,
        v_off_v=0.2,
        tau_s=1e-4,
        v_t_v=0.0257,
        v_dead_on_v=0.12,
        v_dead_off_v=0.08,
        r_init_ohm=8e4,
        n_switches=1000,
    )
    plant = Plant(MssDevices(parameters, x=[0.5]), np.array([1e4]), 75.0, 1e-5)
    g = float(plant.devices.conductance_siemens(np.array([0]))[0])
    inputs = PlantInputs(np.array([0]), np.array([0.1]), np.array([math.inf]))
    out = plant.advance(inputs, 0.02)
    assert out.i_end_a[0] == pytest.approx(0.1 / (10_075 + 1 / (g + 1e-5)), rel=1e-6)
    total = out.device_j + out.series_j + out.switch_j
    assert total[0] == pytest.approx(out.source_j[0], rel=1e-6)


def test_a_source_limits_the_current_through_a_short() -> None:
    inputs = PlantInputs(np.array([0]), np.array([2.0]), np.array([1e-4]))
    out = one(0.0).advance(inputs, 0.02)
    assert out.i_end_a[0] == 1e-4
    assert out.v_end_v[0] == pytest.approx(1e-4 * 10_075)


def test_references_take_no_waveform() -> None:
    zero, ten = np.zeros(1), np.full(1, 10.0)
    with pytest.raises(UnmodelledError, match="constant"):
        References(ten).drive(np.array([0]), Sine(0.1, 10.0), ten, ten, zero)


def test_memristors_and_references_keep_their_places() -> None:
    references = References(np.array([1e4, math.inf]))
    memristors = References(np.array([1e3, 2e3, 3e3]))  # any model will do
    mixed = CompositeDevices([(memristors, np.array([0, 2, 4])), (references, np.array([1, 3]))])
    index = np.array([4, 1, 0, 3])
    expected = [1 / 3e3, 1e-4, 1e-3, 0.0]
    assert mixed.conductance_siemens(index).tolist() == pytest.approx(expected)
    plant = Plant(mixed, np.full(5, 1e4), 75.0)
    out = plant.advance(PlantInputs(index, np.full(4, 0.1), np.full(4, math.inf)), 0.01)
    with np.errstate(divide="ignore"):
        assert out.i_end_a == pytest.approx(0.1 / (10_075 + 1 / np.array(expected)))
    mixed.x = np.arange(5) / 10
    assert mixed.x.tolist() == [0.0, 0.1, 0.2, 0.3, 0.4]
    assert memristors.x.tolist() == [0.0, 0.2, 0.4]
    mixed.rest(index, 1.0)
    mixed.adopt_conductance(index, 1e-5)
    assert mixed.wear(index).charge_c.tolist() == [0.0] * 4


@pytest.mark.parametrize("seed", range(5))
def test_boards_are_drawn_within_tolerance_once_for_both_twins(seed: int) -> None:
    station = parse_station(reference_station(SHORTS))
    direct = open_direct(station, seed=seed, source_reason="").plant
    wire = build_instruments(station, seed).bench.plant
    assert direct.r_path_ohm.tolist() == wire.r_path_ohm.tolist()
    assert direct.load_siemens == wire.load_siemens
    nominal = station.circuit.r_series_ohm + station.circuit.r_switch_ohm
    assert (abs(direct.r_path_ohm / nominal - 1) <= 0.01).all()
    assert 0 < abs(direct.load_siemens / 1e-6 - 1) <= 0.01
    fewer = parse_station(reference_station(SHORTS[:2]))
    kept = open_direct(fewer, seed=seed, source_reason="").plant
    assert kept.r_path_ohm.tolist() == direct.r_path_ohm[:2].tolist()
    exact = parse_station(reference_station(SHORTS, noise=False))
    assert open_direct(exact, seed=seed, source_reason="").plant.r_path_ohm == pytest.approx(
        nominal
    )


def test_a_resistor_is_the_same_one_wherever_it_is_plugged() -> None:
    resistor = {"name": "R", "reference_ohm": 1e4, "reference_expanded_ratio": 1e-3}
    values = []
    for sockets, noise in (
        ([resistor, *SHORTS], True),
        ([*SHORTS, resistor], True),
        ([*SHORTS, resistor], False),
    ):
        station = parse_station(reference_station(sockets, noise=noise))
        board = open_direct(station, seed=3, source_reason="")
        (cell,) = [c for c in board.info.all_cells if board.info.device_at(c).name == "R"]
        devices = board.plant.devices
        values.append(float(devices.conductance_siemens(board.info.index_of(cell[None]))[0]))
    assert values[0] == values[1] != values[2] == 1e-4
    assert values[0] == pytest.approx(1e-4, rel=3e-3)


@pytest.mark.parametrize(
    ("socket", "message"),
    [
        ({"dopant": "W", "reference_ohm": 1e3}, "either a dopant .* or a reference_ohm"),
        ({}, "either a dopant .* or a reference_ohm"),
        ({"dopant": "reference"}, "either a dopant"),
        ({"dopant": "W", "series_resistor_ohm": 0.0}, "needs a series_resistor_ohm above 0"),
        ({"reference_ohm": -1.0}, "reference_ohm"),
    ],
)
def test_a_socket_holds_a_memristor_or_a_reference(socket: dict[str, object], message: str) -> None:
    with pytest.raises(StationError, match=message):
        parse_station(reference_station([socket]))


def test_a_reference_bears_more_than_a_memristor_and_no_more_than_its_current() -> None:
    station = parse_station(
        reference_station([{"reference_ohm": 1e4, "series_resistor_ohm": 0.0}, *SHORTS[3:4]])
    )
    assert station.devices[0].dopant is Dopant.REFERENCE
    board = open_direct(station, seed=1, source_reason="")
    assert len(board.measure([[0, 0]], 2.0)) == 1
    with pytest.raises(ValueError, match=r"the limit of reference devices is 1 mA"):
        board.measure([[0, 1]], 0.1)
