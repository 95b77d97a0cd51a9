"""Conductances of all cells of a board: averaged readings, sneak paths taken out if asked."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from calibration.sneak_paths import MAX_CELLS, correct_sneak_paths
from hil.arrays import CellKind, Scheme
from hil.board import Board
from hil.errors import ParameterError
from hil.station import Station
from hil.types import BoardInfo, FloatArray, Readings

AUTO, YES, NO = "auto", "yes", "no"
_STATION = "station"
SCHEMES = [_STATION, *(scheme.value for scheme in Scheme)]
"""What a parameter of a procedure may say of the scheme; the first one leaves it to the station."""


def chosen_scheme(name: str) -> Scheme | None:
    """Return the scheme that a parameter names; None for that of the station."""
    return None if name == _STATION else Scheme(name)


def takes_out(correct: str, info: BoardInfo) -> bool:
    """Return whether sneak paths are to be taken out: if asked, or if it is left open and they are.

    Raises:
        ParameterError: asked for on a board without any.
    """
    has_paths = info.array is not None and info.array.cell_kind is CellKind.PASSIVE
    if correct == YES and not has_paths:
        raise ParameterError(
            f"parameter correct = yes: board {info.kind!r} of station {info.station!r} isolates "
            f"the cells that it reads; there are no sneak paths to take out"
        )
    return has_paths and correct != NO


@dataclass(frozen=True)
class ArrayMap:
    """Conductances of all cells, shape (rows, columns).

    Attributes:
        raw_siemens: mean of the readings as they are.
        g_siemens: sneak paths and lines taken out; the same as raw if not asked for.
        g_expanded_siemens: expanded uncertainty (k = 2) of ``g_siemens``.
        residual_ratio: of the network model; NaN without one.
    """

    raw_siemens: FloatArray
    g_siemens: FloatArray
    g_expanded_siemens: FloatArray
    residual_ratio: float


@dataclass(frozen=True)
class MapReader:
    """Reads all cells of a board.

    Args:
        board: what is read.
        station: its records and lines, for the correction.
        v_read_v: read voltage.
        scheme: how other lines are held; None as the station says.
        n_average: readings of each cell.
        is_corrected: whether sneak paths are taken out.
        go_on: called between passes; raises to stop.
    """

    board: Board
    station: Station
    v_read_v: float
    scheme: Scheme | None
    n_average: int
    is_corrected: bool
    go_on: Callable[[], None]

    def read(self) -> ArrayMap:
        """Read every cell ``n_average`` times.

        Half-selected cells carry current at other voltages than the read voltage: to take that out,
        cells are read as often at half the voltage as well.

        Raises:
            UnmodelledError: no conductances give the currents that were measured.
        """
        info = self.board.info
        passes = self._read_at(self.v_read_v)
        raw = np.mean([one.g_siemens for one in passes], axis=0).reshape(info.shape)
        if not self.is_corrected:
            # Errors of the instrument are the same in all passes; the mean is no better for them.
            expanded = np.mean([one.g_expanded_siemens for one in passes], axis=0)
            return ArrayMap(raw, raw, expanded.reshape(info.shape), np.nan)
        scheme = self.scheme or (info.array.read_scheme if info.array else Scheme.ISOLATED)
        if scheme is not Scheme.GROUNDED and 2 * len(info.devices) <= MAX_CELLS:
            passes += self._read_at(self.v_read_v / 2)
        found = correct_sneak_paths(self.station, info, {scheme: Readings.join(passes)})
        return ArrayMap(raw, found.g_siemens, found.g_expanded_siemens, found.residual_ratio)

    def _read_at(self, v_read_v: float) -> list[Readings]:
        passes = []
        for _ in range(self.n_average):
            self.go_on()
            cells = self.board.info.all_cells
            passes.append(self.board.measure(cells, v_read_v, scheme=self.scheme))
        return passes
