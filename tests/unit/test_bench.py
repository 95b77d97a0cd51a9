from __future__ import annotations

import numpy as np
import pytest

from twin.bench import TwinBench
from twin.converters import IdealConverters
from twin.devices.mss import MssDevices
from twin.parameters import load_record, stack_records
from twin.plant import Plant

R_OHM, R_SWITCH_OHM = 10_000.0, 75.0


@pytest.fixture
def bench() -> TwinBench:
    devices = MssDevices(stack_records([load_record("w-m1")] * 2), x=[0.2, 0.4])
    plant = Plant(devices, np.full(2, R_OHM), R_SWITCH_OHM)
    return TwinBench(plant, {3: 0, 5: 1}, 8, IdealConverters(), "TWIN00000009", 50)


def g_siemens(bench: TwinBench) -> list[float]:
    values: list[float] = bench.plant.devices.conductance_siemens(np.arange(2)).tolist()
    return values


def test_time_moves_only_forward_and_in_nanoseconds(bench: TwinBench) -> None:
    assert bench.now_s() == 0
    for _ in range(10):
        bench.advance(0.1)
    assert bench.now_s() == 1.0
    bench.sleep_s(-5.0)
    bench.sleep_s(0.0)
    assert bench.now_s() == 1.0
    bench.smu.wait_s(1e-9)
    assert bench.switch.now_s() == bench.smu.now_s() == 1.000000001


def test_a_device_is_driven_only_if_it_is_connected_and_the_output_on(bench: TwinBench) -> None:
    before = g_siemens(bench)
    bench.smu.apply(0.8, 1e-3)
    assert bench.advance(0.01) is None
    bench.switch.connect(4)  # nothing sits there
    assert bench.switch.connected_device is None
    assert bench.advance(0.01) is None
    bench.smu.release()
    bench.switch.connect(3)
    assert bench.advance(0.01) is None
    assert g_siemens(bench) == before
    bench.smu.apply(0.8, 1e-3)
    assert bench.advance(0.01) is not None
    after = g_siemens(bench)
    assert after[0] > before[0]
    assert after[1] == before[1]


def test_a_measurement_integrates_and_takes_its_time(bench: TwinBench) -> None:
    bench.switch.connect(5)
    bench.smu.apply(0.1, 1e-3)
    sample = bench.smu.measure(0.02)
    g = g_siemens(bench)[1]
    assert sample.i_a == pytest.approx(0.1 / (R_OHM + R_SWITCH_OHM + 1 / g), rel=1e-9)
    assert sample.v_v == pytest.approx(0.1)
    assert not sample.in_compliance
    assert sample.t_s == bench.now_s() == 0.02


def test_with_nothing_connected_no_current_flows(bench: TwinBench) -> None:
    bench.smu.apply(0.5, 1e-3)
    sample = bench.smu.measure(0.02)
    assert (sample.v_v, sample.i_a, sample.in_compliance) == (0.5, 0.0, False)


def test_compliance_is_noticed(bench: TwinBench) -> None:
    bench.switch.connect(3)
    bench.smu.apply(1.0, 1e-6)
    sample = bench.smu.measure(0.02)
    assert sample.in_compliance
    assert sample.i_a == pytest.approx(1e-6)
    assert sample.v_v < 0.5


def test_the_watchdog_opens_at_its_deadline_not_at_the_next_look(bench: TwinBench) -> None:
    bench.switch.connect(3)
    bench.smu.apply(0.45, 1e-3)
    twin = MssDevices(stack_records([load_record("w-m1")] * 2), x=[0.2, 0.4])
    same = TwinBench(
        Plant(twin, np.full(2, R_OHM), R_SWITCH_OHM), {3: 0}, 8, IdealConverters(), "TWIN", 50
    )
    same.switch.connect(3)
    same.smu.apply(0.45, 1e-3)
    same.advance(0.003)

    bench.switch.set_deadline(0.003)
    assert bench.advance(10.0) is None
    assert bench.switch.position is None
    assert bench.switch.deadline_ns is None
    assert bench.now_s() == 10.0
    assert g_siemens(bench)[0] == pytest.approx(
        float(twin.conductance_siemens(np.array([0]))[0]), rel=1e-9
    )


def test_a_watchdog_that_is_fed_in_time_does_nothing(bench: TwinBench) -> None:
    bench.switch.connect(3)
    for _ in range(5):
        bench.switch.set_deadline(bench.now_s() + 1.0)
        bench.advance(0.9)
    assert bench.switch.position == 3
    bench.switch.set_deadline(None)
    bench.advance(100.0)
    assert bench.switch.position == 3


def test_terminals_say_who_they_are(bench: TwinBench) -> None:
    assert bench.smu.serial_number == "TWIN00000009"
    assert bench.switch.n_positions == 8
