"""What all boards share: requests are checked whole before the board is asked for anything."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from types import TracebackType
from typing import Self

import numpy as np
from numpy.typing import ArrayLike

from hil.clock import Clock
from hil.errors import BoardError, UsageError
from hil.limits import DeviceLimits, LimitChecker
from hil.types import (
    BoardInfo,
    CellArray,
    Dopant,
    FloatArray,
    MatVec,
    Pulses,
    Readings,
    SweepTrace,
    as_cells,
)


class CheckedBoard(ABC):
    """A ``Board`` that checks arguments and limits and leaves the acting to a subclass."""

    def __init__(
        self,
        info: BoardInfo,
        limits: Mapping[Dopant, DeviceLimits],
        clock: Clock,
    ) -> None:
        self._info = info
        self._limits = limits
        self._clock = clock
        self._checker = LimitChecker(info, limits)
        self._is_open = True

    @property
    def info(self) -> BoardInfo:
        """What the board is and what it can do."""
        return self._info

    @property
    def limits(self) -> Mapping[Dopant, DeviceLimits]:
        """Limits in force, by dopant."""
        return self._limits

    @property
    def clock(self) -> Clock:
        """The board's time base."""
        return self._clock

    def measure(
        self, cells: ArrayLike, v_read_v: ArrayLike, *, allow_reverse: bool = False
    ) -> Readings:
        """Read conductances; see ``hil.board.Board.measure``."""
        cells = self._cells(cells)
        v_read_v = self._checker.check_read(cells, v_read_v, allow_reverse=allow_reverse)
        return self._measure(cells, v_read_v)

    def pulse(
        self, cells: ArrayLike, amplitude_v: ArrayLike, width_s: ArrayLike, n_pulses: int = 1
    ) -> Pulses:
        """Apply pulses; see ``hil.board.Board.pulse``."""
        cells = self._cells(cells)
        amplitude_v, width_s = self._checker.check_pulse(cells, amplitude_v, width_s, n_pulses)
        return self._pulse(cells, amplitude_v, width_s, n_pulses)

    def sweep(self, cell: ArrayLike, waveform_v: ArrayLike, dt_s: float) -> SweepTrace:
        """Follow a waveform on one cell; see ``hil.board.Board.sweep``."""
        cells = self._cells(np.atleast_2d(np.asarray(cell)))
        if len(cells) != 1:
            raise UsageError(f"a sweep is on one cell, not on {len(cells)}")
        waveform_v = self._checker.check_sweep(cells, waveform_v, dt_s)
        return self._sweep(cells, waveform_v, dt_s)

    def matvec(self, inputs_v: ArrayLike) -> MatVec:
        """Measure column currents; see ``hil.board.Board.matvec``. Rows at 0 V add nothing."""
        n_rows, n_columns = self._info.shape
        inputs_v = np.asarray(inputs_v, dtype=float)
        if inputs_v.shape != (n_rows,):
            raise UsageError(f"inputs have shape {inputs_v.shape}; the board has {n_rows} rows")
        cells = self._info.all_cells[np.repeat(inputs_v != 0, n_columns)]
        if not len(cells):
            raise UsageError("all inputs are 0 V: there is nothing to measure")
        readings = self.measure(cells, inputs_v[cells[:, 0]])
        currents_a = np.zeros(n_columns)
        np.add.at(currents_a, cells[:, 1], readings.i_a)
        return MatVec(inputs_v, currents_a, readings)

    def close(self) -> None:
        """Make safe and give the links back; does nothing the second time."""
        if self._is_open:
            self._is_open = False
            try:
                self.make_safe()
            finally:
                self._close_links()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _cells(self, cells: ArrayLike) -> CellArray:
        if not self._is_open:
            raise BoardError(f"the board of station {self._info.station!r} is closed")
        return as_cells(cells, self._info.shape)

    @abstractmethod
    def make_safe(self) -> None:
        """Source to zero, output off, switches open."""

    @abstractmethod
    def _measure(self, cells: CellArray, v_read_v: FloatArray) -> Readings:
        """Read checked cells at checked voltages, one per cell."""

    @abstractmethod
    def _pulse(
        self, cells: CellArray, amplitude_v: FloatArray, width_s: FloatArray, n_pulses: int
    ) -> Pulses:
        """Apply checked pulses."""

    @abstractmethod
    def _sweep(self, cells: CellArray, waveform_v: FloatArray, dt_s: float) -> SweepTrace:
        """Follow a checked waveform on the one cell of ``cells``."""

    @abstractmethod
    def _close_links(self) -> None:
        """Give back what was opened. Called once, after ``make_safe``, even if that failed."""
