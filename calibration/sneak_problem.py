"""The currents of an array as a problem of least squares, solved, with its uncertainty."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy import linalg

from calibration.array_model import ArrayModel, LineReadings, Sensed
from calibration.sneak_readings import CellCurrents
from hil.arrays import ArrayInfo
from hil.correction import Correction
from hil.coverage import RECTANGULAR, coverage_factor
from hil.errors import UnmodelledError
from hil.station import Station
from hil.types import BoardInfo, FloatArray

_MAX_ITERATIONS = 30
_MAX_HALVINGS = 12
_CLOSE_RATIO = 1e-7  # of the largest conductance, for the last step
_DIFFERENCE_RATIO = 1e-4  # of what a common quantity is differentiated by


class Solution(NamedTuple):
    """What was found.

    Attributes:
        g_siemens: of all cells, row by row.
        g_expanded_siemens: their expanded uncertainties (k = 2).
        missing_a: measured minus modelled currents.
        n_iterations: that it took.
    """

    g_siemens: FloatArray
    g_expanded_siemens: FloatArray
    missing_a: FloatArray
    n_iterations: int


class _Common(NamedTuple):
    """Quantities that many currents have in common.

    Attributes:
        effects: of each on measured minus modelled currents, shape (k, n_quantities).
        root: a square root of their covariance.
        kurtosis: excess kurtosis of each.
    """

    effects: FloatArray
    root: FloatArray
    kurtosis: FloatArray


class _Linear(NamedTuple):
    """The problem around some unknowns.

    Attributes:
        missing_a: measured minus modelled currents, shape (k,).
        slopes: derivatives of the modelled currents by the unknowns, shape (k, n_unknowns).
        by_mix: by the mixes, shape (k, n_cells).
        weight: 1 over the noise of each current.
        common: what the currents have in common.
    """

    missing_a: FloatArray
    slopes: FloatArray
    by_mix: FloatArray
    weight: FloatArray
    common: _Common


class CurrentProblem:
    """Finds the conductances that give the currents that were measured, by Gauss-Newton.

    With more currents than cells there are more unknowns than conductances: the mix of each cell
    (``ArrayModel``), what all mixes have in common, and the errors that are common to many
    readings. These are expected to be 0 within what is known of them: mixes within a standard
    deviation of the OFF conductance of the record (records say 60 % of it), their common part
    too (R_OFF of many devices averages above its median), the others as ``Correction``, the
    source and the tolerance of the lines say.

    Args:
        station: of the board.
        info: of the board.
        array: its wires.
        correction: what is known of the instrument.
        currents: that were measured.
    """

    def __init__(
        self,
        station: Station,
        info: BoardInfo,
        array: ArrayInfo,
        correction: Correction,
        currents: CellCurrents,
    ) -> None:
        self._model = ArrayModel(station, info, currents.v_read_v)
        more = 1 + _DIFFERENCE_RATIO
        self._longer = ArrayModel(station, info, currents.v_read_v, wires_ratio=more)
        self._n_cells = len(info.devices)
        self._tolerance_ratio = info.tolerance_ratio
        self._noise_ratio = array.read_noise_ratio
        self._nplc = station.table.smu.read_nplc
        self._correction, self._currents = correction, currents
        self._used = np.unique(np.concatenate([currents.offset, currents.gain, [0]]))
        n_common = len(self._used) + 2
        mix_prior, common_prior = 1 / self._model.off_siemens, np.ones(1 + n_common)
        extra = np.append(mix_prior, common_prior) if currents.n_schemes > 1 else np.zeros(0)
        # 1 over the standard deviation that each unknown is expected to have around 0.
        self._prior = np.append(np.zeros(self._n_cells), extra)

    def solve(self, start_siemens: FloatArray) -> Solution:
        """Return the conductances.

        Raises:
            UnmodelledError: it does not converge.
        """
        unknowns = np.zeros(len(self._prior))
        unknowns[: self._n_cells] = start_siemens
        for n in range(1, _MAX_ITERATIONS + 1):
            here = self._linearise(unknowns)
            inverse = _inverse(here.slopes, here.weight, self._prior)
            expected = -self._prior * unknowns
            step = inverse @ np.append(here.weight * here.missing_a, expected)
            last = np.abs(step[: self._n_cells]).max()
            if last <= _CLOSE_RATIO * np.abs(unknowns[: self._n_cells]).max():
                expanded = self._expanded(here, inverse, unknowns)
                return Solution(unknowns[: self._n_cells], expanded, here.missing_a, n)
            unknowns = self._along(unknowns, step, here)
        raise UnmodelledError(
            f"sneak paths: no conductances were found after {_MAX_ITERATIONS} iterations; are the "
            f"resistances of the lines in [array] those of this array?"
        )

    def _expanded(self, here: _Linear, inverse: FloatArray, unknowns: FloatArray) -> FloatArray:
        """Return the expanded uncertainties, to first order (GUM, JCGM 100:2008).

        With more currents than cells, shapes that the model does not have show as a misfit beyond
        the noise; all uncertainties are then larger by the Birge ratio (Phys. Rev. 40, 207, 1932).
        """
        inverse = inverse[: self._n_cells]
        variance = (inverse**2).sum(axis=1)
        if self._prior.any():
            misfit = np.hypot(
                linalg.norm(here.weight * here.missing_a), linalg.norm(self._prior * unknowns)
            )
            birge_ratio = max(1.0, float(misfit) / np.sqrt(len(here.weight) - self._n_cells))
            twice: FloatArray = 2 * birge_ratio * np.sqrt(variance)
            return twice
        inverse = inverse[:, : len(here.weight)] * here.weight
        variance += (inverse @ here.by_mix) ** 2 @ self._model.off_siemens**2
        each = (inverse @ here.common.effects @ here.common.root) ** 2
        variance += each.sum(axis=1)
        fourth = (each**2 * here.common.kurtosis).sum(axis=1)
        expanded: FloatArray = coverage_factor(fourth / variance**2) * np.sqrt(variance)
        return expanded

    def _along(self, unknowns: FloatArray, step: FloatArray, here: _Linear) -> FloatArray:
        """Take a step, or as much of it as makes the misfit less."""
        before, there = self._misfit(unknowns, here), unknowns
        for k in range(_MAX_HALVINGS):
            there = unknowns + 0.5**k * step
            if self._misfit(there, here) < before:
                break
        return there

    def _misfit(self, unknowns: FloatArray, here: _Linear) -> float:
        try:
            sensed = self._sensed(unknowns, self._model, self._currents.lines)
        except UnmodelledError:  # conductances far below 0
            return np.inf
        missing = here.weight * self._missing_a(unknowns, sensed, here.common)
        return float(np.hypot(linalg.norm(missing), linalg.norm(self._prior * unknowns)))

    def _missing_a(self, unknowns: FloatArray, sensed: Sensed, common: _Common) -> FloatArray:
        missing_a = self._currents.i_a - sensed.i_a
        errors = unknowns[2 * self._n_cells + 1 :]
        return missing_a + common.effects @ common.root @ errors if len(errors) else missing_a

    def _linearise(self, unknowns: FloatArray) -> _Linear:
        sensed, by_g, by_mix = self._model.differentiate(
            *self._split(unknowns), self._currents.lines
        )
        common = self._common(unknowns, sensed)
        slopes = by_g
        if self._prior.any():
            shared = by_mix @ self._model.off_siemens
            slopes = np.column_stack([by_g, by_mix, shared, -common.effects @ common.root])
        missing_a = self._missing_a(unknowns, sensed, common)
        return _Linear(missing_a, slopes, by_mix, 1 / self._noise_a(sensed), common)

    def _noise_a(self, sensed: Sensed) -> FloatArray:
        """Return the noise of the mean currents."""
        ammeter_a = self._correction.noise_a(sensed.i_a, self._nplc)
        noise_a: FloatArray = np.hypot(ammeter_a, self._noise_ratio * sensed.i_cell_a)
        return noise_a / np.sqrt(self._currents.n_repeats)

    def _split(self, unknowns: FloatArray) -> tuple[FloatArray, FloatArray]:
        n = self._n_cells
        g, mix = unknowns[:n], unknowns[n : 2 * n]
        return g, mix + unknowns[2 * n] * self._model.off_siemens if len(mix) else np.zeros_like(g)

    def _sensed(self, unknowns: FloatArray, model: ArrayModel, lines: LineReadings) -> Sensed:
        return model.read(*self._split(unknowns), lines)

    def _common(self, unknowns: FloatArray, sensed: Sensed) -> _Common:
        """Return quantities of the correction that matter, gain of the source, and the lines."""
        currents, correction, used = self._currents, self._correction, self._used
        inverse_gain = 1 / correction.values[currents.gain]
        each = np.arange(len(currents.i_a))
        effects = np.zeros((len(each), len(used) + 2))
        effects[each, np.searchsorted(used, currents.offset)] = -inverse_gain
        effects[each, np.searchsorted(used, currents.gain)] = -inverse_gain * currents.i_a
        small, d_v = _DIFFERENCE_RATIO, _DIFFERENCE_RATIO * currents.v_read_v
        changes = (
            (0, self._model, currents.shifted(offset_v=-d_v), d_v),
            (-2, self._model, currents.shifted(gain_ratio=small), small),
            (-1, self._longer, currents.lines, small),
        )
        for column, model, lines, by in changes:
            change_a = self._sensed(unknowns, model, lines).i_a - sensed.i_a
            effects[:, column] = -change_a / by
        source = correction.accuracy.source_v
        gain_ratio = source.ranges[int(source.range_index(correction.volts.full_scale))].gain_ratio
        root = linalg.block_diag(
            _root(correction.covariance[np.ix_(used, used)]),
            np.diag(np.array([gain_ratio, self._tolerance_ratio]) / np.sqrt(3)),
        )
        kurtosis = np.append(correction.excess_kurtosis[used], [RECTANGULAR, RECTANGULAR])
        return _Common(effects, np.asarray(root), kurtosis)


def _root(covariance: FloatArray) -> FloatArray:
    """Return a square root of a covariance, diagonal if it is."""
    deviation = np.sqrt(np.diag(covariance))
    scale = np.where(deviation > 0, deviation, 1.0)
    values, vectors = linalg.eigh(covariance / np.outer(scale, scale))
    root: FloatArray = scale[:, None] * (vectors * np.sqrt(np.maximum(values, 0.0))) @ vectors.T
    return root


def _inverse(slopes: FloatArray, weight: FloatArray, prior: FloatArray) -> FloatArray:
    """Return what makes least-squares unknowns of weighted currents and of what is expected."""
    if not prior.any():  # as many currents as unknowns
        inverse: FloatArray = linalg.inv(slopes, check_finite=False) / weight
        return np.hstack([inverse, np.zeros_like(inverse)])
    rows = np.vstack([weight[:, None] * slopes, np.diag(prior)])
    scale = 1 / np.sqrt((rows**2).sum(axis=0))
    rows *= scale
    normal = linalg.cho_factor(rows.T @ rows, check_finite=False)
    solved: FloatArray = scale[:, None] * linalg.cho_solve(normal, rows.T, check_finite=False)
    return solved
