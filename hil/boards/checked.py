"""What all boards share: requests are checked whole before the board is asked for anything."""

from __future__ import annotations

import atexit
import threading
import weakref
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from types import TracebackType
from typing import Self

import numpy as np
from numpy.typing import ArrayLike

from hil.arrays import Coding, Scheme
from hil.clock import Clock
from hil.errors import BoardError, HilError, UnsupportedError, UsageError
from hil.limits import DeviceLimits, LimitChecker
from hil.patterns import LineDrive, LinePattern
from hil.tiles import Tile
from hil.types import (
    BoardInfo,
    Capability,
    CellArray,
    Dopant,
    FloatArray,
    Inference,
    MatVec,
    Pulses,
    Readings,
    SweepTrace,
    Synapses,
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
        self._in_use = threading.RLock()
        _safe_at_exit(self)

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
        self,
        cells: ArrayLike,
        v_read_v: ArrayLike,
        *,
        allow_reverse: bool = False,
        scheme: Scheme | None = None,
    ) -> Readings:
        """Read conductances; see ``hil.board.Board.measure``."""
        with self._operation(Capability.MEASURE):
            cells = as_cells(cells, self._info.shape)
            v_read_v = self._checker.check_read(
                cells, v_read_v, allow_reverse=allow_reverse, scheme=scheme
            )
            return self._measure(cells, v_read_v, self._checker.scheme(scheme, is_read=True))

    def pulse(
        self,
        cells: ArrayLike,
        amplitude_v: ArrayLike,
        width_s: ArrayLike,
        n_pulses: int = 1,
        *,
        scheme: Scheme | None = None,
        compliance_a: float | None = None,
    ) -> Pulses:
        """Apply pulses; see ``hil.board.Board.pulse``."""
        with self._operation(Capability.PULSE):
            cells = as_cells(cells, self._info.shape)
            amplitude_v, width_s = self._checker.check_pulse(
                cells, amplitude_v, width_s, n_pulses, scheme=scheme, compliance_a=compliance_a
            )
            scheme = self._checker.scheme(scheme, is_read=False)
            return self._pulse(cells, amplitude_v, width_s, int(n_pulses), scheme, compliance_a)

    def drive_lines(self, pattern: LinePattern, width_s: float, n_pulses: int = 1) -> LineDrive:
        """Drive all lines at once; see ``hil.board.Board.drive_lines``."""
        with self._operation(Capability.LINES):
            self._checker.check_lines(pattern, width_s, n_pulses)
            return self._drive_lines(pattern, float(width_s), int(n_pulses))

    def sweep(self, cell: ArrayLike, waveform_v: ArrayLike, dt_s: float) -> SweepTrace:
        """Follow a waveform on one cell; see ``hil.board.Board.sweep``."""
        with self._operation(Capability.SWEEP):
            cells = as_cells(np.atleast_2d(np.asarray(cell)), self._info.shape)
            if len(cells) != 1:
                raise UsageError(f"a sweep is on one cell, not on {len(cells)}")
            waveform_v = self._checker.check_sweep(cells, waveform_v, dt_s)
            return self._sweep(cells, waveform_v, dt_s)

    def matvec(
        self,
        inputs_v: ArrayLike,
        *,
        coding: Coding = Coding.AMPLITUDE,
        transposed: bool = False,
    ) -> MatVec:
        """Measure line currents; see ``hil.board.Board.matvec``. Lines at 0 V add nothing."""
        with self._operation(Capability.MATVEC):
            checked_v = self._checker.check_inputs(inputs_v, transposed=transposed)
            return self._matvec(checked_v, Coding(coding), transposed)

    def infer(self, layers: Sequence[Synapses], inputs_v: ArrayLike) -> Inference:
        """Let the neuron circuit answer; see ``hil.board.Board.infer``."""
        with self._operation(Capability.INFER):
            inputs_v = self._checker.check_inference(layers, inputs_v)
            return self._infer(layers, inputs_v)

    def make_tile(self, shape: tuple[int, int], seed: int) -> Tile:
        """Return a new tile; see ``hil.board.Board.make_tile``."""
        with self._operation(Capability.TILES):
            return self._make_tile(shape, seed)

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

    @contextmanager
    def _operation(self, capability: Capability) -> Iterator[None]:
        """Hold the board for one operation: it is open, able, and used by one thread."""
        if not self._is_open:
            raise BoardError(f"the board of station {self._info.station!r} is closed")
        if capability not in self._info.capabilities:
            raise UnsupportedError(f"board {self._info.kind!r} has no {capability.value}")
        if not self._in_use.acquire(blocking=False):
            raise BoardError(
                f"the board of station {self._info.station!r} is in use by another thread; "
                f"one thread at a time"
            )
        try:
            yield
        finally:
            self._in_use.release()

    def __del__(self) -> None:
        if getattr(self, "_is_open", False):
            with suppress(HilError):  # nobody is left to hear of it
                self.close()

    @abstractmethod
    def make_safe(self) -> None:
        """Source to zero, output off, switches open."""

    @abstractmethod
    def _measure(self, cells: CellArray, v_read_v: FloatArray, scheme: Scheme) -> Readings:
        """Read checked cells at checked voltages, one per cell."""

    @abstractmethod
    def _pulse(
        self,
        cells: CellArray,
        amplitude_v: FloatArray,
        width_s: FloatArray,
        n_pulses: int,
        scheme: Scheme,
        compliance_a: float | None,
    ) -> Pulses:
        """Apply checked pulses."""

    @abstractmethod
    def _sweep(self, cells: CellArray, waveform_v: FloatArray, dt_s: float) -> SweepTrace:
        """Follow a checked waveform on the one cell of ``cells``."""

    def _drive_lines(self, pattern: LinePattern, width_s: float, n_pulses: int) -> LineDrive:
        """Drive a checked pattern; for a board with ``Capability.LINES``."""
        raise UnsupportedError(f"board {self._info.kind!r} is no array: it has no lines to drive")

    def _matvec(self, inputs_v: FloatArray, coding: Coding, transposed: bool) -> MatVec:
        """Multiply checked inputs cell by cell, for boards that connect one device at a time."""
        if coding is not Coding.AMPLITUDE:
            raise UnsupportedError(
                f"board {self._info.kind!r} reads cell by cell: inputs are amplitudes, not times"
            )
        driven, measured = (1, 0) if transposed else (0, 1)
        cells = self._info.all_cells
        cells = cells[inputs_v[cells[:, driven]] != 0]
        readings = self._measure(cells, inputs_v[cells[:, driven]], Scheme.ISOLATED)
        currents_a = np.zeros(self._info.shape[measured])
        np.add.at(currents_a, cells[:, measured], readings.i_a)
        return MatVec(
            inputs_v=inputs_v,
            currents_a=currents_a,
            coding=coding,
            transposed=transposed,
            full_scale_v=np.nan,
            t_s=float(readings.t_s[-1]),
            width_s=float(readings.width_s.sum()),
            energy=readings.energy.summed,
            source=readings.source,
            readings=readings,
        )

    def _infer(self, layers: Sequence[Synapses], inputs_v: FloatArray) -> Inference:
        """Drive a checked network with checked inputs; for a board with ``Capability.INFER``."""
        raise UnsupportedError(f"board {self._info.kind!r} has no neuron circuit")

    def _make_tile(self, shape: tuple[int, int], seed: int) -> Tile:
        """Make a tile; for a board with ``Capability.TILES``."""
        raise UnsupportedError(f"board {self._info.kind!r} has devices, no simulated tiles")

    @abstractmethod
    def _close_links(self) -> None:
        """Give back what was opened. Called once, after ``make_safe``, even if that failed."""


def _safe_at_exit(board: CheckedBoard) -> None:
    """Close a board that its owner forgot when the interpreter ends: outputs off all the same."""
    reference = weakref.ref(board)

    def close() -> None:
        forgotten = reference()
        if forgotten is not None:
            with suppress(HilError):  # nobody is left to hear of it
                forgotten.close()

    atexit.register(close)
    collected = weakref.finalize(board, atexit.unregister, close)
    collected.atexit = False  # or it would unregister at exit what is there for the exit
