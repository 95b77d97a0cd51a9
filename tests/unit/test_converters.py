from __future__ import annotations

import numpy as np
import pytest

from hil.instruments.accuracy import KEITHLEY_2400, AccuracyTable
from hil.types import FloatArray
from twin.converters import IdealConverters, RealConverters

V = np.array([-2.0, -0.1, 0.0, 0.05, 0.1, 0.2, 1.5, 15.0])
A = np.array([-1e-3, 0.0, 1e-9, 5e-7, 9e-6, 5e-5, 8e-4])


def real(seed: int) -> RealConverters:
    return RealConverters(KEITHLEY_2400, np.random.default_rng(seed))


def test_ideal_converters_change_nothing() -> None:
    ideal = IdealConverters()
    for convert in (
        ideal.source_v,
        lambda v: ideal.measure_v(v, 0.01),
        lambda v: ideal.measure_a(v, 0.01),
    ):
        assert convert(V).tolist() == V.tolist()


@pytest.mark.parametrize("seed", range(20))
def test_errors_are_within_the_tables(seed: int) -> None:
    converters = real(seed)
    n_plc = 10.0
    table = KEITHLEY_2400
    assert (abs(converters.source_v(V) - V) <= table.source_v.bound(V)).all()
    six_sigma_v = 6 * _noise(table.measure_v, V) / np.sqrt(n_plc)
    assert (abs(converters.measure_v(V, n_plc) - V) <= table.measure_v.bound(V) + six_sigma_v).all()
    six_sigma_a = 6 * _noise(table.measure_a, A) / np.sqrt(n_plc)
    assert (abs(converters.measure_a(A, n_plc) - A) <= table.measure_a.bound(A) + six_sigma_a).all()


def _noise(table: AccuracyTable, values: FloatArray) -> float:
    highest = int(table.range_index(values).max())
    return max(r.noise_rms for r in table.ranges[: highest + 1])


def test_gain_and_offset_belong_to_the_instrument() -> None:
    converters = real(3)
    assert converters.source_v(V).tolist() == converters.source_v(V).tolist()
    means = [np.mean([converters.measure_a(A, 1.0) for _ in range(400)], axis=0) for _ in range(2)]
    assert np.allclose(means[0], means[1], atol=5 * 40e-9 / 20, rtol=0)
    assert abs(means[0] - A).max() > 0


def test_two_instruments_differ_and_a_seed_makes_one() -> None:
    assert real(1).source_v(V).tolist() == real(1).source_v(V).tolist()
    assert real(1).measure_a(A, 1.0).tolist() == real(1).measure_a(A, 1.0).tolist()
    assert real(1).source_v(V).tolist() != real(2).source_v(V).tolist()


def test_noise_falls_with_the_root_of_the_integration_time() -> None:
    converters = real(5)
    many = np.full(4000, 5e-5)  # 100 uA range: 400 pA at 1 PLC
    spreads = [float(np.std(converters.measure_a(many, n_plc))) for n_plc in (0.1, 1.0, 10.0)]
    assert spreads == pytest.approx([400e-12 * f for f in (10**0.5, 1, 10**-0.5)], rel=0.1)
