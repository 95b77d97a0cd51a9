"""A board that a twin follows in lock-step: what the twin did not foresee becomes an event."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress

import numpy as np
from numpy.typing import ArrayLike

from hil.arrays import Coding, Scheme
from hil.board import Board
from hil.boards.divergence import Comparison, Tally
from hil.boards.follower import Follower
from hil.errors import HilError, RunAborted, StoreError
from hil.limits import LimitChecker
from hil.store import RecordingBoard, RunWriter
from hil.types import (
    CellArray,
    Inference,
    MatVec,
    Pulses,
    Readings,
    SweepTrace,
    Synapses,
    as_cells,
)
from hil.units import text

START_READ_V = 0.1
"""At which a device is read whose state the twin has yet to take over; lower if limits say so."""


class ShadowBoard(RecordingBoard):
    """Passes every call on to a board, enters it into a run, and then repeats it on a twin.

    The board comes first: the twin acts when the board is done, its result is entered, and its
    source is at zero volt. Limits and clock are the board's. The twin can neither fail the run nor
    keep the board from being made safe: if it raises anything, it is left behind with an event
    (``shadow-lost``). A difference beyond its uncertainty is an event (``divergence``).

    A device that is pulsed or swept before it was ever read is first read once, at 0.1 V, for the
    twin to know where it stands. Inference of a neuron circuit is not repeated and nothing of it is
    compared, which an event (``shadow-skipped``) says: it drives devices no further than reads do.

    Args:
        board: any board.
        writer: of the run; gets the events.
        follower: the twin.
        stops: whether a device that has drifted, or a twin that was lost, ends the run.
    """

    def __init__(
        self, board: Board, writer: RunWriter, follower: Follower, *, stops: bool = False
    ) -> None:
        super().__init__(board, writer)
        self._follower = follower
        self._stops = stops
        self._checker = LimitChecker(board.info, board.limits)
        self._lost = ""
        self._is_open = True
        self.tally = Tally()

    def measure(
        self,
        cells: ArrayLike,
        v_read_v: ArrayLike,
        *,
        allow_reverse: bool = False,
        scheme: Scheme | None = None,
    ) -> Readings:
        """Read conductances, then those of the twin."""
        with self._leading():
            readings = super().measure(cells, v_read_v, allow_reverse=allow_reverse, scheme=scheme)
        self._follow(lambda: self._follower.measured(readings))
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
        """Apply pulses, then the same to the twin."""
        known = as_cells(cells, self.info.shape)
        self._checker.check_pulse(
            known, amplitude_v, width_s, n_pulses, scheme=scheme, compliance_a=compliance_a
        )
        self._read_first(known)
        with self._leading():
            pulses = super().pulse(
                cells, amplitude_v, width_s, n_pulses, scheme=scheme, compliance_a=compliance_a
            )
        self._follow(lambda: self._follower.pulsed(pulses, compliance_a))
        return pulses

    def sweep(self, cell: ArrayLike, waveform_v: ArrayLike, dt_s: float) -> SweepTrace:
        """Sweep a cell, then that of the twin."""
        known = as_cells(np.atleast_2d(np.asarray(cell)), self.info.shape)
        asked_v = self._checker.check_sweep(known, waveform_v, dt_s)
        self._read_first(known)
        with self._leading():
            trace = super().sweep(cell, waveform_v, dt_s)
        self._follow(lambda: self._follower.swept(trace, asked_v))
        return trace

    def matvec(
        self,
        inputs_v: ArrayLike,
        *,
        coding: Coding = Coding.AMPLITUDE,
        transposed: bool = False,
    ) -> MatVec:
        """Multiply, then read on the twin what the product was made of."""
        with self._leading():
            product = super().matvec(inputs_v, coding=coding, transposed=transposed)
        readings = product.readings
        if readings is not None:
            self._follow(lambda: self._follower.measured(readings))
        return product

    def infer(self, layers: Sequence[Synapses], inputs_v: ArrayLike) -> Inference:
        """Let the board's neuron circuit answer; the twin only lets the time pass."""
        with self._leading():
            inference = super().infer(layers, inputs_v)
        if not self._lost:
            self._writer.event(
                "shadow-skipped",
                f"the twin follows no inference: {len(inference)} images were not compared",
                t_s=self.clock.now_s(),
            )
        return inference

    def make_safe(self) -> None:
        """Make the board safe, then the twin."""
        try:
            super().make_safe()
        finally:
            self._without_harm(self._follower.twin.make_safe)

    def close(self) -> None:
        """Close the board, then the twin; enter what the comparison came to."""
        try:
            super().close()
        finally:
            if self._is_open:
                self._is_open = False
                self._without_harm(self._follower.close)
                with suppress(StoreError):  # finish() reports rows that were lost
                    self._conclude()

    @contextmanager
    def _leading(self) -> Iterator[None]:
        """Let the board act; after a failure the twin does not know what was done."""
        try:
            yield
        except BaseException:
            self._follower.forget()
            raise

    def _read_first(self, cells: CellArray) -> None:
        """Read the devices whose state the twin has yet to take over."""
        unknown = self._follower.unknown(cells)
        if self._lost or not len(unknown):
            return
        most_v = min(self.limits[self.info.device_at(cell).dopant].max_read_v for cell in unknown)
        with self.reads_for("shadow"):
            self.measure(unknown, min(START_READ_V, most_v))

    def _follow(self, act: Callable[[], list[Comparison]]) -> None:
        if self._lost:
            return
        try:
            comparisons = act()
        except Exception as error:  # whatever it is: a twin must not fail what runs on a bench
            self._lose(error)
            return
        before = set(self.tally.drifted)
        for comparison in self.tally.add(comparisons):
            self._enter_divergence(comparison)
        drifted = [name for name in self.tally.drifted if name not in before]
        for name in drifted:
            self._writer.event(
                "drift", f"{name} has drifted from its twin", level="warning", data={"device": name}
            )
        if drifted and self._stops:
            raise RunAborted(f"stopped: {', '.join(drifted)} drifted from the twin")

    def _lose(self, error: Exception) -> None:
        self._lost = " ".join(f"{type(error).__name__}: {error}".split())
        self._writer.event(
            "shadow-lost", f"the twin follows no longer: {self._lost}", level="error"
        )
        if self._stops:
            raise RunAborted(f"stopped: the twin follows no longer: {self._lost}") from error

    def _enter_divergence(self, c: Comparison) -> None:
        self._writer.event(
            "divergence",
            f"{c.device} {c.quantity}: board {text(c.board, c.unit)}, twin "
            f"{text(c.twin, c.unit)}, apart by {text(abs(c.difference), c.unit)}, uncertainty "
            f"{text(c.expanded, c.unit)} (k = 2)",
            level="warning",
            data=c,
            t_s=c.t_s,
        )

    def _conclude(self) -> None:
        tally = self.tally
        self._writer.event(
            "shadow",
            conclusion(tally, self._lost),
            data={
                "drifted": tally.drifted,
                "undecided": tally.undecided,
                "lost": self._lost,
                "scores": tally.rows(),
            },
        )
        for name, value in (
            ("shadow_compared", tally.n_compared),
            ("shadow_diverged", tally.n_diverged),
            ("shadow_drifted_devices", len(tally.drifted)),
        ):
            self._writer.metric(name, value)

    def _without_harm(self, act: Callable[[], None]) -> None:
        try:
            act()
        except Exception as error:  # the bench is safe already; say it and go on
            with suppress(HilError):
                self._writer.event("shadow-lost", f"the twin: {error}", level="error")


def conclusion(tally: Tally, lost: str = "") -> str:
    """Return in one line what a comparison with a twin came to."""
    n = len(tally.devices)
    compared = f"{tally.n_compared} values of {n} device{'' if n == 1 else 's'} compared"
    end = f"; the twin was lost: {lost}" if lost else ""
    if not tally.n_compared:
        return f"nothing was compared{end}"
    if tally.undecided:
        end = (
            f"; {', '.join(tally.undecided)} apart in too few half cycles to tell a drift from an "
            f"unlikely draw: repeat with more cycles{end}"
        )
    if tally.drifted:
        return f"drifted from the twin: {', '.join(tally.drifted)} ({compared}){end}"
    return f"no device drifted from its twin ({compared}, {tally.n_diverged} apart){end}"
