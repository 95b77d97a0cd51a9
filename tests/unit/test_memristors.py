from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from hil.errors import StationError, UsageError
from hil.types import FloatArray
from tests.support.gmss import M2, gmss, write_gmss_record
from twin.devices.base import DeviceModel
from twin.devices.composite import CompositeDevices
from twin.devices.gmss import GmssDevices
from twin.devices.gmss_parameters import GmssParameters
from twin.devices.mss import MssDevices
from twin.devices.mss_parameters import MssParameters
from twin.devices.mss_stochastic import StochasticMssDevices
from twin.memristors import build_memristors
from twin.parameters import DeviceRecord, load_record, stack
from twin.waveforms import Constant


@pytest.fixture
def records(tmp_path: Path) -> list[DeviceRecord]:
    """mss and gmss records in turn."""
    write_gmss_record("w-a", tmp_path)
    write_gmss_record("w-b", tmp_path, **M2)
    return [load_record(name, [tmp_path]) for name in ("w-a", "w-m1", "w-b", "w-m2", "w-a")]


def pulse(devices: DeviceModel, index: list[int], level_v: FloatArray | float) -> None:
    n = len(index)
    full = (np.full(n, value) for value in (1e-3, 10e3, 1e-3))
    devices.drive(np.array(index), Constant(level_v), *full)


def test_a_record_of_generalised_devices_is_read(records: list[DeviceRecord]) -> None:
    record = records[2]
    assert (record.model, record.status, record.dopant) == ("gmss", "fitted", "W")
    assert stack([record, records[0]], GmssParameters).r_on_ohm.tolist() == [2381.0, 2857.0]
    with pytest.raises(UsageError, match=r"'w-b' is of model 'gmss', not 'mss'"):
        stack(records[2:], MssParameters)


def test_each_device_has_the_model_of_its_record(records: list[DeviceRecord]) -> None:
    mixed = build_memristors(records, seed=3)
    assert isinstance(mixed, CompositeDevices)
    assert [type(model) for model in mixed.models] == [GmssDevices, MssDevices]
    alone: list[DeviceModel] = [
        build_memristors([record], seed=3, numbers=[k]) for k, record in enumerate(records)
    ]
    for level_v in (0.6, -0.4, 0.5):
        pulse(mixed, [4, 1, 0, 2], level_v)
        for k in (4, 1, 0, 2):
            pulse(alone[k], [0], level_v)
    mixed.rest(np.array([0, 1, 2]), np.array([0.1, 0.2, 0.3]))
    for k in (0, 1, 2):
        alone[k].rest(np.array([0]), 0.1 * (k + 1))
    everyone = np.arange(5)
    np.testing.assert_allclose(mixed.x, [model.x[0] for model in alone], rtol=1e-9)
    g_siemens = mixed.conductance_siemens(everyone, 0.1)
    one = np.array([0])
    expected = [model.conductance_siemens(one, 0.1)[0] for model in alone]
    np.testing.assert_allclose(g_siemens, expected, rtol=1e-9)
    assert mixed.wear(everyone).n_set_half_cycles.tolist() == [2, 2, 2, 0, 2]
    assert mixed.is_volatile
    mixed.adopt_conductance(np.array([3, 2]), [50e-6, 60e-6], 0.1)
    g_siemens = mixed.conductance_siemens(np.array([2, 3]), 0.1)
    np.testing.assert_allclose(g_siemens, [60e-6, 50e-6])
    mixed.x = np.linspace(0.1, 0.5, 5)
    np.testing.assert_allclose(mixed.x, np.linspace(0.1, 0.5, 5))


def test_records_of_one_model_need_no_composite(records: list[DeviceRecord]) -> None:
    assert isinstance(build_memristors(records[:1]), GmssDevices)
    assert isinstance(build_memristors(records[1:2]), MssDevices)
    stochastic = build_memristors(records[1:2], model="mss-stochastic")
    assert isinstance(stochastic, StochasticMssDevices)


def test_plain_models_take_plain_records_only(records: list[DeviceRecord]) -> None:
    with pytest.raises(StationError, match=r"'w-a' is of model 'gmss': set model = 'record'"):
        build_memristors(records, model="mss")


def test_devices_differ_when_the_station_asks_for_it(records: list[DeviceRecord]) -> None:
    index = np.array([0, 4])
    plain, spread = (
        build_memristors(records, seed=3, device_spread=flag).conductance_siemens(index)
        for flag in (False, True)
    )
    assert plain[0] == plain[1]
    assert spread[0] != spread[1]


def test_a_composite_has_each_device_once() -> None:
    model = GmssDevices(gmss(2))
    with pytest.raises(UsageError, match="left out"):
        CompositeDevices([(model, np.array([0, 2]))])


@pytest.mark.parametrize("model", ["mss", "mss-stochastic"])
def test_every_model_adopts_a_conductance_and_counts_wear(model: str) -> None:
    devices = build_memristors([load_record("w-m1")] * 2, model=model)
    devices.adopt_conductance(np.array([1]), 100e-6, 0.1)
    g_siemens = devices.conductance_siemens(np.arange(2), 0.1)
    assert g_siemens[1] == pytest.approx(100e-6, rel=1e-2)  # whole switches
    assert g_siemens[0] == pytest.approx(1 / 80e3, rel=1e-2)
    devices.adopt_conductance(np.arange(2), 1.0)
    assert devices.x.tolist() == [1.0, 1.0]
    pulse(devices, [1], -0.4)
    wear = devices.wear(np.arange(2))
    assert wear.n_reset_half_cycles.tolist() == [0, 1]
    assert wear.i_peak_a[1] == pytest.approx(0.4 / 12237, rel=1e-6)
