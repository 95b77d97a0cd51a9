"""Write-verify: bring one device to a target conductance and make sure that it stays there.

At a fixed amplitude an SDC device plateaus: the series resistor takes the voltage away as the
device turns on, so the final conductance is set by the amplitude. The amplitude is therefore what
is searched. SET amplitudes that left the device below its target, and those that overshot it,
bracket the one that is wanted; after an overshoot a RESET takes the device back below the target.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from hil.arrays import Scheme
from hil.board import Board
from hil.errors import ParameterError, UsageError
from hil.limits import LimitChecker
from hil.types import CellArray, EnergySplit, Readings

REACHED, EXHAUSTED, STUCK = "reached", "out of pulses", "stuck"
_SET, _RESET = "set", "reset"

OUTCOME_COLUMNS = [
    "Outcome",
    "Target (S)",
    "Conductance (S)",
    "Residual",
    "SET pulses",
    "RESET pulses",
    "Reads",
    "Program energy (J)",
    "Verify energy (J)",
    "Duration (s)",
]
"""Columns that every procedure which programs cells has."""


@dataclass(frozen=True)
class WriteVerify:
    """How to program; the defaults suit W devices behind 10 kOhm and pulses of 20 ms.

    Attributes:
        tolerance_ratio: accepted relative distance from the target.
        v_read_v: read voltage.
        width_s: width of SET and RESET pulses.
        set_start_v: first SET amplitude.
        set_step_v: first step of the SET amplitude.
        set_max_v: largest SET amplitude.
        reset_start_v: first RESET amplitude, negative.
        reset_step_v: step of the RESET amplitude.
        reset_max_v: largest RESET amplitude in magnitude, negative.
        n_pulses_max: give up after so many pulses.
        n_stuck_max: give up after so many pulses in a row at the largest amplitude: a device that
            has not moved by then cannot get there.
        n_confirm: reads that have to agree before a device is accepted.
        confirm_delay_s: wait before each of them.
    """

    tolerance_ratio: float = 0.05
    v_read_v: float = 0.1
    width_s: float = 0.02
    set_start_v: float = 0.14
    set_step_v: float = 0.02
    set_max_v: float = 1.5
    reset_start_v: float = -0.1
    reset_step_v: float = 0.05
    reset_max_v: float = -1.5
    n_pulses_max: int = 200
    n_stuck_max: int = 5
    n_confirm: int = 2
    confirm_delay_s: float = 0.01

    def check(self, cells: CellArray, limits: LimitChecker) -> None:
        """Check the settings against each other, and the extreme ones on cells.

        Raises:
            ParameterError: a first amplitude is beyond the largest one.
            LimitError: a limit of a device would be exceeded.
        """
        if (
            not 0 < self.set_start_v <= self.set_max_v
            or not 0 > self.reset_start_v >= self.reset_max_v
        ):
            raise ParameterError(
                f"first SET {self.set_start_v:g} V and RESET {self.reset_start_v:g} V have to lie "
                f"within the largest, {self.set_max_v:g} V and {self.reset_max_v:g} V"
            )
        limits.check_pulse(cells, self.set_max_v, self.width_s, 1)
        limits.check_pulse(cells, self.reset_max_v, self.width_s, 1)
        limits.check_read(cells, self.v_read_v, allow_reverse=False)


@dataclass(frozen=True)
class CellOutcome:
    """What became of one cell.

    Attributes:
        cell: (row, column).
        target_siemens: asked for.
        g_siemens: mean of the last readings: the confirming ones if it was accepted.
        status: ``reached``, ``out of pulses`` or ``stuck``.
        n_set: SET pulses.
        n_reset: RESET pulses.
        n_reads: readings.
        program_j: energy of the pulses at the source.
        verify_j: energy of the readings at the source.
        duration_s: on the board's clock.
        program_split_j: of ``program_j``, in the device, its series resistor and its switch.
        instrument_j: what the instrument drew meanwhile, pulses and readings; an estimate.
    """

    cell: tuple[int, int]
    target_siemens: float
    g_siemens: float
    status: str
    n_set: int
    n_reset: int
    n_reads: int
    program_j: float
    verify_j: float
    duration_s: float
    program_split_j: tuple[float, float, float] = (0.0, 0.0, 0.0)
    instrument_j: float = 0.0

    @property
    def residual_ratio(self) -> float:
        """Relative distance from the target."""
        return self.g_siemens / self.target_siemens - 1

    @property
    def record(self) -> dict[str, object]:
        """What procedures emit of a cell; the keys are ``OUTCOME_COLUMNS``."""
        values = (
            self.status,
            self.target_siemens,
            self.g_siemens,
            self.residual_ratio,
            self.n_set,
            self.n_reset,
            self.n_reads,
            self.program_j,
            self.verify_j,
            self.duration_s,
        )
        return dict(zip(OUTCOME_COLUMNS, values, strict=True))


class Programmer:
    """Programs cells of one board, one after the other.

    Args:
        board: pulses and readings go to it; one reading costs its integration time.
        settings: how to program.
        stop_if_asked: called between two pulses; may raise.
        foresight: chooses the first SET amplitude of each cell by what earlier cells showed;
            without it every cell begins at ``settings.set_start_v``.
    """

    def __init__(
        self,
        board: Board,
        settings: WriteVerify,
        stop_if_asked: Callable[[], None] = lambda: None,
        foresight: Foresight | None = None,
    ) -> None:
        self._board = board
        self._settings = settings
        self._stop_if_asked = stop_if_asked
        self._foresight = foresight

    def program(self, cell: tuple[int, int], target_siemens: float) -> CellOutcome:
        """Bring one cell to its target; changes and wears it.

        Raises:
            UsageError: the target is not a positive conductance.
        """
        if not target_siemens > 0:
            raise UsageError(f"target conductance is {target_siemens} S; it must be positive")
        search = _Search(self._settings, self._first_set_v(cell, target_siemens))
        tally = Tally(self._board, cell)
        g_siemens = tally.read(self._settings.v_read_v)
        while True:
            self._stop_if_asked()
            error_ratio = g_siemens / target_siemens - 1
            if abs(error_ratio) <= self._settings.tolerance_ratio:
                g_siemens, agreed = self._confirm(tally, target_siemens)
                if agreed:
                    return tally.outcome(target_siemens, g_siemens, REACHED)
                continue
            if tally.n_pulses >= self._settings.n_pulses_max:
                return tally.outcome(target_siemens, g_siemens, EXHAUSTED)
            amplitude_v = search.below() if error_ratio < 0 else search.above()
            if search.n_at_limit > self._settings.n_stuck_max:
                return tally.outcome(target_siemens, g_siemens, STUCK)
            tally.pulse(amplitude_v, self._settings.width_s)
            g_siemens = tally.read(self._settings.v_read_v)
            if self._foresight is not None and amplitude_v > 0:
                self._foresight.learn(amplitude_v, g_siemens, self._r_path_ohm(cell))

    def _first_set_v(self, cell: tuple[int, int], target_siemens: float) -> float:
        settings = self._settings
        if self._foresight is None:
            return settings.set_start_v
        foreseen_v = self._foresight.amplitude_v(target_siemens, self._r_path_ohm(cell))
        return min(max(foreseen_v, settings.set_start_v), settings.set_max_v)

    def _r_path_ohm(self, cell: tuple[int, int]) -> float:
        info = self._board.info
        return info.device_at(cell).series_resistor_ohm + info.switch_resistance_ohm

    def _confirm(self, tally: Tally, target_siemens: float) -> tuple[float, bool]:
        """Read again after a delay: one reading in the band may be noise, or relax away."""
        seen = []
        for _ in range(self._settings.n_confirm):
            self._board.clock.sleep_s(self._settings.confirm_delay_s)
            seen.append(tally.read(self._settings.v_read_v))
            if abs(seen[-1] / target_siemens - 1) > self._settings.tolerance_ratio:
                return seen[-1], False
        if not seen:
            return tally.last_siemens, True
        return float(np.mean(seen)), True


class Foresight:
    """Foresees which SET amplitude takes a device to a conductance, from pulses on others.

    A SET ends when the series resistor has taken the voltage away: what is left across the device
    is about the same, V_hold, whatever the conductance. So amplitude = V_hold (1 + R G), and the
    median of V_hold over the pulses so far foresees the next device. Source: peak voltages of the
    loops of W-SDC devices, Knowm Memristor Discovery.

    Args:
        caution_ratio: part of the foreseen amplitude that is tried first: what falls short costs a
            step, what overshoots costs a RESET.
    """

    def __init__(self, caution_ratio: float = 0.9) -> None:
        self._caution_ratio = caution_ratio
        self._v_hold_v: list[float] = []

    def learn(self, amplitude_v: float, g_siemens: float, r_path_ohm: float) -> None:
        """Take note of the conductance that a SET pulse left."""
        v_hold_v = amplitude_v / (1 + r_path_ohm * g_siemens)
        # The first amplitudes of a ladder move nothing: they tell a lower bound, no V_hold.
        if g_siemens * r_path_ohm > _TAKES_VOLTAGE_AWAY:
            self._v_hold_v.append(v_hold_v)

    def amplitude_v(self, target_siemens: float, r_path_ohm: float) -> float:
        """Return the amplitude to begin with; 0 as long as nothing is known."""
        if not self._v_hold_v:
            return 0.0
        v_hold_v = float(np.median(self._v_hold_v))
        return self._caution_ratio * v_hold_v * (1 + r_path_ohm * target_siemens)


_TAKES_VOLTAGE_AWAY = 0.2


class _Search:
    """Chooses the next amplitude from what the earlier ones did."""

    def __init__(self, settings: WriteVerify, set_start_v: float) -> None:
        self._settings = settings
        self._set_start_v = self._set_v = set_start_v
        self._low_v: float | None = None
        self._high_v: float | None = None
        self._last: str | None = None
        self._reset_v = settings.reset_start_v
        self.n_at_limit = 0

    def below(self) -> float:
        """Return the SET amplitude to try on a device below its target."""
        if self._last == _SET:
            self._low_v = self._set_v
        if self._low_v is None:
            self._set_v = self._set_start_v if self._high_v is None else self._halfway()
        elif self._high_v is None:
            self._set_v = self._low_v + self._settings.set_step_v
        else:
            self._set_v = self._halfway()
        self._set_v = min(self._set_v, self._settings.set_max_v)
        self._last = _SET
        self._count(self._set_v >= self._settings.set_max_v)
        return self._set_v

    def above(self) -> float:
        """Return the RESET amplitude to try on a device above its target."""
        settings = self._settings
        if self._last == _SET:
            self._high_v = self._set_v
        if self._last == _RESET:
            self._reset_v = max(self._reset_v - settings.reset_step_v, settings.reset_max_v)
        else:
            self._reset_v = settings.reset_start_v
        self._last = _RESET
        self._count(self._reset_v <= settings.reset_max_v)
        return self._reset_v

    def _count(self, is_at_limit: bool) -> None:
        """Count the pulses in a row at the largest amplitude of either direction."""
        self.n_at_limit = self.n_at_limit + 1 if is_at_limit else 0

    def _halfway(self) -> float:
        """Bisect; a bracket that has become too narrow has moved, so open it upwards."""
        assert self._high_v is not None
        low_v = self._low_v
        if low_v is None:
            low_v = max(0.0, self._high_v - self._settings.set_step_v)
        if self._high_v - low_v < self._settings.set_step_v / 16:
            self._high_v = None
            return low_v + self._settings.set_step_v / 8
        return (low_v + self._high_v) / 2


class Tally:
    """Talks to the board about one cell, and counts what it cost.

    Args:
        board: pulses and readings go to it.
        cell: (row, column).

    Attributes:
        last_siemens: conductance of the last reading.
    """

    def __init__(self, board: Board, cell: tuple[int, int]) -> None:
        self._board = board
        self._cell = cell
        self._start_s = board.clock.now_s()
        self._n_set = self._n_reset = self._n_reads = 0
        self._program_j = self._verify_j = 0.0
        self._split_j = np.zeros(3)
        self._instrument_j = 0.0
        self.last_siemens = 0.0

    @property
    def n_pulses(self) -> int:
        """Pulses so far."""
        return self._n_set + self._n_reset

    def read(self, v_read_v: float) -> float:
        """Read the cell once; return its conductance."""
        return float(self.read_often(v_read_v, 1).g_siemens[0])

    def read_often(self, v_read_v: float, n_reads: int, scheme: Scheme | None = None) -> Readings:
        """Read the cell several times in a row."""
        readings = self._board.measure([self._cell] * n_reads, v_read_v, scheme=scheme)
        self._n_reads += n_reads
        self._verify_j += _source_j(readings.energy)
        self._instrument_j += float(readings.energy.instrument_j.sum())
        self.last_siemens = float(readings.g_siemens[-1])
        return readings

    def pulse(self, amplitude_v: float, width_s: float, scheme: Scheme | None = None) -> None:
        """Apply one pulse."""
        pulses = self._board.pulse([self._cell], amplitude_v, width_s, scheme=scheme)
        if amplitude_v > 0:
            self._n_set += 1
        else:
            self._n_reset += 1
        self._program_j += _source_j(pulses.energy)
        energy = pulses.energy
        self._instrument_j += float(energy.instrument_j.sum())
        self._split_j += [
            part.sum() for part in (energy.device_j, energy.series_j, energy.switch_j)
        ]

    def outcome(self, target_siemens: float, g_siemens: float, status: str) -> CellOutcome:
        """Return what became of the cell."""
        return CellOutcome(
            self._cell,
            target_siemens,
            g_siemens,
            status,
            self._n_set,
            self._n_reset,
            self._n_reads,
            self._program_j,
            self._verify_j,
            self._board.clock.now_s() - self._start_s,
            (float(self._split_j[0]), float(self._split_j[1]), float(self._split_j[2])),
            self._instrument_j,
        )


def _source_j(energy: EnergySplit) -> float:
    return float(energy.source_j.sum())
