"""The volts seam: what a procedure may ask of a board, real or twin."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Protocol, Self

from numpy.typing import ArrayLike

from hil.clock import Clock
from hil.limits import DeviceLimits
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


class Board(Protocol):
    """A board of memristors. Positive voltages drive SET; arrays are (row, column).

    Every method checks all of its request against the limits before the first byte is sent and
    raises ``LimitError`` if any part of it is outside. Links that fail raise ``LinkError``.
    """

    @property
    def info(self) -> BoardInfo:
        """What the board is and what it can do."""
        ...

    @property
    def limits(self) -> Mapping[Dopant, DeviceLimits]:
        """Limits in force, by dopant."""
        ...

    @property
    def clock(self) -> Clock:
        """The board's time base; waits go through it."""
        ...

    def measure(
        self, cells: ArrayLike, v_read_v: ArrayLike, *, allow_reverse: bool = False
    ) -> Readings:
        """Read the conductance of ``cells``, one after the other.

        Costs one settling and one integration time per cell; the read voltage stresses the device
        for that long. ``v_read_v`` is a scalar or one value per cell; negative (RESET direction)
        only with ``allow_reverse``, because erase thresholds are as low as 50 mV.
        """
        ...

    def pulse(
        self, cells: ArrayLike, amplitude_v: ArrayLike, width_s: ArrayLike, n_pulses: int = 1
    ) -> Pulses:
        """Apply ``n_pulses`` rectangular pulses to each of ``cells``, one cell after the other.

        Changes the devices and wears them. Amplitude (at the source, before the series resistor)
        and width are scalars or one value per cell.
        """
        ...

    def sweep(self, cell: ArrayLike, waveform_v: ArrayLike, dt_s: float) -> SweepTrace:
        """Step the source through ``waveform_v`` on one cell, ``dt_s`` per point, measuring each.

        Changes the device. The step time is a lower bound where the instrument is slower.
        """
        ...

    def matvec(self, inputs_v: ArrayLike) -> MatVec:
        """Drive the rows with ``inputs_v`` (n_rows,) and measure the current of every column.

        Inputs obey the limits of a read. A bank that connects one device at a time measures cell
        by cell and sums; that costs one reading per cell.
        """
        ...

    def infer(self, layers: Sequence[Synapses], inputs_v: ArrayLike) -> Inference:
        """Let the board's neuron circuit answer each row of ``inputs_v`` (n_images, n_inputs).

        All devices of all layers are connected at once. The inputs drive the first layer, hidden
        neurons (summing amplifiers that clip) drive the next one, comparators behind the last sums
        decide. Costs the settling time of the circuit for each image; every device is stressed for
        that long with its input. Inputs, and the voltage at which hidden neurons clip, obey the
        limits of a read in the SET direction; 0 V is allowed.

        Raises:
            UnsupportedError: the board has no neuron circuit (``Capability.INFER``).
            UsageError: layers that do not fit together, or a device twice.
        """
        ...

    def make_safe(self) -> None:
        """Source to zero, output off, switches open, in this order; each step is tried.

        To be called from the thread that uses the board: another one would talk into its replies.

        Raises:
            LinkError: a step could not be carried out; the others were.
        """
        ...

    def close(self) -> None:
        """Make safe and give the links back. The board cannot be used afterwards."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...
