"""Expanded uncertainties (k = 2) of what a twin is compared with, and of what it foresees."""

from __future__ import annotations

import numpy as np

from hil.boards.divergence import COVERAGE
from hil.instruments.accuracy import KEITHLEY_2400
from hil.types import FloatArray

_T_FACTORS = {1: 13.97, 2: 4.53, 3: 3.31, 4: 2.87, 5: 2.65, 6: 2.52, 7: 2.43, 8: 2.37, 16: 2.17}
"""Student's t for 95.45 % (GUM, JCGM 100:2008, table G.2): few members know their spread badly."""

_TRAPEZOID_BOUND_RATIO = 0.5  # what two samples of a pulse can miss; see ``hil.boards.train``


def root_sum(*parts: FloatArray) -> FloatArray:
    """Return the root of the sum of squares of independent contributions."""
    with np.errstate(over="ignore"):
        total: FloatArray = np.sqrt(np.sum([part**2 for part in parts], axis=0))
    return total


def expanded_current_a(i_a: FloatArray) -> FloatArray:
    """Return the expanded uncertainty of currents that were read, by the accuracy table."""
    expanded: FloatArray = COVERAGE / np.sqrt(3) * KEITHLEY_2400.measure_a.bound(i_a)
    return expanded


def expanded_energy_j(energy_j: FloatArray, method: str) -> FloatArray:
    """Return the expanded uncertainty of energies, by the method that summed them."""
    bound_ratio = _TRAPEZOID_BOUND_RATIO if method == "trapezoid" else 0.0
    expanded: FloatArray = COVERAGE * bound_ratio / np.sqrt(3) * np.abs(energy_j)
    return expanded


def spread_of_members(values: FloatArray, members: list[FloatArray]) -> FloatArray:
    """Return how far nobody can foresee values, from what members of an ensemble made of them.

    Of the logarithm: a threshold that moves a little changes a conductance by a factor.

    Args:
        values: of the twin that foresees.
        members: the same of the twins around it; none for no spread.
    """
    if not members:
        return np.zeros_like(values)
    factor = _T_FACTORS.get(len(members), COVERAGE)
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):  # shorts, opens
        ratios = np.log(np.abs([member / values for member in members]))
        spread: FloatArray = np.expm1(factor * np.sqrt(np.mean(ratios**2, axis=0)))
        return spread * np.abs(values)
