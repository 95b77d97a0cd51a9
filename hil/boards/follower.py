"""A twin that does what a board has done, and is compared with it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from typing import TypeVar

import numpy as np

from hil.board import Board
from hil.boards.divergence import COVERAGE, Comparison
from hil.boards.prediction import (
    expanded_current_a,
    expanded_energy_j,
    root_sum,
    spread_of_members,
)
from hil.boards.twin_of_board import TwinOfBoard, require_same_devices
from hil.types import (
    BoardInfo,
    CellArray,
    FloatArray,
    IndexArray,
    Pulses,
    Readings,
    SweepTrace,
)

T = TypeVar("T")


class Follower:
    """Repeats on a twin what was done to a board, and compares the results.

    Each device of the twin takes over the state of the board's at the first reading of it; until
    then nothing of it is compared. The twin's clock follows that of the board. Widths are those
    that the board measured, where it did.

    The uncertainty of a difference (k = 2) is the root of the sum of squares of: that of the
    board's value, that of the twin's, that of the reading at which the twin took over, that of the
    model, and the spread of the members, which are twins with instruments, resistors and cycles of
    their own; taken of the logarithm, for a threshold that moves a little changes a conductance by
    a factor. Currents: the bounds of the instrument, taken as rectangular. Energies that were
    summed from samples: half of the energy, rectangular.

    Args:
        twins: the twin that foresees, and members around it (``hil.opening.open_twins``); all with
            the devices of the board in the same places. Nobody else uses them.
        info: the board; its source decides which uncertainty of the models counts.
        model_ratio: takes the place of what the twin says of its models.

    Attributes:
        twin: the twin that foresees.
        model_ratio: relative standard uncertainty of the model of each device, (n_devices,).
        last_sweep: what the twin did in the last sweep.

    Raises:
        StationError: the twin has other devices than the board.
    """

    def __init__(
        self,
        twins: Sequence[TwinOfBoard],
        info: BoardInfo,
        *,
        model_ratio: float | None = None,
    ) -> None:
        twin, *self._members = twins
        require_same_devices(twin.info, info)
        self.twin = twin
        self._board: Board = twin
        self._info = info
        self.model_ratio = np.array(
            [
                one.towards(info.source) if model_ratio is None else model_ratio
                for one in twin.model_uncertainty(info.all_cells)
            ]
        )
        self._is_drawn = [u.cycle_ratio > 0 for u in twin.model_uncertainty(info.all_cells)]
        self._max_width_s, self._max_v, self._max_a = (
            np.array([getattr(twin.limits[device.dopant], name) for device in info.devices])
            for name in ("max_pulse_width_s", "max_voltage_v", "max_current_a")
        )
        self._offset_s: float | None = None
        self.last_sweep: SweepTrace | None = None
        self.forget()

    def goes_through(self, board: Board) -> None:
        """Do everything to the twin through another board around it, such as one that records."""
        self._board = board

    def close(self) -> None:
        """Make the twins safe and give them back."""
        with ExitStack() as closing:
            for twin in (self.twin, *self._members):
                closing.callback(twin.close)

    def forget(self) -> None:
        """Let every device take over its state anew: the twin has missed what was done."""
        self._start_ratio = np.full(len(self._info.devices), np.nan)
        self._cycle = np.zeros(len(self._info.devices), dtype=int)
        self._polarity = np.zeros(len(self._info.devices))

    def unknown(self, cells: CellArray) -> CellArray:
        """Return those of ``cells`` whose state the twin has not taken over, none twice."""
        index = np.unique(self._info.index_of(cells))
        unknown: CellArray = self._info.all_cells[index[np.isnan(self._start_ratio[index])]]
        return unknown

    def measured(self, readings: Readings) -> list[Comparison]:
        """Read on the twin what the board has read; compare conductances."""
        if not len(readings):
            return []
        self._catch_up(readings.t_s[0] - readings.width_s[0])
        index = self._info.index_of(readings.cells)
        self._take_over(readings, index)
        twin, members = self._all(
            lambda board: board.measure(readings.cells, readings.v_read_v, allow_reverse=True)
        )
        expanded = root_sum(
            readings.g_expanded_siemens,
            twin.g_expanded_siemens,
            self._predicted(index, twin.g_siemens, [m.g_siemens for m in members]),
        )
        return self._compare(
            index, "conductance", readings.g_siemens, twin.g_siemens, expanded, "S", readings.t_s
        )

    def pulsed(self, pulses: Pulses, compliance_a: float | None = None) -> list[Comparison]:
        """Apply to the twin the pulses that the board has applied; compare currents and energies.

        The current is that at the end of the last pulse.

        Args:
            pulses: of the board.
            compliance_a: at which the board's source limited them; None for not at all.
        """
        if not len(pulses):
            return []
        n_pulses = pulses.n_pulses
        self._catch_up(pulses.t_s[0] - pulses.width_measured_s[0] * n_pulses[0])
        index = self._info.index_of(pulses.cells)
        self._begin_cycles(index, np.sign(pulses.amplitude_v))
        width_s = np.where(
            np.isfinite(pulses.width_measured_s), pulses.width_measured_s, pulses.width_s
        )
        shortest_s = self._board.info.min_pulse_width_s
        width_s = np.clip(width_s, shortest_s, self._max_width_s[index])
        groups = [np.flatnonzero(n_pulses == n) for n in np.unique(n_pulses) if n > 0]
        compared = []
        for group in groups:
            n = int(n_pulses[group[0]])
            request = pulses.cells[group], pulses.amplitude_v[group], width_s[group], n
            twin, members = self._all(_pulsing(*request, compliance_a))
            i_a, t_s = pulses.i_end_a[group], pulses.t_s[group]
            compared += self._compare(
                index[group],
                "end current",
                i_a,
                twin.i_end_a,
                root_sum(
                    expanded_current_a(i_a),
                    expanded_current_a(twin.i_end_a),
                    self._predicted(index[group], twin.i_end_a, [m.i_end_a for m in members]),
                ),
                "A",
                t_s,
            )
            compared += self._energies(
                index[group],
                pulses.energy.device_j[group],
                twin.energy.device_j,
                [m.energy.device_j for m in members],
                pulses.energy.method,
                t_s,
            )
        return compared

    def swept(self, trace: SweepTrace, waveform_v: FloatArray | None = None) -> list[Comparison]:
        """Sweep the twin as the board was swept; compare the currents as a whole, and the energy.

        Args:
            trace: what the board measured, at least two points.
            waveform_v: what was asked of it; the measured source voltages if not given.
        """
        if len(trace.t_s) < 2:
            return []
        self._catch_up(trace.t_s[0])
        cells = np.array([trace.cell])
        index = self._info.index_of(cells)
        self._begin_cycles(index, np.full(1, np.nan))
        if waveform_v is None:
            most_v = min(self._max_v[index[0]], self._max_a[index[0]] * self._series_ohm(index))
            waveform_v = np.clip(trace.v_source_v, -most_v, most_v)
        waveform_v = waveform_v[: len(trace.t_s)]
        dt_s = float(np.median(np.diff(trace.t_s)))
        twin, members = self._all(lambda board: board.sweep(trace.cell, waveform_v, dt_s))
        self.last_sweep = twin
        board_rms, twin_rms, apart_rms = (
            _rms(i_a) for i_a in (trace.i_a, twin.i_a, trace.i_a - twin.i_a)
        )
        expanded = root_sum(
            _rms(expanded_current_a(trace.i_a)),
            _rms(expanded_current_a(twin.i_a)),
            self._predicted(index, twin_rms, [twin_rms + _rms(m.i_a - twin.i_a) for m in members]),
        )
        t_s = trace.t_s[-1:]
        current = self._compare(
            index, "sweep current", board_rms, twin_rms, expanded, "A", t_s, apart_rms
        )
        return current + self._energies(
            index,
            trace.energy.device_j,
            twin.energy.device_j,
            [m.energy.device_j for m in members],
            trace.energy.method,
            t_s,
        )

    def _take_over(self, readings: Readings, index: IndexArray) -> None:
        _, first = np.unique(index, return_index=True)
        new = first[np.isnan(self._start_ratio[index[first]])]
        if not len(new):
            return
        self.start_from(
            readings.cells[new],
            readings.g_siemens[new],
            readings.g_expanded_siemens[new],
            readings.v_device_v[new],
        )

    def start_from(
        self,
        cells: CellArray,
        g_siemens: FloatArray,
        g_expanded_siemens: FloatArray,
        v_device_v: FloatArray,
    ) -> None:
        """Let the twin take over the states of some devices, none twice; arrays (n_cells,)."""
        for twin in (self.twin, *self._members):
            twin.adopt(cells, g_siemens, v_device_v)
        with np.errstate(divide="ignore", invalid="ignore"):
            ratio = np.abs(g_expanded_siemens / g_siemens)
        self._start_ratio[self._info.index_of(cells)] = np.where(np.isfinite(ratio), ratio, 0.0)

    def _catch_up(self, t_s: float) -> None:
        """Let the twin's clock come up to that of the board, at the begin of an operation."""
        if not np.isfinite(t_s):
            return
        if self._offset_s is None:
            self._offset_s = float(t_s) - self._board.clock.now_s()
        lag_s = float(t_s) - self._offset_s - self._board.clock.now_s()
        if lag_s > 0:
            self._all(lambda board: board.clock.sleep_s(lag_s))

    def _all(self, act: Callable[[Board], T]) -> tuple[T, list[T]]:
        """Do the same to the twin and to every member."""
        return act(self._board), [act(member) for member in self._members]

    def _begin_cycles(self, index: IndexArray, polarity: FloatArray) -> None:
        """Count half cycles: a pulse of the other sign begins one, and so does every sweep."""
        begins = self._polarity[index] != polarity
        self._cycle[index] += begins
        self._polarity[index] = polarity

    def _series_ohm(self, index: IndexArray) -> float:
        return float(self._info.r_series_ohm[index[0]])

    def _predicted(
        self, index: IndexArray, values: FloatArray, members: list[FloatArray]
    ) -> FloatArray:
        """Expanded uncertainty of what the twin foresees: model, state, and what it cannot know."""
        ratio = root_sum(COVERAGE * self.model_ratio[index], self._start_ratio[index])
        return root_sum(ratio * np.abs(values), spread_of_members(values, members))

    def _energies(
        self,
        index: IndexArray,
        board_j: FloatArray,
        twin_j: FloatArray,
        members_j: list[FloatArray],
        method: str,
        t_s: FloatArray,
    ) -> list[Comparison]:
        expanded = root_sum(
            expanded_energy_j(board_j, method), self._predicted(index, twin_j, members_j)
        )
        return self._compare(index, "energy", board_j, twin_j, expanded, "J", t_s)

    def _compare(
        self,
        index: IndexArray,
        quantity: str,
        board: FloatArray,
        twin: FloatArray,
        expanded: FloatArray,
        unit: str,
        t_s: FloatArray,
        difference: FloatArray | None = None,
    ) -> list[Comparison]:
        with np.errstate(invalid="ignore"):  # two shorts
            apart = board - twin if difference is None else difference
        return [
            Comparison(
                self._info.devices[i].name,
                quantity,
                float(board[k]),
                float(twin[k]),
                float(apart[k]),
                float(expanded[k]),
                unit,
                float(t_s[k]),
                int(self._cycle[i]),
                bool(self._is_drawn[i] and self._cycle[i]),
            )
            for k, i in enumerate(index)
            if not np.isnan(self._start_ratio[i])
        ]


def _pulsing(
    cells: CellArray,
    amplitude_v: FloatArray,
    width_s: FloatArray,
    n_pulses: int,
    compliance_a: float | None,
) -> Callable[[Board], Pulses]:
    return lambda board: board.pulse(
        cells, amplitude_v, width_s, n_pulses, compliance_a=compliance_a
    )


def _rms(values: FloatArray) -> FloatArray:
    return np.array([np.sqrt(np.mean(values**2))])
