"""A board that enters everything it does into a run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from types import TracebackType
from typing import Self

from numpy.typing import ArrayLike

from hil.arrays import Coding, Scheme
from hil.board import Board
from hil.clock import Clock
from hil.errors import StoreError
from hil.interrupts import held_back
from hil.limits import DeviceLimits
from hil.patterns import LineDrive, LinePattern
from hil.store.writer import RunWriter
from hil.tiles import Tile
from hil.types import (
    BoardInfo,
    Dopant,
    Inference,
    MatVec,
    Pulses,
    Readings,
    SweepTrace,
    Synapses,
)


class RecordingBoard:
    """Passes every call on to a board and enters the result into a run.

    An error of the board becomes an event and goes on to the caller. If the error has an attribute
    ``done`` (readings, pulses, a trace or an inference, complete before it), that is entered first.
    Closing the board leaves the run open.

    Args:
        board: any board.
        writer: of the run.
    """

    def __init__(self, board: Board, writer: RunWriter) -> None:
        self._board = board
        self._writer = writer
        self._purpose = "read"

    @property
    def info(self) -> BoardInfo:
        """What the board is."""
        return self._board.info

    @property
    def limits(self) -> Mapping[Dopant, DeviceLimits]:
        """Limits in force, by dopant."""
        return self._board.limits

    @property
    def clock(self) -> Clock:
        """The board's time base."""
        return self._board.clock

    @contextmanager
    def reads_for(self, purpose: str) -> Iterator[None]:
        """Enter the readings inside this block with another purpose than ``read``."""
        before, self._purpose = self._purpose, purpose
        try:
            yield
        finally:
            self._purpose = before

    def measure(
        self,
        cells: ArrayLike,
        v_read_v: ArrayLike,
        *,
        allow_reverse: bool = False,
        scheme: Scheme | None = None,
    ) -> Readings:
        """Read conductances, as the board does, and enter them."""
        with held_back():
            with self._errors_entered("measure"):
                readings = self._board.measure(
                    cells, v_read_v, allow_reverse=allow_reverse, scheme=scheme
                )
            self._writer.readings(readings, self._purpose)
        return readings

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
        """Apply pulses, as the board does, and enter them."""
        with held_back():
            with self._errors_entered("pulse"):
                pulses = self._board.pulse(
                    cells, amplitude_v, width_s, n_pulses, scheme=scheme, compliance_a=compliance_a
                )
            self._writer.pulses(pulses)
        return pulses

    def drive_lines(self, pattern: LinePattern, width_s: float, n_pulses: int = 1) -> LineDrive:
        """Drive all lines, as the board does; enter what was driven as one event."""
        with held_back():
            with self._errors_entered("drive_lines"):
                drive = self._board.drive_lines(pattern, width_s, n_pulses)
            self._writer.line_drive(drive)
        return drive

    def sweep(self, cell: ArrayLike, waveform_v: ArrayLike, dt_s: float) -> SweepTrace:
        """Sweep a cell, as the board does, and enter every point."""
        with held_back():
            with self._errors_entered("sweep"):
                trace = self._board.sweep(cell, waveform_v, dt_s)
            self._writer.sweep(trace)
        return trace

    def matvec(
        self,
        inputs_v: ArrayLike,
        *,
        coding: Coding = Coding.AMPLITUDE,
        transposed: bool = False,
    ) -> MatVec:
        """Multiply, as the board does; enter the product as an event, and its readings if any."""
        with held_back():
            with self._errors_entered("matvec"):
                product = self._board.matvec(inputs_v, coding=coding, transposed=transposed)
            self._writer.matvec(product)
        return product

    def infer(self, layers: Sequence[Synapses], inputs_v: ArrayLike) -> Inference:
        """Let the neuron circuit answer, as the board does; enter the answers as one event."""
        with held_back():
            with self._errors_entered("infer"):
                inference = self._board.infer(layers, inputs_v)
            self._writer.inference(inference)
        return inference

    def make_tile(self, shape: tuple[int, int], seed: int) -> Tile:
        """Return a simulated tile. It counts for itself: its pulses are far too many for rows."""
        return self._board.make_tile(shape, seed)

    def make_safe(self) -> None:
        """Make the board safe."""
        with self._errors_entered("make_safe"):
            self._board.make_safe()

    def close(self) -> None:
        """Close the board, not the run."""
        with self._errors_entered("close"):
            self._board.close()

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
    def _errors_entered(self, operation: str) -> Iterator[None]:
        try:
            yield
        except BaseException as error:
            # Also Ctrl-C: what was done before it has happened to the devices. A store that fails
            # as well must not hide the error of the board; finish() will report it.
            with suppress(StoreError):
                self._enter(operation, error)
            raise

    def _enter(self, operation: str, error: BaseException) -> None:
        match getattr(error, "done", None):
            case Readings() as readings:
                purpose = "matvec" if operation == "matvec" else self._purpose
                self._writer.readings(readings, purpose)
            case Pulses() as pulses:
                self._writer.pulses(pulses)
            case SweepTrace() as trace:
                self._writer.sweep(trace)
            case Inference() as inference:
                self._writer.inference(inference)
            case MatVec() as product:
                self._writer.matvec(product)
            case LineDrive() as drive:
                self._writer.line_drive(drive)
        message = f"{operation}: {type(error).__name__}: {error}"
        self._writer.event("board-error", message, level="error")
