"""Conductances of single cells of an array, with what its lines do to a reading taken out."""

from __future__ import annotations

import numpy as np

from hil.arrays import ArrayInfo, CellKind, Scheme
from hil.errors import UnsupportedError
from hil.patterns import bias
from hil.types import BoardInfo, FloatArray, Readings
from twin.network import CrossbarNetwork, Wires

_N_ITERATIONS = 3
_LEAST_SIEMENS = 1e-12


def wires_of(array: ArrayInfo) -> Wires:
    """Return the wires of an array as the network takes them."""
    return Wires(array.r_word_ohm, array.r_bit_ohm, array.r_driver_ohm, array.r_sense_ohm)


class LineDrops:
    """Takes the voltage that lines lose out of readings of single cells, by what is known of all.

    For programming, where one cell changes at a time: ``sneak_paths`` needs readings of all cells,
    this one a map of them that may be somewhat old. Cells are taken as linear, which they are to
    within their change of conductance over the few millivolts that lines lose. Costs a few
    solutions of the network, some 0.3 ms each for 16 x 16 cells.

    Args:
        info: of the board; a bank, and an array whose selectors isolate each cell, need nothing.
    """

    def __init__(self, info: BoardInfo) -> None:
        array = info.array
        self._info = info
        self._network: CrossbarNetwork | None = None
        if array is not None and array.cell_kind is CellKind.PASSIVE:
            self._network = CrossbarNetwork(info.shape, wires_of(array))

    def corrected(self, readings: Readings, map_siemens: FloatArray, scheme: Scheme) -> FloatArray:
        """Return the conductance of each cell that was read, shape (n_cells,).

        Args:
            readings: under ``scheme``.
            map_siemens: of all cells, shape (rows, columns), as far as they are known.
            scheme: a grounded one; others add the currents of other cells, which a map that is
                somewhat old does not tell well enough.

        Raises:
            UnsupportedError: another scheme in a passive array.
        """
        if self._network is None:
            return readings.g_siemens
        if scheme is not Scheme.GROUNDED:
            raise UnsupportedError(
                f"readings under scheme {scheme.value!r} are corrected all together, not cell by "
                f"cell: read grounded"
            )
        return np.array(
            [
                self._one(tuple(cell), i_a, v_v, map_siemens)
                for cell, i_a, v_v in zip(
                    readings.cells.tolist(),
                    readings.i_a.tolist(),
                    readings.v_source_v.tolist(),
                    strict=True,
                )
            ]
        )

    def _one(self, cell: tuple[int, int], i_a: float, v_v: float, map_siemens: FloatArray) -> float:
        assert self._network is not None
        g_siemens = np.maximum(map_siemens, 0.0)
        pattern = bias(Scheme.GROUNDED, self._info, cell, v_v)
        here = max(i_a / v_v, _LEAST_SIEMENS)
        for _ in range(_N_ITERATIONS):
            g_siemens[cell] = here
            state = self._network.solve(g_siemens, pattern.rows_v, pattern.columns_v)
            here *= i_a / float(state.i_columns_a[0, cell[1]])
            if not here > 0:  # an open cell within the noise of the ammeter
                return i_a / v_v
        return here
