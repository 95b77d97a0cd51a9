"""Write-verify for arrays: the width of a pulse is searched, and acceptance is confirmed later.

In an array no resistor limits what a pulse does: at a fixed amplitude a device goes on for as long
as the pulse lasts. What half-selected cells bear fixes the amplitude, so the width is what adapts.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from calibration.line_drops import LineDrops
from hil.arrays import Scheme
from hil.board import Board
from hil.errors import ParameterError
from hil.limits import LimitChecker
from hil.types import BoardInfo, CellArray, FloatArray
from procedures.programming import EXHAUSTED, REACHED, STUCK, CellOutcome, Tally

OUT_OF_DOSE = "out of dose"
_BELOW_MOST_RATIO = 0.94  # of the amplitude that would take half-selected cells to their dead band
_SET, _RESET = 1, -1
_CAUTION_RATIO = 0.5  # part of the way that a pulse is meant to go: rates grow as a device turns on
_LARGEST_STEP = 4.0  # between the widths of two pulses in a row
_STUCK_PULSES = 5  # at the largest width, that move nothing


def amplitude_below_bands(info: BoardInfo, name: str, asked_v: float, side: float) -> float:
    """Return the amplitude asked for, or one that leaves half-selected cells in their dead band.

    Args:
        info: of the board.
        name: of the parameter that asks.
        asked_v: 0 for none.
        side: +1 for SET, -1 for RESET.

    Raises:
        ParameterError: none was asked for, and the board is no array.
    """
    if asked_v:
        return asked_v
    if info.array is None:
        raise ParameterError(
            f"parameter {name} = 0 V: station {info.station!r} is no array with dead bands to "
            f"choose an amplitude by; give one"
        )
    return side * _BELOW_MOST_RATIO * info.array.most_v(side)


@dataclass(frozen=True)
class ArrayWrite:
    """How to program an array.

    Attributes:
        set_v: SET amplitude.
        reset_v: RESET amplitude, negative.
        tolerance_ratio: largest relative distance from the target.
        guard_ratio: a cell is accepted only so far inside the tolerance: what the mean of its
            readings may be off by.
        still_ratio: a relative change that is smaller tells nothing of the effect of a pulse.
        v_read_v: read voltage.
        n_average: readings that are averaged.
        confirm_delay_s: wait before the reading that confirms; 0 for no such reading.
        width_min_s: first and shortest pulse.
        width_max_s: longest pulse.
        dose_max_s: give up when a cell has had so much time of either polarity: what a plan can
            count on.
        n_pulses_max: give up after so many pulses.
        read_scheme: how cells are read.
        write_scheme: how they are pulsed.
    """

    set_v: float
    reset_v: float
    tolerance_ratio: float = 0.02
    guard_ratio: float = 0.005
    still_ratio: float = 0.01
    v_read_v: float = 0.1
    n_average: int = 4
    confirm_delay_s: float = 0.1
    width_min_s: float = 1e-6
    width_max_s: float = 0.02
    dose_max_s: float = 0.2
    n_pulses_max: int = 200
    read_scheme: Scheme | None = None
    write_scheme: Scheme | None = None

    @property
    def accepted_ratio(self) -> float:
        """Relative distance from the target at which a cell is accepted."""
        return self.tolerance_ratio - self.guard_ratio

    def check(self, cells: CellArray, limits: LimitChecker) -> None:
        """Check the settings against each other, and the extreme ones on cells.

        Raises:
            ParameterError: settings that leave nothing to accept, or no width to search.
            LimitError: a limit of a device would be exceeded.
        """
        if not self.accepted_ratio > 0:
            raise ParameterError(
                f"a guard of {self.guard_ratio:.2%} leaves nothing of the tolerance of "
                f"{self.tolerance_ratio:.2%}: average more readings and set a smaller guard_ratio"
            )
        if not self.width_min_s <= self.width_max_s:
            raise ParameterError(
                f"width_min_s = {self.width_min_s:g} s is above width_max_s = "
                f"{self.width_max_s:g} s; give a range to search"
            )
        for amplitude_v in (self.set_v, self.reset_v):
            for width_s in (self.width_min_s, self.width_max_s):
                limits.check_pulse(cells, amplitude_v, width_s, 1, scheme=self.write_scheme)
        limits.check_read(cells, self.v_read_v, allow_reverse=False, scheme=self.read_scheme)


class WidthSearch:
    """Chooses the width of the next pulse on one cell from what earlier ones did.

    Args:
        settings: bounds of the width.
        begin_s: width of the first pulse of either direction; the shortest if not known better.
    """

    def __init__(self, settings: ArrayWrite, begin_s: dict[int, float]) -> None:
        self._settings = settings
        self._width_s = {side: begin_s.get(side, settings.width_min_s) for side in (_SET, _RESET)}
        self._rate: dict[int, float] = {}  # siemens per second
        self._n_stuck = 0

    @property
    def is_stuck(self) -> bool:
        """Whether pulses of the largest width have moved nothing for long."""
        return self._n_stuck >= _STUCK_PULSES

    def width_s(self, side: int, missing_siemens: float) -> float:
        """Return the width to try for what is missing to the target."""
        last_s = self._width_s[side]
        width_s = last_s
        if side in self._rate:
            wanted_s = _CAUTION_RATIO * missing_siemens / self._rate[side]
            width_s = min(max(wanted_s, last_s / _LARGEST_STEP**2), last_s * _LARGEST_STEP)
        settings = self._settings
        self._width_s[side] = min(max(width_s, settings.width_min_s), settings.width_max_s)
        return self._width_s[side]

    def learn(self, side: int, before_siemens: float, after_siemens: float) -> None:
        """Take note of what the last pulse did."""
        moved = side * (after_siemens - before_siemens)
        if moved > self._settings.still_ratio * before_siemens:
            self._rate[side] = (after_siemens - before_siemens) / self._width_s[side]
            self._n_stuck = 0
            return
        self._rate.pop(side, None)
        self._n_stuck += self._width_s[side] >= self._settings.width_max_s
        self._width_s[side] *= _LARGEST_STEP


@dataclass(frozen=True)
class ArrayOutcome:
    """What became of one cell.

    Attributes:
        cell: as any write-verify tells it; the status may also be ``out of dose``.
        n_false_accepts: how often a reading accepted it that the delayed one did not confirm.
        dose_s: time for which it was driven, by amplitude.
    """

    cell: CellOutcome
    n_false_accepts: int
    dose_s: Mapping[float, float]


class ArrayProgrammer:
    """Programs cells of an array, and keeps a map of all of them.

    Args:
        board: pulses and readings go to it.
        settings: how to program.
        stop_if_asked: called between two pulses; may raise.

    Attributes:
        map_siemens: last known conductance of every cell, shape (rows, columns).
    """

    def __init__(
        self, board: Board, settings: ArrayWrite, stop_if_asked: Callable[[], None] = lambda: None
    ) -> None:
        self._board = board
        self._settings = settings
        self._stop_if_asked = stop_if_asked
        self._drops = LineDrops(board.info)
        scheme = LimitChecker(board.info, board.limits).scheme(settings.read_scheme, is_read=True)
        self._read_scheme = scheme
        self._begin_s: dict[int, list[float]] = {_SET: [], _RESET: []}
        self.map_siemens: FloatArray = np.zeros(board.info.shape)

    def read_all(self, n_reads: int = 1) -> FloatArray:
        """Read every cell ``n_reads`` times, correct all for the lines; return the new map."""
        cells, settings = self._board.info.all_cells, self._settings
        passes = [
            self._board.measure(cells, settings.v_read_v, scheme=settings.read_scheme)
            for _ in range(n_reads)
        ]
        if not self.map_siemens.any():
            self.map_siemens = passes[0].g_siemens.reshape(self._board.info.shape).copy()
        corrected = [
            self._drops.corrected(readings, self.map_siemens, self._read_scheme)
            for readings in passes
        ]
        self.map_siemens = np.mean(corrected, axis=0).reshape(self._board.info.shape)
        return self.map_siemens.copy()

    def read(self, cell: tuple[int, int], tally: Tally | None = None) -> float:
        """Read one cell, averaged and corrected; the map takes note of it."""
        tally = Tally(self._board, cell) if tally is None else tally
        settings = self._settings
        readings = tally.read_often(
            settings.v_read_v, settings.n_average, scheme=settings.read_scheme
        )
        corrected = self._drops.corrected(readings, self.map_siemens, self._read_scheme)
        self.map_siemens[cell] = float(np.mean(corrected))
        return float(self.map_siemens[cell])

    def program(self, cell: tuple[int, int], target_siemens: float) -> ArrayOutcome:
        """Bring one cell to its target; changes and wears it, and stresses all others."""
        settings = self._settings
        search = WidthSearch(
            settings, {side: float(np.median(w)) for side, w in self._begin_s.items() if w}
        )
        tally = Tally(self._board, cell)
        dose_s = dict.fromkeys((settings.set_v, settings.reset_v), 0.0)
        n_false = 0
        g_siemens = self.read(cell, tally)
        while True:
            self._stop_if_asked()
            error_ratio = g_siemens / target_siemens - 1
            status = ""
            if abs(error_ratio) <= settings.accepted_ratio:
                g_siemens, confirmed = self._confirm(cell, tally, g_siemens, target_siemens)
                if not confirmed:
                    n_false += 1
                    continue
                status = REACHED
            elif tally.n_pulses >= settings.n_pulses_max:
                status = EXHAUSTED
            elif search.is_stuck:
                status = STUCK
            elif max(dose_s.values()) >= settings.dose_max_s:
                status = OUT_OF_DOSE
            if status:
                outcome = tally.outcome(target_siemens, g_siemens, status)
                return ArrayOutcome(outcome, n_false, dose_s)
            g_siemens = self._pulse(cell, tally, search, g_siemens, target_siemens, dose_s)

    def _pulse(
        self,
        cell: tuple[int, int],
        tally: Tally,
        search: WidthSearch,
        g_siemens: float,
        target_siemens: float,
        dose_s: dict[float, float],
    ) -> float:
        settings = self._settings
        side = _SET if g_siemens < target_siemens else _RESET
        amplitude_v = settings.set_v if side == _SET else settings.reset_v
        left_s = max(settings.dose_max_s - dose_s[amplitude_v], settings.width_min_s)
        width_s = min(search.width_s(side, target_siemens - g_siemens), left_s)
        dose_s[amplitude_v] += width_s
        tally.pulse(amplitude_v, width_s, scheme=settings.write_scheme)
        after_siemens = self.read(cell, tally)
        search.learn(side, g_siemens, after_siemens)
        if tally.n_pulses < _STUCK_PULSES and abs(after_siemens / g_siemens - 1) > 0.1:
            self._begin_s[side].append(width_s / 2)
        return after_siemens

    def _confirm(
        self, cell: tuple[int, int], tally: Tally, g_siemens: float, target_siemens: float
    ) -> tuple[float, bool]:
        """Read again after a delay: one reading in the band may be noise, or relax away."""
        if not self._settings.confirm_delay_s:
            return g_siemens, True
        self._board.clock.sleep_s(self._settings.confirm_delay_s)
        again_siemens = self.read(cell, tally)
        is_inside = abs(again_siemens / target_siemens - 1) <= self._settings.accepted_ratio
        return again_siemens, is_inside
