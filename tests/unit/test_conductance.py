from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hil.conductance import conductance
from hil.instruments.accuracy import KEITHLEY_2400, AccuracyTable, RangeAccuracy

R_OHM = 10_075.0


def of(v_v: float, i_a: float, tolerance_ratio: float = 0.01) -> tuple[float, float, float]:
    result = conductance(
        np.array([v_v]), np.array([i_a]), np.array([R_OHM]), KEITHLEY_2400, tolerance_ratio
    )
    return (
        float(result.v_device_v[0]),
        float(result.g_siemens[0]),
        float(result.g_expanded_siemens[0]),
    )


@given(st.floats(1e-6, 2e-3), st.sampled_from([-0.1, 0.05, 0.1, 1.0]))
def test_the_series_resistance_is_taken_out(g_siemens: float, v_v: float) -> None:
    i_a = v_v / (R_OHM + 1 / g_siemens)
    v_device_v, found, expanded = of(v_v, i_a)
    assert found == pytest.approx(g_siemens, rel=1e-9)
    assert v_device_v == pytest.approx(v_v / (1 + R_OHM * g_siemens), rel=1e-9)
    assert expanded > 0


@given(st.floats(1e-5, 5e-4), st.floats(-1, 1), st.floats(-1, 1), st.floats(-1, 1))
def test_errors_inside_the_bounds_stay_inside_the_sum_of_their_effects(
    g_siemens: float, of_i: float, of_v: float, of_r: float
) -> None:
    """k = 2 on rectangular bounds: 2 / sqrt(3) of the root of the sum of squares."""
    v_v = 0.1
    i_a = v_v / (R_OHM * (1 + 0.01 * of_r) + 1 / g_siemens)
    i_bound = float(KEITHLEY_2400.measure_a.bound(i_a))
    v_bound = float(KEITHLEY_2400.measure_v.bound(v_v))
    _, found, expanded = of(v_v + of_v * v_bound, i_a + of_i * i_bound)
    worst = expanded / 2 * np.sqrt(3) * np.sqrt(3)  # all three at their bounds, with one sign
    assert abs(found - g_siemens) <= worst * 1.15  # second order


def test_uncertainty_by_hand() -> None:
    """0.1 V, 5 uA, 10075 ohm: 49.6 mV on the device, 100.756 uS."""
    v_device_v, g, expanded = of(0.1, 5e-6)
    assert v_device_v == pytest.approx(0.049625, rel=1e-9)
    assert g == pytest.approx(5e-6 / 0.049625, rel=1e-9)
    i_bound = 0.00027 * 5e-6 + 700e-12  # 10 uA range
    v_bound = 0.00012 * 0.1 + 300e-6  # 200 mV range
    parts = (
        0.1 / 0.049625**2 * i_bound,
        5e-6 / 0.049625**2 * v_bound,
        g**2 * R_OHM * 0.01,
    )
    assert expanded == pytest.approx(2 * np.sqrt(sum(p**2 for p in parts) / 3), rel=1e-9)
    assert of(0.1, 5e-6, 0.0)[2] < expanded


def test_an_open_device_conducts_nothing() -> None:
    _, g, expanded = of(0.1, 0.0)
    assert g == 0.0
    assert 0 < expanded < 1e-7


@pytest.mark.parametrize("i_a", [0.1 / R_OHM, 0.11 / R_OHM, -0.12 / R_OHM])
def test_a_short_is_infinite_and_unknown(i_a: float) -> None:
    _, g, expanded = of(0.1 if i_a > 0 else -0.1, i_a)
    assert (g, expanded) == (np.inf, np.inf)


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
