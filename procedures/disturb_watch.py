"""Disturb of half-selected cells during a run: the budget before it, guard reads within it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from calibration.disturb import DisturbModel, Step
from hil.arrays import Scheme
from hil.errors import BoardError
from hil.patterns import bias
from hil.station import Station
from hil.types import BoardInfo, FloatArray
from hil.units import text

Cell = tuple[int, int]


def plan_steps(
    info: BoardInfo,
    scheme: Scheme,
    cells: Sequence[Cell],
    targets_siemens: FloatArray,
    doses_s: Mapping[float, float],
) -> Iterator[Step]:
    """Yield what programming does to an array at most: every dose, by amplitude, on every cell."""
    for cell in cells:
        for amplitude_v, on_s in doses_s.items():
            pattern = bias(scheme, info, cell, amplitude_v)
            yield Step(pattern, on_s, float(targets_siemens[cell]))


class DisturbWatch:
    """Sums what was foreseen for every cell since it was read last, and compares guard reads.

    Args:
        station: names the records of the devices.
        info: of its board, an array.
        scheme: how cells are pulsed.
        v_read_v: read voltage of all conductances.
        budget_ratio: largest change of a cell beyond the foreseen one that a guard read lets pass.

    Attributes:
        n_reads: guard reads so far.
    """

    def __init__(
        self,
        station: Station,
        info: BoardInfo,
        scheme: Scheme,
        v_read_v: float,
        budget_ratio: float,
    ) -> None:
        self._model = DisturbModel(station, info)
        self._info = info
        self._scheme = scheme
        self._v_read_v = v_read_v
        self._budget_ratio = budget_ratio
        self._foreseen = np.zeros(info.shape)
        self._programmed: list[Cell] = []
        self.n_reads = 0

    def note(self, cell: Cell, doses_s: Mapping[float, float], map_siemens: FloatArray) -> None:
        """Add what programming one cell did to the others, as the records foresee it."""
        self._model.begin(map_siemens, self._v_read_v)
        for amplitude_v, on_s in doses_s.items():
            if on_s > 0:
                pattern = bias(self._scheme, self._info, cell, amplitude_v)
                self._foreseen += self._model.change(pattern, on_s)
        self._foreseen[cell] = 0.0
        self._programmed.append(cell)

    def guards(self, cell: Cell, n_guards: int) -> list[Cell]:
        """Return cells to read: programmed ones on the lines of ``cell``, the worst foreseen first.

        Where nothing is foreseen these are the ones that were programmed first.
        """
        on_lines = [
            c for c in self._programmed if c != cell and (c[0] == cell[0] or c[1] == cell[1])
        ]
        on_lines.sort(key=lambda c: -abs(self._foreseen[c]))
        return on_lines[:n_guards]

    def check(self, cell: Cell, before_siemens: float, after_siemens: float) -> None:
        """Compare a guard read with the reading before it; the sum begins anew.

        Raises:
            BoardError: the cell has changed by more than was foreseen and the budget.
        """
        self.n_reads += 1
        foreseen, self._foreseen[cell] = float(self._foreseen[cell]), 0.0
        change = after_siemens - before_siemens
        if abs(change - foreseen) > self._budget_ratio * before_siemens:
            name = self._info.device_at(np.array(cell)).name
            raise BoardError(
                f"guard read: {name} at cell ({cell[0]}, {cell[1]}) went from "
                f"{text(before_siemens, 'S')} to {text(after_siemens, 'S')} "
                f"({change / before_siemens:+.1%}) without being meant; {text(foreseen, 'S')} was "
                f"foreseen and the budget is {self._budget_ratio:.1%}: the dead band of the "
                f"station is too wide for this array, or its devices are not those of the records"
            )
