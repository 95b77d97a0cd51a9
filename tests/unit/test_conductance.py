from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hil.conductance import conductance, device_voltage
from hil.correction import Circuit, Correction
from hil.coverage import coverage_factor
from hil.instruments.accuracy import KEITHLEY_2400, AccuracyTable, RangeAccuracy
from twin.converters import RealConverters

R_SERIES_OHM, R_SWITCH_OHM = 10_000.0, 75.0
R_OHM = R_SERIES_OHM + R_SWITCH_OHM


def correction(tolerance_ratio: float = 0.01, load_siemens: float = 0.0) -> Correction:
    circuit = Circuit(
        [3], np.array([R_SERIES_OHM]), np.array([R_SWITCH_OHM]), load_siemens, tolerance_ratio
    )
    return Correction.from_tables(KEITHLEY_2400, 2.0, circuit)


def of(v_v: float, i_a: float, known: Correction | None = None) -> tuple[float, float, float]:
    arrays = np.array([v_v]), np.array([i_a]), np.array([0])
    result = conductance(*arrays, known or correction(), 1.0)
    assert result.v_device_v == device_voltage(*arrays, known or correction())
    return (
        float(result.v_device_v[0]),
        float(result.g_siemens[0]),
        float(result.g_expanded_siemens[0]),
    )


@given(st.floats(1e-6, 2e-3), st.sampled_from([-0.1, 0.05, 0.1, 1.0]), st.floats(0, 1e-5))
def test_what_is_in_series_and_in_parallel_is_taken_out(
    g_siemens: float, v_v: float, load_siemens: float
) -> None:
    g_node = g_siemens + load_siemens
    i_a = v_v / (R_OHM + 1 / g_node)
    v_device_v, found, expanded = of(v_v, i_a, correction(load_siemens=load_siemens))
    assert found == pytest.approx(g_siemens, rel=1e-9)
    assert v_device_v == pytest.approx(v_v / (1 + R_OHM * g_node), rel=1e-9)
    assert expanded > 0


def test_uncertainty_by_hand() -> None:
    """0.1 V, 5 uA, 10075 ohm: 49.625 mV on the device, 100.756 uS; 10 uA range, 2 V range."""
    v_device_v, g, expanded = of(0.1, 5e-6)
    assert v_device_v == pytest.approx(0.049625, rel=1e-9)
    assert g == pytest.approx(5e-6 / 0.049625, rel=1e-9)
    by_i, by_v = 0.1 / 0.049625**2, 5e-6 / 0.049625**2
    rectangular = [
        by_i * 0.00027 * 5e-6,
        by_v * 0.00012 * 0.1,
        by_i * 700e-12,
        by_v * 300e-6,
        g**2 * R_SERIES_OHM * 0.01,
        g**2 * R_SWITCH_OHM * 0.01,
    ]
    noise = (by_i * 40e-12) ** 2 + (by_v * 10e-6) ** 2
    variance = sum(b**2 for b in rectangular) / 3 + noise
    kurtosis = -1.2 * sum(b**4 / 9 for b in rectangular) / variance**2
    assert expanded == pytest.approx(float(coverage_factor(kurtosis)) * np.sqrt(variance), rel=1e-9)
    assert of(0.1, 5e-6, correction(tolerance_ratio=0.0))[2] < expanded


def test_shorter_integration_is_less_certain() -> None:
    arrays = np.array([0.1]), np.array([5e-6]), np.array([0])
    expanded = [conductance(*arrays, correction(), nplc).g_expanded_siemens for nplc in (0.01, 10)]
    assert expanded[0] > expanded[1]


@pytest.mark.parametrize("i_a", [0.0, 2e-10, -2e-10])
def test_an_open_device_conducts_nothing_within_its_uncertainty(i_a: float) -> None:
    _, g, expanded = of(0.1, i_a)
    assert abs(g) <= expanded < 1e-7


@pytest.mark.parametrize("i_a", [0.1 / R_OHM, 0.11 / R_OHM, -0.12 / R_OHM])
def test_a_short_is_infinite_and_unknown(i_a: float) -> None:
    _, g, expanded = of(0.1 if i_a > 0 else -0.1, i_a)
    assert (g, expanded) == (np.inf, np.inf)


def test_readings_of_several_devices_and_ranges_do_not_mix() -> None:
    circuit = Circuit([0, 5], np.array([1e3, 1e4]), np.array([75.0, 75.0]), 0.0, 0.01)
    both = Correction.from_tables(KEITHLEY_2400, 2.0, circuit)
    v_v, i_a = np.array([0.1, 0.1, 0.1]), np.array([5e-5, 5e-6, 5e-8])
    together = conductance(v_v, i_a, np.array([0, 1, 1]), both, 1.0)
    for k, index in enumerate([0, 1, 1]):
        alone = conductance(v_v[[k]], i_a[[k]], np.array([index]), both, 1.0)
        assert together.g_siemens[k] == alone.g_siemens[0]
        assert together.g_expanded_siemens[k] == pytest.approx(alone.g_expanded_siemens[0])


def test_a_reading_uses_the_lowest_range_that_holds_it_with_some_to_spare() -> None:
    table = AccuracyTable((RangeAccuracy(1.0, 0.1, 0.0, 0.0), RangeAccuracy(10.0, 0.2, 1.0, 0.0)))
    assert table.range_index([0.5, -1.05, 1.06, 10, 99]).tolist() == [0, 0, 1, 1, 1]
    assert table.bound([0.5, -1.0, 2.0]).tolist() == pytest.approx([0.05, 0.1, 1.4])


def test_the_shipped_tables_rise() -> None:
    for table in (KEITHLEY_2400.measure_a, KEITHLEY_2400.measure_v, KEITHLEY_2400.source_v):
        tops = [r.full_scale for r in table.ranges]
        assert tops == sorted(tops)
        offsets = [r.offset for r in table.ranges]
        assert offsets == sorted(offsets)


@pytest.mark.parametrize(
    ("v_v", "g_siemens"), [(0.1, 2e-6), (0.1, 1e-4), (0.5, 3e-4), (2.0, 5e-4)], ids=str
)
def test_the_truth_is_inside_in_19_of_20_instruments(v_v: float, g_siemens: float) -> None:
    n = 2000
    rng = np.random.default_rng(4)
    known = correction(load_siemens=1e-6)
    r_ohm = R_SERIES_OHM * (1 + rng.uniform(-0.01, 0.01, n)) + R_SWITCH_OHM * (
        1 + rng.uniform(-0.01, 0.01, n)
    )
    load = 1e-6 * (1 + rng.uniform(-0.01, 0.01, n))
    v_read, i_read = np.empty(n), np.empty(n)
    for k in range(n):
        smu = RealConverters(KEITHLEY_2400, rng, 2.0)
        v_true = smu.source_v(np.array([v_v]))
        v_read[k] = smu.measure_v(v_true, 1.0)[0]
        i_read[k] = smu.measure_a(v_true / (r_ohm[k] + 1 / (g_siemens + load[k])), 1.0)[0]
    g = conductance(v_read, i_read, np.zeros(n, dtype=np.intp), known, 1.0)
    inside = float(np.mean(np.abs(g.g_siemens - g_siemens) <= g.g_expanded_siemens))
    assert 0.94 < inside < 0.97
