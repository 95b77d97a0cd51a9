from __future__ import annotations

import numpy as np
import pytest
from scipy.special import betaincinv

from hil.coverage import COVERAGE, RECTANGULAR, coverage_factor


def test_both_ends_are_exact() -> None:
    assert float(coverage_factor(0.0)) == 2.0
    assert float(coverage_factor(RECTANGULAR)) == pytest.approx(COVERAGE * np.sqrt(3), rel=1e-5)


@pytest.mark.parametrize("kurtosis", np.linspace(-1.15, -0.05, 12))
def test_between_them_are_quantiles_of_symmetric_beta_distributions(kurtosis: float) -> None:
    a = (-6 / kurtosis - 3) / 2
    quantile = 2 * betaincinv(a, a, (1 + COVERAGE) / 2) - 1
    assert float(coverage_factor(kurtosis)) == pytest.approx(
        quantile * np.sqrt(2 * a + 1), abs=2e-3
    )


@pytest.mark.parametrize(
    ("halves", "sigma"),
    [([1.0], 0.01), ([1.0], 0.3), ([1.0], 1.0), ([1.0, 0.2], 0.0), ([1.0, 1.0, 0.5], 0.1)],
)
def test_sums_of_rectangular_and_normal_parts_are_covered(
    halves: list[float], sigma: float
) -> None:
    rng = np.random.default_rng(11)
    n = 400_000
    x = sigma * rng.standard_normal(n)
    for half in halves:
        x += rng.uniform(-half, half, n)
    variance = sum(h**2 for h in halves) / 3 + sigma**2
    kurtosis = RECTANGULAR * sum(h**4 for h in halves) / 9 / variance**2
    covered = float(np.mean(np.abs(x) <= coverage_factor(kurtosis) * np.sqrt(variance)))
    assert 0.951 < covered < 0.961
