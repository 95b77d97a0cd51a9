"""Conductances of all cells of a passive array from its port currents: sneak paths taken out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy import linalg

from calibration.sneak_problem import CurrentProblem
from calibration.sneak_readings import CellCurrents
from hil.applied import apply_records
from hil.arrays import ArrayInfo, CellKind, Scheme
from hil.errors import UsageError
from hil.instruments.accuracy import KEITHLEY_2400
from hil.station import Station
from hil.types import BoardInfo, FloatArray, Readings

MAX_CELLS = 4096
"""Largest array: sensitivities are a dense matrix of as many columns. Readings at two voltages have
two unknowns for each cell."""


@dataclass(frozen=True)
class Corrected:
    """Conductances of all cells, sneak paths and lines taken out.

    Attributes:
        g_siemens: chord conductance of each device at ``v_read_v``, shape (rows, columns). An open
            device gives 0 S within its uncertainty, of either sign.
        g_expanded_siemens: expanded uncertainty (k = 2): noise, offsets and gains of the
            instrument, noise of the devices, tolerance of the lines, and how much of the
            conductance is that of OFF switches. How else the I-V of a device differs in shape from
            its record is not in it.
        v_read_v: across the device.
        residual_ratio: rms of measured minus modelled currents, over that of the measured ones.
            One scheme has as many unknowns as currents and leaves none; two schemes tell whether
            the model fits.
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
    of their records. Gauss-Newton with exact sensitivities; repeated readings of a cell are
    averaged.

    Half-selected cells conduct at other voltages than the read voltage, and devices differ from
    their records in how they do: that is the largest error of all schemes but the grounded one.
    Readings at two voltages, V and V/2 say, take most of it out: which part of the conductance of
    each device is that of OFF switches is then an unknown as well.

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
    if currents.n_unknowns > MAX_CELLS:
        raise UsageError(
            f"{len(info.devices)} cells under {currents.n_schemes} schemes and voltages are "
            f"{currents.n_unknowns} unknowns: sneak paths are taken out with {MAX_CELLS} at most; "
            f"read under one scheme at one voltage"
        )
    problem = CurrentProblem(station, info, array, correction, currents)
    found = problem.solve(_start(info, array, currents, next(iter(taken))))
    return Corrected(
        g_siemens=found.g_siemens.reshape(info.shape),
        g_expanded_siemens=found.g_expanded_siemens.reshape(info.shape),
        v_read_v=currents.v_read_v,
        residual_ratio=float(linalg.norm(found.missing_a) / linalg.norm(currents.i_a)),
        n_iterations=found.n_iterations,
    )


def _start(info: BoardInfo, array: ArrayInfo, currents: CellCurrents, scheme: Scheme) -> FloatArray:
    """Return conductances as if lines had no resistance, and conductances no voltage."""
    n_rows, n_columns = info.shape
    raw = (currents.i_a[: n_rows * n_columns] / currents.v_read_v).reshape(info.shape)
    if scheme is Scheme.FLOATING:
        return np.maximum(raw * _floating_share(n_rows, n_columns), 0.0).ravel()
    along, against = array.bands_v(currents.v_read_v)
    share = {
        Scheme.GROUNDED: 0.0,
        Scheme.HALF: 1 / 2,
        Scheme.THIRD: 1 / 3,
        Scheme.SDC: along / (2 * along + against),
    }[scheme]
    column = raw.sum(axis=0) / (1 - share + n_rows * share)
    start: FloatArray = np.maximum((raw - share * column) / (1 - share), 0.0).ravel()
    return start


def _floating_share(n_rows: int, n_columns: int) -> float:
    """Return which part of the current flows through the cell that is read, if all are alike."""
    others = (n_rows - 1, (n_rows - 1) * (n_columns - 1), n_columns - 1)
    if not all(others):
        return 1.0
    return 1 / (1 + 1 / sum(1 / n for n in others))


def _passive_array(info: BoardInfo) -> ArrayInfo:
    array = info.array
    if array is None or array.cell_kind is not CellKind.PASSIVE:
        raise UsageError(
            f"board {info.kind!r} isolates the cells that it reads: there are no sneak paths to "
            f"take out"
        )
    if len(info.devices) > MAX_CELLS:
        raise UsageError(
            f"an array of {info.shape[0]} x {info.shape[1]} has {len(info.devices)} cells: sneak "
            f"paths are taken out of {MAX_CELLS} at most; read it grounded"
        )
    return array
