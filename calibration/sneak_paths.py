"""Conductances of all cells of a passive array from its port currents: sneak paths taken out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy import linalg

from calibration.array_model import ArrayModel
from calibration.sneak_problem import CurrentErrors
from calibration.sneak_readings import CellCurrents
from hil.applied import apply_records
from hil.arrays import ArrayInfo, CellKind, Scheme
from hil.errors import UnmodelledError, UsageError
from hil.instruments.accuracy import KEITHLEY_2400
from hil.station import Station
from hil.types import BoardInfo, FloatArray, Readings

MAX_CELLS = 4096
"""Largest array under one scheme at one voltage, half of it under two: what is known of all
currents together is a dense matrix. 1024 cells take seconds, 4096 minutes."""

_START_SIEMENS = 5e-5
_MAX_ITERATIONS = 30
_CLOSE_RATIO = 1e-7  # of the largest conductance, for the last step


@dataclass(frozen=True)
class Corrected:
    """Conductances of all cells, sneak paths and lines taken out.

    Attributes:
        g_siemens: chord conductance of each device at ``v_read_v``, shape (rows, columns). An open
            device gives 0 S within its uncertainty, of either sign.
        g_expanded_siemens: expanded uncertainty (k = 2): noise, offsets and gains of the
            instrument, noise of the devices, tolerance of the lines, and how much of the
            conductance is that of OFF switches. How else the I-V of a device differs in shape from
            its record is in it only as far as the currents contradict each other.
        v_read_v: across the device.
        residual_ratio: rms of measured minus modelled currents, over that of the measured ones.
            One scheme at one voltage has as many unknowns as currents and leaves none; more tell
            whether the model fits.
        n_iterations: of Gauss-Newton.
    """

    g_siemens: FloatArray
    g_expanded_siemens: FloatArray
    v_read_v: float
    residual_ratio: float
    n_iterations: int


def correct_sneak_paths(
    station: Station, info: BoardInfo, taken: Mapping[Scheme, Readings]
) -> Corrected:
    """Find the conductances with which the array would give the currents that were measured.

    The network is that of ``ArrayModel``: lines as the station says, cells with the nominal shape
    of their records. Generalised least squares by Gauss-Newton: currents count by their joint
    covariance (``CurrentErrors``), which says what they have in common. Where more currents than
    conductances disagree beyond it, all uncertainties grow by the ratio (Birge, Phys. Rev. 40, 207,
    1932).

    Half-selected cells conduct at other voltages than the read voltage, and devices differ from
    their records in how they do: that is the largest error of all schemes but the grounded one.
    Readings at two voltages, V and V/2 say, take most of it out.

    Args:
        station: of the board.
        info: of the board that was read.
        taken: readings of every cell, each once or several times, by the scheme that they were
            read under; at one voltage, or all cells at each of several. Conductances are those at
            the largest.

    Raises:
        UsageError: the board is no passive array or too large, or a cell was not read.
        UnmodelledError: no conductances give these currents.
    """
    array = _passive_array(info)
    correction = apply_records(station, KEITHLEY_2400, info.identity).correction
    currents = CellCurrents.of(taken, info, correction)
    if len(currents.i_a) > MAX_CELLS:
        raise UsageError(
            f"{len(info.devices)} cells give {len(currents.i_a)} currents under these schemes and "
            f"voltages: sneak paths are taken out of {MAX_CELLS} at most; read under one scheme at "
            f"one voltage, or grounded"
        )
    nplc, tolerance = station.table.smu.read_nplc, info.tolerance_ratio
    errors = CurrentErrors(currents, correction, nplc, array.read_noise_ratio, tolerance)
    v_read_v = float(currents.v_read_v.max())
    return _solve(ArrayModel(station, info, v_read_v), errors, info.shape, v_read_v)


def _solve(
    model: ArrayModel, errors: CurrentErrors, shape: tuple[int, int], v_read_v: float
) -> Corrected:
    currents, driven = errors.currents, errors.currents.driven
    g = np.full(shape[0] * shape[1], _START_SIEMENS)
    g *= currents.i_a.sum() / model.sense(g, driven).i_a.sum()
    for n_iterations in range(1, _MAX_ITERATIONS + 1):
        sensed = model.sense(g, driven)
        missing_a = currents.i_a - sensed.i_a
        covariance = errors.covariance(sensed, model.off_part(g))
        step, deviation = _least_squares(sensed.by_g, missing_a, covariance)
        if np.abs(step).max() <= _CLOSE_RATIO * np.abs(g).max():
            return Corrected(
                g_siemens=g.reshape(shape),
                g_expanded_siemens=2 * deviation.reshape(shape),
                v_read_v=v_read_v,
                residual_ratio=float(linalg.norm(missing_a) / linalg.norm(currents.i_a)),
                n_iterations=n_iterations,
            )
        g = g + step
    raise UnmodelledError(
        f"sneak paths: no conductances were found after {_MAX_ITERATIONS} iterations; are the "
        f"resistances of the lines in [array] those of this array?"
    )


def _least_squares(
    slopes: FloatArray, missing: FloatArray, covariance: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Return unknowns x with slopes @ x = missing, and their standard deviations."""
    n_rows, n = slopes.shape
    lower = linalg.cholesky(covariance, lower=True)
    white = linalg.solve_triangular(lower, np.column_stack([slopes, missing]), lower=True)
    (r,) = linalg.qr(white, mode="r")
    inverse = linalg.solve_triangular(r[:n, :n], np.eye(n))
    left = linalg.norm(r[n : n + 1, n])  # of the whitened currents, what no unknowns give
    birge_ratio = max(1.0, float(left) / np.sqrt(max(n_rows - n, 1)))
    return inverse @ r[:n, n], birge_ratio * linalg.norm(inverse, axis=1)


def _passive_array(info: BoardInfo) -> ArrayInfo:
    array = info.array
    if array is None or array.cell_kind is not CellKind.PASSIVE:
        raise UsageError(
            f"board {info.kind!r} isolates the cells that it reads: there are no sneak paths to "
            f"take out"
        )
    return array
