from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import ArrayLike, NDArray

from hil.types import FloatArray, IndexArray
from twin.devices.base import OhmicConduction, Response, Waveform, Wear
from twin.devices.mss import MssDevices
from twin.devices.mss_parameters import MssParameters
from twin.parameters import load_record, stack_records
from twin.plant import Plant, PlantInputs, PlantOutputs

R_OHM = np.array([10_000.0, 47_000.0, 10_000.0])
R_SWITCH_OHM = 75.0


def mss_plant(volatile: bool = False) -> Plant:
    parameters = stack_records([load_record("w-m1"), load_record("w-m2"), load_record("w-m1")])
    if volatile:
        zero = np.zeros(3)
        values = vars(parameters) | {"v_dead_on_v": zero, "v_dead_off_v": zero}
        parameters = MssParameters(**values)
    return Plant(MssDevices(parameters, x=[0.2, 0.5, 0.8]), R_OHM, R_SWITCH_OHM)


def inputs(*connected: int, v_v: float = 0.5, limit_a: float = 1e-3) -> PlantInputs:
    n = len(connected)
    return PlantInputs(np.array(connected), np.full(n, v_v), np.full(n, limit_a))


class Resistors:
    """Devices that are resistors, and count how long they rested and were driven."""

    def __init__(self, r_ohm: FloatArray, is_volatile: bool) -> None:
        self.r_ohm = r_ohm
        self.is_volatile = is_volatile
        self.n_devices = len(r_ohm)
        self.x = np.zeros(len(r_ohm))
        self.rested_s = np.zeros(len(r_ohm))
        self.driven_s = np.zeros(len(r_ohm))

    def conductance_siemens(self, index: IndexArray, v_v: ArrayLike = 0.0) -> FloatArray:
        return 1 / self.r_ohm[index]

    def conduction(self, index: IndexArray) -> OhmicConduction:
        return OhmicConduction(self.conductance_siemens(index))

    def holds(self, index: IndexArray, v_v: FloatArray) -> NDArray[np.bool_]:
        return np.ones(len(index), dtype=bool)

    def adopt_conductance(
        self, index: IndexArray, g_siemens: ArrayLike, v_v: ArrayLike = 0.0
    ) -> None:
        self.r_ohm[index] = 1 / np.asarray(g_siemens)

    def wear(self, index: IndexArray) -> Wear:
        raise NotImplementedError

    def rest(self, index: IndexArray, dt_s: FloatArray | float) -> None:
        self.rested_s[index] += dt_s

    def drive(
        self,
        index: IndexArray,
        waveform: Waveform,
        dt_s: FloatArray,
        r_series_ohm: FloatArray,
        i_limit_a: FloatArray,
    ) -> Response:
        self.driven_s[index] += dt_s
        v_v = waveform.value_v(np.zeros(len(index)))
        i_a = np.clip(v_v / (r_series_ohm + self.r_ohm[index]), -i_limit_a, i_limit_a)
        device_j = i_a**2 * self.r_ohm[index] * dt_s
        resistors_j = i_a**2 * r_series_ohm * dt_s
        return Response(
            device_j, resistors_j, device_j + resistors_j, i_a * dt_s, i_a, i_a * self.r_ohm[index]
        )


def test_a_divider_by_hand() -> None:
    devices = Resistors(np.array([5_000.0, 1e6, 2e3]), is_volatile=False)
    out = Plant(devices, R_OHM, R_SWITCH_OHM).advance(inputs(0, v_v=1.5), 0.2)
    i_a = 1.5 / 15_075
    assert out.i_end_a == pytest.approx([i_a])
    assert out.charge_c == pytest.approx([i_a * 0.2])
    assert out.v_end_v == pytest.approx([1.5])
    assert out.device_j == pytest.approx([i_a**2 * 5_000 * 0.2])
    assert out.series_j == pytest.approx([i_a**2 * 10_000 * 0.2])
    assert out.switch_j == pytest.approx([i_a**2 * 75 * 0.2])
    assert out.source_j == pytest.approx([1.5 * i_a * 0.2])


def test_in_compliance_the_terminals_show_less_than_was_asked() -> None:
    devices = Resistors(np.array([1.0, 1.0, 1.0]), is_volatile=False)
    out = Plant(devices, R_OHM, R_SWITCH_OHM).advance(inputs(0, v_v=1.5, limit_a=1e-5), 0.1)
    assert out.i_end_a == pytest.approx([1e-5])
    assert out.v_end_v == pytest.approx([1e-5 * 10_076])


@pytest.mark.parametrize("volatile", [True, False])
def test_devices_that_are_not_connected_rest_if_that_does_anything(volatile: bool) -> None:
    devices = Resistors(np.full(3, 1e4), is_volatile=volatile)
    Plant(devices, R_OHM, R_SWITCH_OHM).advance(inputs(1), 0.3)
    assert devices.driven_s.tolist() == [0, 0.3, 0]
    assert devices.rested_s.tolist() == ([0.3, 0, 0.3] if volatile else [0, 0, 0])


@settings(max_examples=30, deadline=None)
@given(
    st.floats(-1.5, 1.5),
    st.floats(1e-4, 0.1),
    st.sampled_from([1e-3, 2e-5]),
    st.booleans(),
)
def test_energy_is_conserved(v_v: float, dt_s: float, limit_a: float, volatile: bool) -> None:
    plant = mss_plant(volatile)
    out = plant.advance(inputs(0, 1, 2, v_v=v_v, limit_a=limit_a), dt_s)
    parts = out.device_j + out.series_j + out.switch_j
    np.testing.assert_allclose(parts, out.source_j, rtol=1e-12)
    if limit_a > abs(v_v) / 10_000:  # no limiting: the source is at v_v all the time
        np.testing.assert_allclose(out.source_j, v_v * out.charge_c, rtol=1e-6, atol=1e-20)
    assert (out.device_j >= 0).all()
    np.testing.assert_allclose(out.switch_j * R_OHM, out.series_j * R_SWITCH_OHM, rtol=1e-12)


@settings(max_examples=20, deadline=None)
@given(st.floats(-1.0, 1.0), st.lists(st.floats(1e-4, 0.02), min_size=2, max_size=4))
def test_a_step_is_the_sum_of_its_parts(v_v: float, parts_s: list[float]) -> None:
    whole, pieces = mss_plant(), mss_plant()
    out = whole.advance(inputs(0, 2, v_v=v_v), sum(parts_s))
    total = pieces.advance(inputs(0, 2, v_v=v_v), parts_s[0])
    for dt_s in parts_s[1:]:
        total += pieces.advance(inputs(0, 2, v_v=v_v), dt_s)
    for name in ("device_j", "source_j", "charge_c", "i_end_a", "v_end_v"):
        np.testing.assert_allclose(
            getattr(total, name), getattr(out, name), rtol=1e-5, atol=1e-15, err_msg=name
        )


def test_joining_keeps_the_order() -> None:
    one, two = (mss_plant().advance(inputs(k), 0.01) for k in (0, 2))
    both = mss_plant().advance(inputs(0, 2), 0.01)
    joined = PlantOutputs.join([one, two])
    np.testing.assert_allclose(joined.device_j, both.device_j, rtol=1e-9)


def test_rest_changes_nothing_that_is_not_volatile() -> None:
    plant, volatile = mss_plant(), mss_plant(volatile=True)
    everything = np.arange(3)
    before = plant.devices.conductance_siemens(everything)
    plant.rest(everything, 3600.0)
    volatile.rest(everything, 1e-6)
    assert plant.devices.conductance_siemens(everything).tolist() == before.tolist()
    assert (volatile.devices.conductance_siemens(everything) < before).all()
